"""Continuation: the cursor of a walk, its text, and the next cursor from an answer's headers."""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import Attribute, field, frozen

from kiwoom_async.errors import ContinuationError, short_repr

from .convert import HEADER_SAFE

_PREFIX: Final = "k1."
# One was recorded at the end of a walk; a chain of them has no end.
_MAX_EMPTY_PAGES: Final = 3


def _check_key(_: object, __: "Attribute[str]", key: str) -> None:
    if not isinstance(key, str) or (key and not HEADER_SAFE.fullmatch(key)):
        raise ValueError("cursor: its key holds characters that no header may carry")


@frozen
class Cursor:
    """The next page of a walk: the request's body, the continuation key, the page's number.

    `str(cursor)` is printable text that survives a file or a command line; `Cursor.parse` reads
    it back. It holds no secret. How long the server honours a key is unknown (wire-facts.md,
    section 5).
    """

    api_id: str
    body: tuple[tuple[str, str], ...]
    key: str = field(validator=_check_key)
    page: int
    # Checksums of the keys before this one: a resumed walk must notice a circle as well as one that
    # was never interrupted.
    earlier_keys: tuple[int, ...] = field(default=(), repr=False)
    # The fingerprint of the app key, where a client has several: whether a continuation key may be
    # used with another app key than it was given to is unknown.
    account: str = field(default="", repr=False)
    # The pages without rows that came directly before this one.
    empty_pages: int = field(default=0, repr=False)

    def __str__(self) -> str:
        fields = [self.api_id, self.body, self.key, self.page, self.account, self.empty_pages]
        while not fields[-1]:  # most walks need neither of the last two
            fields.pop()
        keys = b"".join(checksum.to_bytes(4, "big") for checksum in self.earlier_keys)
        data = json.dumps(fields, separators=(",", ":")).encode() + b"\n" + keys
        # A cursor that lost its tail in copying would ask for another page: it must not parse.
        encoded = base64.urlsafe_b64encode(zlib.crc32(data).to_bytes(4, "big") + data)
        return _PREFIX + encoded.decode().rstrip("=")

    def came_before(self, key: str) -> bool:
        """Return True if a key is this cursor's, or one of the pages before it."""
        return key == self.key or zlib.crc32(key.encode()) in self.earlier_keys

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `str(cursor)` printed; ValueError for anything else."""
        if text == "None":
            raise ValueError("cursor: got 'None', which a finished walk prints: nothing is left")
        try:
            (api_id, body, key, page, account, empty_pages), keys = _parsed_fields(text.strip())
            pairs = tuple((name, value) for name, value in body)
            return cls(api_id, pairs, key, page, keys, account, empty_pages)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cursor: {short_repr(text)} is not, or not all of, what str(cursor) printed"
            ) from error


def _parsed_fields(text: str) -> tuple[Any, tuple[int, ...]]:
    if not text.startswith(_PREFIX):
        raise ValueError("prefix")
    encoded = text.removeprefix(_PREFIX)
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    checksum, data = raw[:4], raw[4:]
    if zlib.crc32(data).to_bytes(4, "big") != checksum:
        raise ValueError("checksum")
    fields, _, keys = data.partition(b"\n")
    api_id, body, key, page, *rest = json.loads(fields)
    if len(rest) > 2:
        raise ValueError("fields")
    account = rest[0] if rest else ""
    empty_pages = rest[1] if len(rest) == 2 else 0
    if type(page) is not int or page < 1 or (page == 1) != (not key) or len(keys) % 4:
        raise ValueError("page")
    if not isinstance(account, str) or type(empty_pages) is not int or empty_pages < 0:
        raise ValueError("account")
    checksums = tuple(int.from_bytes(keys[at : at + 4], "big") for at in range(0, len(keys), 4))
    return (api_id, body, key, page, account, empty_pages), checksums


def next_cursor(
    headers: Mapping[str, str], asked: Cursor, *, empty: bool = False, blank: bool = False
) -> Cursor | None:
    """Return the cursor of the page after the one at `asked`, or None at the end of the walk.

    empty: nothing came that is a row. blank: blank rows did. Raises ContinuationError for an answer
    to another request, for a key that is missing or repeats, for headers that are missing although
    there are rows, for blank rows alone where more pages were announced, and after too many empty
    pages in a row (wire-facts.md, section 5).
    """
    answered = headers.get("api-id", asked.api_id).strip()
    if answered.lower() != asked.api_id.lower():
        raise ContinuationError(
            f"api-id: got {short_repr(answered)}; expected {asked.api_id}: the answer belongs to "
            "another call"
        )
    announced = headers.get("cont-yn", "").strip()
    key = headers.get("next-key", "").strip(" \t")
    expected_more = not empty or asked.page > 1
    if expected_more and not announced and "api-id" not in headers and not key:
        raise ContinuationError(
            "the answer has neither of the headers api-id and cont-yn, so that there may be more "
            "pages that nothing announces; a relay or proxy must pass them on"
        )
    if announced == "N" or not (announced or key):
        if empty and blank and asked.page > 1:
            # Nothing but blank rows is how the server answers what it does not accept, a dead key
            # perhaps (wire-facts.md, fact 6). After more was announced it is no end.
            raise ContinuationError('more pages were announced, and then came "no data"')
        return None
    if announced != "Y":
        raise ContinuationError(f"cont-yn: got {short_repr(announced)}; expected Y or N")
    # An empty key restarts at page one. Returning None instead of raising would pass for a complete
    # walk with stocks missing.
    if not key:
        raise ContinuationError("next-key: got an empty one beside cont-yn Y; expected a key")
    # Two headers of that name are one with a comma, which no key was ever seen to hold.
    if not HEADER_SAFE.fullmatch(key) or "," in key:
        raise ContinuationError(
            "next-key: got characters that no key may have; expected printable ASCII without commas"
        )
    if asked.came_before(key):
        raise ContinuationError(
            f"next-key: got {short_repr(key)}, which came before in this walk; expected a new one"
        )
    empty_pages = asked.empty_pages + 1 if empty else 0
    if empty_pages >= _MAX_EMPTY_PAGES:
        raise ContinuationError(
            f"{empty_pages} pages in a row came without rows, each announcing another"
        )
    keys = (*asked.earlier_keys, zlib.crc32(asked.key.encode())) if asked.key else ()
    return Cursor(asked.api_id, asked.body, key, asked.page + 1, keys, asked.account, empty_pages)


def begins_again(headers: Mapping[str, str], asked: Cursor) -> bool:
    """Return True if the chain leads back to a key of this walk.

    Right after an empty page, that is an end (wire-facts.md, section 5); anywhere else a circle.
    """
    key = headers.get("next-key", "").strip(" \t")
    announced = headers.get("cont-yn", "").strip() == "Y" and bool(key)
    return announced and asked.came_before(key)
