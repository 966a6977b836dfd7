"""SQL over an archive: DuckDB reads the Parquet files in place."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from kiwoom_async.errors import require_extra

from ._entry import Entry
from ._parquet import PARTITION_COLUMNS, SCHEMA

with require_extra("archive", "duckdb", "pyarrow"):
    import duckdb
    import pyarrow as pa

_DUCKDB_TYPES: Final = {"int64": "BIGINT", "string": "VARCHAR", "date32[day]": "DATE"}
# Symbols differ between exchanges (`005930_AL`); the stock code does not.
_STOCK_CODE: Final = "split_part(symbol, '_', 1) AS stock_code"
_HIDDEN_FIELDS: Final = ("query", "cursor", "owner")


def run_sql(sql: str, folder: Path, entries: Sequence[Entry]) -> pa.Table:
    """Return the result of SQL over the tables `trades` (all rows) and `walks` (the entries)."""
    # By default DuckDB also resolves table names to local variables of its callers.
    settings: dict[str, Any] = {"python_enable_replacements": "false"}
    with duckdb.connect(config=settings) as db:
        walks = _walks_table(entries)
        db.register("walks", walks)
        try:
            db.execute(f"CREATE VIEW trades AS {_select_trades(folder)}")
            result = db.sql(sql)
            return pa.table({}) if result is None else result.to_arrow_table()
        except duckdb.Error as error:
            damaged = "; verify names damaged files, and fetch collects them again"
            advice = damaged if str(folder.resolve()) in str(error) else ""
            raise ValueError(f"SQL: {error}{advice}") from error


def _select_trades(folder: Path) -> str:
    # DuckDB refuses a data set without a file.
    if not any(folder.rglob("*.parquet")):
        return _select_nothing()
    absolute = folder.resolve()
    _check_parents(absolute)
    columns = ", ".join(f'"{name}"' for name in SCHEMA.names)
    types = ", ".join(f"{name}: {_duckdb_type(SCHEMA.field(name))}" for name in PARTITION_COLUMNS)
    pattern = re.sub(r"([\[*?])", r"[\1]", str(absolute)) + "/**/*.parquet"
    quoted = pattern.replace("'", "''")
    source = f"read_parquet('{quoted}', hive_partitioning = true, hive_types = {{{types}}})"
    return f"SELECT {columns}, {_STOCK_CODE} FROM {source}"  # noqa: S608 - the user's own data


def _select_nothing() -> str:
    """Return SQL for no rows, with the columns and types of a data set that has some."""
    columns = ", ".join(f'NULL::{_duckdb_type(field)} AS "{field.name}"' for field in SCHEMA)
    return f"SELECT {columns}, ''::VARCHAR AS stock_code LIMIT 0"


def _check_parents(folder: Path) -> None:
    """Raise ValueError if a folder is named like a partition, such as `date=2020-01-01`."""
    for name in folder.parts:
        if name.partition("=")[0] in PARTITION_COLUMNS:
            raise ValueError(
                f"{folder}: DuckDB would read the folder name {name!r} as a partition; rename it"
            )


def _duckdb_type(field: pa.Field) -> str:
    if pa.types.is_decimal(field.type):
        return f"DECIMAL({field.type.precision}, {field.type.scale})"
    return _DUCKDB_TYPES[str(field.type)]


def _walks_table(entries: Sequence[Entry]) -> pa.Table:
    columns: dict[str, Any] = {
        name: pa.array([getattr(entry.query, name) for entry in entries], SCHEMA.field(name).type)
        for name in PARTITION_COLUMNS
    }
    for name in (field.name for field in attrs.fields(Entry)):
        if name not in _HIDDEN_FIELDS:
            columns[name] = _entry_column([getattr(entry, name) for entry in entries], name)
    return pa.table(columns)


def _entry_column(values: list[Any], name: str) -> pa.Array:
    types = {
        "provisional": pa.bool_(), "rows": pa.int64(), "pages": pa.int64(), "bytes": pa.int64(),
        "kept_pages": pa.int64(), "findings": pa.list_(pa.string()),
        "began": pa.timestamp("us", "UTC"), "ended": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    return pa.array(values, types.get(name, pa.string()))
