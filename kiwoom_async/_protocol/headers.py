"""Headers of the user's own, for a relay or gateway in front of the API."""

import json
import re
from collections.abc import Mapping
from typing import Final

from kiwoom_async.errors import short_repr

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[!-~]([ \t!-~]*[!-~])?")
# Set by the library or by HTTP itself.
_RESERVED: Final = frozenset(
    {"accept", "accept-encoding", "api-id", "authorization", "connection", "cont-yn",
     "content-length", "content-type", "host", "next-key", "te", "trailer", "transfer-encoding",
     "upgrade", "user-agent"}
)  # fmt: skip


def checked_headers(headers: Mapping[str, str], name: str = "headers") -> dict[str, str]:
    """Return the headers by lower-case name; ValueError for one that cannot be sent.

    No error shows a value: it may be a secret.
    """
    if not isinstance(headers, Mapping):
        raise ValueError(f"{name}: got {type(headers).__name__}; expected a mapping of texts")
    checked: dict[str, str] = {}
    for header, value in headers.items():
        if not isinstance(header, str) or not _NAME.fullmatch(header):
            raise ValueError(f"{name}: got the name {short_repr(header)}; expected one of HTTP")
        if header.lower() in _RESERVED:
            raise ValueError(f"{name}: {header} is set by the library; leave it out")
        if header.lower() in checked:
            raise ValueError(f"{name}: {header} comes twice")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ValueError(f"{name}: expected printable ASCII as the value of {header}")
        checked[header.lower()] = value
    return checked


def header_secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what no error may show of the headers: their values, and the parts of a value."""
    parts = [part for value in headers.values() for part in re.split(r"[\s=;,:]+", value)]
    return tuple(sorted({*headers.values(), *parts} - {""}, key=len, reverse=True))


def parse_headers(text: str, name: str = "KIWOOM_HEADERS") -> dict[str, str]:
    """Return the headers in a JSON object, or in lines of the form `Name: value`.

    ValueError for other texts, which shows none of it.
    """
    if text.lstrip().startswith("{"):
        try:
            return checked_headers(json.loads(text, object_pairs_hook=_each_once), name)
        except (json.JSONDecodeError, RecursionError):
            raise ValueError(f"{name}: expected a JSON object of texts, or `Name: value`") from None
    headers: dict[str, str] = {}
    # A semicolon separates headers only where another name follows.
    for line in re.split(r"[\r\n]+|;\s*(?=[A-Za-z0-9-]+\s*:)", text.strip()):
        header, colon, value = line.partition(":")
        named = colon and _NAME.fullmatch(header.strip())
        if not named or header.strip().lower() in headers:
            raise ValueError(f"{name}: expected lines of the form `Name: value`, each name once")
        headers[header.strip().lower()] = value.strip()
    return checked_headers(headers, name)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object as a dict; JSONDecodeError if a name comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise json.JSONDecodeError("a name comes twice", "", 0)
    return found
