"""Continuation: how a walk moves from one page to the next, and how it is taken up again.

Pure. Knows headers, keys and the text of a cursor; does not know how they travel.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import Attribute, field, frozen

from kiwoom_async.errors import ContinuationError, short_repr

from .convert import header_safe

_MARK: Final = "k1."


def _check_key(_: object, __: "Attribute[str]", key: str) -> None:
    if not isinstance(key, str) or (key and not header_safe(key)):
        raise ValueError("cursor: its key holds characters that no header may carry")


@frozen
class Cursor:
    """Where a walk goes on: its query in wire words, the continuation key, the page's number.

    `str(cursor)` is printable text that survives a file or a command line, `Cursor.parse` reads
    it back. It is no secret. How long the server honours a key is unknown (wire-facts.md,
    section 5).
    """

    api_id: str
    body: tuple[tuple[str, str], ...]
    key: str = field(validator=_check_key)
    page: int
    # Traces of the keys before this one, four bytes each: a walk that is taken up again must
    # notice a circle as well as one that was never left.
    used: bytes = field(default=b"", repr=False)
    # Whose walk it is, where a client has several app keys: whether a key may be used with another
    # one than it was given to is unknown.
    account: str = field(default="", repr=False)

    def __str__(self) -> str:
        told = [self.api_id, self.body, self.key, self.page, *([self.account] * bool(self.account))]
        facts = json.dumps(told, separators=(",", ":"))
        data = facts.encode() + b"\n" + self.used
        # A cursor that lost its tail in copying would ask for another page: it must not parse.
        check = zlib.crc32(data).to_bytes(4, "big")
        return _MARK + base64.urlsafe_b64encode(check + data).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that `str(cursor)` printed; ValueError for anything else."""
        if text == "None":
            raise ValueError("cursor: got 'None', which a finished walk prints: nothing is left")
        try:
            (api_id, body, key, page, account), used = _facts(text.strip())
            asked = tuple((name, value) for name, value in body)
            return cls(api_id, asked, key, page, used, account)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cursor: {short_repr(text)} is not, or not all of, what str(cursor) printed"
            ) from error


def _facts(text: str) -> tuple[Any, bytes]:
    if not text.startswith(_MARK):
        raise ValueError("mark")
    coded = text.removeprefix(_MARK)
    raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    check, data = raw[:4], raw[4:]
    if zlib.crc32(data).to_bytes(4, "big") != check:
        raise ValueError("checksum")
    facts, _, used = data.partition(b"\n")
    api_id, body, key, page, *rest = json.loads(facts)
    if type(page) is not int or page < 1 or (page == 1) != (not key) or len(used) % 4:
        raise ValueError("page")
    if len(rest) > 1 or not all(isinstance(account, str) for account in rest):
        raise ValueError("account")
    return (api_id, body, key, page, *(rest or [""])), used


def next_cursor(headers: Mapping[str, str], asked: Cursor) -> Cursor | None:
    """Where the page after the one at `asked` starts, or None at the end of the walk.

    Raises ContinuationError when the server would send us round in circles, or says what could be
    taken for an end without being one.
    """
    announced = headers.get("cont-yn", "").strip()
    key = headers.get("next-key", "").strip(" \t")
    if announced == "N" or not (announced or key):
        return None
    if announced != "Y":
        raise ContinuationError(f"cont-yn is {short_repr(announced)}, expected Y or N")
    # An empty key restarts at page one, and a repeated one goes in circles. Stopping here
    # instead of raising would look like a complete walk with stocks missing.
    if not key:
        raise ContinuationError("cont-yn is Y, but next-key is empty")
    # Two headers of that name are one with a comma, which no key was ever seen to hold.
    if not header_safe(key) or "," in key:
        raise ContinuationError("next-key holds characters that no key may have")
    if key == asked.key or _came_before(key, asked.used):
        raise ContinuationError(f"next-key {short_repr(key)} came before in this walk")
    used = asked.used + _trace(asked.key) if asked.key else asked.used
    return Cursor(asked.api_id, asked.body, key, asked.page + 1, used, asked.account)


def _trace(key: str) -> bytes:
    return zlib.crc32(key.encode()).to_bytes(4, "big")


def _came_before(key: str, used: bytes) -> bool:
    trace, found = _trace(key), -1
    # Four bytes each, so that what is found between two of them is none.
    while (found := used.find(trace, found + 1)) >= 0:
        if found % 4 == 0:
            return True
    return False
