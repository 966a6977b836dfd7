"""The converter: how Kiwoom spells numbers, codes, dates and blanks, and attrs classes of them.

A field says by `wire` metadata how it is called on the wire and how it is read; cattrs makes the
instances, so that attrs converters and validators of a class run. Every reader takes the text sent
(and the field's type, which cattrs passes along) and raises ValueError saying what came instead.

Long, because the readers and the hooks that call them are one subject.
"""

import datetime as dt
import logging
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, cast

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, override

from kiwoom_async.errors import decode_error, short_repr

from .times import kst_time

T = TypeVar("T")
N = TypeVar("N", int, Decimal)
Reader = Callable[[Any, Any], Any]

# The specification's length.
MAX_DIGITS: Final = 20
# Sister requests double the minus (wire-facts.md, fact 12). ASCII digits only.
_WHOLE: Final = re.compile(rf"(\+|--?)?([0-9]{{1,{MAX_DIGITS}}})")
_DECIMAL: Final = re.compile(rf"(\+|--?)?([0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{0,{MAX_DIGITS}}})?)")
# Nearly every turnover share there is. Made once, they save time, and a fifth of a row's memory.
SMALL_DECIMALS: Final = {f"+0.{number:02}": Decimal(f"0.{number:02}") for number in range(100)}

# What a header may carry; the HTTP layer would print any other text in full.
HEADER_SAFE: Final = re.compile(r"[!-~]+")

_logger: Final = logging.getLogger("kiwoom_async")
# Unknown codes that were logged, so that each is logged once; bounded against a hostile server.
_logged_codes: Final[set[tuple[str, str]]] = set()
_MAX_LOGGED_CODES: Final = 64


# Pages have 30 to 50. A page of hundreds of thousands, which fits into little gzip, would hold up
# the event loop for minutes.
MAX_ROWS: Final = 5_000


def is_blank(value: object) -> bool:
    """Return True for an empty or white string, or null: the server sent nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_text(value: Any, _: object = None) -> str:
    """Return a string exactly as sent."""
    if not isinstance(value, str):
        raise ValueError(f"{short_repr(value)} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{short_repr(value)} holds half a character") from None
    return value


def read_optional_text(value: Any, _: object = None) -> str | None:
    """Return a string exactly as sent, None for a blank one."""
    return None if is_blank(value) else read_text(value)


def read_stock_code(value: Any, _: object = None) -> str:
    """Return a stock code exactly as sent; a blank one is an error."""
    if value is None or not read_text(value).strip():
        raise ValueError("no stock code, but other values")
    code: str = value
    return code


def read_integer(value: Any, _: object = None) -> int:
    """Return the number that `-75000`, `+6800`, `--1109649` or `0` spells."""
    # Two thirds of the rows hold little else than zeros (wire-facts.md, fact 11).
    if value == "0":
        return 0
    try:
        # int() alone would also read other scripts' digits, 1_000, and numbers without end.
        if value.isascii() and "_" not in value and len(value) <= MAX_DIGITS:
            return int(value)
    except (AttributeError, TypeError, ValueError):
        pass
    return _number(value, _WHOLE, int, "whole")


def read_decimal(value: Any, _: object = None) -> Decimal:
    """Return the exact number that `+18.71` or `+0.00` spells."""
    if isinstance(value, str) and value in SMALL_DECIMALS:
        return SMALL_DECIMALS[value]
    return _number(value, _DECIMAL, Decimal, "decimal")


def magnitude(value: Any, _: object = None) -> int:
    """Return a price without its sign, which is a direction (wire-facts.md, fact 12)."""
    return abs(read_integer(value))


def _decimal_magnitude(value: Any, _: object = None) -> Decimal:
    """Return what `magnitude` does, for a field of type Decimal."""
    return read_decimal(value).copy_abs()


def hundredths(value: Any, _: object = None) -> Decimal:
    """Return the number that is sent times 100: 1338.85 for `+133885`."""
    # By digits, because arithmetic would round to the context of the caller.
    sign, digits, exponent = read_decimal(value).as_tuple()
    return Decimal((sign, digits, cast("int", exponent) - 2))


def read_float(value: Any, _: object = None) -> float:
    """Return the number that `+18.71` spells, as a float."""
    return float(read_decimal(value))


def read_bool(value: Any, _: object = None) -> bool:
    """Return True for `1`, False for `0`."""
    if value not in ("0", "1"):
        raise ValueError(f"{short_repr(value)} is neither 1 nor 0; wire(codes=...) reads others")
    return bool(value == "1")


def read_date(value: Any, _: object = None) -> dt.date:
    """Return the day that `20261127` names."""
    return _moment(value, 8, dt.date.fromisoformat, "date, yyyyMMdd")


def read_time(value: Any, _: object = None) -> dt.time:
    """Return the time of day that `195812` names; Korean time, without a zone."""
    return _moment(value, 6, dt.time.fromisoformat, "time, HHmmss")


def read_datetime(value: Any, _: object = None) -> dt.datetime:
    """Return the moment that `20261127195812` names in Korean time."""
    return kst_time(value)


def _moment(value: Any, length: int, parse: Callable[[str], T], what: str) -> T:
    try:
        # fromisoformat alone would also read week dates, fractions and zones.
        text = value.strip()
        if len(text) == length and text.isascii() and text.isdigit():
            return parse(text)
    except (AttributeError, ValueError):
        pass
    blank = "; where blanks come, the type is one or None" if is_blank(value) else ""
    raise ValueError(f"{short_repr(value)} is not a {what}{blank}")


def _number(value: object, form: re.Pattern[str], kind: type[N], what: str) -> N:
    match = form.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        blank = "; where blanks come, the type is one or None" if is_blank(value) else ""
        raise ValueError(f"{short_repr(value)} is not a {what} number{blank}")
    sign, digits = match.groups("")
    # Decimal's own minus would round to the context of its caller. There is no minus zero.
    minus = "-" if "-" in sign and digits.strip("0.") else ""
    return kind(minus + digits)


class OptionalReader:
    """Reads a value that may be blank: None for a blank one, which its reader refuses."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __call__(self, value: Any, _: object = None) -> Any:
        """Return None for a blank value, and what the reader makes of any other."""
        # Most blanks are this one, and raising an error of it takes longer.
        if value == "":
            return None
        try:
            return self.reader(value, None)
        except ValueError:
            if is_blank(value):
                return None
            raise


class TextReader:
    """Reads by a function of the text alone, as a declaration may name one."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        self.read = read

    def __call__(self, value: Any, _: object = None) -> Any:
        """Return what the function makes of the text; ValueError if it finds nothing for it."""
        try:
            return self.read(read_text(value))
        except LookupError as error:  # of a mapping, perhaps; else it would say: no such field
            raise ValueError(f"{short_repr(value)} cannot be read: {error!r}") from error


class CodeReader:
    """Reads a wire code as the enum member that `codes` names for it.

    Codes of None, and undescribed ones of an optional field, are None; an undescribed code is
    logged once.
    """

    def __init__(self, wire_name: str, codes: Mapping[Enum | None, str], *, optional: bool) -> None:
        self.members: Final = {code: member for member, code in codes.items()}
        if optional:
            self.members.setdefault("", None)
        self._wire_name = wire_name
        self._optional = optional

    def __call__(self, value: Any, _: object = None) -> Enum | None:
        """Return the member."""
        try:
            return self.members[value]
        except (KeyError, TypeError):
            return self._unusual_code(value)

    def _unusual_code(self, value: Any) -> Enum | None:
        code = "" if value is None else read_text(value).strip()
        if code not in self.members:
            if not self._optional:
                raise ValueError(f"{short_repr(code)} is not one of {', '.join(self.members)}")
            _log_code(self._wire_name, code)
        return self.members.get(code)


def _log_code(wire_name: str, code: str) -> None:
    entry = wire_name, short_repr(code)
    if entry not in _logged_codes and len(_logged_codes) < _MAX_LOGGED_CODES:
        _logged_codes.add(entry)
        _logger.warning("%s: code %s is not described; it is read as None", *entry)


def _wire_names(cls: Any) -> tuple[str, ...]:
    """Return the wire names of a class's fields, in order."""
    return tuple(field.metadata["wire"] for field in attrs.fields(cls) if "wire" in field.metadata)


def _query_fields(cls: Any) -> tuple[str, ...]:
    """Return the fields of a row class that are not sent: each row takes them from its query."""
    return tuple(
        field.name for field in attrs.fields(cls) if "wire" not in field.metadata and field.init
    )


# Once for each class. Not as decorators: mypy takes no class for Hashable.
wire_names: Final[Callable[[Any], tuple[str, ...]]] = cache(_wire_names)
query_fields: Final[Callable[[Any], tuple[str, ...]]] = cache(_query_fields)


_READERS: Final[dict[Any, Reader]] = {
    str: read_text,
    int: read_integer,
    Decimal: read_decimal,
    float: read_float,
    bool: read_bool,
    dt.date: read_date,
    dt.time: read_time,
    dt.datetime: read_datetime,
}
# These take what cattrs passes; any other `read=` is a function of the text alone.
_OWN_READERS: Final = frozenset({magnitude, hundredths, read_stock_code})
# What they return; a column of a table would cut off the rest of any other type.
_READ_AS: Final[dict[Any, tuple[Any, ...]]] = {
    magnitude: (int, Decimal),
    hundredths: (Decimal,),
    read_stock_code: (str,),
}


def reader_of(field: "attrs.Attribute[Any]") -> Reader:
    """Return the function that reads the values sent for a field."""
    kind, optional = field_type(field)
    if codes := field.metadata.get("codes"):
        return CodeReader(field.metadata["wire"], codes, optional=optional)
    if read := field.metadata.get("read"):
        reader: Reader = read if read in _OWN_READERS else TextReader(read)
        if kind not in _READ_AS.get(read, (kind,)):
            names = " or ".join(each.__name__ for each in _READ_AS[read])
            raise TypeError(
                f"{field.name}: {read.__name__} reads {names}; the type is {_type_name(field.type)}"
            )
        reader = _decimal_magnitude if read is magnitude and kind is Decimal else reader
    elif optional and kind is str:
        return read_optional_text
    elif kind in _READERS:
        reader = _READERS[kind]
    elif field.type is None:
        raise TypeError(f"{field.name}: it has no type; write {field.name}: str = field(...)")
    else:
        raise TypeError(
            f"{field.name}: got type {_type_name(field.type)}; no reader is known for it: use "
            f"{_type_names()}, an enum with wire(codes=...), one of these or None, or name a "
            "function of the text in wire(read=...)"
        )
    return OptionalReader(reader) if optional else reader


def _type_names() -> str:
    return ", ".join(kind.__name__ for kind in _READERS)


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def field_type(field: "attrs.Attribute[Any]") -> tuple[Any, bool]:
    """Return the class of a field's values, and True with it if they may be None.

    Of several classes, it is their union.
    """
    hint: Any = field.type
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint, False
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    optional = len(kinds) < len(typing.get_args(hint))
    return (kinds[0] if len(kinds) == 1 else hint), optional


def _is_wire_class(cls: Any) -> bool:
    return attrs.has(cls) and any("wire" in field.metadata for field in attrs.fields(cls))


class _ValidatingReader:
    """Reads a value, and tries the field's converter and validator on it.

    The constructor runs them again. cattrs names the field of an error here, but not there.
    """

    def __init__(self, field: "attrs.Attribute[Any]") -> None:
        self._field = field
        self._reader = reader_of(field)

    def __call__(self, value: Any, _: object = None) -> Any:
        """Return what the reader makes of the value."""
        read = self._reader(value, None)
        converter, validator = self._field.converter, self._field.validator
        # One that takes the instance, too, is left to the constructor.
        if not isinstance(converter, attrs.Converter):
            converted = read if converter is None else converter(read)
            if validator is not None:
                with suppress(AttributeError):  # it looks at other fields of the instance
                    validator(None, self._field, converted)
        return read


def _structure_hook(cls: type[Any], converter: Any) -> Reader:
    """Return the cattrs hook of a class whose fields carry `wire` metadata."""
    overrides: dict[str, Any] = {}
    for field in attrs.fields(attrs.resolve_types(cls)):
        if "wire" in field.metadata:
            detailed = converter.detailed_validation and (field.converter or field.validator)
            rename = field.metadata["wire"]
            hook = _ValidatingReader(field) if detailed else reader_of(field)
        else:
            # No name on the wire begins like this, so that none can take its place.
            rename, hook = f"query.{field.name}", lambda value, _: value
        overrides[field.name] = override(rename=rename, struct_hook=hook)
    return make_dict_structure_fn(cls, converter, **overrides)


def _new_converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook_factory(_is_wire_class, _structure_hook)
    return converter


# The quick one stops at the first thing that is wrong; the detailed one then names them all.
_quick: Final = _new_converter(detailed=False)
_detailed: Final = _new_converter(detailed=True)
# Whatever is wrong with a row; nesting without end is a RecursionError.
UNREADABLE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def structure_rows(
    raw_rows: object, cls: type[T], from_query: Mapping[str, Any], list_name: str
) -> list[T | None]:
    """Return a row for each of the raw ones, None for a blank one.

    `from_query` holds the values of the fields that are not sent. DecodeError names every problem
    with its row, field and wire name.
    """
    if not isinstance(raw_rows, list):
        raise decode_error([f"{short_repr(raw_rows)} is not a list of rows @ {list_name}"])
    if len(raw_rows) > MAX_ROWS:
        raise decode_error([f"{len(raw_rows):,} rows on one page @ {list_name}"])
    context = {f"query.{name}": value for name, value in from_query.items()}
    hook, names = _quick.get_structure_hook(cls), wire_names(cls)
    try:
        # A row that begins with something is not blank.
        if all(map(str.strip, [raw[names[0]] for raw in raw_rows])):
            return [hook({**raw, **context}, cls) for raw in raw_rows]
    except UNREADABLE:
        pass
    # Some row is blank, or cannot be read.
    problems = [
        f"{short_repr(raw)} is not a row @ rows[{index}]"
        for index, raw in enumerate(raw_rows)
        if not isinstance(raw, dict)
    ]
    if problems:
        raise decode_error(problems)
    merged = [None if _is_blank_row(raw, names) else {**raw, **context} for raw in raw_rows]
    rows: list[T | None] = _structure_in_detail(merged, list[cls | None], "rows", cls)  # type: ignore[valid-type]
    return rows


def structure_totals(body: Mapping[str, Any], cls: type[T] | None) -> T | None:
    """Return the totals in a body, or raise DecodeError with every problem.

    None if the request has no totals. Null is the same as not sent.
    """
    if cls is None:
        return None
    sent = {name: value for name, value in body.items() if value is not None}
    try:
        return _quick.structure(sent, cls)
    except UNREADABLE:
        pass
    return cast("T", _structure_in_detail(sent, cls, "totals", cls))


def _structure_in_detail(value: object, target: Any, where: str, cls: type[Any]) -> Any:
    try:
        return _detailed.structure(value, target)
    except BaseValidationError as error:
        problems = list(_with_wire_names(transform_error(error, where, _describe), cls))
    raise decode_error(problems)


def _is_blank_row(raw: dict[str, object], names: Iterable[str]) -> bool:
    """Return True for a row that has some of the names, and nothing under any of them."""
    values = [raw[name] for name in names if name in raw]
    return bool(values) and all(is_blank(value) for value in values)


def _describe(error: BaseException, _: type[Any] | None) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    # Behind their message, attrs's validators pass the whole declaration of the field.
    message, *more = error.args or ("",)
    from_attrs = any(isinstance(each, attrs.Attribute) for each in more)
    return str(message if from_attrs else error)


def _with_wire_names(lines: Iterable[str], cls: type[Any]) -> Iterator[str]:
    """Add the wire name to the attribute at the end of each "what @ where"."""
    for line in lines:
        attribute = line.rpartition(".")[2]
        field: Any = getattr(attrs.fields(cls), attribute, None)
        wire_name = "" if field is None else field.metadata.get("wire", "")
        yield f"{line} ({wire_name})" if wire_name else line
