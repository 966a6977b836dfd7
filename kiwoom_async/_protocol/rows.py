"""What rows offer to those who work with tables: Arrow, pandas, polars.

Pure, and light: the tables are built by the `tables` wing, which is imported when one is asked for.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

from kiwoom_async.errors import require_extra

RowT = TypeVar("RowT")


class Tabular:
    """Rows that can be had as a table; its schema is `kiwoom_async.tables.schema`'s.

    Every method raises ModuleNotFoundError, naming the extra, when a package is not installed.
    """

    __slots__ = ()

    def to_arrow(self) -> "pa.Table":
        """A pyarrow table, a column for each field: int64, decimal128, string, date32.

        Unit, Korean name and wire name are in each field's metadata. Extra: arrow. ValueError for
        a number that its column cannot hold; nothing is rounded.
        """
        from kiwoom_async.tables import to_arrow  # noqa: PLC0415 - an extra

        return to_arrow(*self._rows_and_class())

    def to_pandas(self) -> "pd.DataFrame":
        """A pandas frame. Extra: pandas.

        Whole numbers are int64, and Int64 where one may be missing; dates are datetime64; shares
        are exact decimals (`.astype(float)` makes them plain numbers).
        """
        with require_extra("pandas", "pyarrow"):
            from kiwoom_async.tables import to_pandas  # noqa: PLC0415 - an extra

        return to_pandas(*self._rows_and_class())

    def to_polars(self) -> "pl.DataFrame":
        """A polars frame: Int64, Decimal, String, Date. Extra: polars."""
        with require_extra("polars", "pyarrow"):
            from kiwoom_async.tables import to_polars  # noqa: PLC0415 - an extra

        return to_polars(*self._rows_and_class())

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """The Arrow PyCapsule protocol: polars, pandas 3, DuckDB and pyarrow take it directly.

        `Rows` is a list, too, of which some constructors (`pl.DataFrame`, `pa.table`) take the
        items instead: use its methods there.
        """
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _rows_and_class(self) -> tuple[Sequence[Any], type[Any] | None]:
        """The rows, and their class, which an empty list would not tell."""
        raise NotImplementedError


class Rows(list[RowT], Tabular):
    """A list of rows that can be had as a table; otherwise a list.

    `Rows(row for row in walk.rows if row.net_buy_amount > 0).to_pandas()`: a slice or a
    comprehension gives a plain list, which this makes tabular again.

    row: the class of the rows, needed only for a table of none at all.
    """

    __slots__ = ("_row",)

    def __init__(self, rows: Iterable[RowT] = (), row: type[RowT] | None = None) -> None:
        super().__init__(rows)
        self._row = row

    def _rows_and_class(self) -> tuple[Sequence[RowT], type[RowT] | None]:
        return self, self._row
