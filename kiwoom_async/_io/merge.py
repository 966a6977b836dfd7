"""Merge: many walks at once, as one stream of their pages and failures.

Memory is bounded by one page for each walk under way and one besides, tasks by the number of
those walks.
"""

from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, Generic, Self, cast

import anyio
from anyio import current_time
from attrs import frozen
from typing_extensions import TypeVar

from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.declaration import check_hashable
from kiwoom_async._protocol.query import Query, RowT, TotalsT
from kiwoom_async.errors import KiwoomError, short_repr

from .calls import Calls
from .rate_limit import Priority
from .walks import GeneratorMethods, PageWalk, StopWhen

# What the iterator gives, and what its `rows()` gives.
ItemT = TypeVar("ItemT", default=Any)
RowItemT = TypeVar("RowItemT", default=Any)

Queries = Iterable[Query[RowT, TotalsT]] | AsyncIterable[Query[RowT, TotalsT]]


@frozen
class Failure:
    """A query that could not be walked to its end, and the error."""

    query: Any
    error: KiwoomError

    @property
    def cursor(self) -> Cursor:
        """The cursor to resume at: `pages(failure.query, start=failure.cursor)`."""
        cursor: Cursor = self.error.cursor
        return cursor


class MergedPages(Generic[ItemT, RowItemT]):
    """An async iterator over the pages of a merge, in order within each query.

    It ends normally only when every walk is complete. With `on_error="raise"` the first failure
    is raised, bare, and again by every later `anext`; with "deliver" failures come as `Failure`
    values among the pages, and among the rows of `rows()`.
    """

    def __init__(self, merge: "_Merge") -> None:
        self._merge = merge

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        return cast("ItemT", await self._merge.next_item())

    def take_waiting(self) -> list[ItemT]:
        """Return what has come and was not given yet, without waiting for more.

        For programs that keep every page that Kiwoom has answered. When an error or a cancellation
        ends the block, each walk may have delivered one more page: they are all there after it.
        With `on_error="raise"` a failure among them is raised by the next `anext`.
        """
        return cast("list[ItemT]", self._merge.take_items())

    def rows(self) -> "MergedRows[RowItemT]":
        """Return the same row by row; a row says by itself which query it belongs to."""
        return MergedRows(self)


class MergedRows(GeneratorMethods[RowItemT]):
    """The rows of a merge, and its failures; a cancelled `anext` loses nothing."""

    def __init__(self, pages: MergedPages[Any, RowItemT]) -> None:
        self._pages = pages
        self._rows: Iterator[Any] = iter(())

    async def __anext__(self) -> RowItemT:
        while True:
            for row in self._rows:
                return cast("RowItemT", row)
            item = await anext(self._pages)
            if isinstance(item, Failure):
                return cast("RowItemT", item)
            self._rows = iter(item.rows)

    async def aclose(self) -> None:
        """Give no more rows of the present page; the merge ends with its block."""
        self._rows = iter(())


class _Merge:
    """The background half: queries handed to workers, their pages to the stream."""

    def __init__(
        self,
        calls: Calls,
        queries: Queries[Any, Any],
        start: Mapping[Any, Cursor],
        *,
        deadline_seconds: float,
        on_error: str,
        stop_when: StopWhen | None,
    ) -> None:
        self._calls = calls
        self._queries = queries
        self._start = start
        self._on_error = on_error
        self._stop_when = stop_when
        self._deadline = current_time() + deadline_seconds
        self._queries_in, self._queries_out = anyio.create_memory_object_stream[Any](0)
        # Not a stream: a cancelled `receive` can lose the item that was handed to it already.
        self._items: deque[Any] = deque()
        self._room = anyio.Semaphore(1)
        self._news = anyio.Event()
        self._complete = self._closed = False
        # The first failure, once it was raised; None with `on_error="deliver"`.
        self._raised: KiwoomError | None = None

    async def next_item(self) -> Any:
        """Return the next page or failure; StopAsyncIteration when every walk is complete."""
        await anyio.lowlevel.checkpoint()
        while not (self._items or self._raised or self._complete or self._closed):
            await self._news.wait()
        if self._raised is not None:
            raise self._raised
        # In another task than the merge's, its end must not pass for completion.
        if self._closed and (self._items or not self._complete):
            raise RuntimeError("this merge ended before its walks were complete")
        if not self._items:
            raise StopAsyncIteration
        item = self._items.popleft()
        self._room.release()
        if self._on_error == "raise" and isinstance(item, Failure):
            self._raise_from_now_on(item)
            raise item.error
        return item

    def take_items(self) -> list[Any]:
        """Return all that waits to be taken; a failure that is to be raised stays behind."""
        items, self._items = list(self._items), deque()
        for _ in items:
            self._room.release()
        if self._on_error == "deliver":
            return items
        for item in items:
            if isinstance(item, Failure) and self._raised is None:
                self._raise_from_now_on(item)
        return [item for item in items if not isinstance(item, Failure)]

    def _raise_from_now_on(self, failure: Failure) -> None:
        self._raised = failure.error
        self._wake_readers()

    def _wake_readers(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def run(self, concurrency: int) -> None:
        """Walk the queries, `concurrency` at a time; the first exception is raised bare."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._feed)
                for _ in range(concurrency):
                    group.start_soon(self._work)
        except BaseExceptionGroup as failed:
            first = failed.exceptions[0]
        else:
            self._complete = True
            self._wake_readers()
            return
        raise first

    def close(self) -> None:
        """Let go of the queries; what was not taken stays for `take_items`."""
        self._queries_in.close()
        self._queries_out.close()
        self._closed = True
        self._wake_readers()

    async def _put(self, item: Any) -> None:
        """Hand over a page or a failure; return once there is room for another."""
        self._items.append(item)
        self._wake_readers()
        await self._room.acquire()

    async def _feed(self) -> None:
        """Hand out each query; ValueError for one that comes twice."""
        seen: set[object] = set()
        queries = self._queries
        asynchronous = queries if isinstance(queries, AsyncIterable) else _iterate(queries)
        # A generator was handed over to be used up: left half-way, it is closed here.
        closing = aclosing(asynchronous) if isinstance(asynchronous, AsyncGenerator) else None
        async with closing or nullcontext():
            async for query in asynchronous:
                check_query(query, seen)
                self._calls.check(query)
                await self._queries_in.send(query)
        check_all_asked(self._start, seen)
        self._queries_in.close()

    async def _work(self) -> None:
        async for query in self._queries_out:
            start = self._start.get(query)
            seconds = self._deadline - current_time()
            pages = PageWalk(
                self._calls, query, start, seconds, Priority.BULK, stop_when=self._stop_when
            )
            try:
                async with aclosing(pages):
                    async for page in pages:
                        await self._put(page)
            except KiwoomError as error:
                await self._put(Failure(query, error))


@asynccontextmanager
async def merge_pages(
    calls: Calls,
    queries: Queries[Any, Any],
    start: Mapping[Any, Cursor],
    *,
    deadline_seconds: float,
    concurrency: int,
    on_error: str,
    stop_when: StopWhen | None,
) -> AsyncIterator[MergedPages[Any, Any]]:
    """Yield the pages of many queries at once, as bulk work, taken as walks become free.

    The first exception of the caller's block, of a walk or of the queries comes out as it was
    raised; all under way ends.
    """
    merge = _Merge(
        calls,
        queries,
        start,
        deadline_seconds=deadline_seconds,
        on_error=on_error,
        stop_when=stop_when,
    )
    in_block: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(merge.run, concurrency)
            try:
                yield MergedPages(merge)
            except BaseException as error:
                in_block = error
                raise
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failed:
        # The group is an internal matter: `except KeyError` around a merge must work.
        raised: tuple[BaseException, ...] = failed.exceptions
        bare = next((error for error in raised if error is in_block), raised[0])
        for other in raised:
            if other is not bare:
                bare.add_note(f"at the same time: {other!r}")
    else:
        return
    finally:
        # Not before all tasks have ended: a reader would take it for the end of the walks.
        merge.close()
    raise bare


def check_query(query: object, seen: set[object]) -> None:
    """Raise ValueError for what is no query, and for one seen before; then it is seen."""
    if not isinstance(query, Query):
        raise ValueError(f"queries: got {short_repr(query)} among them, which is no query")
    check_hashable(query)
    # Its pages would be mixed up with those of the other.
    if query in seen:
        raise ValueError(f"queries: {query} comes twice")
    seen.add(query)


def check_all_asked(start: Iterable[object], queries: Iterable[object]) -> None:
    """Raise ValueError if a walk to resume is not among the queries."""
    for query in set(start) - set(queries):
        raise ValueError(f"start: {query} is not among the queries")


async def _iterate(queries: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for query in queries:
        yield query
