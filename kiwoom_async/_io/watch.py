"""Watch: the same queries walked again and again, and the rows that changed from walk to walk."""

import datetime as dt
import inspect
import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, Self, cast

from anyio import current_time
from attrs import frozen
from typing_extensions import TypeVar

from kiwoom_async._protocol.audit import Audit, AuditTally, hashable
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async._protocol.query import Query, RowT
from kiwoom_async._protocol.results import Page
from kiwoom_async._protocol.times import KST
from kiwoom_async.errors import KiwoomError, short_repr
from kiwoom_async.events import WalkFinished

from .calls import Calls
from .merge import Failure, check_query
from .rate_limit import Priority

ItemT = TypeVar("ItemT", default=Any)
# Queries, or a function that returns those of the next round.
Queries = Sequence[Query[Any, Any]] | Callable[[], Iterable[Query[Any, Any]]]

# After a round without any complete walk, so that an outage meets no storm of calls.
_MAX_PAUSE_SECONDS: Final = 30.0


@frozen
class Change(Generic[RowT]):
    """A row that is not as it was: `earlier` is None when it is new, `later` when it is gone."""

    query: Any
    earlier: RowT | None
    later: RowT | None


@frozen
class WalkComplete:
    """A query was walked once more, to its end or, newest first, to rows that are known.

    `number` counts the walks of the query from 1, failed ones included; `changes` is how many
    changes this walk brought.
    """

    query: Any
    number: int
    changes: int
    audit: Audit


class _WatchedQuery:
    """One query: its rows as they were last seen, and the walk that is under way."""

    def __init__(self, query: Query[Any, Any]) -> None:
        self.query = query
        # By key and occurrence, as one key may come several times: the rows as they were last
        # seen, and as they were at the end of the last walk that did not fail, in its order.
        self._rows: dict[tuple[Hashable, int], Any] = {}
        self._settled: dict[tuple[Hashable, int], Any] = {}
        self.number = 0
        self.begin_walk()

    def begin_walk(self) -> None:
        """Begin another walk."""
        self.number += 1
        self.cursor = first_cursor(self.query)
        self.tally = AuditTally(self.query)
        self._undecoded = False
        self._seen: dict[tuple[Hashable, int], Any] = {}
        self._occurrences = Counter[Hashable]()
        self._changes = 0

    def changes_of(self, page: Page[Any, Any]) -> Iterator[Change[Any]]:
        """Yield what the page changes."""
        self._undecoded |= bool(page.undecoded)
        settled = False
        for row in page.rows:
            row_key = hashable(self.query.row_key(row))
            key = row_key, self._occurrences[row_key]
            self._occurrences[row_key] += 1
            earlier = self._rows.get(key)
            self._rows[key] = self._seen[key] = row
            # Of several equal rows, none says how many new ones came before it.
            several = (row_key, 1) in self._settled
            settled = row == self._settled.get(key) and not several
            if row != earlier:
                yield self._change(earlier, row)
        if settled and self.query.newest_first and not self._undecoded:
            self.tally.stopped = page.next is not None

    def complete(self) -> Iterator[Change[Any] | WalkComplete]:
        """Yield what only the end of a walk can show, the rows that are gone; then its mark."""
        # A walk without any row says "no data", not that nothing is listed any more
        # (wire-facts.md, fact 6); a row that could not be read may be any of them.
        if self._seen and not self._undecoded:
            for key in self._settle():
                yield self._change(self._rows.pop(key), None)
            self._settled = dict(self._rows)
        yield WalkComplete(self.query, self.number, self._changes, self.tally.audit())

    def _settle(self) -> list[tuple[Hashable, int]]:
        """Bring the rows into the order of this walk; return the keys of those that are gone."""
        older: list[tuple[Hashable, int]] = []
        if self.tally.stopped:  # what comes after its last row is as it was
            older = [*self._settled]
            older = older[older.index([*self._seen][-1]) + 1 :]
        present = {**self._seen, **{key: self._rows[key] for key in older}}
        gone = {key: row for key, row in self._rows.items() if key not in present}
        self._rows = present | gone
        return [*gone]

    def _change(self, earlier: Any, later: Any) -> Change[Any]:
        self._changes += 1
        return Change(self.query, earlier, later)


class Watch(Generic[ItemT]):
    """An async iterator over what changes, for ever.

    Nothing runs between two items, so that leaving it is harmless, and an `anext` that is
    cancelled loses nothing: the next one goes on. Only one task may wait for it at a time.
    """

    # A round without queries, as a function may return on a holiday, is followed by this pause.
    _PAUSE_WITHOUT_QUERIES_SECONDS: Final = 1.0

    def __init__(
        self,
        calls: Calls,
        queries: Queries,
        every_seconds: float,
    ) -> None:
        self._calls = calls
        self._queries = queries
        self._every_seconds = every_seconds
        self._watched = [] if callable(queries) else [_WatchedQuery(query) for query in queries]
        self._watched_since = _today()
        self._days_that_passed: set[dt.date] = set()
        self._items: deque[Any] = deque()
        self._index = 0
        self._round_began_at = self._next_round_at = 0.0
        self._complete_walks = 0
        self._failed_rounds = 0
        self._in_round = False
        self._warned = self._running = self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        if self._running:
            raise RuntimeError("another task is waiting for this watch already")
        self._running = True
        try:
            while not self._items:
                if self._closed:
                    raise StopAsyncIteration
                await self._next_page()
        finally:
            self._running = False
        return cast("ItemT", self._items.popleft())

    async def aclose(self) -> None:
        """End it: no more items. Not needed, but `contextlib.aclosing` may ask for it."""
        if not self._closed and self._in_round and self._watched[self._index].tally.pages:
            self._emit_finished(complete=False)
        self._items.clear()
        self._closed = True

    async def _next_page(self) -> None:
        """Fetch a page of the walk whose turn it is; if cancelled, it can be repeated."""
        if not self._in_round:
            await self._begin_round()
            if not self._in_round:
                return
        walk = self._watched[self._index]
        try:
            page = await self._calls.page(walk.query, walk.cursor, Priority.BULK)
            page = walk.tally.add(page)
        except KiwoomError as error:
            if error.cursor is None:  # no error of the call: the page does not fit the others
                error.locate(walk.query, walk.cursor)
            self._items.append(Failure(walk.query, error))
            self._emit_finished(complete=False, error=error)
            self._end_walk()
            return
        self._calls.page_counts.learn(page)
        self._items += walk.changes_of(page)
        if page.next is not None and not walk.tally.stopped:
            walk.cursor = page.next
            return
        self._items += walk.complete()
        self._complete_walks += 1
        self._emit_finished(complete=page.next is None)
        self._end_walk()

    def _emit_finished(self, *, complete: bool, error: KiwoomError | None = None) -> None:
        walk = self._watched[self._index]
        finished = WalkFinished(
            query=walk.query,
            pages=walk.tally.pages,
            rows=walk.tally.rows,
            complete=complete,
            error=error,
            # The sums of a market that moves are in WalkComplete, and no reason for a warning.
            audit=walk.tally.audit(sums=False),
        )
        self._calls.emitter.emit(finished)

    def _end_walk(self) -> None:
        """Go on to the next query's walk; after the last one, to the next round."""
        self._watched[self._index].begin_walk()
        self._index = (self._index + 1) % len(self._watched)
        if self._index:
            return
        self._in_round = False
        self._failed_rounds = 0 if self._complete_walks else self._failed_rounds + 1
        pause_seconds = 2.0 ** min(self._failed_rounds - 1, 5) if self._failed_rounds else 0.0
        self._next_round_at = max(
            self._round_began_at + self._every_seconds,
            current_time() + min(_MAX_PAUSE_SECONDS, pause_seconds),
        )
        if self._complete_walks and not self._warned:
            self._warn_if_too_fast()

    async def _begin_round(self) -> None:
        await self._calls.sleep_until(self._next_round_at)
        self._round_began_at, self._complete_walks = current_time(), 0
        if callable(self._queries):
            self._watch_instead(self._queries())
        if not self._watched:
            pause_seconds = max(self._every_seconds, self._PAUSE_WITHOUT_QUERIES_SECONDS)
            self._next_round_at = self._round_began_at + pause_seconds
            return
        self._in_round = True
        self._warn_of_days_that_passed()

    def _watch_instead(self, found: Iterable[Query[Any, Any]]) -> None:
        """Watch these queries from now on; those that were watched before keep their rows."""
        if isinstance(found, Query) or not isinstance(found, Iterable):
            if inspect.iscoroutine(found):
                found.close()
            raise ValueError(
                f"queries: the function returned {short_repr(found)}; expected a list of queries"
            )
        queries = list(found)
        seen: set[object] = set()
        for query in queries:
            check_query(query, seen)
            # Past here, _begin_round, _next_page and __anext__.
            self._calls.check(query, stacklevel=6)
        known = {walk.query: walk for walk in self._watched}
        self._watched = [known.get(query) or _WatchedQuery(query) for query in queries]
        self._index = 0

    def _warn_of_days_that_passed(self) -> None:
        """Warn once of each day that was the present one, or a later one, and is over now."""
        today = _today()
        for walk in self._watched:
            day = walk.query.day()
            if day is None or not self._watched_since <= day < today:
                continue
            if day not in self._days_that_passed:
                self._days_that_passed.add(day)
                warnings.warn(
                    f"{walk.query}: this day is over in Korea, and nothing of it changes any more; "
                    "give `watch` a function that returns the queries of each round",
                    # Past here, _begin_round, _next_page and __anext__.
                    stacklevel=5,
                )

    def _warn_if_too_fast(self) -> None:
        estimate = self._calls.estimate([walk.query for walk in self._watched])
        if 0 < self._every_seconds < estimate.seconds:
            self._warned = True
            warnings.warn(
                f"every: {self._every_seconds:g} s is shorter than a round can take ({estimate}); "
                "rounds follow each other without a pause",
                # Past here, _end_walk, _next_page and __anext__: where the item was asked for.
                stacklevel=5,
            )


def _today() -> dt.date:
    return dt.datetime.now(KST).date()
