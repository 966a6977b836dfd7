"""Audit: what can be said of a walk's completeness, added up page by page.

Sums, and one short key for each row, are kept, no rows.
"""

from collections.abc import Hashable, Sequence
from decimal import Decimal
from typing import Any, Final

from attrs import asdict, define, evolve, field, frozen

from kiwoom_async.errors import ContinuationError

_MAX_EXAMPLES: Final = 5
# Pages that are equal rows alone; more of them are a server that goes round in circles.
_MAX_EQUAL_PAGES: Final = 20
_MAX_KEY_LENGTH: Final = 100


@frozen(kw_only=True)
class Check:
    """A figure of a walk beside what it should be.

    name: what was added up or counted. expected: None where the server stated no figure.
    tolerance: how far the two may be apart, where figures are rounded.
    examples: rows that do not hold, by key.
    each_row: it counts rows that do not hold by themselves, so that any part of a walk can show it;
        a sum needs the whole walk.
    """

    name: str
    actual: int | Decimal
    expected: int | Decimal | None
    unit: str = ""
    tolerance: int | Decimal = 0
    examples: tuple[Hashable, ...] = ()
    each_row: bool = False

    @property
    def difference(self) -> int | Decimal | None:
        """Actual minus expected; None where nothing was expected."""
        return None if self.expected is None else self.actual - self.expected

    @property
    def holds(self) -> bool:
        """True unless the two are further apart than they may be."""
        difference = self.difference
        return difference is None or -self.tolerance <= difference <= self.tolerance

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        expected = "" if self.expected is None else f", expected {self.expected:,}"
        examples = f" ({_listed(self.examples)})" if self.examples else ""
        return f"{self.name} is {self.actual:,}{unit}{expected}{examples}"


@frozen(kw_only=True)
class Audit:
    """What can be said of a walk's completeness. It reports, and hides no row.

    undecoded_rows: rows that could not be read; the checks leave them out.
    empty_pages: numbers of the pages without a row, in a walk of several.
    repeated_keys: what came twice, as the query's `row_key` tells rows apart; by default, rows
        that are equal and do not follow each other.
    totals_vary: different totals came with different pages.
    miscounted_pages: numbers of the pages whose header `resp-cnt` is not their number of rows.
    restarted: the server began the walk again, right after an empty page, instead of ending it;
        that was taken for the end (wire-facts.md, section 5).
    stopped: the walk was ended before the server's end, by `stop_when`, or by `watch` at rows that
        it knows.
    checks: figures of the rows beside what they should be, as the query declares them; of a walk
        that did not begin at its first page, or was stopped, only those of single rows.

    During trading hours values move while a walk runs, so that a row may come twice and sums may
    differ. A whole day after the close is expected to add up.
    """

    pages: int
    rows: int
    blank_rows: int = 0
    undecoded_rows: int = 0
    empty_pages: tuple[int, ...] = ()
    repeated_keys: tuple[Hashable, ...] = field(default=(), repr=lambda keys: f"({_listed(keys)})")
    totals_vary: bool = False
    miscounted_pages: tuple[int, ...] = ()
    restarted: bool = False
    stopped: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def findings(self) -> list[str]:
        """Everything that does not add up, one sentence each."""
        found = [str(check) for check in self.checks if not check.holds]
        if self.undecoded_rows:
            found.append(f"rows that could not be read: {self.undecoded_rows}")
        if self.blank_rows and self.rows:
            found.append(f"blank rows among the others: {self.blank_rows}")
        if self.empty_pages:
            found.append(f"pages without rows in a walk of several: {self.empty_pages}")
        if self.repeated_keys:
            found.append(f"seen more than once: {_listed(self.repeated_keys)}")
        if self.miscounted_pages:
            found.append(
                f"pages whose resp-cnt is not their number of rows: {self.miscounted_pages}"
            )
        if self.restarted:
            found.append("the server began again after an empty page, which was taken for the end")
        if self.totals_vary:
            found.append("the stated totals changed from page to page")
        return found

    def __str__(self) -> str:
        blank = f", {self.blank_rows} blank" if self.blank_rows else ""
        counted = f"{self.pages} pages, {self.rows:,} rows{blank}"
        result = "stopped early" if self.stopped else "nothing amiss"
        sums = any(not check.each_row for check in self.checks)
        result = "everything adds up" if sums else f"{result}; no sums were compared"
        result = result if self.rows else "no data"
        return f"{counted}: {'; '.join(self.findings) or result}"


@define
class _CheckTally:
    """Adds up the checks of one name, page by page; quicker than a new `Check` for each page."""

    unit: str
    each_row: bool
    actual: int | Decimal = 0
    expected: int | Decimal | None = None
    tolerance: int | Decimal = 0
    examples: tuple[Hashable, ...] = ()

    def add(self, check: Check) -> None:
        """Take the check of the next page into account; its expectation counts, if it has one."""
        self.actual += check.actual
        self.tolerance += check.tolerance
        if check.expected is not None:
            self.expected = check.expected
        if check.examples:
            self.examples = (self.examples + check.examples)[:_MAX_EXAMPLES]


class AuditTally:
    """Adds up the pages of a walk."""

    def __init__(self, query: Any) -> None:
        self._query = query
        self._no_totals = None if query.totals_class is None else query.totals_class()
        self.totals: Any = self._no_totals
        self.pages = self.rows = 0
        self.stopped = False
        self._from_first_page = False
        self._blank_rows = self._undecoded_rows = 0
        self._empty_pages: list[int] = []
        self._miscounted_pages: list[int] = []
        self._seen: set[str | int] = set()
        self._page_counts: dict[int, int] = {}
        self._last_key: str | int | None = None
        self._repeated_keys: dict[Hashable, None] = {}
        self._totals_vary = self._restarted = False
        self._checks: dict[str, _CheckTally] = {}

    def add(self, page: Any) -> Any:
        """Take the next page into account; return it, without rows if the server began again.

        Raises ContinuationError for a page that has the rows of an earlier one and announces
        another, and for one where the server began again with other rows than before.
        """
        self._from_first_page |= page.number == 1
        row_key = self._query.row_key
        # Any key but a text may be a whole row, which would be kept with it.
        keys = [key if type(key := row_key(row)) is str else hash(repr(key)) for row in page.rows]
        if page.restarted and page.rows:
            # A walk that was resumed has not seen the first pages.
            if self._from_first_page and not self._seen.issuperset(keys):
                raise ContinuationError(
                    f"after an empty page, page {page.number} leads back to an earlier one, with "
                    "rows that did not come before"
                )
            keys = []
            # `Rows`, which this file cannot import: results.py imports it.
            page = evolve(page, rows=type(page.rows)((), self._query.row_class), undecoded=[])
        self.pages += 1
        self.rows += len(page.rows)
        self._blank_rows += page.blank_rows
        self._undecoded_rows += len(page.undecoded)
        self._restarted |= page.restarted
        sent_rows = len(page.rows) + page.blank_rows + len(page.undecoded)
        without_rows = not page.rows and not page.undecoded and not page.restarted
        if without_rows and (page.next or page.number > 1):
            self._empty_pages.append(page.number)
        # What is counted of "no data", a blank row, is unknown.
        stated = (
            None if page.restarted or (without_rows and not page.stated_rows) else page.stated_rows
        )
        if stated not in (None, sent_rows):
            self._miscounted_pages.append(page.number)
        if page.totals != self._no_totals:
            self._totals_vary |= self.totals not in (self._no_totals, page.totals)
            self.totals = page.totals
        # All of them first: one that raises leaves the sums as they were.
        for check in list(self._query.checks(page.rows, self.totals)):
            if check.name not in self._checks:
                self._checks[check.name] = _CheckTally(check.unit, check.each_row)
            self._checks[check.name].add(check)
        known = self._seen.intersection(keys)
        seen_before = len(self._seen)
        self._seen.update(keys)
        distinct_count = len(self._seen) - seen_before + len(known)
        if known or distinct_count < len(keys):
            self._add_repeated_keys(page.rows, keys, known)
        self._last_key = keys[-1] if keys else None
        # One key, a time of many rows perhaps, does not tell a page from the next.
        compared = keys if distinct_count > 1 else [hash(repr(row)) for row in page.rows]
        page_hash = hash((*compared, *(hash(repr(each.raw)) for each in page.undecoded)))
        times = self._page_counts[page_hash] = self._page_counts.get(page_hash, 0) + 1
        # Equal rows may fill a page: trades of one second, where nothing but the row is the key.
        may_repeat = distinct_count == 1 and not page.undecoded and self._is_whole_row(page.rows[0])
        repeated = times > (_MAX_EQUAL_PAGES if may_repeat else 1)
        if repeated and (page.rows or page.undecoded) and page.next is not None:
            raise ContinuationError(
                f"page {page.number} has the rows of an earlier page: the server goes round in "
                "circles"
            )
        return page

    def audit(self, *, sums: bool = True) -> Audit:
        """Return the audit of the pages so far.

        sums: compare figures with the stated totals, too; not for a part of a walk, nor where the
            market moves between two pages.
        """
        compared = sums and self._from_first_page and not self.stopped
        checks = [
            Check(name=name, **asdict(tally, recurse=False))
            for name, tally in self._checks.items()
            if compared or tally.each_row
        ]
        return Audit(
            pages=self.pages,
            rows=self.rows,
            blank_rows=self._blank_rows,
            undecoded_rows=self._undecoded_rows,
            empty_pages=tuple(self._empty_pages),
            repeated_keys=tuple(self._repeated_keys),
            totals_vary=self._totals_vary and sums,
            miscounted_pages=tuple(self._miscounted_pages),
            restarted=self._restarted,
            stopped=self.stopped,
            checks=tuple(checks),
        )

    def _is_whole_row(self, row: Any) -> bool:
        """Return True if nothing but the row itself is its key."""
        return self._query.row_key(row) is row

    def _add_repeated_keys(
        self, rows: Sequence[Any], keys: list[str | int], known: set[str | int]
    ) -> None:
        """Take note of keys that came before, of which those of earlier pages are `known`."""
        seen = set(known)
        if self._is_whole_row(rows[0]):
            # Equal rows of one page are rows of their own, and so are those that go on from the
            # page before.
            if keys[0] == self._last_key:
                seen.discard(keys[0])
            distinct = dict(zip(keys, rows, strict=True))
            keys, rows = [*distinct], [*distinct.values()]
        for key, row in zip(keys, rows, strict=True):
            if key in seen:
                self._repeated_keys[hashable(self._query.row_key(row))] = None
            seen.add(key)


def hashable(key: object) -> Hashable:
    """Return the key of a row; its text where it has no hash, as a row that can change."""
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _listed(keys: tuple[Hashable, ...]) -> str:
    more = len(keys) - _MAX_EXAMPLES
    # A key that is a whole row is long.
    texts = [str(key) for key in keys[:_MAX_EXAMPLES]]
    named = [
        text if len(text) <= _MAX_KEY_LENGTH else f"{text[:_MAX_KEY_LENGTH]}..." for text in texts
    ]
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
