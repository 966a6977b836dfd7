"""Audit: what can be said of a walk's completeness, added up page by page in constant memory.

Sums and hashes of keys are kept, not rows.
"""

from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Any, Final

from attrs import evolve, frozen

_MOST_EXAMPLES: Final = 5


@frozen(kw_only=True)
class Check:
    """A figure of a walk beside what it should be.

    name: what was added up or counted. expected: None where the server stated no figure.
    tolerance: how far the two may be apart, where figures are rounded.
    examples: rows that do not hold, by key.
    """

    name: str
    actual: int | Decimal
    expected: int | Decimal | None
    unit: str = ""
    tolerance: int | Decimal = 0
    examples: tuple[Hashable, ...] = ()

    @property
    def difference(self) -> int | Decimal | None:
        """Actual minus expected; None where nothing was expected."""
        return None if self.expected is None else self.actual - self.expected

    @property
    def holds(self) -> bool:
        """True unless the two are further apart than they may be."""
        difference = self.difference
        return difference is None or -self.tolerance <= difference <= self.tolerance

    def __add__(self, later: "Check") -> "Check":
        """Return the check of both parts of a walk; the later expectation counts, if any."""
        return evolve(
            later,
            actual=self.actual + later.actual,
            expected=self.expected if later.expected is None else later.expected,
            tolerance=self.tolerance + later.tolerance,
            examples=(self.examples + later.examples)[:_MOST_EXAMPLES],
        )

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        expected = "" if self.expected is None else f", expected {self.expected:,}"
        examples = f" ({_listed(self.examples)})" if self.examples else ""
        return f"{self.name} is {self.actual:,}{unit}{expected}{examples}"


@frozen(kw_only=True)
class Audit:
    """What can be said of a walk's completeness. It reports, and hides no row.

    undecoded_rows: rows that could not be read; of any, the checks know nothing.
    empty_pages: numbers of the pages without a row, in a walk of several.
    repeated_keys: what came twice, as the query's `row_key` tells rows apart.
    totals_vary: different totals came with different pages.
    checks: figures of the rows beside what they should be, as the query declares them.

    During trading hours values move while a walk runs, so that a row may come twice and sums may
    differ. A whole day after the close is expected to add up.
    """

    pages: int
    rows: int
    blank_rows: int = 0
    undecoded_rows: int = 0
    empty_pages: tuple[int, ...] = ()
    repeated_keys: tuple[Hashable, ...] = ()
    totals_vary: bool = False
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
        if self.totals_vary:
            found.append("the stated totals changed from page to page")
        return found

    def __str__(self) -> str:
        blank = f", {self.blank_rows} blank" if self.blank_rows else ""
        counted = f"{self.pages} pages, {self.rows:,} rows{blank}"
        result = "everything adds up" if self.rows else "no data"
        return f"{counted}: {'; '.join(self.findings) or result}"


class AuditTally:
    """Adds up the pages of a walk."""

    def __init__(self, query: Any) -> None:
        self._query = query
        self._no_totals = None if query.totals_class is None else query.totals_class()
        self.totals: Any = self._no_totals
        self._pages = self._rows = self._blank_rows = self._undecoded_rows = 0
        self._empty_pages: list[int] = []
        self._key_hashes: set[int] = set()
        self._repeated_keys: dict[Hashable, None] = {}
        self._totals_vary = False
        self._checks: list[Check] = []

    def add(self, page: Any) -> None:
        """Take the next page into account."""
        self._pages += 1
        self._rows += len(page.rows)
        self._blank_rows += page.blank_rows
        self._undecoded_rows += len(page.undecoded)
        if not page.rows and not page.undecoded and (page.next or page.number > 1):
            self._empty_pages.append(page.number)
        for row in page.rows:
            self._add_key(self._query.row_key(row))
        if page.totals != self._no_totals:
            self._totals_vary |= self.totals not in (self._no_totals, page.totals)
            self.totals = page.totals
        self._add_checks(self._query.checks(page.rows, self.totals))

    def audit(self) -> Audit:
        """Return the audit of the pages so far."""
        return Audit(
            pages=self._pages,
            rows=self._rows,
            blank_rows=self._blank_rows,
            undecoded_rows=self._undecoded_rows,
            empty_pages=tuple(self._empty_pages),
            repeated_keys=tuple(self._repeated_keys),
            totals_vary=self._totals_vary,
            checks=tuple(self._checks),
        )

    def _add_key(self, key: Hashable) -> None:
        key_hash = hash(key)
        if key_hash in self._key_hashes:
            self._repeated_keys[key] = None
        self._key_hashes.add(key_hash)

    def _add_checks(self, checks: Iterable[Check]) -> None:
        earlier = self._checks
        self._checks = list(checks)
        if earlier:
            self._checks = [a + b for a, b in zip(earlier, self._checks, strict=True)]


def _listed(keys: tuple[Hashable, ...]) -> str:
    more = len(keys) - _MOST_EXAMPLES
    return ", ".join(map(str, keys[:_MOST_EXAMPLES])) + (f" and {more} more" if more > 0 else "")
