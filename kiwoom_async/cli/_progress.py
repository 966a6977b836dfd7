"""The live lines of walks, made of the client's events. Quiet when not on a terminal."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TextIO

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
    WalkFinished,
)

# More would push what else is on the screen out of sight.
_MOST_LINES: Final = 8


@define
class _Line:
    """One query that is being walked."""

    label: str
    page: int
    rows: int = 0
    trouble: str = ""

    def __str__(self) -> str:
        return f"{self.label} · page {self.page} · {self.rows:,} rows{self.trouble}"


class Progress:
    """A line for each query under way, and one for all; nothing where that is no terminal.

    `piped` says that rows go to standard output: where that is no terminal, another program may
    be writing on ours, and the lines would run through it.
    """

    def __init__(self, *, piped: bool = False) -> None:
        self._console = Console(stderr=True)
        self._queries = 0
        self._same_day = True
        self._lines: dict[ProgramTradeQuery, _Line] = {}
        # Calls that each query will still need, as far as one can tell.
        self._due: dict[ProgramTradeQuery, int] = {}
        self._skipped: Mapping[ProgramTradeQuery, int] = {}
        self._pages = 0
        self._rows = 0
        self._first_came = 0.0
        on_terminal = _is_terminal(sys.stdout)
        # Asked of the stream: rich takes FORCE_COLOR for a terminal.
        shown = _is_terminal(sys.stderr) and (on_terminal or not piped)
        self._live = (
            Live(console=self._console, transient=True, redirect_stdout=False) if shown else None
        )
        self._over_rows = on_terminal

    @property
    def above(self) -> Callable[[str], None] | None:
        """Writes on the same terminal, above the lines; None where there is nothing to go above."""
        if self._live is None or not self._over_rows:
            return None
        # Not wrapped: a line of JSON must stay one, whatever the width.
        return lambda text: self._console.print(Text(text), soft_wrap=True, end="")

    def expect(
        self,
        calls: Mapping[ProgramTradeQuery, int],
        skipped: Mapping[ProgramTradeQuery, int] | None = None,
    ) -> None:
        """How many calls each query will take in all, and how many were made before."""
        self._queries = len(calls)
        self._same_day = len({query.date for query in calls}) == 1
        self._skipped = skipped or {}
        self._due = {
            query: max(1, number - self._skipped.get(query, 0)) for query, number in calls.items()
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

    def tell(self, event: Event) -> None:
        """Take an event of the client into account."""
        match event:
            case CallSent(query=ProgramTradeQuery() as query):
                self._line(query).trouble = ""
            case CallRetried(query=ProgramTradeQuery() as query):
                name = type(event.error).__name__
                self._line(query).trouble = f" · {name}, again in {event.seconds:.1f} s"
            case PageDelivered():
                self._count(event)
            case WalkFinished():
                self._lines.pop(event.query, None)
            case _:
                return
        self._show()

    def _line(self, query: ProgramTradeQuery) -> _Line:
        if query not in self._lines:
            label = f"{query.market} {query.exchange}" if self._same_day else str(query)
            self._lines[query] = _Line(label, self._skipped.get(query, 0))
        return self._lines[query]

    def _count(self, page: PageDelivered) -> None:
        line = self._line(page.query)
        line.page = page.number
        line.rows += page.rows
        if self._pages == 0:
            self._first_came = time.monotonic()
        self._pages += 1
        self._rows += page.rows
        self._due[page.query] = 0 if page.last else max(1, self._due.get(page.query, 1) - 1)

    def _show(self) -> None:
        if self._live is not None:
            texts = self.lines(time.monotonic() - self._first_came)
            # A line that wraps would leave its head behind when it is redrawn.
            shown = [Text(text, no_wrap=True, overflow="ellipsis") for text in texts]
            self._live.update(Group(*shown), refresh=True)

    def lines(self, elapsed_seconds: float) -> list[str]:
        """What the lines say so many seconds after the first page."""
        walks = {query: str(line) for query, line in self._lines.items()}
        pace: list[str] = []
        # From page to page: the first one waited for a token and a connection.
        rate = (self._pages - 1) / elapsed_seconds if self._pages and elapsed_seconds else 0.0
        if rate:
            due = sum(self._due.values())
            left = Estimate(len(self._due), due, due / rate).duration
            pace = [f"{rate:.1f} calls/s", f"about {left} left"]
        if self._queries <= 1:
            return [" · ".join([*walks.values(), *pace])]
        if rate:
            # They take turns, so that each has its part of the rate.
            for query in walks:
                its = Estimate(1, self._due[query], self._due[query] * len(walks) / rate)
                walks[query] += f" · about {its.duration} left"
        done = sum(not calls for calls in self._due.values())
        summary = [f"{done:,} of {self._queries:,} queries done", f"{self._rows:,} rows", *pace]
        room = max(1, min(_MOST_LINES, self._console.height - 2))
        return [*list(walks.values())[:room], " · ".join(summary)]


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
