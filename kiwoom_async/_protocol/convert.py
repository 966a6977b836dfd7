"""How Kiwoom spells numbers, signs, dates and blanks, and the converter that reads them.

Knows the spelling, no request. Every reader raises ValueError saying what came instead.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar, cast

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, override

from kiwoom_async.errors import decode_error, short_repr

T = TypeVar("T")
N = TypeVar("N", int, Decimal)
Reader = Callable[[Any, Any], object]

KST: Final = timezone(timedelta(hours=9), "KST")

# The specification's length.
LONGEST: Final = 20
# Sister requests double the minus (wire-facts.md, fact 12). ASCII digits only.
_WHOLE: Final = re.compile(rf"(\+|--?)?([0-9]{{1,{LONGEST}}})")
_DECIMAL: Final = re.compile(rf"(\+|--?)?([0-9]{{1,{LONGEST}}}(?:\.[0-9]{{0,{LONGEST}}})?)")

_HEADER_SAFE: Final = re.compile(r"[!-~]+")
# RFC 9110, section 5.6.7: the one form that is sent today. The parser would take many more.
_HTTP_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [12][0-9]{3} [0-9:]{8} GMT")


def wire(name: str, korean: str, unit: str = "", *, decimals: int = 0) -> dict[str, Any]:
    """Metadata of a field: its name on the wire, the specification's Korean one, unit, decimals."""
    return {"wire": name, "korean": korean, "unit": unit} | (
        {"decimals": decimals} if decimals else {}
    )


def is_blank(value: object) -> bool:
    """Whether the server sent nothing: an empty or white string, or null."""
    return value is None or (isinstance(value, str) and not value.strip())


def header_safe(text: str) -> bool:
    """Whether a header may carry this text: anything else the HTTP layer would print in full."""
    return _HEADER_SAFE.fullmatch(text) is not None


def text(value: object, _: object = None) -> str:
    """A string exactly as sent."""
    if not isinstance(value, str):
        raise ValueError(f"{short_repr(value)} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{short_repr(value)} holds half a character") from None
    return value


def _number(value: object, form: re.Pattern[str], kind: type[N], what: str) -> N:
    match = form.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{short_repr(value)} is not a {what} number")
    sign, digits = match.groups("")
    # Decimal's own minus would round to the context of whoever asks. There is no minus zero.
    minus = "-" if "-" in sign and digits.strip("0.") else ""
    return kind(minus + digits)


def whole_number(value: object, _: object = None) -> int:
    """`-75000`, `+6800`, `--1109649`, `0`."""
    return _number(value, _WHOLE, int, "whole")


def whole_number_or_none(value: object, _: object = None) -> int | None:
    """The same, or None when blank."""
    return None if is_blank(value) else whole_number(value)


def magnitude_or_none(value: object, _: object = None) -> int | None:
    """A price: its sign is a direction (wire-facts.md, fact 12), so it is dropped."""
    return None if is_blank(value) else abs(whole_number(value))


def decimal_number(value: object, _: object = None) -> Decimal:
    """`+18.71`, `+0.00`."""
    return _number(value, _DECIMAL, Decimal, "decimal")


def as_sent(value: Any, _: object = None) -> Any:
    """A value that needs no reading, because it came from the query."""
    return value


def compact_date(day: date) -> str:
    """A day as `yyyyMMdd`."""
    return day.isoformat().replace("-", "")


def kst_time(value: object) -> datetime:
    """`yyyyMMddHHmmss` in Korean time (wire-facts.md, section 2)."""
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{14}", value):
            return datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=KST)
    except ValueError:
        pass
    raise ValueError(f"{short_repr(value)} is not a time of the form yyyyMMddHHmmss")


def http_time(value: str) -> datetime | None:
    """The moment that a `date` header names, in Korean time; None where it names none."""
    try:
        return parsedate_to_datetime(value).astimezone(KST) if _HTTP_DATE.fullmatch(value) else None
    except (ValueError, OverflowError):
        return None


_converter: Final = Converter(detailed_validation=True)
_wire_names: Final[dict[type[Any], tuple[str, ...]]] = {}
_named_readers: Final[dict[type[Any], dict[str, Reader]]] = {}
for _type, _reader in (
    (str, text),
    (int, whole_number),
    (int | None, whole_number_or_none),
    (Decimal, decimal_number),
):
    _converter.register_structure_hook(_type, _reader)


def register(cls: type[Any], **readers: Reader) -> None:
    """Teach the converter a class whose fields carry `wire` metadata.

    `readers` names the fields that are not read by their type. A field without wire metadata
    comes from the query, untouched. A class of rows has neither validators nor converters, which
    would not be asked, and no slot for weak references: `_columns` makes its instances otherwise.
    """
    overrides: dict[str, Any] = {
        field.name: override(
            rename=field.metadata.get("wire"),
            struct_hook=readers.get(field.name, None if "wire" in field.metadata else as_sent),
        )
        for field in attrs.fields(cls)
    }
    hook = make_dict_structure_fn(cls, _converter, **overrides)
    _converter.register_structure_hook(cls, hook)
    _named_readers[cls] = readers
    metadata = [field.metadata for field in attrs.fields(cls)]
    _wire_names[cls] = tuple(one["wire"] for one in metadata if "wire" in one)


def wire_names(cls: type[Any]) -> tuple[str, ...]:
    """What the fields of a registered class that are sent are called there."""
    return _wire_names[cls]


def reader_of(cls: type[Any], field: "attrs.Attribute[Any]") -> Reader:
    """What reads the values of this field of a registered class."""
    named = _named_readers[cls].get(field.name)
    return named or cast("Reader", _converter.get_structure_hook(field.type))


def structure(value: object, cls: type[T], where: str, named: type[Any]) -> T:
    """`value` as `cls`, or DecodeError with every problem; fields are named as in `named`."""
    try:
        return _converter.structure(value, cls)
    except BaseValidationError as error:
        problems = list(_problems(transform_error(error, where, _describe), named))
    raise decode_error(problems)


def _describe(error: BaseException, _: type[Any] | None) -> str:
    return "is missing" if isinstance(error, KeyError) else str(error)


def _problems(lines: Iterable[str], named: type[Any]) -> Iterable[str]:
    """Add the wire name to the attribute at the end of each "what @ where"."""
    for line in lines:
        attribute = line.rpartition(".")[2]
        field = getattr(attrs.fields(named), attribute, None)
        yield f"{line} ({field.metadata['wire']})" if field is not None else line
