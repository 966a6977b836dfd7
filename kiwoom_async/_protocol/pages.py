"""A page: the request for it, and its rows from the answer."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from kiwoom_async.errors import ContinuationError, DecodeError, decode_error, short_repr

from .convert import MAX_ROWS, query_fields, structure_rows, structure_totals
from .cursor import Cursor, begins_again, next_cursor
from .encode import request_body
from .messages import COMMON_HEADERS, Request, Response, Token, decode_body, encode_json
from .query import Query, RowT, TotalsT
from .results import Page, Rows, Undecoded

_COUNT: Final = re.compile(r"[0-9]{1,9}")


def first_cursor(query: Query[Any, Any]) -> Cursor:
    """Return the beginning of a walk."""
    return Cursor(query.api_id, tuple(request_body(query).items()), key="", page=1)


def cursor_matches(cursor: Cursor, query: Query[Any, Any]) -> bool:
    """Return True if a walk of this query made the cursor."""
    first = first_cursor(query)
    return (cursor.api_id, cursor.body) == (first.api_id, first.body)


def start_cursor(query: Query[Any, Any], cursor: Cursor | None) -> Cursor:
    """Return where a walk begins; ContinuationError for a cursor of another query."""
    if cursor is None:
        return first_cursor(query)
    if not isinstance(cursor, Cursor):
        raise ValueError(
            f"cursor: got {short_repr(cursor)}; Cursor.parse(text) makes one from text"
        )
    if not cursor_matches(cursor, query):
        error = ContinuationError(f"the cursor belongs to another query: {dict(cursor.body)}")
        error.query = query
        raise error
    return cursor


def encode_page(base_url: str, path: str, cursor: Cursor, token: Token) -> Request:
    """Return the request for the page at `cursor` (wire-facts.md, section 5)."""
    headers = {"api-id": cursor.api_id, "authorization": f"Bearer {token.value}"}
    if cursor.key:  # not for a first page
        headers |= {"cont-yn": "Y", "next-key": cursor.key}
    url = base_url + path
    content = _content(cursor.body)
    return Request(cursor.api_id, url, COMMON_HEADERS | headers, content, (token.value,), token)


@lru_cache(maxsize=64)
def _content(body: tuple[tuple[str, str], ...]) -> bytes:
    """Return the JSON of a request, which is the same for every page of a walk."""
    return encode_json(dict(body)).encode()


def decode_page(
    response: Response, query: Query[RowT, TotalsT], cursor: Cursor, on_undecoded: str = "raise"
) -> Page[RowT, TotalsT]:
    """Return the page in an answer to the request at `cursor`.

    Raises an error of the tree for everything that is not a whole page; with "deliver", rows that
    cannot be read are part of a whole page.
    """
    body = decode_body(response)
    raw_rows = _raw_rows(body, query)
    from_query = {name: getattr(query, name) for name in query_fields(query.row_class)}
    undecoded: list[Undecoded] = []
    try:
        # None for a blank row, so that every index stays the server's.
        rows = structure_rows(raw_rows, query.row_class, from_query, query.rows_key or "body")
    except DecodeError:
        if on_undecoded == "raise" or not isinstance(raw_rows, list) or len(raw_rows) > MAX_ROWS:
            raise
        rows, undecoded = _decode_one_by_one(raw_rows, query, from_query)
    totals = structure_totals(body, query.totals_class)
    present = [row for row in rows if row is not None]
    blank_rows = len(rows) - len(present)
    return make_page(
        query, cursor, response, present, totals, blank_rows=blank_rows, undecoded=undecoded
    )


def make_page(
    query: Query[RowT, TotalsT],
    cursor: Cursor,
    response: Response,
    rows: list[RowT],
    totals: Any,
    *,
    blank_rows: int,
    undecoded: list[Undecoded],
) -> Page[RowT, TotalsT]:
    """Return the page of these rows, besides which so many blank ones came."""
    empty = not rows and not undecoded
    # The rows of a restart stay: only who has seen the walk can tell that they came before.
    restarted = (empty or cursor.empty_pages > 0) and begins_again(response.headers, cursor)
    following = (
        None
        if restarted
        else next_cursor(response.headers, cursor, empty=empty, blank=blank_rows > 0)
    )
    row_count = response.headers.get("resp-cnt", "").strip()
    return Page(
        query=query,
        number=cursor.page,
        rows=Rows(rows, query.row_class),
        totals=totals,
        next=following,
        blank_rows=blank_rows,
        undecoded=undecoded,
        stated_rows=int(row_count) if _COUNT.fullmatch(row_count) else None,
        restarted=restarted,
    )


def _raw_rows(body: Mapping[str, Any], query: Query[Any, Any]) -> object:
    """Return what the answer holds in the place of its rows."""
    if query.rows_key is None:
        return [body]
    if query.rows_key not in body:
        lists = ", ".join(name for name, value in body.items() if isinstance(value, list))
        problem = f"None is not a list of rows @ {query.rows_key}"
        raise decode_error([f"{problem}; the lists of the answer are: {short_repr(lists)}"])
    return body[query.rows_key]


def _decode_one_by_one(
    raw_rows: list[Any], query: Query[RowT, Any], from_query: Mapping[str, Any]
) -> tuple[list[RowT | None], list[Undecoded]]:
    """Return the rows that can be read, and the others as they came."""
    rows: list[RowT | None] = []
    undecoded: list[Undecoded] = []
    for position, raw in enumerate(raw_rows):
        try:
            rows += structure_rows([raw], query.row_class, from_query, query.rows_key or "body")
        except DecodeError as error:
            problem = "; ".join(error.problems).replace("rows[0]", f"rows[{position}]")
            undecoded.append(Undecoded(position, raw, problem))
    return rows, undecoded
