"""What any request of the catalogue (TR) is, and the values that every walk is made of.

Pure. Knows no particular TR, and nothing of how calls travel.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

from attrs import field, fields, frozen

from ._continuation import Cursor, next_cursor
from ._errors import ContinuationError, DecodeError, unreadable
from ._notebook import html_of
from ._protocol import Request, Response, Token, decode_body, encode_call
from ._tabular import Rows, Tabular
from ._wire import is_blank, shown, structure

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


# Pages have 30 to 50. A page of hundreds of thousands, which fits into little gzip, would hold up
# the event loop for minutes.
_MOST_ROWS: Final = 5_000


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


def belongs(cursor: Cursor, query: Query[Any, Any, Any, Any]) -> bool:
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


def encode_page(query: Query[Any, Any, Any, Any], cursor: Cursor, token: Token) -> Request:
    """The request for the page at `cursor`."""
    endpoint = query.endpoint
    body = endpoint.body(query)
    return encode_call(endpoint.api_id, endpoint.path, body, token, cursor.key)


def decode_page(
    response: Response,
    query: Query[RowT, TotalsT, QueryT, AuditT],
    cursor: Cursor,
    *,
    on_undecoded: str = "raise",
) -> Page[RowT, TotalsT, QueryT]:
    """The page that `response` is, asked for at `cursor`.

    Raises an error of the tree for everything that is not a whole page; with "deliver", rows that
    cannot be read are part of a whole page.
    """
    endpoint = query.endpoint
    body = decode_body(response)
    following = next_cursor(response.headers, cursor)
    asked: Any = query  # as in Walk.of
    context = endpoint.row_context(asked)
    raw_rows = body.get(endpoint.rows_key)
    undecoded: list[Undecoded] = []
    try:
        rows = _rows(raw_rows, endpoint, context)
    except DecodeError:
        if on_undecoded == "raise" or not isinstance(raw_rows, list) or len(raw_rows) > _MOST_ROWS:
            raise
        rows, undecoded = _readable_rows(raw_rows, endpoint, context)
    if rows and following is None and cursor.page > 1 and not any(row is not None for row in rows):
        # Nothing but blank rows is how the server answers what it does not accept, a dead key
        # perhaps (wire-facts.md, fact 6). After more was announced it is no end.
        raise ContinuationError('more pages were announced, and then came "no data"')
    return Page(
        query=asked,
        number=cursor.page,
        rows=Rows((row for row in rows if row is not None), endpoint.row),
        totals=structure(body, endpoint.totals, "totals", endpoint.totals),
        next=following,
        blank_rows=rows.count(None),
        undecoded=undecoded,
    )


def _rows(
    raw_rows: object,
    endpoint: Endpoint[RowT, Any, Any, Any],
    context: dict[str, object],
) -> list[RowT | None]:
    """The rows as sent, None for a blank one, so that every index stays the server's."""
    if not isinstance(raw_rows, list):
        raise unreadable([f"{shown(raw_rows)} is not a list of rows @ {endpoint.rows_key}"])
    if len(raw_rows) > _MOST_ROWS:
        raise unreadable([f"{len(raw_rows):,} rows on one page @ {endpoint.rows_key}"])
    strange = [
        f"{shown(raw)} is not a row @ rows[{index}]"
        for index, raw in enumerate(raw_rows)
        if not isinstance(raw, dict)
    ]
    if strange:
        raise unreadable(strange)
    row: Any = endpoint.row
    named = {one.metadata["wire"] for one in fields(row) if "wire" in one.metadata}
    marked = [None if _is_blank_row(raw, named) else {**raw, **context} for raw in raw_rows]
    return structure(marked, list[row | None], "rows", row)


def _readable_rows(
    raw_rows: list[Any], endpoint: Endpoint[RowT, Any, Any, Any], context: dict[str, object]
) -> tuple[list[RowT | None], list[Undecoded]]:
    """Those that can be read, and the others as they came: one by one, which takes longer."""
    rows: list[RowT | None] = []
    undecoded: list[Undecoded] = []
    for position, raw in enumerate(raw_rows):
        try:
            rows += cast("list[RowT | None]", _rows([raw], endpoint, context))
        except DecodeError as error:
            problem = "; ".join(error.problems).replace("rows[0]", f"rows[{position}]")
            undecoded.append(Undecoded(position, raw, problem))
    return rows, undecoded


def _is_blank_row(raw: dict[str, object], named: set[str]) -> bool:
    values = [raw[name] for name in named & raw.keys()]
    return bool(values) and all(is_blank(value) for value in values)
