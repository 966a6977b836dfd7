"""How Kiwoom spells numbers, signs, dates and blanks, and the converters that read them.

Knows the spelling, no request. Every reader raises ValueError saying what came instead.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, override

from ._errors import shown, unreadable

T = TypeVar("T")
N = TypeVar("N", int, Decimal)
Reader = Callable[[Any, Any], object]
RowsReader = Callable[[list[Any], dict[str, object]], list[Any]]

KST: Final = timezone(timedelta(hours=9), "KST")

# Sister requests double the minus (wire-facts.md, fact 12). Twenty characters is the
# specification's length; ASCII digits only.
_WHOLE: Final = re.compile(r"(\+|--?)?([0-9]{1,20})")
_DECIMAL: Final = re.compile(r"(\+|--?)?([0-9]{1,20}(?:\.[0-9]{0,20})?)")
# Nearly every share there is. Made once, they save time, and a fifth of a row's memory.
_SMALL_SHARES: Final = {f"+0.{number:02}": Decimal(f"0.{number:02}") for number in range(100)}

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
        raise ValueError(f"{shown(value)} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown(value)} holds half a character") from None
    return value


def _number(value: object, form: re.Pattern[str], kind: type[N], what: str) -> N:
    match = form.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{shown(value)} is not a {what} number")
    sign, digits = match.groups("")
    # Decimal's own minus would round to the context of whoever asks. There is no minus zero.
    minus = "-" if "-" in sign and digits.strip("0.") else ""
    return kind(minus + digits)


def whole_number(value: Any, _: object = None) -> int:
    """`-75000`, `+6800`, `--1109649`, `0`."""
    # Two thirds of the rows hold little else (wire-facts.md, fact 11).
    if value == "0":
        return 0
    try:
        # int() alone would also read other scripts' digits, and 1_000.
        if value.isascii() and "_" not in value and len(value) <= 20:
            return int(value)
    except (AttributeError, TypeError, ValueError):
        pass  # a doubled minus, or no number
    return _number(value, _WHOLE, int, "whole")


def whole_number_or_none(value: object, _: object = None) -> int | None:
    """The same, or None when blank."""
    return None if is_blank(value) else whole_number(value)


def magnitude_or_none(value: object, _: object = None) -> int | None:
    """A price: its sign is a direction (wire-facts.md, fact 12), so it is dropped."""
    return None if is_blank(value) else abs(whole_number(value))


def decimal_number(value: object, _: object = None) -> Decimal:
    """`+18.71`, `+0.00`."""
    if isinstance(value, str) and value in _SMALL_SHARES:
        return _SMALL_SHARES[value]
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
    raise ValueError(f"{shown(value)} is not a time of the form yyyyMMddHHmmss")


def http_time(value: str) -> datetime | None:
    """The moment that a `date` header names, in Korean time; None where it names none."""
    try:
        return parsedate_to_datetime(value).astimezone(KST) if _HTTP_DATE.fullmatch(value) else None
    except (ValueError, OverflowError):
        return None


_careful: Final = Converter(detailed_validation=True)
_quick: Final = Converter(detailed_validation=False)
_rows_readers: Final[dict[type[Any], RowsReader]] = {}
for _type, _reader in (
    (str, text),
    (int, whole_number),
    (int | None, whole_number_or_none),
    (Decimal, decimal_number),
):
    _careful.register_structure_hook(_type, _reader)
    _quick.register_structure_hook(_type, _reader)


def register(cls: type[Any], **readers: Reader) -> None:
    """Teach the converters a class whose fields carry `wire` metadata.

    `readers` names the fields that are not read by their type. A field without wire metadata
    comes from the query, untouched. A class of rows has neither validators nor converters, which
    would not be asked, and no slot for weak references, or reading it takes three times as long.
    """
    overrides: dict[str, Any] = {
        field.name: override(
            rename=field.metadata.get("wire"),
            struct_hook=readers.get(field.name, None if "wire" in field.metadata else as_sent),
        )
        for field in attrs.fields(cls)
    }
    hook = make_dict_structure_fn(cls, _careful, **overrides)
    _careful.register_structure_hook(cls, hook)
    _rows_readers[cls] = _rows_reader(cls, overrides)


def _rows_reader(cls: type[Any], overrides: dict[str, Any]) -> RowsReader:
    """The same readers, but no note of where they fail, and no constructor of a frozen class."""
    hook = make_dict_structure_fn(_unfrozen(cls), _quick, **overrides)
    wires = [one.metadata["wire"] for one in attrs.fields(cls) if "wire" in one.metadata]
    ours = [one.name for one in attrs.fields(cls) if "wire" not in one.metadata]

    def read(raw_rows: list[Any], context: dict[str, object]) -> list[Any]:
        # A row that begins with something is not blank.
        if not all(map(str.strip, [raw[wires[0]] for raw in raw_rows])):
            raise ValueError("a row may be blank")
        rows = [hook(raw, cls) for raw in raw_rows]
        for name in ours:
            value = context[name]
            for row in rows:
                setattr(row, name, value)
        for row in rows:
            row.__class__ = cls  # the last thing that can be set: from here on it is frozen
        return rows

    return read


def _unfrozen(cls: type[Any]) -> type[Any]:
    """A class of the same slots, whose instances can be made those of `cls`, which is frozen.

    A frozen class goes round its own guard for each field, which is a third of all work on a row.
    """
    fields = {
        one.name: attrs.field(type=one.type, default=one.default, init="wire" in one.metadata)
        # The constructor takes fields by position, which is quicker: the optional ones last.
        for one in sorted(attrs.fields(cls), key=lambda one: one.default is not attrs.NOTHING)
    }
    return attrs.make_class(cls.__name__, fields, slots=True, weakref_slot=False, eq=False)


def structure(value: object, cls: type[T], where: str, named: type[Any]) -> T:
    """`value` as `cls`, or DecodeError with every problem; fields are named as in `named`."""
    try:
        return _careful.structure(value, cls)
    except BaseValidationError as error:
        problems = list(_problems(transform_error(error, where, _describe), named))
    raise unreadable(problems)


def usual_rows(raw_rows: list[Any], cls: type[T], context: dict[str, object]) -> list[T] | None:
    """What `structure` makes of them, in a third of the time; None where one is blank or bad."""
    try:
        return _rows_readers[cls](raw_rows, context)
    except (KeyError, TypeError, ValueError):
        return None


def _describe(error: BaseException, _: type[Any] | None) -> str:
    return "is missing" if isinstance(error, KeyError) else str(error)


def _problems(lines: Iterable[str], named: type[Any]) -> Iterable[str]:
    """Add the wire name to the attribute at the end of each "what @ where"."""
    for line in lines:
        attribute = line.rpartition(".")[2]
        field = getattr(attrs.fields(named), attribute, None)
        yield f"{line} ({field.metadata['wire']})" if field is not None else line
