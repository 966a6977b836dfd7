"""Many walks at once, as one stream: what comes of each, and which fail.

Knows walks and failures; does not know how a page is fetched, nor how tasks are run.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Self, cast

from attrs import frozen

from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.query import AuditT, Generic, ItemT, Query, QueryT, RowT, TotalsT
from kiwoom_async.errors import KiwoomError, short_repr

from .fan_out import Stream, fan_out
from .rate_limit import Priority
from .walks import Source, walk_pages

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    EachT = TypeVar("EachT", default=Any)
else:
    EachT = Any

Queries = (
    Iterable[Query[RowT, TotalsT, QueryT, AuditT]]
    | AsyncIterable[Query[RowT, TotalsT, QueryT, AuditT]]
)


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
        raise ValueError(f"queries: got {short_repr(query)} among them, which is no query")
    if query in seen:
        raise ValueError(f"queries: {query} comes twice")
    seen.add(query)
    return query
