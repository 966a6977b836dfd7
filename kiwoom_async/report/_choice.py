"""Which rows a figure is of: checked, one day, one exchange, each stock once. Pure."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol, TypeVar

from kiwoom_async import Exchange, Market, ProgramTrade


class _Placed(Protocol):
    """What a row and a day's flow have in common."""

    @property
    def date(self) -> datetime.date: ...
    @property
    def market(self) -> Market: ...
    @property
    def exchange(self) -> Exchange: ...


PlacedT = TypeVar("PlacedT", bound=_Placed)
_T = TypeVar("_T")
# The whole first, then its parts: CONSOLIDATED is KRX and NXT together.
_PREFERRED: Final = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
_ADVICE: Final = {
    "Walk": "; pass walk.rows",
    "Page": "; pass page.rows",
    "Table": "; kiwoom_async.tables.rows_of makes rows of a table",
    "DataFrame": "; kiwoom_async.tables.rows_of makes rows of a table",
    "ProgramTrade": "; day_flows(rows) makes them of rows",
}


def checked(name: str, given: Sequence[_T], of: type[_T]) -> list[_T]:
    """The list given; ValueError for anything that is not a sequence of `of`."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ValueError(f"{name}: got {_kind(given)}; expected a sequence of {_of(given, of)}")
    for index, each in enumerate(given):
        if not isinstance(each, of):
            raise ValueError(
                f"{name}: item {index} is {_kind(each)}; expected only {_of(each, of)}"
            )
    return list(given)


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _of(value: object, of: type[Any]) -> str:
    return of.__name__ + _ADVICE.get(type(value).__name__, "")


def each_once(rows: Sequence[ProgramTrade]) -> list[ProgramTrade]:
    """The rows, but of a stock that came twice in one walk only the later, where it first came."""
    return list(
        {(row.date, row.market, row.exchange, row.stock_code): row for row in rows}.values()
    )


def of_one_day(rows: Sequence[ProgramTrade]) -> list[ProgramTrade]:
    """Checked rows, each stock once; ValueError where they are of several days."""
    of_day = each_once(checked("rows", rows, ProgramTrade))
    days = sorted({row.date for row in of_day})
    if len(days) > 1:
        raise ValueError(
            f"rows: got {len(days)} days, {days[0]} to {days[-1]}; expected one day: choose with"
            f" [row for row in rows if row.date == day], or draw net_flow or stock_flow"
        )
    return of_day


def of_one_exchange(
    rows: Sequence[PlacedT], exchange: Exchange | None
) -> tuple[list[PlacedT], Exchange]:
    """The rows of one exchange, and which: the one asked for, or the most complete there is."""
    present = {row.exchange for row in rows}
    chosen = _chosen(present, exchange)
    return [row for row in rows if row.exchange is chosen], chosen


def _chosen(present: Collection[Exchange], exchange: Exchange | None) -> Exchange:
    if exchange is None:
        return next((each for each in _PREFERRED if each in present), Exchange.CONSOLIDATED)
    if not isinstance(exchange, Exchange):
        raise ValueError(f"exchange: got {exchange!r}; expected an Exchange, or None")
    if present and exchange not in present:
        there = ", ".join(f"Exchange.{each.name}" for each in _PREFERRED if each in present)
        raise ValueError(f"exchange: got Exchange.{exchange.name}; the rows are of {there} only")
    return exchange


def left_out(rows: Sequence[PlacedT], exchange: Exchange) -> str:
    """A sentence on the markets that have rows, but none of this exchange; or nothing."""
    drawn = {row.market for row in rows if row.exchange is exchange}
    missing = [market for market in Market if market in {row.market for row in rows} - drawn]
    return f"Not drawn: {', '.join(missing)}, without rows of {exchange}." if missing else ""


def traded(row: ProgramTrade) -> bool:
    """Whether programs bought or sold the stock."""
    return bool(row.buy_amount or row.sell_amount)
