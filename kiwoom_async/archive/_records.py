"""Instances of attrs classes as JSON, and back by the types of their table."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, schema, to_arrow

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

T = TypeVar("T")


def encode_records(values: Sequence[T], cls: type[T]) -> list[dict[str, Any]]:
    """Return the fields as JSON has them: numbers, booleans, None; anything else as text."""
    # A table without columns has no rows.
    records = to_arrow(values, cls).to_pylist() or [{} for _ in values]
    return [json.loads(json.dumps(record, default=str)) for record in records]


def decode_records(records: Sequence[Mapping[str, Any]], cls: type[T]) -> list[T]:
    """Return an instance for each record; ValueError or TypeError where the class has changed."""
    columns = {
        field.name: _column([record.get(field.name) for record in records], field.type)
        for field in schema(cls)
    }
    return rows_of(pa.table(columns), cls) if columns else [cls() for _ in records]


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    # Arrow casts text to every other type, but not to a time.
    if pa.types.is_time(kind):
        values = [value and datetime.time.fromisoformat(value) for value in values]
    return pa.array(values)
