"""`kiwoom-async archive`: an archive's state, checks and contents; `_fetch_command` fills it."""

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.cells import cell_len

from ._exit import fail, printed_warnings, stderr
from ._options import FolderArgument
from ._text import count_of

if TYPE_CHECKING:
    import pyarrow as pa

    from kiwoom_async.archive import Archive, Entry

T = TypeVar("T")

# The others are on standard error, and in `status`.
_MAX_NAMED_WALKS: Final = 5
# A screenful; the other formats write all rows.
_MAX_TABLE_ROWS: Final = 40

commands = typer.Typer(
    no_args_is_help=True,
    help="Whole walks as Parquet files on disk, a data set for each request (extra: archive).",
)


class QueryFormat(StrEnum):
    """The values of `archive query --format`."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@commands.command()
def status(path: FolderArgument) -> None:
    """Say what the archive holds, what is not whole, and what does not add up."""
    archive = open_archive(path)
    entries = _or_fail(archive.entries)
    for line in _overview(entries):
        print(line)
    for entry in entries:
        if not entry.whole or entry.provisional or entry.error or entry.findings:
            print(entry)


@commands.command()
def verify(path: FolderArgument) -> None:
    """Look over all of it: checksums, audits, gaps. Exit code 1 where anything is found.

    What is missing or DAMAGED a fetch of those days collects again, where it says so.
    """
    archive = open_archive(path)
    findings = _or_fail(archive.verify)
    for finding in findings:
        print(f"{'DAMAGED ' if finding.damaged else ''}{finding}")
    entries = _or_fail(archive.entries)
    if unknown := sum(entry.query is None for entry in entries):
        # Audits are made by a request's class, which is the program's that fetched it.
        stderr.print(f"{count_of(unknown, 'walk')} of requests unknown here: files checked only")
    counted = summary(entries)
    if findings:
        fail(f"{len(findings):,} findings in {counted}", code=1)
    print(f"nothing found in {counted}")


@commands.command()
def query(
    path: FolderArgument,
    sql: Annotated[
        str, typer.Argument(help="DuckDB's SQL; tables: trades, walks, and those of `status`.")
    ],
    form: Annotated[
        QueryFormat, typer.Option("--format", help="How to write.")
    ] = QueryFormat.TABLE,
) -> None:
    """Ask the archive in SQL: a table for each request, such as `trades`, and `walks`."""
    archive = open_archive(path)
    with printed_warnings():
        table = _or_fail(lambda: archive.query(sql))
    write = {
        QueryFormat.TABLE: _print_table,
        QueryFormat.CSV: _print_csv,
        QueryFormat.JSONL: _print_json_lines,
    }[form]
    write(table)


def open_archive(path: Path) -> "Archive":
    """Return the archive in a folder; exit with 1 where its extra is missing."""
    try:
        from kiwoom_async.archive import Archive  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        fail(str(error), code=1)
    return Archive(path)


def _or_fail(read: Callable[[], T]) -> T:
    """Return what `read` returns; exit with 1 after an OSError or ValueError."""
    try:
        return read()
    except (OSError, ValueError) as error:
        fail(str(error), code=1)


def summary(entries: Sequence["Entry"]) -> str:
    """Return how many walks are in which state, and what they hold."""
    states = Counter(str(entry.state) for entry in entries)
    provisional = sum(entry.provisional for entry in entries)
    walks = ", ".join(f"{number:,} {state}" for state, number in states.items()) or "no walks"
    provisional_note = f" ({provisional:,} provisional)" if provisional else ""
    rows = sum(entry.rows for entry in entries)
    size = sum(entry.bytes for entry in entries)
    counted = f"{walks}{provisional_note}; {rows:,} rows, {size / 1e3:,.0f} kB"
    odd = [entry.label for entry in entries if entry.findings]
    if not odd:
        return counted
    more = f" and {len(odd) - _MAX_NAMED_WALKS:,} more" if len(odd) > _MAX_NAMED_WALKS else ""
    names = ", ".join(odd[:_MAX_NAMED_WALKS])
    return f"{counted}; {count_of(len(odd), 'walk')} with findings: {names}{more}"


def _overview(entries: Sequence["Entry"]) -> list[str]:
    """Return a line for each data set, and for each market and exchange of ka90004's."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        is_trade = entry.data_set == "trades"
        name = "{market} {exchange}".format(**entry.fields) if is_trade else entry.data_set
        groups[name].append(entry)
    return [f"{name}{_day_range(group)}: {summary(group)}" for name, group in groups.items()]


def _day_range(entries: Sequence["Entry"]) -> str:
    days = [entry.day for entry in entries if entry.day is not None]
    return f", {min(days)} to {max(days)}" if days else ""


def _print_csv(table: "pa.Table") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(_rows(table))


def _print_json_lines(table: "pa.Table") -> None:
    names = table.column_names
    if len(set(names)) < len(names):
        fail(f"two columns have one name, which JSON cannot hold: {', '.join(names)}", code=2)
    for row in _rows(table):
        record = dict(zip(names, row, strict=True))
        print(json.dumps(record, ensure_ascii=False, default=_json_default))


def _print_table(table: "pa.Table") -> None:
    """Print the first rows, each on one line however long: a folded code cannot be read."""
    cells = [[_cell_text(value) for value in row] for row in _rows(table.slice(0, _MAX_TABLE_ROWS))]
    lines = [table.column_names, *cells]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    types = [str(column.type) for column in table.schema]
    numeric = [name.startswith(("int", "uint", "decimal", "double", "float")) for name in types]
    for line in lines:
        columns = zip(line, widths, numeric, strict=True)
        print("  ".join(_pad(*column) for column in columns).rstrip())
    if (more := table.num_rows - _MAX_TABLE_ROWS) > 0:
        print(f"... and {more:,} more rows; --format csv or jsonl writes all of them")


def _pad(text: str, width: int, align_right: bool) -> str:
    padding = " " * (width - cell_len(text))
    return padding + text if align_right else text + padding


def _rows(table: "pa.Table") -> Iterator[tuple[Any, ...]]:
    """Return the rows as tuples, as two columns may have one name."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return f"{value:,}" if is_number else str(value)


def _json_default(value: object) -> object:
    # DuckDB's sums are decimals, even those of integers.
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
