"""How rows are written: a table for eyes, CSV and JSON lines for programs. Text in, text out."""

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Final

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kiwoom_async import PriceMove, ProgramTrade, ProgramTradeQuery


class Format(StrEnum):
    """The forms of `rows --format`."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def columnar(self) -> bool:
        """Whether it is no text, but columns in a file."""
        return self in {Format.PARQUET, Format.ARROW}


def format_of(asked: Format | None, output: Path | None) -> Format:
    """The form that was asked for, or that the file's name says; a table otherwise."""
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    named = Format(ending) if ending in set(Format) else None
    form = asked or named or Format.TABLE
    if named is not None and form is not named:
        raise ValueError(f"--format: got {form}, but --output names a .{named} file")
    if form.columnar and output is None:
        raise ValueError(f"--format {form} needs a file: name one with --output")
    return form


COLUMNS: Final = tuple(field.name for field in attrs.fields(ProgramTrade))
# Not a minus for flat: it would make the price look negative.
_ARROWS: Final = {
    PriceMove.UPPER_LIMIT: "↑",
    PriceMove.UP: "▲",
    PriceMove.FLAT: "=",
    PriceMove.LOWER_LIMIT: "↓",
    PriceMove.DOWN: "▼",
}


# Korean convention: red is up or bought, blue is down or sold.
RED: Final = "red"
BLUE: Final = "blue"


def coloured_price(row: ProgramTrade) -> Text:
    """The price in the colour of its change."""
    colour = RED if row.change > 0 else BLUE if row.change < 0 else ""
    return Text(price(row), style=colour)


def hundred_million(million_won: int) -> str:
    """억원, the unit of newspapers."""
    return f"{million_won / 100:+,.1f}"


def price(row: ProgramTrade) -> str:
    """The price in won behind the sign of its move."""
    amount = "" if row.price is None else f"{row.price:,}"
    return f"{_ARROWS[row.move]} {amount}" if row.move else amount


# Eighty cells in all: header, width in terminal cells, whether it is a number, what it shows.
_TABLE: Final[tuple[tuple[str, int, bool, Callable[[ProgramTrade], str]], ...]] = (
    ("symbol", 9, False, lambda row: row.symbol),
    ("name", 16, False, lambda row: row.stock_name),
    ("price 원", 11, True, price),
    ("buy 백만원", 10, True, lambda row: f"{row.buy_amount:,}"),
    ("sell 백만원", 11, True, lambda row: f"{row.sell_amount:,}"),
    ("net 백만원", 10, True, lambda row: f"{row.net_buy_amount:+,}" if row.net_buy_amount else "0"),
    ("share%", 6, True, lambda row: f"{row.turnover_share}"),
)


def heading(form: Format) -> str:
    """The first line, where the form has one."""
    if form is Format.TABLE:
        return " ".join(_cell(title, width, right) for title, width, right, _ in _TABLE) + "\n"
    return _csv_line(list(COLUMNS)) if form is Format.CSV else ""


def section(query: ProgramTradeQuery) -> str:
    """The line above a page of a table that holds several queries."""
    return f"-- {query}\n"


def lines(form: Format, rows: list[ProgramTrade]) -> str:
    """The rows, a line each."""
    line = {Format.TABLE: _table_line, Format.CSV: _csv_row, Format.JSONL: _json_line}[form]
    return "".join(line(row) for row in rows)


def _table_line(row: ProgramTrade) -> str:
    return " ".join(_cell(show(row), width, right) for _, width, right, show in _TABLE) + "\n"


def _cell(content: str, width: int, right: bool) -> str:
    # A Korean letter takes two cells.
    if right:
        return " " * (width - cell_len(content)) + content
    return set_cell_size(content, width)


def _csv_row(row: ProgramTrade) -> str:
    return _csv_line([getattr(row, name) for name in COLUMNS])


def _csv_line(values: list[object]) -> str:
    line = StringIO()
    # With both in its line's end the writer quotes a value that holds either.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _json_line(row: ProgramTrade) -> str:
    return json_line(record(row))


def record(row: ProgramTrade) -> dict[str, object]:
    """The row by its attributes' names."""
    return {name: getattr(row, name) for name in COLUMNS}


def json_line(value: object) -> str:
    """One line of JSON, Korean as it is."""
    return json.dumps(value, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> object:
    # Two decimals survive a float unchanged.
    return float(value) if isinstance(value, Decimal) else str(value)
