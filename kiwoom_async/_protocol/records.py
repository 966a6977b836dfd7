"""Rows as plain dicts: the values that JSON, FastAPI and SQLite take without help."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

_PLAIN: Final = (str, int, float, type(None))


def to_dict(row: Any) -> dict[str, Any]:
    """Return a row's fields by name, in order, as `json.dumps`, FastAPI and `sqlite3` take them.

    Every value is an int, float, str, bool or None: a Decimal becomes a float, which prints the
    same digits up to fifteen; dates and times become ISO text, enum members their names.
    TypeError for a value of another type.

    A row class has it as a method by an assignment in its body.
    """
    return {
        field.name: _plain(getattr(row, field.name), field.name, row)
        for field in attrs.fields(type(row))
    }


def _plain(value: Any, name: str, row: Any) -> Any:
    # Before text and numbers: a StrEnum is both.
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    raise TypeError(
        f"{type(row).__name__}.{name}: got a {type(value).__name__}; expected a number, text, "
        "date, time or enum member: attrs.asdict takes any value"
    )
