"""Instances of attrs classes as JSON, and back by the types of their table."""

import datetime
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import attrs

from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, schema

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

T = TypeVar("T")


def encode_record(value: Any) -> dict[str, Any]:
    """Return the fields as JSON has them: numbers, booleans, None; anything else as text."""
    fields = attrs.asdict(value, recurse=False, value_serializer=_plain)
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=str))
    return plain


def _plain(_: object, __: object, value: Any) -> Any:
    # As in a table.
    return value.name if isinstance(value, Enum) else value


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
