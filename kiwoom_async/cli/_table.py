"""Rows as lines of a table to read: ka90004's own columns, and those of any other row class.

Korean convention: red is up or bought, blue is down or sold.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from operator import attrgetter
from typing import Any, Final

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kiwoom_async import PriceMove, ProgramTrade

from ._fields import field_kind, plain_text
from ._text import printable

RED: Final = "red"
BLUE: Final = "blue"
# "=" for flat: a minus would make the price look negative.
_ARROWS: Final = {
    PriceMove.UPPER_LIMIT: "↑",
    PriceMove.UP: "▲",
    PriceMove.FLAT: "=",
    PriceMove.LOWER_LIMIT: "↓",
    PriceMove.DOWN: "▼",
}
# Cells that the usual values of a type take.
_WIDTH_CELLS: Final[dict[Any, int]] = {
    bool: 5,
    dt.date: 10,
    dt.time: 8,
    dt.datetime: 25,
    int: 12,
    float: 12,
    Decimal: 12,
}
_TEXT_CELLS: Final = 16


def coloured_price(row: ProgramTrade) -> Text:
    """Return the price in the colour of its change."""
    colour = RED if row.change > 0 else BLUE if row.change < 0 else ""
    return Text(price_text(row), style=colour)


def eok_won(million_won: int) -> str:
    """Return the amount in 억원 (100 million won), the unit of newspapers, with its sign."""
    return f"{million_won / 100:+,.1f}"


def price_text(row: ProgramTrade) -> str:
    """Return the price in won, after an arrow for its move."""
    amount = "" if row.price is None else f"{row.price:,}"
    return f"{_ARROWS[row.move]} {amount}" if row.move else amount


@attrs.frozen
class _Column:
    title: str
    width_cells: int
    align_right: bool
    text_of: Callable[[Any], str]
    unit: str = ""

    def pad(self, text: str) -> str:
        """Return the text at the column's width; one that is aligned left is cut to it."""
        # A Korean letter takes two cells.
        if self.align_right:
            return " " * (self.width_cells - cell_len(text)) + text
        return set_cell_size(text, self.width_cells)


def _net_buy_text(row: ProgramTrade) -> str:
    return f"{row.net_buy_amount:+,}" if row.net_buy_amount else "0"


# Eighty cells in all.
_TRADE_COLUMNS: Final = (
    _Column("symbol", 9, False, lambda row: row.symbol),
    _Column("name", 16, False, lambda row: row.stock_name),
    _Column("price 원", 11, True, price_text),
    _Column("buy 백만원", 10, True, lambda row: f"{row.buy_amount:,}"),
    _Column("sell 백만원", 11, True, lambda row: f"{row.sell_amount:,}"),
    _Column("net 백만원", 10, True, _net_buy_text),
    _Column("share%", 6, True, lambda row: f"{row.turnover_share}"),
)


def table_header(row_class: Any) -> str:
    """Return the line of the columns' titles, and one of their units if the titles lack them."""
    columns = _columns(row_class)
    lines = [" ".join(column.pad(column.title) for column in columns)]
    if any(column.unit for column in columns):
        lines.append(" ".join(column.pad(column.unit) for column in columns))
    return "".join(f"{line}\n" for line in lines)


def table_lines(rows: Sequence[Any], row_class: Any) -> str:
    """Return a line for each row."""
    columns = _columns(row_class)
    return "".join(
        " ".join(column.pad(column.text_of(row)) for column in columns) + "\n" for row in rows
    )


@cache
def _columns(row_class: Any) -> tuple[_Column, ...]:
    """Return the columns of a row class: its fields, but for those that say what was asked."""
    if row_class is ProgramTrade:
        return _TRADE_COLUMNS
    fields = attrs.fields(attrs.resolve_types(row_class))
    return tuple(_column(field) for field in fields if "wire" in field.metadata)


def _column(field: "attrs.Attribute[Any]") -> _Column:
    kind = field_kind(field)
    unit = field.metadata.get("unit", "")
    members = [*map(len, kind.__members__)] if issubclass(kind, Enum) else []
    usual = max(members, default=_WIDTH_CELLS.get(kind, _TEXT_CELLS))
    return _Column(
        title=field.name,
        width_cells=max(usual, len(field.name), len(unit)),
        align_right=kind in {int, float, Decimal},
        text_of=partial(_field_text, attrgetter(field.name)),
        unit=unit,
    )


def _field_text(get: Callable[[Any], Any], row: Any) -> str:
    value = get(row)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool | Enum):
        return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return printable(plain_text(value))
