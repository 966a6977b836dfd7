"""Walks over `page`, the primitive: one after the other, or many at once.

Knows how walks go on, end and fail; does not know how a page is fetched.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from attrs import frozen

from ._continuation import Cursor
from ._endpoint import (
    AuditT,
    Generic,
    ItemT,
    Page,
    Query,
    QueryT,
    RowT,
    TotalsT,
    belongs,
    first_cursor,
)
from ._errors import ContinuationError, KiwoomError
from ._events import Tell, WalkFinished
from ._merge import Stream, fan_out
from ._pace import Priority
from ._wire import shown

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    EachT = TypeVar("EachT", default=Any)
else:
    EachT = Any

# A query, where to begin, the keys used so far, whose call goes first, and until when.
Fetch = Callable[[Any, Cursor, set[str], Priority, float], Awaitable[Page[Any, Any, Any]]]
Queries = (
    Iterable[Query[RowT, TotalsT, QueryT, AuditT]]
    | AsyncIterable[Query[RowT, TotalsT, QueryT, AuditT]]
)


def start_of(query: Query[Any, Any, Any, Any], cursor: Cursor | None) -> Cursor:
    """Where a walk begins; ContinuationError for a cursor of another query."""
    if cursor is None:
        return first_cursor(query)
    if not isinstance(cursor, Cursor):
        raise ValueError(f"cursor: got {shown(cursor)}; Cursor.parse(text) makes one from text")
    if not belongs(cursor, query):
        error = ContinuationError(f"the cursor belongs to another query: {dict(cursor.body)}")
        error.query = query
        raise error
    return cursor


@frozen
class Source:
    """Where walks get their pages, how they wait, and whom they tell of their end."""

    fetch: Fetch
    # Until a moment of the event loop's clock, or the end of the client.
    rest: Callable[[float], Awaitable[None]]
    tell: Tell


async def walk_pages(
    source: Source,
    query: Any,
    start: Cursor | None,
    until: Callable[[], float],
    priority: Priority = Priority.INTERACTIVE,
) -> AsyncGenerator[Any, None]:
    """Every page, holding none but the one just given."""
    cursor: Cursor | None = start_of(query, start)
    seen: set[str] = set()
    end = until()
    with _Course(source, query) as course:
        while cursor is not None:
            page = await source.fetch(query, cursor, seen, priority, end)
            cursor = page.next
            course.count(page)
            yield page
            del page  # or it would stay in memory while the next one comes


async def walk_rows(
    source: Source, query: Any, start: Cursor | None, until: Callable[[], float]
) -> AsyncGenerator[Any, None]:
    """Every row of every page, holding one page."""
    cursor: Cursor | None = start_of(query, start)
    seen: set[str] = set()
    end = until()
    with _Course(source, query) as course:
        while cursor is not None:
            page = await source.fetch(query, cursor, seen, Priority.INTERACTIVE, end)
            cursor = page.next
            course.count(page)
            for row in page.rows:
                yield row
            del page  # or it would stay in memory while the next one comes


class _Course:
    """What a walk has brought; tells of it when the walk is over, however it ends."""

    def __init__(self, source: Source, query: object) -> None:
        self._source = source
        self._query = query
        self._sizes: list[int] = []
        self._whole = False

    def count(self, page: Page[Any, Any, Any]) -> None:
        self._sizes.append(len(page.rows))
        self._whole = page.next is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        error = exc if isinstance(exc, KiwoomError) else None
        tell_end(self._source, self._query, self._sizes, complete=self._whole, error=error)


def tell_end(
    source: Source,
    query: object,
    sizes: Collection[int],
    *,
    complete: bool,
    error: KiwoomError | None,
) -> None:
    """Tell that a walk which brought pages of these sizes is over."""
    finished = WalkFinished(
        query=query, pages=len(sizes), rows=sum(sizes), complete=complete, error=error
    )
    source.tell(finished)


@frozen
class Failure(Generic[QueryT]):
    """A query of a merge that could not be walked to its end, and why."""

    query: QueryT
    error: KiwoomError

    @property
    def cursor(self) -> Cursor:
        """Where to resume it: `pages(failure.query, start=failure.cursor)`."""
        cursor: Cursor = self.error.cursor
        return cursor


class MergedPages(Generic[ItemT, EachT]):
    """An async iterator over the pages of a merge, in order within each query.

    With `on_error="raise"` the first failure is raised, bare; with "deliver" failures come as
    `Failure` values among the pages, and among the rows of `rows()`.
    """

    def __init__(self, items: Stream[Any], on_error: str) -> None:
        self._items = items
        self._on_error = on_error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        item: Any = await anext(self._items)
        if self._on_error == "raise" and isinstance(item, Failure):
            raise item.error
        return cast("ItemT", item)

    async def rows(self) -> AsyncGenerator[EachT, None]:
        """The same, row by row; a row says by itself which query it belongs to."""
        item: Any
        async for item in self:
            each: Any
            for each in (item,) if isinstance(item, Failure) else item.rows:
                yield each


@asynccontextmanager
async def merging(
    source: Source,
    queries: Queries[Any, Any, Any, Any],
    start: Mapping[Any, Cursor],
    *,
    until: Callable[[], float],
    concurrency: int,
    on_error: str,
) -> AsyncIterator[MergedPages[Any, Any]]:
    """The pages of many queries at once, as bulk work."""
    end = until()

    async def walk(query: Any) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(
                walk_pages(source, query, start.get(query), lambda: end, Priority.BULK)
            ) as pages:
                async for page in pages:
                    yield page
        except KiwoomError as error:
            yield Failure(query, error)

    async with fan_out(_distinct(queries, start), walk, concurrency) as items:
        yield MergedPages(items, on_error)


def all_asked(start: Iterable[object], queries: Iterable[object]) -> None:
    """Raise ValueError where a walk that was to go on would not be walked at all."""
    for query in set(start) - set(queries):
        raise ValueError(f"start: {query} is not among the queries")


def checked(queries: Iterable[object]) -> None:
    """Raise for what is no query, and for one that comes twice: its pages would be mixed up."""
    seen: set[object] = set()
    for query in queries:
        _unseen(query, seen)


async def _distinct(
    queries: Queries[Any, Any, Any, Any], start: Mapping[Any, Cursor]
) -> AsyncGenerator[Any, None]:
    seen: set[object] = set()
    each = queries if isinstance(queries, AsyncIterable) else _asynchronous(queries)
    # A generator was handed over to be used up: left half-way, it is closed here.
    async with aclosing(each) if isinstance(each, AsyncGenerator) else nullcontext():
        async for query in each:
            yield _unseen(query, seen)
    all_asked(start, seen)


async def _asynchronous(queries: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for query in queries:
        yield query


def _unseen(query: Any, seen: set[object]) -> object:
    if not hasattr(query, "endpoint"):
        raise ValueError(f"queries: got {shown(query)} among them, which is no query")
    if query in seen:
        raise ValueError(f"queries: {query} comes twice")
    seen.add(query)
    return query
