"""Declarations: a query class that cannot work is a TypeError that names class, field and cure."""

import inspect
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from kiwoom_async.errors import short_repr

from .convert import query_fields, reader_of, wire_names
from .encode import FieldWriter
from .read_only import check_reads_only

_PATH: Final = re.compile(r"(/[A-Za-z0-9_-]+)+")
_API_ID: Final = re.compile(r"[A-Za-z0-9_]{1,20}")
# As many digits behind the point as a number has that the specification allows.
MAX_DECIMALS: Final = 20
_checked: Final[set[type[Any]]] = set()


def check_declaration(query_class: type[Any]) -> None:
    """Raise TypeError for a query class that cannot work; once checked, it is not looked at again.

    ValueError for a request that trades or carries keys.

    What the class says of the request, then how it is sent, then the rows and the totals.
    """
    if query_class in _checked:
        return
    name = query_class.__name__
    if not attrs.has(query_class) or _has_fields_of_its_own(query_class):
        raise TypeError(f"{name}: a query is an attrs class; decorate it with attrs.frozen")
    if vars(query_class).get("__hash__", object) is None:
        raise TypeError(f"{name}: its instances can change; decorate it with attrs.frozen")
    _check_compared(query_class, name)
    _check_request(query_class, name)
    _check_fields(query_class, name, FieldWriter)
    _check_rows(query_class, name)
    _checked.add(query_class)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise TypeError for the metadata of a field, made by `wire` or by hand, that cannot work."""
    name, read, codes = (metadata.get(key) for key in ("wire", "read", "codes"))
    if not isinstance(name, str) or not name:
        raise TypeError(f"wire: got {short_repr(name)}; expected the field's name on the wire")
    for key in ("korean", "unit"):
        if not isinstance(text := metadata.get(key, ""), str):
            raise TypeError(f"wire({name!r}): {key}: got {short_repr(text)}; expected text")
    if read is not None and not callable(read):
        raise TypeError(f"wire({name!r}): read: got {short_repr(read)}; expected a function")
    decimals = metadata.get("decimals")
    if decimals is not None and (type(decimals) is not int or not 0 <= decimals <= MAX_DECIMALS):
        raise TypeError(
            f"wire({name!r}): decimals: got {short_repr(decimals)}; expected 0 to {MAX_DECIMALS}"
        )
    if codes is not None and not (
        isinstance(codes, Mapping) and all(isinstance(code, str) for code in codes.values())
    ):
        raise TypeError(
            f"wire({name!r}): codes: got {short_repr(codes)}; expected a mapping of member to code"
        )


def check_hashable(query: object) -> None:
    """Raise ValueError for a query that holds what has no hash: it cannot be told from others."""
    try:
        hash(query)
    except TypeError as error:
        raise ValueError(
            f"query: got {short_repr(query)}, which cannot be compared with others ({error}); use "
            "a tuple in place of a list"
        ) from error


def _has_fields_of_its_own(query_class: type[Any]) -> bool:
    """Return True for a class with fields that attrs has not made."""
    hints: Iterable[Any] = inspect.get_annotations(query_class).values()
    fields = any(typing.get_origin(hint) is not typing.ClassVar for hint in hints)
    return fields and "__attrs_attrs__" not in vars(query_class)


def _check_request(query_class: Any, name: str) -> None:
    for attribute, form, example in (
        ("api_id", _API_ID, "ka10081"),
        ("path", _PATH, "/api/dostk/chart"),
    ):
        value = getattr(query_class, attribute, None)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise TypeError(f"{name}.{attribute}: got {value!r}; expected text like {example!r}")
    check_reads_only(query_class.api_id, query_class.path)
    rows_key = getattr(query_class, "rows_key", "")
    if rows_key is not None and (not isinstance(rows_key, str) or not rows_key):
        raise TypeError(
            f"{name}.rows_key: got {rows_key!r}; expected the name of the list of rows in the "
            "answer, or None if the answer itself is the one row"
        )


def _check_rows(query_class: Any, name: str) -> None:
    row_class, totals_class = query_class.row_class, query_class.totals_class
    if not isinstance(row_class, type) or not attrs.has(row_class):
        raise TypeError(
            f"{name}: got {row_class!r} for its rows; expected an attrs class, named as in "
            f"class {name}(Query[Row])"
        )
    _check_compared(row_class, row_class.__name__)
    _check_fields(row_class, row_class.__name__, _reader_of_argument)
    if not wire_names(row_class):
        raise TypeError(f"{row_class.__name__}: no field has a wire name; add metadata=wire(...)")
    for field in query_fields(row_class):
        if field not in attrs.fields_dict(query_class) and not _has_value(query_class, field):
            raise TypeError(
                f"{row_class.__name__}.{field}: it has no wire name, and {name} has no attribute "
                f"of that name; give it metadata=wire(...), or {name} a field {field}"
            )
    if totals_class is not None:
        _check_totals(totals_class, name)


def _has_value(query_class: Any, attribute: str) -> bool:
    """Return True for an attribute of a class that is no method: a method is no value of a row."""
    return hasattr(query_class, attribute) and not callable(getattr(query_class, attribute))


def _check_compared(cls: Any, name: str) -> None:
    """Raise TypeError for a class whose instances equal none but themselves."""
    if cls.__eq__ is object.__eq__:
        raise TypeError(f"{name}: no two of its instances are equal; decorate it without eq=False")


def _check_fields(cls: Any, name: str, handler: Callable[["attrs.Attribute[Any]"], object]) -> None:
    """Raise TypeError for a field that `handler` cannot read or write, or a name given twice."""
    try:
        fields = attrs.fields(attrs.resolve_types(cls))
    except NameError as error:
        raise TypeError(
            f"{name}: the type of a field is unknown at run time ({error}); import it outside of "
            "`if TYPE_CHECKING`, or define it at the top of the module"
        ) from error
    for field in fields:
        if "wire" in field.metadata:
            try:
                check_metadata(field.metadata)
            except TypeError as error:
                raise TypeError(f"{name}.{field.name}: {error}") from None
            try:
                handler(field)
            except TypeError as error:
                raise TypeError(f"{name}.{error}") from None
    for wire_name, count in Counter(wire_names(cls)).items():
        if count > 1:
            raise TypeError(
                f"{name}: {count} fields have the wire name {wire_name!r}; keep one, and make "
                "properties of the others"
            )


def _reader_of_argument(field: "attrs.Attribute[Any]") -> object:
    """Return the reader of a field; TypeError for one that no constructor takes."""
    if not field.init:
        raise TypeError(
            f"{field.name}: it has a wire name, and init=False, so that what is sent cannot reach "
            "it; leave one of them out"
        )
    return reader_of(field)


def _check_totals(totals_class: Any, name: str) -> None:
    if not isinstance(totals_class, type) or not attrs.has(totals_class):
        raise TypeError(f"{name}: got {totals_class!r} for its totals; expected an attrs class")
    _check_fields(totals_class, totals_class.__name__, _reader_of_argument)
    for field in attrs.fields(totals_class):
        if "wire" not in field.metadata or field.default is attrs.NOTHING:
            raise TypeError(
                f"{totals_class.__name__}.{field.name}: a total has a wire name and a default, for "
                "answers that do not state it; write field(default=None, metadata=wire(...))"
            )
