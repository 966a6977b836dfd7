"""Selection of the rows of a figure: validated, of one day, of one exchange, without duplicates.

Standard library only.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol, TypeVar

from kiwoom_async import Exchange, Market, ProgramTrade

# CONSOLIDATED is KRX and NXT together.
EXCHANGES_WIDEST_FIRST: Final = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
_CONVERSION_HINTS: Final = {
    "Walk": "; pass walk.rows",
    "Page": "; pass page.rows",
    "Table": "; kiwoom_async.tables.rows_of makes rows of a table",
    "DataFrame": "; kiwoom_async.tables.rows_of makes rows of a table",
    "ProgramTrade": "; day_flows(rows) makes them of rows",
}


class _Record(Protocol):
    """The attributes that ProgramTrade and DayFlow share."""

    @property
    def date(self) -> datetime.date: ...
    @property
    def market(self) -> Market: ...
    @property
    def exchange(self) -> Exchange: ...


RecordT = TypeVar("RecordT", bound=_Record)
_T = TypeVar("_T")


def validated_list(name: str, values: Sequence[_T], item_type: type[_T]) -> list[_T]:
    """Return the values as a list.

    Raises ValueError, which names the argument, unless they are a sequence of `item_type`.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(
            f"{name}: got {_describe_type(values)};"
            f" expected a sequence of {_expected_type(item_type, values)}"
        )
    for index, item in enumerate(values):
        if not isinstance(item, item_type):
            raise ValueError(
                f"{name}: item {index} is {_describe_type(item)};"
                f" expected only {_expected_type(item_type, item)}"
            )
    return list(values)


def _describe_type(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _expected_type(expected: type[Any], value: object) -> str:
    return expected.__name__ + _CONVERSION_HINTS.get(type(value).__name__, "")


def drop_duplicates(rows: Sequence[ProgramTrade]) -> list[ProgramTrade]:
    """Return one row of each stock, market, exchange and day: the last, in place of the first."""
    return list(
        {(row.date, row.market, row.exchange, row.stock_code): row for row in rows}.values()
    )


def single_day_rows(rows: Sequence[ProgramTrade]) -> list[ProgramTrade]:
    """Return the rows, validated and without duplicates.

    Raises ValueError for rows of more than one day.
    """
    unique_rows = drop_duplicates(validated_list("rows", rows, ProgramTrade))
    days = sorted({row.date for row in unique_rows})
    if len(days) > 1:
        raise ValueError(
            f"rows: got {len(days)} days, {days[0]} to {days[-1]}; expected one day: choose with"
            f" [row for row in rows if row.date == day], or draw net_flow or stock_flow"
        )
    return unique_rows


def select_exchange(
    records: Sequence[RecordT], exchange: Exchange | None
) -> tuple[list[RecordT], Exchange]:
    """Return the records of one exchange, and that exchange.

    None selects the widest exchange that has records. Raises ValueError if the exchange asked
    for has none although others have.
    """
    venue = _resolve_exchange({record.exchange for record in records}, exchange)
    return [record for record in records if record.exchange is venue], venue


def _resolve_exchange(present: Collection[Exchange], exchange: Exchange | None) -> Exchange:
    available = [venue for venue in EXCHANGES_WIDEST_FIRST if venue in present]
    if exchange is None:
        return next(iter(available), Exchange.CONSOLIDATED)
    if not isinstance(exchange, Exchange):
        raise ValueError(f"exchange: got {exchange!r}; expected an Exchange, or None")
    if present and exchange not in present:
        names = ", ".join(f"Exchange.{venue.name}" for venue in available)
        raise ValueError(f"exchange: got Exchange.{exchange.name}; the rows are of {names} only")
    return exchange


def missing_markets_note(records: Sequence[RecordT], exchange: Exchange) -> str:
    """Return a sentence that names the markets with records of other exchanges only, or ""."""
    all_markets = {record.market for record in records}
    drawn_markets = {record.market for record in records if record.exchange is exchange}
    missing = [market for market in Market if market in all_markets - drawn_markets]
    return f"Not drawn: {', '.join(missing)}, without rows of {exchange}." if missing else ""


def has_trades(row: ProgramTrade) -> bool:
    """Return True if programs bought or sold the stock."""
    return bool(row.buy_amount or row.sell_amount)
