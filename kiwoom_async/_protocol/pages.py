"""A page: the request that asks for it, and the rows of the answer.

Pure. Knows no particular TR, and nothing of how calls travel.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from kiwoom_async.errors import ContinuationError, DecodeError, decode_error, short_repr

from .columns import usual_page, usual_rows
from .convert import is_blank, structure, wire_names
from .cursor import Cursor, next_cursor
from .messages import Request, Response, Token, decode_body, encode_call
from .query import AuditT, Endpoint, Page, Query, QueryT, RowT, TotalsT, Undecoded
from .rows import Rows

# Pages have 30 to 50. A page of hundreds of thousands, which fits into little gzip, would hold up
# the event loop for minutes.
_MOST_ROWS: Final = 5_000


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
    asked: Any = query  # as in Walk.of
    context = endpoint.row_context(asked)
    rows: Sequence[Any] | None
    undecoded: list[Undecoded] = []
    rows, body = _usual(response, endpoint, context) or (None, decode_body(response))
    following = next_cursor(response.headers, cursor)
    if rows is None:
        rows, undecoded = _rows_and_others(body, endpoint, context, on_undecoded)
    if rows and following is None and cursor.page > 1 and not any(row is not None for row in rows):
        # Nothing but blank rows is how the server answers what it does not accept, a dead key
        # perhaps (wire-facts.md, fact 6). After more was announced it is no end.
        raise ContinuationError('more pages were announced, and then came "no data"')
    found = Rows([row for row in rows if row is not None], endpoint.row)
    return Page(
        query=asked,
        number=cursor.page,
        rows=found,
        totals=structure(body, endpoint.totals, "totals", endpoint.totals),
        next=following,
        blank_rows=len(rows) - len(found),
        undecoded=undecoded,
    )


def _usual(
    response: Response, endpoint: Endpoint[RowT, Any, Any, Any], context: dict[str, object]
) -> tuple[list[RowT], dict[str, Any]] | None:
    """The rows, and what is stated beside them, of a page on which all is as usual."""
    if response.status != 200:
        return None
    beside = (*wire_names(endpoint.totals), "return_msg")
    return usual_page(
        response.body,
        endpoint.row,
        context,
        rows_key=endpoint.rows_key,
        beside=beside,
        most_rows=_MOST_ROWS,
    )


def _rows_and_others(
    body: dict[str, Any],
    endpoint: Endpoint[RowT, Any, Any, Any],
    context: dict[str, object],
    on_undecoded: str,
) -> tuple[list[RowT | None], list[Undecoded]]:
    raw_rows = body.get(endpoint.rows_key)
    try:
        return _rows(raw_rows, endpoint, context), []
    except DecodeError:
        if on_undecoded == "raise" or not isinstance(raw_rows, list) or len(raw_rows) > _MOST_ROWS:
            raise
        return _readable_rows(raw_rows, endpoint, context)


def _rows(
    raw_rows: object,
    endpoint: Endpoint[RowT, Any, Any, Any],
    context: dict[str, object],
) -> list[RowT | None]:
    """The rows as sent, None for a blank one, so that every index stays the server's."""
    if not isinstance(raw_rows, list):
        raise decode_error([f"{short_repr(raw_rows)} is not a list of rows @ {endpoint.rows_key}"])
    if len(raw_rows) > _MOST_ROWS:
        raise decode_error([f"{len(raw_rows):,} rows on one page @ {endpoint.rows_key}"])
    usual = cast("list[RowT | None] | None", usual_rows(raw_rows, endpoint.row, context))
    return _any_rows(raw_rows, endpoint, context) if usual is None else usual


def _any_rows(
    raw_rows: list[Any], endpoint: Endpoint[RowT, Any, Any, Any], context: dict[str, object]
) -> list[RowT | None]:
    strange = [
        f"{short_repr(raw)} is not a row @ rows[{index}]"
        for index, raw in enumerate(raw_rows)
        if not isinstance(raw, dict)
    ]
    if strange:
        raise decode_error(strange)
    row: Any = endpoint.row
    named = {*wire_names(row)}
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
