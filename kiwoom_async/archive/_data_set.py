"""Data sets: how the answers to one request lie on disk, and what SQL calls them.

A walk's file is in a folder for each field of its query. Dates, whole numbers, booleans and enum
members are hive partitions (`date=2026-11-26`), which pandas, polars, DuckDB and Spark read as
columns. Text and what may be None are columns of the file, below plain folders
(`symbol-005930`): of `symbol=005930` pandas and polars would make the number 5930.
"""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import attrs
from attrs import field, frozen

from kiwoom_async import ProgramTradeQuery, Query
from kiwoom_async._protocol.convert import field_type, query_fields
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import schema, to_arrow

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

TRADES: Final = "trades"
FILE_NAME: Final = "walk.parquet"
_PARTITION_TYPES: Final = (pa.date32(), pa.int64(), pa.bool_())
_WORD_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Of most file systems, less the field's name.
_MAX_FOLDER_NAME_LENGTH: Final = 200


@frozen
class DataSet:
    """The answers to one request: a folder of Parquet files, and a table of `Archive.query`.

    name: of the SQL table: `trades` for ka90004; otherwise the api-id and the class of the rows,
        as in `ka10081_candle`.
    folder: in the archive's folder. levels: what the folders below begin with, level by level;
        those that end with `=` are partitions.
    columns: the rows' fields, and those fields of the query that the rows lack.
    """

    name: str
    api_id: str
    folder: str
    levels: tuple[str, ...]
    columns: pa.Schema = field(repr=lambda columns: f"<{len(columns)} columns>")

    @property
    def partitions(self) -> list[str]:
        """The columns that are in the names of folders only."""
        return [level[:-1] for level in self.levels if level.endswith("=")]

    def is_path_of_walk(self, parts: tuple[str, ...]) -> bool:
        """Return True if a file at this path below the folder may be a walk's."""
        *folders, name = parts
        fits = map(str.startswith, folders, self.levels)
        return name == FILE_NAME and len(folders) == len(self.levels) and all(fits)


def _data_set_of(query_class: type[Query[Any, Any]]) -> DataSet:
    """Return the data set of a request; ValueError if no table can hold its rows or totals."""
    rows = _schema(query_class.row_class)
    if query_class.totals_class is not None:
        _schema(query_class.totals_class)
    asked = _schema(query_class)
    names = column_names(query_class)
    taken = set(query_fields(query_class.row_class))
    columns = [*rows, *(asked.field(n).with_name(c) for n, c in names.items() if n not in taken)]
    name = data_set_name(query_class)
    return DataSet(
        name=name,
        api_id=query_class.api_id,
        folder="data" if name == TRADES else quote(name),
        levels=tuple(_levels(query_class, names, rows)),
        columns=pa.schema(columns),
    )


def data_set_name(query_class: type[Query[Any, Any]]) -> str:
    """Return the name of a request's data set."""
    if issubclass(query_class, ProgramTradeQuery):
        return TRADES
    row = _WORD_BOUNDARY.sub("_", query_class.row_class.__name__).lower()
    return re.sub(r"\W", "_", f"{query_class.api_id}_{row}")


def query_columns(queries: Sequence[Query[Any, Any]]) -> pa.Table:
    """Return a row for each query of one class: its fields, by the names of their columns."""
    query_class = type(queries[0])
    table = to_arrow(queries, query_class)
    return table.rename_columns([*column_names(query_class).values()])


def file_paths(queries: Sequence[Query[Any, Any]]) -> list[str]:
    """Return the path of each walk's file in the archive's folder, with slashes.

    The queries are of one class. ValueError for a value that is too long for a folder's name.
    """
    data_set = data_set_of(type(queries[0]))
    columns = query_columns(queries).columns
    levels = [
        [level + _folder_text(text) for text in column.cast(pa.string()).to_pylist()]
        for level, column in zip(data_set.levels, columns, strict=True)
    ]
    if too_long := [
        name for level in levels for name in level if len(name) > _MAX_FOLDER_NAME_LENGTH
    ]:
        raise ValueError(f"too long for the name of a folder: {too_long[0]}")
    # Without fields, all queries are one.
    folders = zip(*levels, strict=True) if levels else [()]
    return ["/".join([data_set.folder, *names, FILE_NAME]) for names in folders]


def _folder_text(text: str | None) -> str:
    quoted = "none" if text is None else quote(text, safe="").replace("~", "%7E")
    # Windows drops a dot at the end of a folder's name.
    return re.sub(r"\.$", "%2E", quoted)


def _schema(cls: type[Any]) -> pa.Schema:
    try:
        columns = schema(cls)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{cls.__name__}: no table can hold it: {error}") from error
    # SQL does not tell `Price` from `price`.
    if len({name.casefold() for name in columns.names}) < len(columns):
        raise ValueError(f"{cls.__name__}: two fields differ in case only; SQL needs other names")
    return columns


def _column_names(query_class: type[Query[Any, Any]]) -> dict[str, str]:
    """Return the column of each field of a query: `query_date` where the rows have a `date`.

    A row's field that takes its value from the query is the same column.
    """
    taken = set(query_fields(query_class.row_class))
    occupied = {name.casefold() for name in schema(query_class.row_class).names}
    names: dict[str, str] = {}
    for name in schema(query_class).names:
        column = name
        while name not in taken and column.casefold() in occupied:
            column = f"query_{column}"
        occupied.add(column.casefold())
        names[name] = column
    return names


def _levels(query_class: type[Any], names: dict[str, str], rows: pa.Schema) -> list[str]:
    fields = {each.name: each for each in attrs.fields(attrs.resolve_types(query_class))}
    levels = []
    for column in schema(query_class):
        kind, optional = field_type(fields[column.name])
        is_member = isinstance(kind, type) and issubclass(kind, Enum)
        name = names[column.name]
        # Where the rows' own type is another, the value is not the row's.
        same = name not in rows.names or rows.field(name).type == column.type
        partition = same and not optional and (is_member or column.type in _PARTITION_TYPES)
        levels.append(name + ("=" if partition else "-"))
    return levels


# Once for each class. Not as decorators: mypy takes no class for Hashable.
data_set_of: Final[Callable[[Any], DataSet]] = cache(_data_set_of)
column_names: Final[Callable[[Any], dict[str, str]]] = cache(_column_names)
