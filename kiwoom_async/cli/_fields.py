"""The fields of declared queries and rows: their types, and their values as text."""

import datetime as dt
import types
import typing
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import attrs


def field_kind(field: "attrs.Attribute[Any]") -> type[Any]:
    """Return the class of a field's values that are not None; `object` for a union of several.

    The types of the field's class must be resolved.
    """
    hint: Any = field.type
    kinds = [kind for kind in typing.get_args(hint) or [hint] if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], type) else object


def type_text(field: "attrs.Attribute[Any]") -> str:
    """Return the type of a field's values: its name, or the names of an enum's members."""
    kind = field_kind(field)
    name = "|".join(kind.__members__) if issubclass(kind, Enum) else kind.__name__
    return f"{name} or None" if types.NoneType in typing.get_args(field.type) else name


def plain_text(value: object) -> str:
    """Return a value as other programs read it: exact, ISO dates, members by name, None empty."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Enum():
            return value.name
        case Decimal():
            return f"{value:f}"
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return str(value)
