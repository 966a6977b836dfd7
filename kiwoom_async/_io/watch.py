"""Watching: the same queries walked again and again, and what has changed from walk to walk.

Knows rows by their identity only; does not know how a page is fetched.
"""

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self, cast

from anyio import current_time
from attrs import frozen

from kiwoom_async._protocol.estimate import Estimate
from kiwoom_async._protocol.query import (
    AuditT,
    Generic,
    ItemT,
    Page,
    Query,
    QueryT,
    RowT,
    Walk,
    first_cursor,
)
from kiwoom_async.errors import KiwoomError

from .merge import Failure
from .rate_limit import Priority
from .walks import Source, tell_end

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
        self.number = 0
        self.begin()

    def begin(self) -> None:
        """Another walk begins."""
        self.number += 1
        self.cursor = first_cursor(self.query)
        self.pages: list[Page[Any, Any, Any]] = []
        self._found: set[str] = set()
        self._changes = 0

    def take(self, page: Page[Any, Any, Any]) -> Iterator[Change[Any, Any]]:
        """What the page changes."""
        self.pages.append(page)
        for row in page.rows:
            identity = self._identity(row)
            # A stock that stands twice in a walk is the audit's to tell: taken for two changes,
            # it would change for ever.
            if identity in self._found:
                continue
            self._found.add(identity)
            earlier = self._rows.get(identity)
            self._rows[identity] = row
            if row != earlier:
                yield self._changed(earlier, row)

    def complete(self) -> Iterator[Change[Any, Any] | WalkComplete[Any, Any]]:
        """What only a complete walk can tell: which rows are gone; then the mark."""
        for identity in self._lost():
            yield self._changed(self._rows.pop(identity), None)
        audit = Walk.of(self.query, self.pages).audit
        yield WalkComplete(self.query, self.number, self._changes, audit)

    def _lost(self) -> list[str]:
        # A walk without any row says "no data", not that nothing is listed any more
        # (wire-facts.md, fact 6); a row that could not be read may be any of them.
        if not self._found or any(page.undecoded for page in self.pages):
            return []
        return [identity for identity in self._rows if identity not in self._found]

    def _changed(self, earlier: Any, later: Any) -> Change[Any, Any]:
        self._changes += 1
        return Change(self.query, earlier, later)


class Watch(Generic[ItemT]):
    """An async iterator over what changes, for ever.

    Nothing runs between two items, so that leaving it is harmless, and an `anext` that is
    cancelled loses nothing: the next one goes on. Only one task may wait for it at a time.
    """

    def __init__(
        self,
        source: Source,
        queries: Sequence[Any],
        every_seconds: float,
        estimate: Callable[[], Estimate],
    ) -> None:
        self._source = source
        self._every_seconds = every_seconds
        self._estimate = estimate
        self._watched = [_Watched(query) for query in queries]
        self._items: deque[Any] = deque()
        self._place = 0
        self._began = self._rest_until = 0.0
        self._complete = 0
        self._fruitless = 0
        self._warned = self._waiting = self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        if self._waiting:
            raise RuntimeError("another task is waiting for this watch already")
        self._waiting = True
        try:
            while not self._items:
                if self._closed:
                    raise StopAsyncIteration
                await self._step()
        finally:
            self._waiting = False
        return cast("ItemT", self._items.popleft())

    async def aclose(self) -> None:
        """End it: no more items. Not needed, but `contextlib.aclosing` may ask for it."""
        if not self._closed and self._watched[self._place].pages:
            self._finish(complete=False)
        self._items.clear()
        self._closed = True

    async def _step(self) -> None:
        """One page of the walk whose turn it is; whatever is cancelled here can be repeated."""
        if self._place == 0 and not self._watched[0].pages:
            await self._begin_round()
        walk = self._watched[self._place]
        try:
            page = await self._source.fetch(walk.query, walk.cursor, Priority.BULK, math.inf)
        except KiwoomError as error:
            self._items.append(Failure(walk.query, error))
            self._finish(complete=False, error=error)
            self._turn()
            return
        self._items += walk.take(page)
        if page.next is not None:
            walk.cursor = page.next
            return
        self._items += walk.complete()
        self._complete += 1
        self._finish(complete=True)
        self._turn()

    def _finish(self, *, complete: bool, error: KiwoomError | None = None) -> None:
        walk = self._watched[self._place]
        sizes = [len(page.rows) for page in walk.pages]
        tell_end(self._source, walk.query, sizes, complete=complete, error=error)

    def _turn(self) -> None:
        """The next query's walk; after the last one, the next round's."""
        self._watched[self._place].begin()
        self._place = (self._place + 1) % len(self._watched)
        if self._place:
            return
        now = current_time()
        self._fruitless = 0 if self._complete else self._fruitless + 1
        pause_seconds = 2.0 ** min(self._fruitless - 1, 5) if self._fruitless else 0.0
        pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds)
        self._rest_until = max(self._began + self._every_seconds, now + pause_seconds)
        if self._complete and not self._warned:
            self._warned = _warned_of_haste(self._every_seconds, self._estimate())

    async def _begin_round(self) -> None:
        await self._source.rest(self._rest_until)
        self._began, self._complete = current_time(), 0


def _warned_of_haste(every_seconds: float, needed: Estimate) -> bool:
    if not 0 < every_seconds < needed.seconds:
        return False
    warnings.warn(
        f"every: {every_seconds:g} s is shorter than a round can take ({needed}); "
        "rounds follow each other without a pause",
        # Past here, _turn, _step and __anext__: where the item was asked for.
        stacklevel=5,
    )
    return True
