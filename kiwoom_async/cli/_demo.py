"""`kiwoom-async demo`: the largest net buying and selling of a day, as tables with bars."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kiwoom_async import ProgramTrade

from ._table import BLUE, RED, coloured_price, eok_won
from ._walks import TradeWalk

_BAR_CELLS: Final = 20


def print_demo(console: Console, walks: Sequence[TradeWalk]) -> None:
    """Print the ten most bought and the ten most sold stocks, and each walk's audit."""
    rows = [row for walk in walks for row in walk.rows]
    ranked = sorted(rows, key=lambda row: row.net_buy_amount, reverse=True)
    largest = max((abs(row.net_buy_amount) for row in rows), default=1) or 1
    console.print(_table("Most bought by program", ranked[:10], largest, RED))
    console.print(_table("Most sold by program", reversed(ranked[-10:]), largest, BLUE))
    for walk in walks:
        console.print(f"{walk.query.market}: {walk.audit}", highlight=False)
    console.print("The sandbox's numbers are invented, even where the names are real.", style="dim")


def _table(title: str, rows: Iterable[ProgramTrade], largest: int, colour: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("name", no_wrap=True, width=20)
    table.add_column("code", no_wrap=True, width=6)
    table.add_column("price (won)", justify="right", no_wrap=True, width=12)
    table.add_column("net 억원", justify="right", no_wrap=True, width=10)
    table.add_column("", no_wrap=True, width=_BAR_CELLS)
    for row in rows:
        net = eok_won(row.net_buy_amount)
        table.add_row(
            row.stock_name, row.stock_code, coloured_price(row), net, _bar(row, largest, colour)
        )
    return table


def _bar(row: ProgramTrade, largest: int, colour: str) -> Text:
    cells = round(_BAR_CELLS * abs(row.net_buy_amount) / largest)
    return Text("█" * max(1, cells), style=colour)
