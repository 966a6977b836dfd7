"""`kiwoom-async demo`: a whole day of both markets on the sandbox, and what it says."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    Market,
    Page,
    ProgramTrade,
    ProgramTradeAudit,
    ProgramTradeQuery,
    ProgramTradeTotals,
    Walk,
)

from ._formats import price
from ._progress import Progress

_BAR_CELLS: Final = 20
# Korean convention: red is up or bought, blue is down or sold.
_RED: Final = "red"
_BLUE: Final = "blue"

DemoWalk = Walk[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery, ProgramTradeAudit]
DemoPage = Page[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery]


async def walk_day(kiwoom: KiwoomClient, day: date) -> list[DemoWalk]:
    """Both markets of a day, with progress."""
    return [
        await _walk(kiwoom, ProgramTradeQuery(day, market, Exchange.CONSOLIDATED))
        for market in Market
    ]


async def _walk(kiwoom: KiwoomClient, query: ProgramTradeQuery) -> DemoWalk:
    pages: list[DemoPage] = []
    with Progress(query) as progress:
        async for page in kiwoom.pages(query):
            pages.append(page)
            progress.count(page)
    return Walk.of(query, pages)


def last_weekday() -> date:
    """The last weekday before today, in Korea."""
    day = (datetime.now(UTC) + timedelta(hours=9)).date() - timedelta(days=1)
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return day


def show(console: Console, walks: list[DemoWalk]) -> None:
    """Print the ten most bought and the ten most sold stocks, and each walk's audit."""
    rows = [row for walk in walks for row in walk.rows]
    ranked = sorted(rows, key=lambda row: row.net_buy_amount, reverse=True)
    largest = max((abs(row.net_buy_amount) for row in rows), default=1) or 1
    console.print(_table("Most bought by program", ranked[:10], largest, _RED))
    console.print(_table("Most sold by program", reversed(ranked[-10:]), largest, _BLUE))
    for walk in walks:
        console.print(f"{walk.query.market}: {walk.audit}", highlight=False)
    console.print("The sandbox's numbers are invented, whatever the names.", style="dim")


def _table(title: str, rows: Iterable[ProgramTrade], largest: int, colour: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("name", no_wrap=True, width=20)
    table.add_column("code", no_wrap=True, width=6)
    table.add_column("price (won)", justify="right", no_wrap=True, width=12)
    table.add_column("net 억원", justify="right", no_wrap=True, width=10)
    table.add_column("", no_wrap=True, width=_BAR_CELLS)
    for row in rows:
        net = f"{row.net_buy_amount / 100:+,.1f}"
        table.add_row(
            row.stock_name, row.stock_code, _coloured(row), net, _bar(row, largest, colour)
        )
    return table


def _coloured(row: ProgramTrade) -> Text:
    colour = _RED if row.change > 0 else _BLUE if row.change < 0 else ""
    return Text(price(row), style=colour)


def _bar(row: ProgramTrade, largest: int, colour: str) -> Text:
    cells = round(_BAR_CELLS * abs(row.net_buy_amount) / largest)
    return Text("█" * max(1, cells), style=colour)
