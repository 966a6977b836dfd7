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
    # Checksums of the keys before this one, four bytes each: a resumed walk must notice a circle
    # as well as one that was never interrupted.
    earlier_keys: bytes = field(default=b"", repr=False)
    # The fingerprint of the app key, where a client has several: whether a continuation key may be
    # used with another app key than it was given to is unknown.
    account: str = field(default="", repr=False)

    def __str__(self) -> str:
        fields = [self.api_id, self.body, self.key, self.page]
        if self.account:
            fields.append(self.account)
        data = json.dumps(fields, separators=(",", ":")).encode() + b"\n" + self.earlier_keys
        # A cursor that lost its tail in copying would ask for another page: it must not parse.
        encoded = base64.urlsafe_b64encode(_checksum(data) + data)
        return _PREFIX + encoded.decode().rstrip("=")

    def following(self, key: str) -> "Cursor":
        """Return the cursor of the page after this one; ContinuationError if its key came before.

        Following a key twice would go in circles.
        """
        keys = self.earlier_keys + (_checksum(self.key.encode()) if self.key else b"")
        checksum, index = _checksum(key.encode()), -1
        while (index := keys.find(checksum, index + 1)) >= 0:
            # Four bytes each, so that a match between two of them is none.
            if index % 4 == 0:
                raise ContinuationError(f"next-key {short_repr(key)} came before in this walk")
        return Cursor(self.api_id, self.body, key, self.page + 1, keys, self.account)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `str(cursor)` printed; ValueError for anything else."""
        if text == "None":
            raise ValueError("cursor: got 'None', which a finished walk prints: nothing is left")
        try:
            (api_id, body, key, page, account), earlier_keys = _parsed_fields(text.strip())
            pairs = tuple((name, value) for name, value in body)
            return cls(api_id, pairs, key, page, earlier_keys, account)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cursor: {short_repr(text)} is not, or not all of, what str(cursor) printed"
            ) from error


def _parsed_fields(text: str) -> tuple[Any, bytes]:
    if not text.startswith(_PREFIX):
        raise ValueError("prefix")
    encoded = text.removeprefix(_PREFIX)
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    checksum, data = raw[:4], raw[4:]
    if _checksum(data) != checksum:
        raise ValueError("checksum")
    fields, _, earlier_keys = data.partition(b"\n")
    api_id, body, key, page, *rest = json.loads(fields)
    if type(page) is not int or page < 1 or (page == 1) != (not key) or len(earlier_keys) % 4:
        raise ValueError("page")
    if len(rest) > 1 or not all(isinstance(account, str) for account in rest):
        raise ValueError("account")
    return (api_id, body, key, page, *(rest or [""])), earlier_keys


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def next_cursor(headers: Mapping[str, str], asked: Cursor) -> Cursor | None:
    """Return the cursor of the page after the one at `asked`, or None at the end of the walk.

    Raises ContinuationError if the key is missing or repeats (wire-facts.md, section 5).
    """
    announced = headers.get("cont-yn", "").strip()
    key = headers.get("next-key", "").strip(" \t")
    if announced == "N" or not (announced or key):
        return None
    if announced != "Y":
        raise ContinuationError(f"cont-yn is {short_repr(announced)}, expected Y or N")
    # An empty key restarts at page one. Returning None instead of raising would pass for a complete
    # walk with stocks missing.
    if not key:
        raise ContinuationError("cont-yn is Y, but next-key is empty")
    # Two headers of that name are one with a comma, which no key was ever seen to hold.
    if not HEADER_SAFE.fullmatch(key) or "," in key:
        raise ContinuationError("next-key holds characters that no key may have")
    return asked.following(key)
