"""SQL over an archive: DuckDB reads the data set, nothing is imported or copied."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from kiwoom_async.errors import require_extra

from ._entry import Entry
from ._files import PARTITIONS, SCHEMA

with require_extra("archive", "duckdb", "pyarrow"):
    import duckdb
    import pyarrow as pa

_TYPES: Final = {"int64": "BIGINT", "string": "VARCHAR", "date32[day]": "DATE"}
# So that a stock of one exchange is found at another; `005930_AL` is 005930.
_STOCK_CODE: Final = "split_part(symbol, '_', 1) AS stock_code"
_NOT_SHOWN: Final = ("query", "cursor", "owner")


def answer(sql: str, folder: Path, entries: Sequence[Entry]) -> pa.Table:
    """What the SQL says of the tables `trades` (every row) and `walks` (the manifest)."""
    # Names in the SQL mean our tables, not whatever variables a caller happens to have.
    settings: dict[str, Any] = {"python_enable_replacements": "false"}
    with duckdb.connect(config=settings) as db:
        walks = _walks(entries)
        db.register("walks", walks)
        try:
            db.execute(f"CREATE VIEW trades AS {_trades(folder)}")
            found = db.sql(sql)
            return pa.table({}) if found is None else found.to_arrow_table()
        except duckdb.Error as error:
            raise ValueError(f"SQL: {error}") from error


def _trades(folder: Path) -> str:
    columns = ", ".join(f'"{name}"' for name in SCHEMA.names) + f", {_STOCK_CODE}"
    if not any(folder.rglob("*.parquet")):
        # DuckDB refuses a data set without a file; a new archive has the same columns as an old.
        empty = ", ".join(f'NULL::{_duckdb_type(field)} AS "{field.name}"' for field in SCHEMA)
        return f"SELECT {empty}, ''::VARCHAR AS stock_code LIMIT 0"
    strange = [part for part in folder.resolve().parts if part.partition("=")[0] in PARTITIONS]
    if strange:
        raise ValueError(
            f"{folder}: DuckDB would take the folder {strange[0]!r} for part of the data; rename it"
        )
    pattern = re.sub(r"([\[*?])", r"[\1]", str(folder.resolve())) + "/**/*.parquet"
    quoted = pattern.replace("'", "''")
    kinds = ", ".join(f"{name}: {_duckdb_type(SCHEMA.field(name))}" for name in PARTITIONS)
    source = f"read_parquet('{quoted}', hive_partitioning = true, hive_types = {{{kinds}}})"
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - it is the user who asks


def _duckdb_type(field: pa.Field) -> str:
    if pa.types.is_decimal(field.type):
        return f"DECIMAL({field.type.precision}, {field.type.scale})"
    return _TYPES[str(field.type)]


def _walks(entries: Sequence[Entry]) -> pa.Table:
    names = [field.name for field in attrs.fields(Entry) if field.name not in _NOT_SHOWN]
    columns: dict[str, Any] = {
        name: pa.array([getattr(one.query, name) for one in entries], SCHEMA.field(name).type)
        for name in PARTITIONS
    }
    columns |= {name: _column([getattr(one, name) for one in entries], name) for name in names}
    return pa.table(columns)


def _column(values: list[Any], name: str) -> pa.Array:
    kinds = {
        "provisional": pa.bool_(), "rows": pa.int64(), "pages": pa.int64(), "bytes": pa.int64(),
        "kept_pages": pa.int64(), "findings": pa.list_(pa.string()),
        "began": pa.timestamp("us", "UTC"), "ended": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    return pa.array(values, kinds.get(name, pa.string()))
