"""Walks: pages and rows as async generators, short loops over `Calls.page`.

They are classes, not generator functions, so that a cancelled `anext` ends nothing: the next one
goes on at the same page. Nothing is held or running between two items.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from inspect import iscoroutine
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from anyio import current_time

from kiwoom_async._protocol.audit import AuditTally
from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.pages import start_cursor
from kiwoom_async._protocol.query import Query, RowT, TotalsT
from kiwoom_async._protocol.results import Page
from kiwoom_async.errors import KiwoomError
from kiwoom_async.events import WalkFinished

from .calls import Calls
from .rate_limit import Priority

ItemT = TypeVar("ItemT")
# A function of a row: True ends the walk after the row's page.
StopWhen = Callable[[Any], object]


class GeneratorMethods(AsyncGenerator[ItemT, None]):
    """What an async generator has besides `__anext__` and `aclose`."""

    async def asend(self, _: None) -> ItemT:
        """Return the next item."""
        return await self.__anext__()

    async def athrow(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> NoReturn:
        """Close the walk, and raise the exception."""
        await self.aclose()
        error = val if isinstance(val, BaseException) else typ
        raise error.with_traceback(tb) if isinstance(error, BaseException) else error


class PageWalk(GeneratorMethods[Page[RowT, TotalsT]]):
    """The pages of a query in the server's order; holds none but the one just given."""

    def __init__(
        self,
        calls: Calls,
        query: Query[RowT, TotalsT],
        start: Cursor | None,
        deadline_seconds: float,
        priority: Priority = Priority.INTERACTIVE,
        *,
        stop_when: StopWhen | None = None,
    ) -> None:
        self._deadline: float | None = None  # set by the first `anext`
        self._finished = False
        self._calls = calls
        self._query = query
        self._deadline_seconds = deadline_seconds
        self._priority = priority
        self._stop_when = stop_when
        # The page that comes next, or would come if the walk had not been stopped; None at its end.
        self.cursor: Cursor | None = start_cursor(query, start)
        self.tally = AuditTally(query)
        self._expected_pages = calls.page_counts.expected(query)
        self._running = False

    async def __anext__(self) -> Page[RowT, TotalsT]:
        if self._running:
            raise RuntimeError("another task is waiting for this walk already")
        if self._finished or self.cursor is None or self.tally.stopped:
            self._finish()
            raise StopAsyncIteration
        if self._deadline is None:
            self._deadline = current_time() + self._deadline_seconds
        self._running = True
        try:
            page: Page[RowT, TotalsT] = self.tally.add(
                await self._calls.page(self._query, self.cursor, self._priority, self._deadline)
            )
        except KiwoomError as error:
            if error.cursor is None:  # no error of the call: the page does not fit the others
                error.locate(self._query, self.cursor)
            self._finish(error)
            raise
        finally:
            self._running = False
        if page.next is None or page.number >= self._expected_pages:
            self._calls.page_counts.learn(page)
        self.cursor = page.next
        if self._stop_when is not None and page.next is not None:
            self.tally.stopped = any(_holds(self._stop_when, row) for row in page.rows)
        return page

    async def aclose(self) -> None:
        """End the walk. Not needed, but `contextlib.aclosing` may ask for it."""
        self._finish()

    def __del__(self) -> None:
        # Left half-way by a `break`.
        self._finish()

    def _finish(self, error: KiwoomError | None = None) -> None:
        """Emit that the walk is over, once, if it was ever begun."""
        begun = self._deadline is not None
        if begun and not self._finished:
            complete = self.cursor is None
            finished = WalkFinished(
                query=self._query,
                pages=self.tally.pages,
                rows=self.tally.rows,
                complete=complete,
                error=error,
                audit=self.tally.audit(sums=complete),
            )
            self._calls.emitter.emit(finished)
        self._finished = True


def _holds(stop_when: StopWhen, row: Any) -> object:
    """Return what the function says of a row; ValueError for a coroutine, which is always true."""
    result = stop_when(row)
    if iscoroutine(result):
        result.close()
        raise ValueError("stop_when: it returned a coroutine; expected a plain function of a row")
    return result


class RowWalk(GeneratorMethods[RowT]):
    """The rows of every page in the server's order; holds one page."""

    def __init__(self, pages: PageWalk[RowT, Any]) -> None:
        self._pages = pages
        # The page of the row that came last; before the first row, where the walk begins.
        self.cursor = pages.cursor
        self._rows: Iterator[RowT] = iter(())

    async def __anext__(self) -> RowT:
        while True:
            for row in self._rows:
                return row
            self.cursor = self._pages.cursor
            self._rows = iter((await anext(self._pages)).rows)

    async def aclose(self) -> None:
        """End the walk. Not needed, but `contextlib.aclosing` may ask for it."""
        self._rows = iter(())
        await self._pages.aclose()
