"""`kiwoom-async archive`: collecting into an archive, and looking into one."""

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.cells import cell_len

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery

from ._clients import client_of
from ._days import days_between, queries_of
from ._ending import end, errors, run
from ._options import Date, Exchanges, First, Last, Markets, OnSandbox, Sharing
from ._progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from kiwoom_async.archive import Archive, Entry

_MOST_ROWS: Final = 40

commands = typer.Typer(
    no_args_is_help=True,
    help="Days x markets x exchanges in one Parquet data set on disk (extra: archive).",
)

Where = Annotated[Path, typer.Argument(help="The archive's folder.", show_default=False)]


class Form(StrEnum):
    """How `archive query` writes."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@commands.command()
def fetch(  # noqa: PLR0917 - typer calls it by name
    path: Where,
    date: Date = None,
    first: First = None,
    last: Last = None,
    market: Markets = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer's way to say a default
    exchange: Exchanges = [Exchange.KRX],  # noqa: B006
    pace: Annotated[
        float | None,
        typer.Option(min=0.01, help="Requests a second; lower, where other programs use the key."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and leave.")
    ] = False,
    sandbox: OnSandbox = False,
    sharing: Sharing = None,
) -> None:
    """Collect what the archive lacks of some days, markets and exchanges.

    Stop it, kill it, run it again: it goes on where it was. Today's walks are provisional, and
    collected again another day.
    """
    archive = _archive(path)
    try:
        queries = queries_of(days_between(first, last, date), market, exchange)
        client = client_of(sandbox=sandbox, sharing=sharing)
        client = client if pace is None else partial(client, requests_per_second=pace)
        if dry_run:
            print(archive.plan(client(), queries))
            return
        run(partial(_fetch, archive, queries, client), on_stop=_say_how_to_go_on)
    except (ValueError, OSError) as error:
        end(str(error), code=2)
    except ImportError as error:
        end(str(error), code=1)


async def _fetch(
    archive: "Archive", queries: Sequence[ProgramTradeQuery], client: Callable[..., KiwoomClient]
) -> None:
    progress = Progress()
    async with client(on_event=progress.tell) as kiwoom:
        plan = archive.plan(kiwoom, queries)
        errors.print(str(plan))
        progress.expect(
            {query: kiwoom.estimate([query]).calls for query in plan.queries}, plan.kept
        )
        with progress:
            entries = await archive.fetch(kiwoom, queries)
    print(_counted(entries))


def _say_how_to_go_on() -> None:
    errors.print("What has come is kept: the same command goes on where this stopped.")


@commands.command()
def status(path: Where) -> None:
    """Say what the archive holds, and what is not whole."""
    entries = _looked_into(lambda: _archive(path).entries())
    for line in _overview(entries):
        print(line)
    for entry in entries:
        if not entry.final or entry.error:
            print(entry)


@commands.command()
def verify(path: Where) -> None:
    """Look over all of it: checksums, audits, gaps. Exit code 1 where anything is found."""
    archive = _archive(path)
    found = _looked_into(archive.verify)
    for finding in found:
        print(f"{'DAMAGED ' if finding.damaged else ''}{finding}")
    counted = _counted(archive.entries())
    if found:
        end(f"{len(found):,} findings in {counted}", code=1)
    print(f"nothing found in {counted}")


@commands.command()
def query(
    path: Where,
    sql: Annotated[str, typer.Argument(help="DuckDB's SQL; tables: trades, walks.")],
    form: Annotated[Form, typer.Option("--format", help="How to write.")] = Form.TABLE,
) -> None:
    """Ask the archive in SQL: `trades` holds every row, `walks` what is known of every walk."""
    table = _looked_into(lambda: _archive(path).query(sql))
    if form is Form.TABLE:
        _print_table(table)
    elif form is Form.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(_rows(table))
    else:
        names = table.column_names
        if len(set(names)) < len(names):
            end(f"two columns have one name, which JSON cannot hold: {', '.join(names)}", code=2)
        for each in _rows(table):
            record = dict(zip(names, each, strict=True))
            print(json.dumps(record, ensure_ascii=False, default=_plain))


def _archive(path: Path) -> "Archive":
    try:
        from kiwoom_async.archive import Archive  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        end(str(error), code=1)
    return Archive(path)


def _looked_into(work: Callable[[], Any]) -> Any:
    """What `work` finds; its complaints are ours."""
    try:
        return work()
    except (OSError, ValueError) as error:
        end(str(error), code=1)


def _counted(entries: Sequence["Entry"]) -> str:
    states = Counter(str(entry.state) for entry in entries)
    provisional = sum(entry.provisional for entry in entries)
    walks = ", ".join(f"{number:,} {state}" for state, number in states.items()) or "no walks"
    also = f" ({provisional:,} provisional)" if provisional else ""
    rows = sum(entry.rows for entry in entries)
    size = sum(entry.bytes for entry in entries)
    return f"{walks}{also}; {rows:,} rows, {size / 1e3:,.0f} kB"


def _overview(entries: Sequence["Entry"]) -> list[str]:
    """A line for each market and exchange."""
    kinds: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        kinds[f"{entry.query.market} {entry.query.exchange}"].append(entry)
    return [
        f"{kind}, {its[0].query.date} to {its[-1].query.date}: {_counted(its)}"
        for kind, its in kinds.items()
    ]


def _print_table(found: "pa.Table") -> None:
    """A line each, as long as it takes: a code or an amount that is folded cannot be read."""
    cells = [[_shown(value) for value in row] for row in _rows(found.slice(0, _MOST_ROWS))]
    lines = [found.column_names, *cells]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    kinds = [str(field.type) for field in found.schema]
    right = [kind.startswith(("int", "uint", "decimal", "double", "float")) for kind in kinds]
    for line in lines:
        padded = [" " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True)]
        texts = zip(line, padded, right, strict=True)
        print("  ".join(room + text if end else text + room for text, room, end in texts).rstrip())
    if (more := found.num_rows - _MOST_ROWS) > 0:
        print(f"... and {more:,} more rows; --format csv or jsonl writes all of them")


def _rows(found: "pa.Table") -> Iterator[tuple[Any, ...]]:
    """By position: two columns may have one name."""
    return zip(*(column.to_pylist() for column in found.columns), strict=True)


def _shown(value: object) -> str:
    if value is None:
        return ""
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return f"{value:,}" if number else str(value)


def _plain(value: object) -> object:
    # DuckDB's sums are decimals, of whole numbers too.
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
