"""Walks over `page`, the primitive: page after page.

Knows how walks go on, end and fail; does not know how a page is fetched.
"""

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
)
from types import TracebackType
from typing import Any, Self

from attrs import frozen

from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.query import Page, Query, cursor_matches, first_cursor
from kiwoom_async.errors import ContinuationError, KiwoomError, short_repr
from kiwoom_async.events import Tell, WalkFinished

from .rate_limit import Priority

# A query, where to begin, whose call goes first, and until when.
Fetch = Callable[[Any, Cursor, Priority, float], Awaitable[Page[Any, Any, Any]]]


def start_of(query: Query[Any, Any, Any, Any], cursor: Cursor | None) -> Cursor:
    """Where a walk begins; ContinuationError for a cursor of another query."""
    if cursor is None:
        return first_cursor(query)
    if not isinstance(cursor, Cursor):
        raise ValueError(
            f"cursor: got {short_repr(cursor)}; Cursor.parse(text) makes one from text"
        )
    if not cursor_matches(cursor, query):
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
    end = until()
    with _Course(source, query) as course:
        while cursor is not None:
            page = await source.fetch(query, cursor, priority, end)
            cursor = page.next
            course.count(page)
            yield page
            del page  # or it would stay in memory while the next one comes


async def walk_rows(
    source: Source, query: Any, start: Cursor | None, until: Callable[[], float]
) -> AsyncGenerator[Any, None]:
    """Every row of every page, holding one page."""
    cursor: Cursor | None = start_of(query, start)
    end = until()
    with _Course(source, query) as course:
        while cursor is not None:
            page = await source.fetch(query, cursor, Priority.INTERACTIVE, end)
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
