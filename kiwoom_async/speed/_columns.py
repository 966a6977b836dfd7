"""Pages read column by column: msgspec parses the body, and each column is converted at once.

What is read here is what the converter would read. Anything out of the ordinary gives None, and
the default way then judges the page.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, NamedTuple

import attrs
import msgspec

from kiwoom_async._protocol.convert import (
    MAX_ROWS,
    SMALL_DECIMALS,
    UNREADABLE,
    CodeReader,
    OptionalReader,
    Reader,
    magnitude,
    query_fields,
    read_decimal,
    read_integer,
    read_stock_code,
    read_text,
    reader_of,
    wire_names,
)
from kiwoom_async._protocol.messages import Response
from kiwoom_async._protocol.query import Query, RowT

Column = Sequence[str]
ColumnReader = Callable[[Column], Sequence[Any]]
_RowFunction = Callable[[Iterable[tuple[Any, ...]], Sequence[Any]], list[RowT]]

# More digits than any amount has; less than fit into 64 bits, as bounds of msgspec must.
_MAX_INTEGER: Final = 10**18
# Rows that begin with nothing are not read by columns, so that a stock code is never blank here.
_TEXT_READERS: Final = (read_text, read_stock_code)
# What may run when an instance or a subclass of a class is made, besides setting the fields. attrs
# writes `__attrs_init__` where a class has an `__init__` of its own.
_HOOKS: Final = {
    "__new__", "__init_subclass__",
    "__attrs_pre_init__", "__attrs_post_init__", "__attrs_init__",
}  # fmt: skip
# msgspec's errors are ValueErrors from 0.21 on only.
_FAST_PATH_MISS: Final = (*UNREADABLE, msgspec.MsgspecError)


def read_page(
    response: Response, query: Query[RowT, Any]
) -> tuple[list[RowT], dict[str, str]] | None:
    """Return the rows of a successful page, and the texts beside them; None for any other page."""
    if response.status != 200:
        return None
    query_class: Any = type(query)
    reader = _page_reader(query_class)
    if reader is None:
        return None
    try:
        columns, beside = reader.parser.parse(response.body)
        if len(columns[0]) > MAX_ROWS:
            return None
        from_query = [getattr(query, name) for name in reader.builder.query_fields]
        return reader.builder.build(columns, from_query), beside
    except _FAST_PATH_MISS:
        return None


class _PageReader(NamedTuple):
    """The parser of a request's pages, and the builder of its rows."""

    parser: "_PageParser"
    builder: "_RowBuilder[Any]"


@lru_cache(maxsize=256)
def _page_reader(query_class: Any) -> _PageReader | None:
    """Return the reader of a request's pages, or None if its rows cannot be built by columns."""
    row_class, totals_class = query_class.row_class, query_class.totals_class
    twin = _mutable_twin(row_class)
    if twin is None or query_class.rows_key is None:
        return None
    names = wire_names(totals_class) if totals_class is not None else ()
    parser = _PageParser(query_class.rows_key, wire_names(row_class), (*names, "return_msg"))
    return _PageReader(parser, _RowBuilder(row_class, twin))


class _PageParser:
    """Parses a page into columns of text.

    It takes pages that say success, whose rows have these names and no other, and all values of
    which are text.
    """

    def __init__(self, rows_key: str, row: tuple[str, ...], beside: tuple[str, ...]) -> None:
        # Numbered, as a wire name may be no identifier.
        row_fields = [(f"column{index}", str) for index in range(len(row))]
        row_names = {f"column{index}": name for index, name in enumerate(row)}
        one_row: Any = msgspec.defstruct("Row", row_fields, rename=row_names, gc=False)
        self._beside = {f"text{index}": name for index, name in enumerate(beside)}
        texts: list[tuple[str, Any, Any]] = [(field, str | None, None) for field in self._beside]
        names = {"return_code": "return_code", "rows": rows_key, **self._beside}
        page = msgspec.defstruct(
            "Page", [("return_code", int), ("rows", list[one_row]), *texts], rename=names
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(page).decode
        self._width = len(row)

    def parse(self, body: bytes) -> tuple[list[tuple[str, ...]], dict[str, str]]:
        """Return the columns of the rows, and the texts beside them; ValueError for other pages."""
        page = self._decode(body)
        beside = {
            name: value
            for field, name in self._beside.items()
            if (value := getattr(page, field)) is not None
        }
        # As many colons as names: then no name is unknown, and none is repeated.
        names = len(page.rows) * self._width + len(beside) + 2
        if page.return_code != 0 or body.count(b":") != names:
            raise ValueError("a page out of the ordinary")
        return [*zip(*map(msgspec.structs.astuple, page.rows), strict=True)], beside


class _RowBuilder(Generic[RowT]):
    """Builds the rows of a class from columns in the order of its wire names."""

    def __init__(self, cls: type[RowT], twin: type[Any]) -> None:
        self._rows = _row_function(cls, twin)
        self.query_fields = query_fields(cls)
        readers = [
            reader_of(field)
            for field in attrs.fields(attrs.resolve_types(cls))  # type: ignore[arg-type,type-var]
            if "wire" in field.metadata
        ]
        # Text is as it was sent: msgspec has refused half a character, the only text that is none.
        self._readers: list[ColumnReader] = [
            tuple if reader in _TEXT_READERS else column_reader(reader) for reader in readers
        ]

    def build(self, columns: Sequence[Column], from_query: Sequence[Any]) -> list[RowT]:
        """Return the rows; an error of `_FAST_PATH_MISS` if one is blank or unreadable."""
        # A row that begins with something is not blank.
        if not all(map(str.strip, columns[0])):
            raise ValueError("a row may be blank")
        values = [read(column) for read, column in zip(self._readers, columns, strict=True)]
        return self._rows(zip(*values, strict=True), from_query)


def _mutable_twin(cls: type[Any]) -> type[Any] | None:
    """Return a subclass that is not frozen, whose instances can become those of `cls`.

    A frozen class goes round its own guard for each field, which is a third of all work on a row.
    None if an instance is more than its fields in slots: an attrs converter, validator, hook or
    cached hash would be passed over. None, too, if a hook or a metaclass sees subclasses.
    """
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    bases = cls.__mro__[:-1]
    slots = {name for base in bases for name in getattr(base, "__slots__", ())}
    if type(cls) is not type or slots - {"__weakref__"} != {field.name for field in fields}:
        return None
    if not _HOOKS.isdisjoint(name for base in bases for name in vars(base)) or any(
        field.validator or field.converter or not field.init for field in fields
    ):
        return None
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, (cls,), {"__slots__": (), **plain})


def _row_function(cls: type[RowT], twin: type[Any]) -> _RowFunction[RowT]:
    """Return a function that makes rows of tuples of values, and of those of the query.

    Written for the class, as attrs writes constructors: a call for each row, or for each value,
    would take longer than all the rest.
    """
    fields = attrs.fields(cls)  # type: ignore[arg-type]
    sent = [f"row.{field.name}" for field in fields if "wire" in field.metadata]
    asked = [f"row.{field.name}" for field in fields if "wire" not in field.metadata]
    lines = [
        "def rows_of(tuples, from_query):",
        "    rows = []",
        "    row = twin()",
        f"    for [{', '.join(sent)}] in tuples:  # a tuple goes right into the row made before",
        f"        [{', '.join(asked)}] = from_query",
        "        row.__class__ = cls  # from here on it is frozen",
        "        rows.append(row)",
        "        row = twin()",
        "    return rows",
    ]
    names: dict[str, Any] = {"twin": twin, "cls": cls}
    exec("\n".join(lines), names)  # noqa: S102 - of names that attrs has used in this way, too
    rows_of: _RowFunction[RowT] = names["rows_of"]
    return rows_of


def column_reader(reader: Reader) -> ColumnReader:
    """Return a reader of whole columns that reads what `reader` reads of each value."""
    inner = reader.reader if isinstance(reader, OptionalReader) else reader
    if isinstance(inner, CodeReader):
        return _CodeColumn(inner)
    at_once = _COLUMN_READERS.get(inner)
    return _ValueByValue(reader) if at_once is None else _FirstAtOnce(at_once, reader)


class _ValueByValue:
    """Reads a column value by value."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __call__(self, column: Column) -> Sequence[Any]:
        return [self._reader(value, None) for value in column]


class _FirstAtOnce(_ValueByValue):
    """Reads a column at once, or value by value if that misses."""

    def __init__(self, at_once: ColumnReader, reader: Reader) -> None:
        super().__init__(reader)
        self._at_once = at_once

    def __call__(self, column: Column) -> Sequence[Any]:
        try:
            return self._at_once(column)
        except _FAST_PATH_MISS:
            return super().__call__(column)


class _CodeColumn(_ValueByValue):
    """Reads a column of codes by its mapping, or value by value if one is missing there."""

    def __init__(self, reader: CodeReader) -> None:
        super().__init__(reader)
        self._member_of = reader.members.__getitem__

    def __call__(self, column: Column) -> Sequence[Any]:
        try:
            return [*map(self._member_of, column)]
        except KeyError:
            return super().__call__(column)


_signed_integers: Final[Callable[[str], list[int]]] = msgspec.json.Decoder(
    list[Annotated[int, msgspec.Meta(ge=-_MAX_INTEGER, le=_MAX_INTEGER)]]
).decode


def _integers(column: Column) -> list[int]:
    """Return whole numbers, read as a list of JSON."""
    joined = "," + ",".join(column)
    if "+" in joined:
        # JSON has no plus, and would take a minus or a blank that is left where one stood.
        if "+-" in joined or len(joined.split()) != 1:
            raise ValueError("a number out of the ordinary")
        joined = joined.replace(",+", ",")
    numbers = _signed_integers(f"[{joined[1:]}]")
    if len(numbers) != len(column):
        raise ValueError("a comma in a number")
    return numbers


def _magnitudes(column: Column) -> list[int]:
    return [*map(abs, _integers(column))]


class _Decimals(dict[str, Decimal]):
    """Small numbers by their text; any other is read, and not kept."""

    def __missing__(self, value: str) -> Decimal:
        return read_decimal(value)


_decimal_of: Final = _Decimals(SMALL_DECIMALS)


def _decimals(column: Column) -> list[Decimal]:
    return [*map(_decimal_of.__getitem__, column)]


_COLUMN_READERS: Final[dict[Reader, ColumnReader]] = {
    read_integer: _integers,
    magnitude: _magnitudes,
    read_decimal: _decimals,
}
