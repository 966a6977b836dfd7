"""What any request of the catalogue (TR) is, and the values that every walk is made of.

Pure. Knows no particular TR, and nothing of how calls travel.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Container, Sequence
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from attrs import field, frozen

from ._protocol import Request, Response, Token, decode_body, encode_call, next_key
from ._wire import is_blank, shown, structure, unreadable

if TYPE_CHECKING:
    from typing import Generic

    # Defaults let a bare `Page` or `Page[ProgramTrade]` stand in a strictly typed program. Type
    # checkers always know typing_extensions; at run time it is not ours to import.
    from typing_extensions import TypeVar

    RowT = TypeVar("RowT", default=Any)
    TotalsT = TypeVar("TotalsT", default=Any)
    QueryT = TypeVar("QueryT", default=Any)
    AuditT = TypeVar("AuditT", default=Any)
else:
    from typing import TypeVar

    RowT, TotalsT, QueryT, AuditT = map(TypeVar, ("RowT", "TotalsT", "QueryT", "AuditT"))

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
    # Takes a walk's pages, and the totals that its Walk will carry.
    audit: Callable[["Sequence[Page[RowT, TotalsT, QueryT]]", TotalsT], AuditT]


class Query(Protocol[RowT, TotalsT, QueryT, AuditT]):
    """A question that knows the TR which answers it."""

    @property
    def endpoint(self) -> Endpoint[RowT, TotalsT, QueryT, AuditT]:
        """The TR."""
        ...


_CURSOR_MARK: Final = "k1."


@frozen
class Cursor:
    """Where a walk goes on: its query, the continuation key, the page's number.

    `str(cursor)` is printable text that survives a file or a command line, `Cursor.parse` reads
    it back. It is no secret. How long the server honours a key is unknown (wire-facts.md,
    section 5).
    """

    api_id: str
    body: tuple[tuple[str, str], ...]
    key: str
    page: int

    @classmethod
    def first(cls, query: "Query[Any, Any, Any, Any]") -> Self:
        """The beginning of the walk."""
        return cls(*_identity(query), key="", page=1)

    def following(self, key: str) -> "Cursor":
        """The page after this one."""
        return Cursor(self.api_id, self.body, key, self.page + 1)

    def belongs_to(self, query: "Query[Any, Any, Any, Any]") -> bool:
        """Whether this cursor was made by a walk of that query."""
        return (self.api_id, self.body) == _identity(query)

    def __str__(self) -> str:
        facts = json.dumps([self.api_id, self.body, self.key, self.page], separators=(",", ":"))
        data = facts.encode()
        # A cursor that lost its tail in copying would ask for another page: it must not parse.
        check = zlib.crc32(data).to_bytes(4, "big")
        return _CURSOR_MARK + base64.urlsafe_b64encode(check + data).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that `str(cursor)` printed; ValueError for anything else."""
        if text == "None":
            raise ValueError("cursor: got 'None', which a finished walk prints: nothing is left")
        try:
            api_id, body, key, page = _cursor_facts(text)
        except (ValueError, binascii.Error) as error:
            raise ValueError(
                f"cursor: {text[:60]!r} is not, or not all of, what str(cursor) printed"
            ) from error
        return cls(api_id, tuple((name, value) for name, value in body), key, page)


def _cursor_facts(text: str) -> tuple[str, list[list[str]], str, int]:
    if not text.startswith(_CURSOR_MARK):
        raise ValueError("mark")
    coded = text.removeprefix(_CURSOR_MARK)
    raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    check, data = raw[:4], raw[4:]
    if zlib.crc32(data).to_bytes(4, "big") != check:
        raise ValueError("checksum")
    facts: tuple[str, list[list[str]], str, int] = json.loads(data)
    return facts


def _identity(query: "Query[Any, Any, Any, Any]") -> tuple[str, tuple[tuple[str, str], ...]]:
    endpoint = query.endpoint
    return endpoint.api_id, tuple(endpoint.body(query).items())


@frozen
class Page(Generic[RowT, TotalsT, QueryT]):
    """One answer: its rows in the server's order, and where the walk goes on.

    `number` counts from 1; `next` is the following page's cursor, None at the end;
    `blank_rows` is how many rows came without any value and were dropped: one blank row is how
    the server says "no data" (wire-facts.md, fact 6).
    """

    query: QueryT
    number: int
    rows: list[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>")
    totals: TotalsT
    next: Cursor | None
    blank_rows: int = 0


@frozen
class Walk(Generic[RowT, TotalsT, QueryT, AuditT]):
    """A whole answer: every row of every page, and what can be said about their completeness.

    `totals` are those of the last page that carried any.
    """

    query: QueryT
    rows: list[RowT] = field(repr=lambda rows: f"<{len(rows)} rows>")
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
        rows = [row for page in pages for row in page.rows]
        # A protocol cannot say that a Query of QueryT is itself a QueryT.
        asked: Any = query
        return cls(asked, rows, totals, endpoint.audit(pages, totals))


def encode_page(query: Query[Any, Any, Any, Any], cursor: Cursor, token: Token) -> Request:
    """The request for the page at `cursor`."""
    endpoint = query.endpoint
    body = endpoint.body(query)
    return encode_call(endpoint.api_id, endpoint.path, body, token, cursor.key)


def decode_page(
    response: Response,
    query: Query[RowT, TotalsT, QueryT, AuditT],
    cursor: Cursor,
    seen: Container[str],
) -> Page[RowT, TotalsT, QueryT]:
    """The page that `response` is, asked for at `cursor`.

    `seen` holds the keys this walk has used already. Raises an error of the tree for everything
    that is not a whole page.
    """
    endpoint = query.endpoint
    body = decode_body(response)
    key = next_key(response.headers, cursor.key, seen)
    # A protocol cannot say that a Query of QueryT is itself a QueryT.
    asked: Any = query
    rows = _rows(body.get(endpoint.rows_key), endpoint, endpoint.row_context(asked))
    return Page(
        query=asked,
        number=cursor.page,
        rows=[row for row in rows if row is not None],
        totals=structure(body, endpoint.totals, "totals", endpoint.totals),
        next=None if key is None else cursor.following(key),
        blank_rows=rows.count(None),
    )


def _rows(
    raw_rows: object, endpoint: Endpoint[RowT, Any, Any, Any], context: dict[str, object]
) -> list[RowT | None]:
    """The rows as sent, None for a blank one, so that every index stays the server's."""
    if not isinstance(raw_rows, list):
        raise unreadable([f"{shown(raw_rows)} is not a list of rows @ {endpoint.rows_key}"])
    strange = [
        f"{shown(raw)} is not a row @ rows[{index}]"
        for index, raw in enumerate(raw_rows)
        if not isinstance(raw, dict)
    ]
    if strange:
        raise unreadable(strange)
    marked = [None if _blank_row(raw) else {**raw, **context} for raw in raw_rows]
    row: Any = endpoint.row
    return structure(marked, list[row | None], "rows", row)


def _blank_row(raw: dict[str, object]) -> bool:
    return bool(raw) and all(is_blank(value) for value in raw.values())
