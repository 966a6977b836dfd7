"""Watching: the same queries walked again and again, and what has changed from walk to walk.

Knows rows by their identity only; does not know how a page is fetched.
"""

import warnings
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any, Final

from anyio import current_time, sleep_until
from attrs import frozen

from ._endpoint import AuditT, Generic, Page, Query, QueryT, RowT, Walk
from ._errors import KiwoomError
from ._estimate import Estimate
from ._pace import Priority
from ._walks import Failure, Source, walk_pages

# After a round in which no walk was complete: an outage is not answered with a storm.
_LONGEST_PAUSE_SECONDS: Final = 30.0


@frozen
class Change(Generic[RowT, QueryT]):
    """A row that is not as it was: `earlier` is None when it is new, `later` when it is gone."""

    query: QueryT
    earlier: RowT | None
    later: RowT | None


@frozen
class WalkComplete(Generic[QueryT, AuditT]):
    """Every row of a query has been looked at once more.

    `number` counts the walks of the query from 1, failed ones included; `changes` is how many
    changes this walk has brought.
    """

    query: QueryT
    number: int
    changes: int
    audit: AuditT


class _Watched:
    """One query: its rows as they were last seen, and the walk that is under way."""

    def __init__(self, query: Query[Any, Any, Any, Any]) -> None:
        self.query = query
        self._identity = query.endpoint.identity
        self._rows: dict[str, Any] = {}
        self.begin()

    def begin(self) -> None:
        """Another walk begins."""
        self._pages: list[Page[Any, Any, Any]] = []
        self._found: set[str] = set()
        self._changes = 0

    def compare(self, page: Page[Any, Any, Any]) -> Iterator[Change[Any, Any]]:
        """What the page changes."""
        self._pages.append(page)
        for row in page.rows:
            identity = self._identity(row)
            earlier = self._rows.get(identity)
            self._rows[identity] = row
            self._found.add(identity)
            if row != earlier:
                yield self._changed(earlier, row)

    def gone(self) -> Iterator[Change[Any, Any]]:
        """The rows that a complete walk has not brought again; of any other it says nothing."""
        for identity in [identity for identity in self._rows if identity not in self._found]:
            yield self._changed(self._rows.pop(identity), None)

    def complete(self, number: int) -> WalkComplete[Any, Any]:
        """The mark at the end of a complete walk."""
        audit = Walk.of(self.query, self._pages).audit
        return WalkComplete(self.query, number, self._changes, audit)

    def _changed(self, earlier: Any, later: Any) -> Change[Any, Any]:
        self._changes += 1
        return Change(self.query, earlier, later)


async def watching(
    source: Source, queries: Sequence[Any], every_seconds: float, estimate: Callable[[], Estimate]
) -> AsyncGenerator[Change[Any, Any] | WalkComplete[Any, Any] | Failure[Any], None]:
    """What changes, for ever; rounds begin `every_seconds` after each other, or later."""
    watched = [_Watched(query) for query in queries]
    fruitless, warned = 0, False
    for number in count(1):
        began, complete = current_time(), 0
        for each in watched:
            each.begin()
            failure = None
            try:
                async with aclosing(walk_pages(source, each.query, None, Priority.BULK)) as pages:
                    async for page in pages:
                        for change in each.compare(page):
                            yield change
            except KiwoomError as error:
                failure = Failure(each.query, error)
            if failure is not None:
                yield failure
                continue
            for change in each.gone():
                yield change
            yield each.complete(number)
            complete += 1
        fruitless = 0 if complete else fruitless + 1
        if complete == len(watched) and not warned:
            warned = True
            _warn_of_haste(every_seconds, estimate())
        await sleep_until(max(began + every_seconds, current_time() + _pause_seconds(fruitless)))


def _pause_seconds(fruitless: int) -> float:
    return min(_LONGEST_PAUSE_SECONDS, 2.0 ** (fruitless - 1)) if fruitless else 0.0


def _warn_of_haste(every_seconds: float, needed: Estimate) -> None:
    if 0 < every_seconds < needed.seconds:
        warnings.warn(
            f"every: {every_seconds:g} s is shorter than a round can take ({needed}); "
            "rounds follow each other without a pause",
            stacklevel=3,
        )
