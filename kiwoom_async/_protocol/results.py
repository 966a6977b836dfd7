"""Results: rows, pages and walks, the answers to a query."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self

from attrs import field, frozen

from kiwoom_async.errors import require_extra

from .audit import Audit, AuditTally
from .cursor import Cursor
from .query import Query, RowT, TotalsT
from .records import to_dict

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Tabular:
    """Rows that can be had as a table, or as plain dicts.

    A table's schema is `kiwoom_async.tables.schema`'s. Its methods raise ModuleNotFoundError,
    naming the extra, when a package is not installed; `to_dicts` needs none.

    Shares are exact decimals in a table. Of those, pandas rounds the mean (0.04 for 0.04045), and
    its `nlargest`, `cumsum` and `to_sql` raise; polars rounds quotients. `floats=True` makes them
    float64, with which all of that works.
    """

    __slots__ = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dict for each row, as JSON, FastAPI and SQLite take it.

        Numbers are int and float, dates ISO text, enum members their names. It works for every
        attrs class of rows.
        """
        rows, _ = self._rows_and_class()
        return [*map(to_dict, rows)]

    def to_arrow(self, *, floats: bool = False) -> "pa.Table":
        """Return a pyarrow table, a column for each field: int64, decimal128, string, date32.

        Unit, Korean name and wire name are in each field's metadata. Extra: arrow. ValueError for
        a number that its column cannot hold; nothing is rounded.

        floats: float64 in place of decimal128.
        """
        from kiwoom_async.tables import to_arrow  # noqa: PLC0415 - an extra

        return to_arrow(*self._rows_and_class(), floats=floats)

    def to_pandas(self, *, floats: bool = False) -> "pd.DataFrame":
        """Return a pandas frame. Extra: pandas.

        Whole numbers are int64, and Int64 where one may be missing; dates are datetime64; shares
        are exact decimals, of which pandas rounds the mean (0.04 for 0.04045); its `nlargest`,
        `cumsum` and `to_sql` raise.

        floats: float64 in place of decimals, with which all of these work.
        """
        with require_extra("pandas", "pyarrow"):
            from kiwoom_async.tables import to_pandas  # noqa: PLC0415 - an extra

        return to_pandas(*self._rows_and_class(), floats=floats)

    def to_polars(self, *, floats: bool = False) -> "pl.DataFrame":
        """Return a polars frame: Int64, Decimal, String, Date. Extra: polars.

        floats: Float64 in place of Decimal, whose quotients are rounded.
        """
        with require_extra("polars", "pyarrow"):
            from kiwoom_async.tables import to_polars  # noqa: PLC0415 - an extra

        return to_polars(*self._rows_and_class(), floats=floats)

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """The Arrow PyCapsule protocol: polars, pandas 3, DuckDB and pyarrow take it directly.

        `Rows` is a list, too, of which some constructors (`pl.DataFrame`, `pa.table`) take the
        items instead: use its methods there.
        """
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _rows_and_class(self) -> tuple[Sequence[Any], type[Any] | None]:
        """Return the rows and their class, which an empty list would not tell."""
        raise NotImplementedError


class Rows(list[RowT], Tabular):
    """A list of rows that can be had as a table; otherwise a list.

    `Rows(row for row in walk.rows if row.net_buy_amount > 0).to_pandas()`: a slice or a
    comprehension gives a plain list, which this makes tabular again.

    row: the class of the rows, needed only for a table of none at all.
    """

    __slots__ = ("row_class",)
    row_class: type[RowT] | None

    def __init__(self, rows: Iterable[RowT] = (), row: type[RowT] | None = None) -> None:
        super().__init__(rows)
        self.row_class = rows.row_class if row is None and isinstance(rows, Rows) else row

    def _rows_and_class(self) -> tuple[Sequence[RowT], type[RowT] | None]:
        return self, self.row_class


@frozen
class Undecoded:
    """A row that could not be read, as it was sent: its index in the page, and why not."""

    position: int
    raw: object
    problem: str


@frozen
class Page(Tabular, Generic[RowT, TotalsT]):
    """One answer: its rows in the server's order, and the cursor of the next page.

    `number` counts from 1; `next` is the following page's cursor, None at the end.
    `blank_rows` is how many rows came without any value and were dropped: one blank row is how
    the server says "no data" (wire-facts.md, fact 6). `undecoded` holds the rows that could not be
    read, for a client with `on_undecoded="deliver"`; for others such a page is an error.
    `stated_rows` is the header `resp-cnt`, None without one. `restarted` is True for a page at
    which the server, right after an empty one, begins the walk again instead of ending it: the
    walk ends here, and drops its rows, which came before (wire-facts.md, section 5).
    """

    query: Any  # the query asked; its class is not a type parameter
    number: int
    rows: Rows[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>", converter=Rows)
    totals: TotalsT
    next: Cursor | None
    blank_rows: int = 0
    undecoded: list[Undecoded] = field(factory=list[Undecoded])
    stated_rows: int | None = None
    restarted: bool = False

    def _rows_and_class(self) -> tuple[list[RowT], type[RowT]]:
        return self.rows, self.query.row_class


@frozen
class Walk(Tabular, Generic[RowT, TotalsT]):
    """A whole answer: every row of every page, and what its audit says of their completeness.

    `totals` are those of the last page that stated any. `next` is where to go on if `stop_when`
    ended the walk before the server did, None for a whole walk.
    """

    query: Any
    rows: Rows[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>", converter=Rows)
    totals: TotalsT
    audit: Audit
    next: Cursor | None = None

    @classmethod
    def from_pages(cls, query: Query[RowT, TotalsT], pages: Sequence[Page[RowT, TotalsT]]) -> Self:
        """Return the walk that these pages are, in order."""
        tally = AuditTally(query)
        pages = [tally.add(page) for page in pages]
        rows = Rows((row for page in pages for row in page.rows), query.row_class)
        return cls(query, rows, tally.totals, tally.audit())

    def _rows_and_class(self) -> tuple[list[RowT], type[RowT]]:
        return self.rows, self.query.row_class

    def _repr_html_(self) -> str:
        """Return the notebook view: the first rows with their units, and the audit."""
        from kiwoom_async.notebook import html_of  # noqa: PLC0415 - presentation, when asked for

        return html_of(str(self.query), self.rows, self.query.row_class, [f"audit: {self.audit}"])
