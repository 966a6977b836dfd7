"""The work of `kiwoom-async watch`: a table redrawn in place, or a JSON line for each item."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Self, TypeAlias

import attrs
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
    ProgramTradeQuery,
    Query,
    SharingError,
    WalkComplete,
    to_dict,
)

from ._findings import Findings
from ._formats import json_line
from ._output import StandardOutput, stdout_is_terminal
from ._table import BLUE, RED, coloured_price, eok_won

Item: TypeAlias = Change[Any] | WalkComplete | Failure
_NAME_CELLS: Final = 18
# A redraw draws the whole table, so it does not follow every change.
_REDRAW_SECONDS: Final = 0.25
# Lines of the screen for the title, the heading, the estimate and a margin.
_LINES_AROUND_ROWS: Final = 6


@define
class WatchJob:
    """One `watch` command: `rounds` rounds of the queries, or endless if None.

    Each round asks `make_queries` for them, so that a watch without a date goes on after midnight.
    has_board: True for ka90004, which is shown as a table on a terminal.
    """

    make_queries: Callable[[], Sequence[Query[Any, Any]]]
    every_seconds: float
    rounds: int | None
    has_board: bool
    queries: Sequence[Query[Any, Any]] = ()
    any_complete: bool = False
    findings: Findings = field(factory=Findings)
    # The findings of each query that are on standard error already.
    _printed: dict[Any, Sequence[str]] = field(factory=dict)

    async def run(self, make_client: Callable[..., KiwoomClient]) -> None:
        """Show every item as it comes, and on standard error the findings of its walk."""
        async with make_client(on_event=self.findings.on_event) as kiwoom:
            items = kiwoom.watch(self._queries_of_round, every=self.every_seconds)
            if self.has_board and stdout_is_terminal():
                with Board(Console(), lambda: f"{kiwoom.estimate(self.queries)} a round") as board:
                    await self._show(items, board.update)
            else:
                await self._show(items, self._print_json)

    def _queries_of_round(self) -> Sequence[Query[Any, Any]]:
        self.queries = self.make_queries()
        return self.queries

    def _print_json(self, item: Item) -> None:
        StandardOutput().write(json_line(_item_fields(item)))
        self.print_findings(item.query)

    def print_all_findings(self) -> None:
        """Print the findings of all queries that were not printed before."""
        self.print_findings(*self.findings.of_walk)

    def print_findings(self, *queries: Query[Any, Any]) -> None:
        """Print the findings of these queries that were not printed before."""
        for query in queries:
            found = self.findings.of_walk.get(query)
            if found and found != self._printed.get(query):
                self._printed[query] = found
                self.findings.print_walk(query)

    async def _show(self, items: AsyncIterator[Item], show: Callable[[Item], None]) -> None:
        walks_ended = 0
        async for item in items:
            show(item)
            self.any_complete |= isinstance(item, WalkComplete)
            if (
                isinstance(item, Failure)
                and isinstance(item.error, AuthError | SharingError)
                and not self.any_complete
            ):
                # Wrong keys, or a shared store that was never there, will fail in each round.
                raise item.error
            walks_ended += not isinstance(item, Change)
            if self.rounds is not None and walks_ended == self.rounds * len(self.queries):
                return


def _item_fields(item: Item) -> dict[str, object]:
    of_query = _query_fields(item.query)
    match item:
        case Change():
            rows = {"earlier": item.earlier, "later": item.later}
            fields = {name: None if row is None else to_dict(row) for name, row in rows.items()}
            return {"item": "change", **fields}
        case WalkComplete():
            walk = {"walk": item.number, "changes": item.changes, "audit": str(item.audit)}
            return {"item": "complete", **of_query, **walk}
        case Failure():
            error = f"{type(item.error).__name__}: {item.error}"
            return {"item": "failure", **of_query, "error": error}


def _query_fields(query: Any) -> dict[str, object]:
    """Return what was asked for, without the fields that the query's class sets itself."""
    asked = [field.name for field in attrs.fields(type(query)) if field.init]
    return {name: value for name, value in to_dict(query).items() if name in asked}


@define
class _StockState:
    """A stock's net buying at the start of the watch and before the last change, and its row."""

    first_net_buy: int
    previous_net_buy: int
    row: ProgramTrade
    seen_at: str

    @property
    def moved(self) -> int:
        return self.row.net_buy_amount - self.first_net_buy

    @property
    def last_change(self) -> int:
        return self.row.net_buy_amount - self.previous_net_buy


@define
class Board:
    """A table, redrawn in place, of the stocks whose net buying has moved most."""

    console: Console
    estimate: Callable[[], str]
    _stocks: dict[tuple[ProgramTradeQuery, str], _StockState] = field(factory=dict)
    # The last result of each query.
    _results: dict[ProgramTradeQuery, Text] = field(factory=dict)
    _drawn_at: float = 0.0
    _live: Live = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the live display; it draws nothing before `with`."""
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

    def update(self, item: Item) -> None:
        """Take an item into account; redraw after each walk, between them every 0.25 s."""
        match item:
            case Change():
                self._update_stock(item)
            case WalkComplete():
                result = f"walk {item.number}, {item.changes:,} changes, {_time_in_korea()}"
                self._set_result(item.query, result)
            case Failure():
                result = f"{type(item.error).__name__}: {item.error}"
                self._set_result(item.query, result, style="yellow")
        since_drawn = time.monotonic() - self._drawn_at
        if not isinstance(item, Change) or since_drawn > _REDRAW_SECONDS:
            self._draw()

    def _set_result(self, query: ProgramTradeQuery, result: str, style: str = "") -> None:
        text = Text(f"{query}: {result}", style=style, no_wrap=True, overflow="ellipsis")
        self._results[query] = text

    def _update_stock(self, change: Change[ProgramTrade]) -> None:
        row = change.later
        if row is None:
            if change.earlier is not None:
                self._stocks.pop((change.query, change.earlier.symbol), None)
            return
        net_buy = row.net_buy_amount
        stock = self._stocks.setdefault(
            (change.query, row.symbol), _StockState(net_buy, net_buy, row, _time_in_korea())
        )
        stock.previous_net_buy = stock.row.net_buy_amount
        stock.row, stock.seen_at = row, _time_in_korea()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        estimate = Text(self.estimate(), style="dim")
        self._live.update(Group(self.table(), estimate, *self._results.values()), refresh=True)

    def table(self) -> Table:
        """Return the table of as many stocks as fit on the screen."""
        row_count = max(3, self.console.height - _LINES_AROUND_ROWS - len(self._results))
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
        for heading, cells, justify in _COLUMNS:
            table.add_column(heading, width=cells, justify=justify, no_wrap=True)
        for stock in ranked[:row_count]:
            table.add_row(*_cells(stock))
        return table


# Heading, width in terminal cells, alignment: seventy-nine cells with the gaps.
_COLUMNS: Final[tuple[tuple[str, int, Literal["left", "right"]], ...]] = (
    ("name", _NAME_CELLS, "left"), ("symbol", 9, "left"), ("price 원", 11, "right"),
    ("net", 9, "right"), ("last", 8, "right"), ("in all", 8, "right"), ("seen", 8, "left"),
)  # fmt: skip


def _cells(stock: _StockState) -> list[Text]:
    row = stock.row
    return [
        Text(set_cell_size(row.stock_name, _NAME_CELLS)),
        Text(row.symbol),
        coloured_price(row),
        _coloured_amount(row.net_buy_amount),
        _coloured_amount(stock.last_change),
        _coloured_amount(stock.moved),
        Text(stock.seen_at, style="dim"),
    ]


def _coloured_amount(million_won: int) -> Text:
    style = RED if million_won > 0 else BLUE if million_won < 0 else "dim"
    return Text(eok_won(million_won), style=style)


def _time_in_korea() -> str:
    return f"{datetime.now(UTC) + timedelta(hours=9):%H:%M:%S}"
