"""The live line of a walk: pages, rows, calls a second, time left. Quiet when not on a terminal."""

import math
import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from kiwoom_async import Market, Page, ProgramTrade, ProgramTradeQuery

# Listed stocks on 2026-08-10 (wire-facts.md, fact 2): an estimate, for the time left only.
_EXPECTED_ROWS: Final = {Market.KOSPI: 2472, Market.KOSDAQ: 1820}


class Progress:
    """One line on standard error, redrawn with every page; nothing where that is no terminal.

    `piped` says that rows go to standard output: where that is no terminal, another program may
    be writing on ours, and the line would run through it.
    """

    def __init__(
        self, query: ProgramTradeQuery, first_page: int = 1, *, piped: bool = False
    ) -> None:
        console = Console(stderr=True)
        self._query = query
        self._first_page = first_page
        self._pages = 0
        self._rows = 0
        self._pages_left = math.nan
        self._first_came = math.nan
        on_terminal = sys.stdout is not None and sys.stdout.isatty()
        # Rows printed on the same terminal must appear above the line, not through it.
        self._live = (
            Live(console=console, transient=True, redirect_stdout=on_terminal)
            if console.is_terminal and (on_terminal or not piped)
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._show()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def count(self, page: Page[ProgramTrade]) -> None:
        """Take one delivered page into account."""
        if self._pages == 0:
            self._first_came = time.monotonic()
        self._pages += 1
        self._rows += len(page.rows)
        if self._pages == 1 and page.rows:
            expected = math.ceil(_EXPECTED_ROWS[self._query.market] / len(page.rows))
            self._pages_left = max(0, expected - self._first_page)
        elif page.next is None:
            self._pages_left = 0
        else:
            self._pages_left = max(1, self._pages_left - 1)
        self._show()

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(Text(self.line(time.monotonic() - self._first_came)), refresh=True)

    def line(self, elapsed_seconds: float) -> str:
        """What the line says so many seconds after the first page."""
        parts = [f"{self._query.market} {self._query.exchange}", f"page {self._page_number}"]
        parts.append(f"{self._rows:,} rows")
        # From page to page: the first one waited for a token and a connection.
        if self._pages > 1 and elapsed_seconds:
            rate = (self._pages - 1) / elapsed_seconds
            parts += [f"{rate:.1f} calls/s", f"about {self._pages_left / rate:.0f} s left"]
        return " · ".join(parts)

    @property
    def _page_number(self) -> int:
        return self._first_page - 1 + self._pages
