"""The formats of `rows`: a table to read, CSV and JSON as text, and two columnar ones."""

import csv
import json
from collections.abc import Callable, Sequence
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
    """The values of `rows --format`."""

    TABLE = "table"
    CSV = "csv"
    CSV_GZ = "csv.gz"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def columnar(self) -> bool:
        """True for the formats that need pyarrow."""
        return self in {Format.PARQUET, Format.ARROW}

    @property
    def converted(self) -> bool:
        """True for the formats that can be written only once all pages are there."""
        return self.columnar or self is Format.JSON

    @property
    def needs_file(self) -> bool:
        """True for the formats that standard output does not take."""
        return self.converted or self is Format.CSV_GZ


_SUFFIXES: Final = {
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV_GZ,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
    ".arrow": Format.ARROW,
}
# Not what any format would be, even if --format is given.
_OTHER_FILES: Final = (".xlsx", ".xls", ".gz", ".bz2", ".xz", ".zst", ".zip")


def choose_format(requested: Format | None, output: Path | None) -> Format:
    """Return the requested format, else that of the output's suffix, a table without an output.

    Raises ValueError if the two contradict each other, if neither names the format of a file, or
    if the format needs a file and there is none.
    """
    if output is None:
        chosen = requested or Format.TABLE
        if chosen.needs_file:
            raise ValueError(f"--format {chosen} needs a file: name one with --output")
        return chosen
    name = output.name.lower()
    suffix = max((known for known in _SUFFIXES if name.endswith(known)), key=len, default="")
    if not suffix and (requested is None or name.endswith(_OTHER_FILES)):
        *others, last = _SUFFIXES
        otherwise = ", or --format beside another name" if requested is None else ""
        raise ValueError(
            f"--output: got {output}; expected a name ending in {', '.join(others)} or {last}"
            f"{otherwise}"
        )
    from_suffix = _SUFFIXES.get(suffix, requested)
    compressed = requested is Format.CSV and from_suffix is Format.CSV_GZ
    if from_suffix is None or (requested not in (None, from_suffix) and not compressed):
        raise ValueError(f"--format: got {requested}, but --output names a {suffix} file")
    return from_suffix


COLUMNS: Final = tuple(field.name for field in attrs.fields(ProgramTrade))
# "=" for flat: a minus would make the price look negative.
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
class _TableColumn:
    title: str
    width_cells: int
    align_right: bool
    text_of: Callable[[ProgramTrade], str]

    def pad(self, text: str) -> str:
        """Return the text at the column's width; one that is aligned left is cut to it."""
        # A Korean letter takes two cells.
        if self.align_right:
            return " " * (self.width_cells - cell_len(text)) + text
        return set_cell_size(text, self.width_cells)


def _net_buy_text(row: ProgramTrade) -> str:
    return f"{row.net_buy_amount:+,}" if row.net_buy_amount else "0"


# Eighty cells in all.
_TABLE: Final = (
    _TableColumn("symbol", 9, False, lambda row: row.symbol),
    _TableColumn("name", 16, False, lambda row: row.stock_name),
    _TableColumn("price 원", 11, True, price_text),
    _TableColumn("buy 백만원", 10, True, lambda row: f"{row.buy_amount:,}"),
    _TableColumn("sell 백만원", 11, True, lambda row: f"{row.sell_amount:,}"),
    _TableColumn("net 백만원", 10, True, _net_buy_text),
    _TableColumn("share%", 6, True, lambda row: f"{row.turnover_share}"),
)


def header(form: Format) -> str:
    """Return the first line of the output, "" for a format without one."""
    if form is Format.TABLE:
        return " ".join(column.pad(column.title) for column in _TABLE) + "\n"
    return _csv_line(COLUMNS) if form in {Format.CSV, Format.CSV_GZ} else ""


def section_line(query: ProgramTradeQuery) -> str:
    """Return the line above a page in a table of several queries."""
    return f"-- {query}\n"


def format_rows(form: Format, rows: Sequence[ProgramTrade]) -> str:
    """Return a line for each row."""
    return "".join(map(_FORMAT_ROW[form], rows))


def _table_row(row: ProgramTrade) -> str:
    return " ".join(column.pad(column.text_of(row)) for column in _TABLE) + "\n"


def _csv_row(row: ProgramTrade) -> str:
    return _csv_line([getattr(row, name) for name in COLUMNS])


def _csv_line(values: Sequence[object]) -> str:
    buffer = StringIO()
    # The writer quotes values that contain a character of its line terminator; with "\r\n" it
    # quotes both.
    csv.writer(buffer, lineterminator="\r\n").writerow(values)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _json_row(row: ProgramTrade) -> str:
    return json_line(row.to_dict())


_FORMAT_ROW: Final = {
    Format.TABLE: _table_row,
    Format.CSV: _csv_row,
    Format.CSV_GZ: _csv_row,
    Format.JSONL: _json_row,
    Format.JSON: _json_row,
}


def json_line(value: object) -> str:
    """Return the value as one line of JSON; Korean is not escaped."""
    return json.dumps(value, ensure_ascii=False, default=_json_default) + "\n"


def _json_default(value: object) -> object:
    # Two decimals survive a float unchanged.
    return float(value) if isinstance(value, Decimal) else str(value)
