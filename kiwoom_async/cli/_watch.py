"""The work of `kiwoom-async watch`: a table that updates in place, or a JSON line for each item."""

import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self, TypeAlias

from attrs import define, field
from rich.cells import set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kiwoom_async import (
    AuthError,
    Change,
    Failure,
    KiwoomClient,
    ProgramTrade,
    ProgramTradeAudit,
    ProgramTradeQuery,
    SharingError,
    WalkComplete,
)

from ._formats import BLUE, RED, coloured_price, hundred_million, json_line, record
from ._output import StandardOutput

Item: TypeAlias = (
    Change[ProgramTrade, ProgramTradeQuery]
    | WalkComplete[ProgramTradeQuery, ProgramTradeAudit]
    | Failure[ProgramTradeQuery]
)
_NAME_CELLS: Final = 18
# Often enough for eyes; the whole table is drawn each time.
_REDRAW_SECONDS: Final = 0.25
# Lines of the screen that are not rows of the table.
_OTHER_LINES: Final = 6


@define
class WatchJob:
    """One `watch` command: `rounds` of the queries, or for ever."""

    queries: Sequence[ProgramTradeQuery]
    every: float
    rounds: int | None
    # Whether any walk was.
    complete: bool = False

    async def run(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Show every item as it comes."""
        async with make_client() as kiwoom:
            items = kiwoom.watch(self.queries, every=self.every)
            if on_terminal():
                with Board(Console(), lambda: f"{kiwoom.estimate(self.queries)} a round") as board:
                    await self._show(items, board.take)
            else:
                output = StandardOutput()
                await self._show(items, lambda item: output.write(json_line(_facts(item))))

    async def _show(self, items: AsyncIterator[Item], show: Callable[[Item], None]) -> None:
        ended = 0
        async for item in items:
            show(item)
            self.complete |= isinstance(item, WalkComplete)
            if (
                isinstance(item, Failure)
                and isinstance(item.error, AuthError | SharingError)
                and not self.complete
            ):
                # Keys that were never accepted, or a place that was never there, will not be in
                # the next round either.
                raise item.error
            ended += not isinstance(item, Change)
            if self.rounds is not None and ended == self.rounds * len(self.queries):
                return


def on_terminal() -> bool:
    """Whether somebody looks; asked of the stream, because rich takes FORCE_COLOR for a screen."""
    return sys.stdout is not None and sys.stdout.isatty()


def _facts(item: Item) -> dict[str, object]:
    query = item.query
    asked = {"date": query.date, "market": query.market, "exchange": query.exchange}
    match item:
        case Change():
            rows = {"earlier": item.earlier, "later": item.later}
            return {"item": "change", **{name: row and record(row) for name, row in rows.items()}}
        case WalkComplete():
            facts = {"walk": item.number, "changes": item.changes, "audit": str(item.audit)}
            return {"item": "complete", **asked, **facts}
        case Failure():
            error = f"{type(item.error).__name__}: {item.error}"
            return {"item": "failure", **asked, "error": error}


@define
class _Followed:
    """A stock since the watch began: net buying first seen, before the last change, and now."""

    first: int
    before: int
    row: ProgramTrade
    at: str

    @property
    def moved(self) -> int:
        return self.row.net_buy_amount - self.first


@define
class Board:
    """The stocks that programs have moved most since the watch began, redrawn in place."""

    console: Console
    estimate: Callable[[], str]
    _stocks: dict[tuple[ProgramTradeQuery, str], _Followed] = field(factory=dict)
    _said: dict[ProgramTradeQuery, Text] = field(factory=dict)
    _drawn_at: float = 0.0
    _live: Live = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Nothing is drawn before `with`."""
        self._live = Live(console=self.console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._draw()
        finally:
            self._live.stop()

    def take(self, item: Item) -> None:
        """Take an item into account; the screen follows at its own pace."""
        match item:
            case Change():
                self._follow(item)
            case WalkComplete():
                said = f"{item.query}: walk {item.number}, {item.changes:,} changes, {_clock()}"
                self._said[item.query] = Text(said, no_wrap=True, overflow="ellipsis")
            case Failure():
                said = f"{item.query}: {type(item.error).__name__}: {item.error}"
                self._said[item.query] = Text(
                    said, style="yellow", no_wrap=True, overflow="ellipsis"
                )
        if not isinstance(item, Change) or time.monotonic() - self._drawn_at > _REDRAW_SECONDS:
            self._draw()

    def _follow(self, change: Change[ProgramTrade, ProgramTradeQuery]) -> None:
        row = change.later
        if row is None:
            if change.earlier is not None:
                self._stocks.pop((change.query, change.earlier.symbol), None)
            return
        net = row.net_buy_amount
        stock = self._stocks.setdefault(
            (change.query, row.symbol), _Followed(net, net, row, _clock())
        )
        stock.before = stock.row.net_buy_amount
        stock.row, stock.at = row, _clock()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        about = Text(self.estimate(), style="dim")
        self._live.update(Group(self.table(), about, *self._said.values()), refresh=True)

    def table(self) -> Table:
        """As many stocks as the screen has room for."""
        room = max(3, self.console.height - _OTHER_LINES - len(self._said))
        ranked = sorted(
            self._stocks.values(),
            key=lambda stock: (abs(stock.moved), abs(stock.row.net_buy_amount)),
            reverse=True,
        )
        title = "Net program buying, 억원: what has moved most since the start"
        table = Table(
            title=Text(title, no_wrap=True, overflow="ellipsis"),
            title_justify="left",
            box=None,
            padding=(0, 1, 0, 0),
        )
        for heading, cells, right in _COLUMNS:
            justify: Literal["left", "right"] = "right" if right else "left"
            table.add_column(heading, width=cells, justify=justify, no_wrap=True)
        for stock in ranked[:room]:
            table.add_row(*_cells(stock))
        return table


# Heading, width in terminal cells, whether it is a number: seventy-nine with the gaps.
_COLUMNS: Final = (
    ("name", _NAME_CELLS, False), ("symbol", 9, False), ("price 원", 11, True), ("net", 9, True),
    ("last", 8, True), ("in all", 8, True), ("seen", 8, False),
)  # fmt: skip


def _cells(stock: _Followed) -> list[Text]:
    row = stock.row
    return [
        Text(set_cell_size(row.stock_name, _NAME_CELLS)),
        Text(row.symbol),
        coloured_price(row),
        _signed(row.net_buy_amount),
        _signed(row.net_buy_amount - stock.before),
        _signed(stock.moved),
        Text(stock.at, style="dim"),
    ]


def _signed(million_won: int) -> Text:
    style = RED if million_won > 0 else BLUE if million_won < 0 else "dim"
    return Text(hundred_million(million_won), style=style)


def _clock() -> str:
    return f"{datetime.now(UTC) + timedelta(hours=9):%H:%M:%S}"
