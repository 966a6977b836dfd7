"""How Kiwoom spells numbers, signs, dates and blanks, and the converter that reads them.

Knows the spelling, no request. Every reader raises ValueError saying what came instead.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import repeat
from operator import itemgetter
from typing import Any, Final, TypeVar

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, override

from ._errors import shown, unreadable

T = TypeVar("T")
N = TypeVar("N", int, Decimal)
Reader = Callable[[Any, Any], object]
ColumnReader = Callable[[Sequence[Any]], Sequence[Any]]
RowsReader = Callable[[list[Any], dict[str, object]], list[Any]]
ColumnT = TypeVar("ColumnT", bound=ColumnReader)

KST: Final = timezone(timedelta(hours=9), "KST")

# Sister requests double the minus (wire-facts.md, fact 12). Twenty characters is the
# specification's length; ASCII digits only.
_LONGEST: Final = 20
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
    raise ValueError(f"{shown(value)} is not a time of the form yyyyMMddHHmmss")


def http_time(value: str) -> datetime | None:
    """The moment that a `date` header names, in Korean time; None where it names none."""
    try:
        return parsedate_to_datetime(value).astimezone(KST) if _HTTP_DATE.fullmatch(value) else None
    except (ValueError, OverflowError):
        return None


_converter: Final = Converter(detailed_validation=True)
_whole_columns: Final[dict[Reader, ColumnReader]] = {}
_rows_readers: Final[dict[type[Any], RowsReader]] = {}
for _type, _reader in (
    (str, text),
    (int, whole_number),
    (int | None, whole_number_or_none),
    (Decimal, decimal_number),
):
    _converter.register_structure_hook(_type, _reader)


def whole_column(reader: Reader) -> Callable[[ColumnT], ColumnT]:
    """What finds the same as `reader` in each value of a column of a page, in less time.

    It raises LookupError, TypeError or ValueError where one is not as usual: then the values are
    read one by one.
    """

    def add(quick: ColumnT) -> ColumnT:
        _whole_columns[reader] = quick
        return quick

    return add


@whole_column(text)
def texts(column: Sequence[str]) -> Sequence[str]:
    """Strings, exactly as sent."""
    "".join(column).encode()
    return column


@whole_column(whole_number)
def _whole_numbers(column: Sequence[str]) -> list[int]:
    together = "".join(column)
    # int() alone would also read other scripts' digits, 1_000, and numbers without end.
    if not together.isascii() or "_" in together or max(map(len, column)) > _LONGEST:
        raise ValueError("a number that is not as usual")
    # Two thirds of the rows hold little else than zeros (wire-facts.md, fact 11).
    return [0 if sent == "0" else int(sent) for sent in column]


@whole_column(magnitude_or_none)
def _magnitudes(column: Sequence[str]) -> list[int]:
    return [*map(abs, _whole_numbers(column))]


@whole_column(decimal_number)
def _decimal_numbers(column: Sequence[str]) -> list[Decimal]:
    small = _SMALL_SHARES
    return [small[sent] if sent in small else decimal_number(sent) for sent in column]


def register(cls: type[Any], **readers: Reader) -> None:
    """Teach the converter a class whose fields carry `wire` metadata.

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
    hook = make_dict_structure_fn(cls, _converter, **overrides)
    _converter.register_structure_hook(cls, hook)
    _rows_readers[cls] = _rows_reader(cls, readers)


def _rows_reader(cls: type[Any], readers: dict[str, Reader]) -> RowsReader:
    """The converter's readers, column by column, and no constructor of a frozen class."""
    sent = [one for one in attrs.fields(cls) if "wire" in one.metadata]
    ours = [one for one in attrs.fields(cls) if "wire" not in one.metadata]
    values = itemgetter(*[one.metadata["wire"] for one in sent])
    columns = [
        _column(readers.get(one.name) or _converter.get_structure_hook(one.type)) for one in sent
    ]
    unfrozen = _unfrozen(cls, [*sent, *ours])

    def read(raw_rows: list[Any], context: dict[str, object]) -> list[Any]:
        sent = [*zip(*map(values, raw_rows), strict=True)]
        # A row that begins with something is not blank.
        if not all(map(str.strip, sent[0])):
            raise ValueError("a row may be blank")
        found = [read(column) for read, column in zip(columns, sent, strict=True)]
        rows = [*map(unfrozen, *found, *[repeat(context[one.name]) for one in ours])]
        for row in rows:
            row.__class__ = cls  # the last thing that can be set: from here on it is frozen
        return rows

    return read


def _column(reader: Reader) -> ColumnReader:
    quick = _whole_columns.get(reader)

    def read(column: Sequence[Any]) -> Sequence[Any]:
        try:
            if quick is not None:
                return quick(column)
        except (LookupError, TypeError, ValueError):
            pass
        return [reader(value, None) for value in column]

    return read


def _unfrozen(cls: type[Any], fields: list["attrs.Attribute[Any]"]) -> type[Any]:
    """A class of the same slots, whose instances can be made those of `cls`, which is frozen.

    A frozen class goes round its own guard for each field, which is a third of all work on a row.
    The constructor takes `fields` in this order.
    """
    same = {one.name: attrs.field(type=one.type) for one in fields}
    return attrs.make_class(cls.__name__, same, slots=True, weakref_slot=False, eq=False)


def structure(value: object, cls: type[T], where: str, named: type[Any]) -> T:
    """`value` as `cls`, or DecodeError with every problem; fields are named as in `named`."""
    try:
        return _converter.structure(value, cls)
    except BaseValidationError as error:
        problems = list(_problems(transform_error(error, where, _describe), named))
    raise unreadable(problems)


def usual_rows(raw_rows: list[Any], cls: type[T], context: dict[str, object]) -> list[T] | None:
    """What `structure` makes of them, in a third of the time; None where one is blank or bad.

    None, too, where there is none.
    """
    try:
        return _rows_readers[cls](raw_rows, context)
    except (LookupError, TypeError, ValueError):
        return None


def _describe(error: BaseException, _: type[Any] | None) -> str:
    return "is missing" if isinstance(error, KeyError) else str(error)


def _problems(lines: Iterable[str], named: type[Any]) -> Iterable[str]:
    """Add the wire name to the attribute at the end of each "what @ where"."""
    for line in lines:
        attribute = line.rpartition(".")[2]
        field = getattr(attrs.fields(named), attribute, None)
        yield f"{line} ({field.metadata['wire']})" if field is not None else line
