"""Rows as a page usually has them, read column by column: a third of the time that care takes.

Pure. What is found is what the converter finds; where something is not as usual, nothing is found,
and the converter says what it is.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import repeat
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import attrs

from .convert import (
    LONGEST,
    Reader,
    decimal_number,
    magnitude_or_none,
    reader_of,
    text,
    whole_number,
    wire_names,
)
from .msgspec_pages import integers, page_reader

T = TypeVar("T")
ColumnReader = Callable[[Sequence[Any]], Sequence[Any]]
ColumnT = TypeVar("ColumnT", bound=ColumnReader)

# Nearly every share there is. Made once, they save time, and a fifth of a row's memory.
_SMALL_SHARES: Final = {f"+0.{number:02}": Decimal(f"0.{number:02}") for number in range(100)}

_at_once: Final[dict[Reader, ColumnReader]] = {}
_makers: Final[dict[type[Any], "_Maker[Any]"]] = {}
# Nesting without end is a RecursionError.
_unusual: Final = (LookupError, RecursionError, TypeError, ValueError)


def at_once(reader: Reader) -> Callable[[ColumnT], ColumnT]:
    """Have a whole column read by the function below it, which finds what `reader` finds in each.

    It raises LookupError, TypeError or ValueError where a value is not as usual: then they are
    read one by one.
    """

    def add(quick: ColumnT) -> ColumnT:
        _at_once[reader] = quick
        return quick

    return add


@at_once(text)
def texts(column: Sequence[str]) -> Sequence[str]:
    """Strings, exactly as sent."""
    "".join(column).encode()
    return column


@at_once(whole_number)
def _whole_numbers(column: Sequence[str]) -> list[int]:
    if (read := integers()) is not None:
        return read(column)
    together = "".join(column)
    # int() alone would also read other scripts' digits, 1_000, and numbers without end.
    if not together.isascii() or "_" in together or max(map(len, column)) > LONGEST:
        raise ValueError("a number that is not as usual")
    # Two thirds of the rows hold little else than zeros (wire-facts.md, fact 11).
    return [0 if sent == "0" else int(sent) for sent in column]


@at_once(magnitude_or_none)
def _magnitudes(column: Sequence[str]) -> list[int]:
    return [*map(abs, _whole_numbers(column))]


@at_once(decimal_number)
def _decimal_numbers(column: Sequence[str]) -> list[Decimal]:
    small = _SMALL_SHARES
    return [small[sent] if sent in small else decimal_number(sent) for sent in column]


def usual_rows(raw_rows: list[Any], cls: type[T], context: dict[str, object]) -> list[T] | None:
    """What the converter makes of them; None where one is blank or bad, and where there is none."""
    maker = _maker(cls)
    try:
        return maker.rows([*zip(*map(maker.values, raw_rows), strict=True)], context)
    except _unusual:
        return None


def usual_page(
    body: bytes,
    cls: type[T],
    context: dict[str, object],
    *,
    rows_key: str,
    beside: tuple[str, ...],
    most_rows: int,
) -> tuple[list[T], dict[str, str]] | None:
    """The rows of a page that says success, and what is stated `beside` them.

    None where anything is not as usual, and without msgspec.
    """
    maker = _maker(cls)
    if (read := page_reader(rows_key, maker.names, beside)) is None:
        return None
    try:
        columns, stated = read(body)
        return None if len(columns[0]) > most_rows else (maker.rows(columns, context), stated)
    except _unusual:
        return None


class _Maker(Generic[T]):
    """Makes the rows of a class from columns in the order of `names`, as on the wire."""

    def __init__(self, cls: type[T]) -> None:
        self._cls = cls
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)  # type: ignore[arg-type]
        sent = [one for one in fields if "wire" in one.metadata]
        self._ours = [one.name for one in fields if "wire" not in one.metadata]
        self.names = wire_names(cls)
        self.values = itemgetter(*self.names)
        self._readers = [_column(reader_of(cls, one)) for one in sent]
        self._unfrozen = _unfrozen(cls, [*[one.name for one in sent], *self._ours])

    def rows(self, columns: Sequence[Sequence[Any]], context: dict[str, object]) -> list[T]:
        # A row that begins with something is not blank.
        if not all(map(str.strip, columns[0])):
            raise ValueError("a row may be blank")
        found = [read(column) for read, column in zip(self._readers, columns, strict=True)]
        made: list[Any] = [
            *map(self._unfrozen, *found, *[repeat(context[name]) for name in self._ours])
        ]
        for row in made:
            row.__class__ = self._cls  # the last that can be set: from here on it is frozen
        return made


def _maker(cls: type[T]) -> _Maker[T]:
    if cls not in _makers:
        _makers[cls] = _Maker(cls)
    return _makers[cls]


def _column(reader: Reader) -> ColumnReader:
    quick = _at_once.get(reader)

    def read(column: Sequence[Any]) -> Sequence[Any]:
        try:
            if quick is not None:
                return quick(column)
        except _unusual:
            pass
        return [reader(value, None) for value in column]

    return read


def _unfrozen(cls: type[Any], names: list[str]) -> type[Any]:
    """A class of the same slots, whose instances can be made those of `cls`, which is frozen.

    A frozen class goes round its own guard for each field, which is a third of all work on a row.
    The constructor takes the fields in this order.
    """
    return attrs.make_class(cls.__name__, names, slots=True, weakref_slot=False, eq=False)
