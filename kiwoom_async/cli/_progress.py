"""Live progress lines on a terminal, made from the client's events."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TextIO

from attrs import define
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from kiwoom_async import (
    CallRetried,
    CallSent,
    Estimate,
    Event,
    PageDelivered,
    ProgramTradeQuery,
    Query,
    WalkFinished,
)

# More would push the rest of the screen out of sight.
_MAX_WALK_LINES: Final = 8


@define
class _WalkStatus:
    """The line of one walk under way."""

    label: str
    page: int
    rows: int = 0
    retry_note: str = ""

    def __str__(self) -> str:
        return f"{self.label} · page {self.page} · {self.rows:,} rows{self.retry_note}"


class Progress:
    """A line on standard error for each walk under way, and a summary; silent off a terminal.

    `rows_to_stdout` says that the command writes its rows to standard output. If that is piped,
    nothing is shown: the program at the pipe's end may be writing on the same terminal.
    """

    def __init__(self, *, rows_to_stdout: bool = False) -> None:
        self._console = Console(stderr=True)
        self._query_count = 0
        self._same_day = True
        self._walks: dict[Any, _WalkStatus] = {}
        # An estimate of the calls that each query still needs; 0 once it is complete.
        self._calls_left: dict[Any, int] = {}
        self._pages_before: Mapping[Any, int] = {}
        self._pages = 0
        self._rows = 0
        self._first_page_at = 0.0
        self._stdout_is_terminal = _is_terminal(sys.stdout)
        # The stream is asked because rich believes FORCE_COLOR instead.
        visible = _is_terminal(sys.stderr) and (self._stdout_is_terminal or not rows_to_stdout)
        self._live = (
            Live(console=self._console, transient=True, redirect_stdout=False) if visible else None
        )

    @property
    def write_above(self) -> Callable[[str], None] | None:
        """A function that writes above the lines, or None where standard output has none."""
        if self._live is None or not self._stdout_is_terminal:
            return None
        # A line of JSON must stay one line, even if it is longer than the screen is wide.
        return lambda text: self._console.print(Text(text), soft_wrap=True, end="")

    def expect(
        self,
        calls: Mapping[Any, int],
        pages_before: Mapping[Any, int] | None = None,
    ) -> None:
        """Set the calls that each query takes in all, and the pages it has from before."""
        self._query_count = len(calls)
        self._same_day = len({query.day() for query in calls}) == 1
        self._pages_before = pages_before or {}
        self._calls_left = {
            query: max(1, number - self._pages_before.get(query, 0))
            for query, number in calls.items()
        }

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def on_event(self, event: Event) -> None:
        """Update the lines; to be passed to the client."""
        match event:
            case CallSent(query=Query() as query):
                self._walk(query).retry_note = ""
            case CallRetried(query=Query() as query):
                name = type(event.error).__name__
                self._walk(query).retry_note = f" · {name}, again in {event.seconds:.1f} s"
            case PageDelivered():
                self._count_page(event)
            case WalkFinished():
                self._walks.pop(event.query, None)
            case _:
                return
        self._redraw()

    def _walk(self, query: Query[Any, Any]) -> _WalkStatus:
        if query not in self._walks:
            label = str(query)
            if self._same_day and isinstance(query, ProgramTradeQuery):
                label = f"{query.market} {query.exchange}"
            self._walks[query] = _WalkStatus(label, self._pages_before.get(query, 0))
        return self._walks[query]

    def _count_page(self, page: PageDelivered) -> None:
        walk = self._walk(page.query)
        walk.page = page.number
        walk.rows += page.rows
        if self._pages == 0:
            self._first_page_at = time.monotonic()
        self._pages += 1
        self._rows += page.rows
        # At least 1 while pages follow, however far off the estimate is.
        left = max(1, self._calls_left.get(page.query, 1) - 1)
        self._calls_left[page.query] = 0 if page.last else left

    def _redraw(self) -> None:
        if self._live is not None:
            lines = self.lines(time.monotonic() - self._first_page_at)
            # A line that wraps would leave its beginning on the screen when it is redrawn.
            texts = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
            self._live.update(Group(*texts), refresh=True)

    def lines(self, elapsed_seconds: float) -> list[str]:
        """Return the lines to show, so many seconds after the first page."""
        # Counted after the first page, which waited for a token and a connection.
        calls_per_second = (
            (self._pages - 1) / elapsed_seconds if self._pages and elapsed_seconds else 0.0
        )
        pace: list[str] = []
        if calls_per_second:
            left = _time_left(sum(self._calls_left.values()), calls_per_second)
            pace = [f"{calls_per_second:.1f} calls/s", left]
        if self._query_count <= 1:
            return [" · ".join([*map(str, self._walks.values()), *pace])]
        finished = sum(not calls for calls in self._calls_left.values())
        summary = [
            f"{finished:,} of {self._query_count:,} queries done",
            f"{self._rows:,} rows",
            *pace,
        ]
        shown = max(1, min(_MAX_WALK_LINES, self._console.height - 2))
        return [*self._walk_lines(calls_per_second)[:shown], " · ".join(summary)]

    def _walk_lines(self, calls_per_second: float) -> list[str]:
        if not calls_per_second:
            return [str(walk) for walk in self._walks.values()]
        # The walks take turns, so each has its share of the rate.
        share = calls_per_second / max(1, len(self._walks))
        return [
            f"{walk} · {_time_left(self._calls_left[query], share)}"
            for query, walk in self._walks.items()
        ]


def _time_left(calls: int, calls_per_second: float) -> str:
    duration = Estimate(queries=1, calls=calls, seconds=calls / calls_per_second).duration
    return f"about {duration} left"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
