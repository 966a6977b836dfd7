"""How rows are written: a table for eyes, CSV and JSON lines for programs."""

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Final, TextIO

import attrs
from rich.cells import cell_len, set_cell_size

from kiwoom_async import PriceMove, ProgramTrade


class Format(StrEnum):
    """The forms of `rows --format`."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


COLUMNS: Final = tuple(field.name for field in attrs.fields(ProgramTrade))
_ARROWS: Final = {
    PriceMove.UPPER_LIMIT: "↑",
    PriceMove.UP: "▲",
    PriceMove.FLAT: "-",
    PriceMove.LOWER_LIMIT: "↓",
    PriceMove.DOWN: "▼",
}


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


def writer(form: Format, out: TextIO, *, heading: bool) -> Callable[[list[ProgramTrade]], None]:
    """A function that writes rows to `out`; after a heading line, where the form has one.

    What a call has written is out of this process's hands when it returns.
    """
    write = {Format.TABLE: _table, Format.CSV: _csv, Format.JSONL: _jsonl}[form](out, heading)

    def write_through(rows: list[ProgramTrade]) -> None:
        write(rows)
        out.flush()

    return write_through


def _table(out: TextIO, heading: bool) -> Callable[[list[ProgramTrade]], None]:
    if heading:
        print(" ".join(_cell(title, width, right) for title, width, right, _ in _TABLE), file=out)

    def write(rows: list[ProgramTrade]) -> None:
        for row in rows:
            cells = (_cell(show(row), width, right) for _, width, right, show in _TABLE)
            print(" ".join(cells), file=out)

    return write


def _cell(content: str, width: int, right: bool) -> str:
    # A Korean letter takes two cells.
    if right:
        return " " * (width - cell_len(content)) + content
    return set_cell_size(content, width)


def _csv(out: TextIO, heading: bool) -> Callable[[list[ProgramTrade]], None]:
    lines = csv.writer(out, lineterminator="\n")
    if heading:
        lines.writerow(COLUMNS)

    def write(rows: list[ProgramTrade]) -> None:
        lines.writerows([getattr(row, name) for name in COLUMNS] for row in rows)

    return write


def _jsonl(out: TextIO, _: bool) -> Callable[[list[ProgramTrade]], None]:
    def write(rows: list[ProgramTrade]) -> None:
        for row in rows:
            record = {name: getattr(row, name) for name in COLUMNS}
            print(json.dumps(record, ensure_ascii=False, default=_plain), file=out)

    return write


def _plain(value: object) -> object:
    # Two decimals survive a float unchanged.
    return float(value) if isinstance(value, Decimal) else str(value)
