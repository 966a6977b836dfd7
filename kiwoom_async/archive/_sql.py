"""SQL over an archive: DuckDB reads the Parquet files in place."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import attrs

from kiwoom_async.errors import require_extra

from ._data_set import TRADES, DataSet
from ._entry import Entry

with require_extra("archive", "duckdb", "pyarrow"):
    import duckdb
    import pyarrow as pa

# Symbols differ between exchanges (`005930_AL`); the stock code does not.
_STOCK_CODE: Final = "split_part(symbol, '_', 1) AS stock_code"
_HIDDEN_FIELDS: Final = ("query", "cursor", "owner")


def run_sql(
    sql: str, folder: Path, data_sets: Iterable[DataSet], entries: Sequence[Entry]
) -> pa.Table:
    """Return the result of SQL over a table for each data set, and `walks` (the entries)."""
    # By default DuckDB also resolves table names to local variables of its callers.
    settings: dict[str, Any] = {"python_enable_replacements": "false"}
    with duckdb.connect(config=settings) as db:
        db.register("walks", _walks_table(entries))
        try:
            for data_set in data_sets:
                _create_view(db, data_set, folder / data_set.folder)
            result = db.sql(sql)
            return pa.table({}) if result is None else result.to_arrow_table()
        except duckdb.Error as error:
            damaged = "; verify names damaged files, and fetch collects them again"
            advice = damaged if str(folder.resolve()) in str(error) else ""
            raise ValueError(f"SQL: {error}{advice}") from error


def _create_view(db: duckdb.DuckDBPyConnection, data_set: DataSet, folder: Path) -> None:
    """Make a table of a data set's files; one without rows where there is no file."""
    empty = data_set.columns.empty_table()
    # DuckDB refuses a data set without a file.
    if any(folder.rglob("*.parquet")):
        relation = db.from_arrow(empty)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        source = _read_parquet(
            folder.resolve(), {name: types[name] for name in data_set.partitions}
        )
    else:
        source = _quoted(f"no files of {data_set.name}")
        db.register(f"no files of {data_set.name}", empty)
    columns = [*map(_quoted, data_set.columns.names)]
    if data_set.name == TRADES:
        columns.append(_STOCK_CODE)
    select = f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 - the user's own data
    db.execute(f"CREATE VIEW {_quoted(data_set.name)} AS {select}")


def _read_parquet(folder: Path, partitions: dict[str, str]) -> str:
    _check_parents(folder, partitions)
    pattern = re.sub(r"([\[*?])", r"[\1]", str(folder)) + "/**/*.parquet"
    quoted = pattern.replace("'", "''")
    types = ", ".join(f"{_quoted(name)}: {kind}" for name, kind in partitions.items())
    hive = (
        f"hive_partitioning = true, hive_types = {{{types}}}"
        if types
        else "hive_partitioning = false"
    )
    return f"read_parquet('{quoted}', {hive})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _check_parents(folder: Path, partitions: Iterable[str]) -> None:
    """Raise ValueError if a folder is named like a partition, such as `date=2020-01-01`."""
    for name in folder.parts:
        if name.partition("=")[0] in partitions:
            raise ValueError(
                f"{folder}: DuckDB would read the folder name {name!r} as a partition; rename it"
            )


def _walks_table(entries: Sequence[Entry]) -> pa.Table:
    trades = [entry.fields if entry.data_set == TRADES else {} for entry in entries]
    columns: dict[str, Any] = {
        "date": pa.array([_date(fields.get("date")) for fields in trades], pa.date32()),
        "market": pa.array([fields.get("market") for fields in trades], pa.string()),
        "exchange": pa.array([fields.get("exchange") for fields in trades], pa.string()),
    }
    for name in (field.name for field in attrs.fields(Entry)):
        if name not in _HIDDEN_FIELDS:
            columns[name] = _entry_column([getattr(entry, name) for entry in entries], name)
    return pa.table(columns)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _entry_column(values: list[Any], name: str) -> pa.Array:
    types = {
        "provisional": pa.bool_(), "rows": pa.int64(), "pages": pa.int64(), "bytes": pa.int64(),
        "kept_pages": pa.int64(), "findings": pa.list_(pa.string()), "day": pa.date32(),
        "began": pa.timestamp("us", "UTC"), "ended": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    if name in {"body", "fields"}:
        values = [json.dumps(value, ensure_ascii=False) for value in values]
    return pa.array(values, types.get(name, pa.string()))
