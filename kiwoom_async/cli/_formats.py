"""The formats of `rows`: a table to read, CSV and JSON as text, and two columnar ones."""

import csv
import json
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Any, Final

import attrs

from kiwoom_async import to_dict

from ._fields import plain_text
from ._table import table_header, table_lines


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


def header(form: Format, row_class: type[Any]) -> str:
    """Return the first lines of the output, "" for a format without any."""
    if form is Format.TABLE:
        return table_header(row_class)
    return _csv_line(columns(row_class)) if form in {Format.CSV, Format.CSV_GZ} else ""


def columns(row_class: type[Any]) -> list[str]:
    """Return the names of a row's fields, in order."""
    return [field.name for field in attrs.fields(row_class)]


def section_line(query: object) -> str:
    """Return the line above a page in a table of several queries."""
    return f"-- {query}\n"


def format_rows(form: Format, rows: Sequence[Any], row_class: type[Any]) -> str:
    """Return a line for each row."""
    if form is Format.TABLE:
        return table_lines(rows, row_class)
    format_row = _json_row if form in {Format.JSONL, Format.JSON} else _csv_row
    names = columns(row_class)
    return "".join(format_row(row, names) for row in rows)


def _csv_row(row: Any, names: Sequence[str]) -> str:
    return _csv_line([plain_text(getattr(row, name)) for name in names])


def _csv_line(values: Sequence[object]) -> str:
    buffer = StringIO()
    # The writer quotes values that contain a character of its line terminator; with "\r\n" it
    # quotes both.
    csv.writer(buffer, lineterminator="\r\n").writerow(values)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _json_row(row: Any, names: Sequence[str]) -> str:
    plain = to_dict(row)
    items = (f'"{name}": {_json_value(getattr(row, name), plain[name])}' for name in names)
    return "{" + ", ".join(items) + "}\n"


def _json_value(value: object, plain: object) -> str:
    """Return a value as JSON; `plain` is what `to_dict` makes of it."""
    text = json.dumps(plain, ensure_ascii=False)
    # More than fifteen digits do not survive the float.
    return f"{value:f}" if isinstance(value, Decimal) and Decimal(text) != value else text


def json_line(value: object) -> str:
    """Return the value as one line of JSON; Korean is not escaped."""
    return json.dumps(value, ensure_ascii=False, default=_json_default) + "\n"


def _json_default(value: object) -> object:
    # Two decimals survive a float unchanged.
    return float(value) if isinstance(value, Decimal) else str(value)
