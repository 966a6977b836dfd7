"""Rows as tables: one Arrow schema, derived from the row class, for everything columnar.

Extras: arrow (pyarrow), pandas, polars. Pages, walks and `Rows` have methods of the same names.
"""

import datetime
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from kiwoom_async._protocol.convert import field_type, hundredths
from kiwoom_async.errors import require_extra

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

with require_extra("arrow", "pyarrow"):
    import pyarrow as pa

RowT = TypeVar("RowT")

# As many digits as an int64 column of the same figures could hold; where the decimals are not
# declared, as many as a decimal128 can hold.
_DECIMAL_DIGITS: Final = 18
_MAX_DECIMAL_DIGITS: Final = 38
_UNDECLARED_DECIMALS: Final = 10
_ARROW_TYPES: Final[dict[Any, pa.DataType]] = {
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime.date: pa.date32(),
    datetime.time: pa.time32("s"),
    datetime.datetime: pa.timestamp("s", "Asia/Seoul"),
}
# What a column of each type takes; of decimals, numbers.
_PYTHON_TYPES: Final[dict[pa.DataType, tuple[type[Any], ...]]] = {
    pa.int64(): (int,),
    pa.float64(): (float, int, Decimal),
    pa.bool_(): (bool,),
    pa.date32(): (datetime.date,),
    pa.time32("s"): (datetime.time,),
    pa.timestamp("s", "Asia/Seoul"): (datetime.datetime,),
    pa.string(): (str, Enum),
}


def schema(row: type[Any], *, floats: bool = False) -> pa.Schema:
    """The Arrow schema of a row class.

    `int` is int64, `Decimal` decimal128 with as many decimals as the field's metadata says (10 if
    it says none), `str` and every enum string, `bool` bool, `float` float64, `date` date32, `time`
    time32, `datetime` a timestamp in Korean time; a field that may be None is nullable. Each
    field's metadata holds `unit`, `korean` and `wire`, where the class has them. TypeError for a
    field of any other type.

    floats: float64 in place of decimal128, for programs that compute. Decimals are exact, but
    pandas rounds the mean of them to their own decimals, and several of its methods raise.
    """
    return pa.schema([_field(field, floats) for field in _fields(row)])


def to_arrow(
    rows: Sequence[Any], row: type[Any] | None = None, *, floats: bool = False
) -> pa.Table:
    """The rows as a pyarrow table; `row` is their class, needed where there are none.

    floats: float64 in place of decimal128.
    """
    if row is None and not rows:
        raise ValueError("no rows, and no class of rows: the table's columns are unknown")
    of = schema(row or type(rows[0]), floats=floats)
    return pa.table([_column(rows, field) for field in of], schema=of)


def to_pandas(
    rows: Sequence[Any], row: type[Any] | None = None, *, floats: bool = False
) -> "pd.DataFrame":
    """The rows as a pandas frame, without a float where an int may be missing.

    Decimals are exact, but pandas rounds `mean()` to the column's decimals (0.04 for 0.04045),
    and `nlargest`, `cumsum` and `to_sql` raise.

    floats: float64 in place of decimals, with which all of these work.
    """
    with require_extra("pandas", "pandas"):
        import pandas as pd  # noqa: PLC0415 - an extra

    table = to_arrow(rows, row, floats=floats)
    # Left to itself, pandas makes 75000.0 of a price as soon as another one is missing.
    dtypes = {
        field.name: pd.Int64Dtype() if field.type == pa.int64() else pd.ArrowDtype(field.type)
        for field in table.schema
        if pa.types.is_decimal(field.type) or (field.type == pa.int64() and field.nullable)
    }
    frame = table.drop_columns(list(dtypes)).to_pandas(date_as_object=False)
    for name, dtype in dtypes.items():
        values = table[name].to_pandas(types_mapper={table[name].type: dtype}.get)
        frame.insert(table.schema.get_field_index(name), name, values)
    return frame


def to_polars(
    rows: Sequence[Any], row: type[Any] | None = None, *, floats: bool = False
) -> "pl.DataFrame":
    """The rows as a polars frame.

    floats: Float64 in place of Decimal, whose quotients polars rounds to the column's decimals.
    """
    with require_extra("polars", "polars"):
        import polars as pl  # noqa: PLC0415 - an extra

    return typing.cast("pl.DataFrame", pl.from_arrow(to_arrow(rows, row, floats=floats)))


def rows_of(table: Any, row: type[RowT]) -> list[RowT]:
    """The rows of a table: the way back, from anything that speaks Arrow (polars, pandas 3, ...).

    Columns are found by name. ValueError for one that is missing or of another type.
    """
    of = schema(row)
    arrow = table if isinstance(table, pa.Table) else pa.table(table)
    if missing := [name for name in of.names if name not in arrow.schema.names]:
        raise ValueError(f"the table lacks the columns {', '.join(missing)}")
    try:
        columns = arrow.select(of.names).cast(of)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ValueError(f"the table is not one of {row.__name__}: {error}") from error
    values = [
        _read(column.to_pylist(), field_type(field)[0])
        for field, column in zip(_fields(row), columns.columns, strict=True)
    ]
    return [_restored(row, of.names, each) for each in zip(*values, strict=True)]


def _restored(row: type[RowT], names: list[str], values: tuple[Any, ...]) -> RowT:
    """Return a row of these values as they are: its converters have had their turn."""
    restored = object.__new__(row)
    set_value = partial(object.__setattr__, restored)
    for name, value in zip(names, values, strict=True):
        set_value(name, value)
    return restored


def _read(values: list[Any], kind: type[Any]) -> list[Any]:
    if not issubclass(kind, Enum):
        return values
    if unknown := {*values} - {None, *kind.__members__}:
        raise ValueError(f"{unknown.pop()!r} is no member of {kind.__name__}")
    return [None if value is None else kind[value] for value in values]


def _fields(row: type[Any]) -> "Sequence[attrs.Attribute[Any]]":
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(attrs.resolve_types(row))
    return fields


def _field(field: "attrs.Attribute[Any]", floats: bool) -> pa.Field:
    kind, nullable = field_type(field)
    said = {name: field.metadata.get(name) for name in ("unit", "korean", "wire")}
    metadata = {name: value for name, value in said.items() if value}
    return pa.field(field.name, _type(kind, field, floats), nullable=nullable, metadata=metadata)


def _type(kind: type[Any], field: "attrs.Attribute[Any]", floats: bool) -> pa.DataType:
    if kind is Decimal:
        return pa.float64() if floats else _decimal_type(field.metadata)
    # Not a dictionary: joins and comparisons with plain strings work everywhere.
    if isinstance(kind, type) and issubclass(kind, str | Enum):
        return pa.string()
    if kind not in _ARROW_TYPES:
        allowed = ", ".join(each.__name__ for each in (str, Decimal, Enum, *_ARROW_TYPES))
        raise TypeError(f"{field.name}: got type {field.type}; a column can hold {allowed}")
    return _ARROW_TYPES[kind]


def _decimal_type(metadata: Mapping[str, Any]) -> pa.DataType:
    decimals = 2 if metadata.get("read") is hundredths else metadata.get("decimals")
    if decimals is None:
        return pa.decimal128(_MAX_DECIMAL_DIGITS, _UNDECLARED_DECIMALS)
    return pa.decimal128(max(_DECIMAL_DIGITS, 2 * decimals), decimals)


def _column(rows: Sequence[Any], field: pa.Field) -> pa.Array:
    values = [getattr(row, field.name) for row in rows]
    _check_types(values, field)
    if field.type == pa.float64():
        values = [None if value is None else float(value) for value in values]
    elif field.type == pa.string():
        values = [value.name if isinstance(value, Enum) else value for value in values]
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise ValueError(_too_much(values, field, error)) from error


def _check_types(values: list[Any], field: pa.Field) -> None:
    """Raise ValueError for a value that the column would hold in part only, or not at all."""
    unfit = {kind for kind in {*map(type, values)} if not _fits(kind, field.type)}
    for index, value in enumerate(values):
        if type(value) in unfit or getattr(value, "microsecond", None):
            raise ValueError(
                f"{field.name} of row {index} is {value!r}: a column of {field.type} cannot hold "
                "it; declare the field with the type that is read"
            )


def _fits(kind: type[Any], column: pa.DataType) -> bool:
    if kind is bool:  # an int elsewhere
        return bool(column == pa.bool_())
    if issubclass(kind, datetime.datetime):  # a date elsewhere
        return bool(column == pa.timestamp("s", "Asia/Seoul"))
    return issubclass(kind, (*_PYTHON_TYPES.get(column, (Decimal, int)), type(None)))


def _too_much(values: list[Any], field: pa.Field, error: Exception) -> str:
    """Name the first value that the column cannot hold."""
    for index, value in enumerate(values):
        try:
            pa.array([value], field.type)
        except (pa.ArrowInvalid, OverflowError):
            return (
                f"{field.name} of row {index} is {value}: a column of {field.type} cannot hold it"
            )
    return f"{field.name}: {error}"
