"""A reply: the answer to a request that no class declares, as it came."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from kiwoom_async.errors import ContinuationError, short_repr

from .convert import is_blank
from .cursor import Cursor, begins_again, next_cursor
from .messages import Response, decode_body, encode_json
from .read_only import checked_path

# Of the answer itself, beside its data.
_JUDGEMENT: Final = frozenset({"return_code", "return_msg"})


@frozen
class RawRequest:
    """A request that no class declares; the `query` of its events and errors."""

    api_id: str
    path: str
    body: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return encode_json(dict(self.body))


@frozen
class Reply:
    """An answer as it came: its JSON object `body`, and the cursor of the `next` page or None.

    `restarted` is True for an answer in which the server, right after an empty page, begins again
    instead of ending: it is the end, and its rows came before (wire-facts.md, section 5).
    """

    api_id: str
    body: dict[str, Any] = field(repr=lambda body: f"<{len(body)} names>")
    next: Cursor | None = field(repr=lambda cursor: cursor and f"<page {cursor.page}>")
    restarted: bool = False

    @property
    def rows(self) -> list[Any]:
        """The items of the body's lists, in order; without a list, the body itself as one row."""
        lists = [value for value in self.body.values() if isinstance(value, list)]
        if lists:
            return [row for rows in lists for row in rows]
        return [{name: value for name, value in self.body.items() if name not in _JUDGEMENT}]


def raw_request(api_id: str, body: Mapping[str, str], path: str | None) -> RawRequest:
    """Return a request as it can be sent; ValueError for any that cannot, or that trades."""
    path = checked_path(api_id, path)
    if not isinstance(body, Mapping):
        raise ValueError(f"body: got {short_repr(body)}; expected a mapping of texts to texts")
    for name, value in body.items():
        for text in (name, value):
            if not isinstance(text, str):
                raise ValueError(
                    f"body: got {short_repr(text)} in {short_repr(name)}: {short_repr(value)}; "
                    "expected texts, as Kiwoom takes numbers and dates, too"
                )
            _check_encodable(text)
    return RawRequest(api_id, path, tuple(body.items()))


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"body: got {short_repr(text)}; half a character is no text") from error


def reply_cursor(request: RawRequest, cursor: Cursor | None) -> Cursor:
    """Return the page to ask for; ContinuationError for a cursor of another request."""
    if cursor is None:
        return Cursor(request.api_id, request.body, key="", page=1)
    if not isinstance(cursor, Cursor):
        raise ValueError(
            f"cursor: got {short_repr(cursor)}; Cursor.parse(text) makes one from text"
        )
    # In any order, as dicts are equal.
    same_body = len(cursor.body) == len(request.body) and all(
        pair in cursor.body for pair in request.body
    )
    if cursor.api_id != request.api_id or not same_body:
        asked = f"{cursor.api_id} {encode_json(dict(cursor.body))}"
        error = ContinuationError(f"the cursor belongs to another request: {asked}")
        error.query = request
        raise error
    return cursor


def decode_reply(response: Response, cursor: Cursor) -> Reply:
    """Return the reply in an answer to the request at `cursor`, or raise an error of the tree.

    Its end is found as that of a page is.
    """
    reply = Reply(cursor.api_id, decode_body(response), None)
    rows = reply.rows
    empty = all(map(_is_blank_row, rows))
    if (empty or cursor.empty_pages > 0) and begins_again(response.headers, cursor):
        return evolve(reply, restarted=True)
    following = next_cursor(response.headers, cursor, empty=empty, blank=bool(rows))
    return evolve(reply, next=following)


def _is_blank_row(row: object) -> bool:
    return isinstance(row, dict) and all(map(is_blank, row.values()))
