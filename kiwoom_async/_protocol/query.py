"""What any request of the catalogue (TR) is, and the values that every walk is made of.

Pure. Knows no particular TR, and nothing of how calls travel.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, Self

from attrs import field, frozen

from kiwoom_async.notebook import html_of

from .cursor import Cursor
from .rows import Rows, Tabular

if TYPE_CHECKING:
    from typing import Generic as Generic  # noqa: PLC0414 - others take it from here

    # Defaults let a bare `Page` or `Page[ProgramTrade]` stand in a strictly typed program. Type
    # checkers always know typing_extensions; at run time it is not ours to import.
    from typing_extensions import TypeVar

    RowT = TypeVar("RowT", default=Any)
    TotalsT = TypeVar("TotalsT", default=Any)
    QueryT = TypeVar("QueryT", default=Any)
    AuditT = TypeVar("AuditT", default=Any)
    # What an iterator of ours gives.
    ItemT = TypeVar("ItemT", default=Any)
else:
    from typing import TypeVar

    RowT, TotalsT, QueryT, AuditT = map(TypeVar, ("RowT", "TotalsT", "QueryT", "AuditT"))
    ItemT = TypeVar("ItemT")

    class Generic:
        """Takes as many parameters as are given: typing's own would insist on all of them."""

        __slots__ = ()

        def __class_getitem__(cls, parameters: object) -> type:
            return cls


class Environment(Enum):
    """Which of Kiwoom's two hosts, and with it the pace (wire-facts.md, fact 1)."""

    PRODUCTION = "production"
    MOCK = "mock"

    @property
    def base_url(self) -> str:
        """The host that the specification names."""
        production = self is Environment.PRODUCTION
        return "https://api.kiwoom.com" if production else "https://mockapi.kiwoom.com"

    @property
    def requests_per_second(self) -> float:
        """The limit for each (app key, api-id)."""
        return 5.0 if self is Environment.PRODUCTION else 1.0


@frozen
class Endpoint(Generic[RowT, TotalsT, QueryT, AuditT]):
    """One TR: everything the pure half needs in order to speak it."""

    api_id: str
    path: str
    rows_key: str
    row: type[RowT]
    totals: type[TotalsT]
    # The request's body, in wire words.
    body: Callable[[QueryT], dict[str, str]]
    # What every row takes from its query, by attribute.
    row_context: Callable[[QueryT], dict[str, object]]
    # Raises ValueError for a query that cannot be answered on this day (Korean time), and
    # returns a reason to doubt the others, or None.
    check: Callable[[QueryT, date, Environment], str | None]
    # What a row is about, the same from walk to walk.
    identity: Callable[[RowT], str]
    # Queries with the same answer here have about as many pages as each other.
    alike: Callable[[QueryT], Hashable]
    # How many that is, before any has been walked.
    usual_pages: Callable[[QueryT], int]
    # Takes a walk's pages, and the totals that its Walk will carry.
    audit: Callable[["Sequence[Page[RowT, TotalsT, QueryT]]", TotalsT], AuditT]


class Query(Protocol[RowT, TotalsT, QueryT, AuditT]):
    """A question that knows the TR which answers it."""

    @property
    def endpoint(self) -> Endpoint[RowT, TotalsT, QueryT, AuditT]:
        """The TR."""
        ...


def first_cursor(query: Query[Any, Any, Any, Any]) -> Cursor:
    """The beginning of the walk."""
    endpoint = query.endpoint
    return Cursor(endpoint.api_id, tuple(endpoint.body(query).items()), key="", page=1)


def cursor_matches(cursor: Cursor, query: Query[Any, Any, Any, Any]) -> bool:
    """Whether the cursor was made by a walk of this query."""
    first = first_cursor(query)
    return (cursor.api_id, cursor.body) == (first.api_id, first.body)


@frozen
class Undecoded:
    """A row that could not be read, as it was sent: its index in the page, and why not."""

    position: int
    raw: object
    problem: str


def _tabular(rows: list[RowT]) -> Rows[RowT]:
    return rows if isinstance(rows, Rows) else Rows(rows)


@frozen
class Page(Tabular, Generic[RowT, TotalsT, QueryT]):
    """One answer: its rows in the server's order, and where the walk goes on.

    `number` counts from 1; `next` is the following page's cursor, None at the end;
    `blank_rows` is how many rows came without any value and were dropped: one blank row is how
    the server says "no data" (wire-facts.md, fact 6). `undecoded` holds the rows that could not be
    read, for a client that was told to deliver them; for others such a page is an error.
    """

    query: QueryT
    number: int
    rows: Rows[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>", converter=_tabular)
    totals: TotalsT
    next: Cursor | None
    blank_rows: int = 0
    undecoded: list[Undecoded] = field(factory=list[Undecoded])

    def _rows_and_class(self) -> tuple[list[RowT], type[RowT]]:
        return self.rows, _endpoint_of(self).row


@frozen
class Walk(Tabular, Generic[RowT, TotalsT, QueryT, AuditT]):
    """A whole answer: every row of every page, and what can be said about their completeness.

    `totals` are those of the last page that carried any.
    """

    query: QueryT
    rows: Rows[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>", converter=_tabular)
    totals: TotalsT
    audit: AuditT

    @classmethod
    def of(
        cls,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        pages: Sequence[Page[RowT, TotalsT, QueryT]],
    ) -> Self:
        """The walk that these pages are, in order."""
        endpoint = query.endpoint
        none_stated = endpoint.totals()
        stated = [page.totals for page in pages if page.totals != none_stated]
        totals = stated[-1] if stated else none_stated
        rows = Rows((row for page in pages for row in page.rows), endpoint.row)
        # A protocol cannot say that a Query of QueryT is itself a QueryT.
        asked: Any = query
        return cls(asked, rows, totals, endpoint.audit(pages, totals))

    def _rows_and_class(self) -> tuple[list[RowT], type[RowT]]:
        return self.rows, _endpoint_of(self).row

    def _repr_html_(self) -> str:
        """The notebook view: the first rows with their units, and the audit."""
        row = _endpoint_of(self).row
        return html_of(str(self.query), self.rows, row, [f"audit: {self.audit}"])


def _endpoint_of(answer: Page[RowT, Any, Any] | Walk[RowT, Any, Any, Any]) -> Endpoint[RowT]:
    query: Any = answer.query  # a query knows its endpoint, but its type variable does not
    endpoint: Endpoint[RowT] = query.endpoint
    return endpoint
