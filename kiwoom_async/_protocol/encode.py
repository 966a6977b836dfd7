"""The body of a request: the wire fields of a query, written as Kiwoom spells them by cattrs."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from kiwoom_async.errors import short_repr

from .convert import field_type, read_text
from .times import KST


def _in_korea(moment: dt.datetime) -> dt.datetime:
    """Return the moment in Korean time; one without a zone is in it."""
    return moment if moment.tzinfo is None else moment.astimezone(KST)


_WRITERS: Final[dict[Any, Callable[[Any], str]]] = {
    str: read_text,
    int: str,
    bool: lambda value: "1" if value else "0",
    Decimal: "{:f}".format,
    dt.date: "{:%Y%m%d}".format,
    dt.time: "{:%H%M%S}".format,
    dt.datetime: lambda value: f"{_in_korea(value):%Y%m%d%H%M%S}",
}


def request_body(query: Any) -> dict[str, str]:
    """Return the wire fields of a query as they are sent; ValueError for one of another type."""
    body: dict[str, str] = _converter.unstructure(query)
    return body


class FieldWriter:
    """Writes the values of one field of a query."""

    def __init__(self, field: "attrs.Attribute[Any]") -> None:
        """Raise TypeError if no writer is known for the type."""
        self._name = field.name
        self._kind, self._optional = field_type(field)
        self._codes = field.metadata.get("codes")
        if not self._codes and self._kind not in _WRITERS:
            kinds = ", ".join(kind.__name__ for kind in _WRITERS)
            raise TypeError(
                f"{field.name}: got type {field.type}, which no request can send; use {kinds}, one "
                "of these or None (sent as an empty text), or an enum with wire(codes=...)"
            )

    def __call__(self, value: Any) -> str:
        """Return the text that is sent for the value."""
        try:
            if self._codes and value in self._codes:
                code: str = self._codes[value]
                return code
            if value is None and self._optional:
                return ""
            # A datetime is a date, and True an int, but neither is written as one.
            if not self._codes and type(value) is self._kind:
                return _WRITERS[self._kind](value)
        except (TypeError, ValueError):  # a list among the codes, half a character
            pass
        expected = ", ".join(map(str, self._codes)) if self._codes else self._kind.__name__
        raise ValueError(f"{self._name}: got {short_repr(value)}; expected {expected}")


def _unstructure_hook(cls: type[Any], converter: Any) -> Callable[[Any], Any]:
    """Return the cattrs hook that turns a query into the body of its request."""
    overrides: dict[str, Any] = {}
    for field in attrs.fields(attrs.resolve_types(cls)):
        sent = "wire" in field.metadata
        overrides[field.name] = override(
            rename=field.metadata.get("wire"),
            omit=not sent,
            unstruct_hook=FieldWriter(field) if sent else None,
        )
    return make_dict_unstructure_fn(cls, converter, **overrides)


_converter: Final = Converter()
_converter.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
