"""Messages: requests and answers as values, and the judgement of an answer.

An answer is judged in the order status, return code, body (wire-facts.md, section 3).
"""

import codecs
import json
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NoReturn

from attrs import evolve, field, frozen

from kiwoom_async._version import __version__
from kiwoom_async.errors import (
    ApiError,
    AuthError,
    BlockedError,
    RateLimited,
    decode_error,
    short_repr,
)

from .times import http_time

ISSUE_TOKEN: Final = "au10001"  # noqa: S105 - the name of a request
REVOKE_TOKEN: Final = "au10002"  # noqa: S105

_INNER_CODE: Final = re.compile(r"\[(\d{4})[:\]]")
# Not 총유량, the total of code 1701: its period is unknown.
_LIMIT: Final = re.compile(r"(?<!총)유량=(\d{1,6})")
_RATE_CODES: Final = frozenset({"1700", "1701", "1702"})
# A shorter secret is no secret, and removing it would garble every message.
MIN_SECRET_LENGTH: Final = 8
# A page is some 12 kB; nothing of this API is near it.
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_OTHER_ENCODINGS: Final = {"br", "compress", "deflate", "x-gzip", "zstd"}
# The firewall turns away the default User-Agents of Python's libraries (wire-facts.md, fact 3).
COMMON_HEADERS: Final = {
    "content-type": "application/json;charset=UTF-8",
    "user-agent": f"kiwoom_async/{__version__}",
    "accept": "*/*",
    "accept-encoding": "gzip",
}


@frozen
class Token:
    """An access token and the moment it expires, both as the server stated them.

    `issue` identifies the issue it came from, where programs share it: the same string may be
    issued again (wire-facts.md, fact 7).
    """

    value: str = field(repr=False)
    expires: datetime
    issue: str = field(default="", eq=False, repr=False)


@frozen
class Request:
    """A request, always a POST. Its repr shows no secret.

    secrets: what only this request carries, besides the keys, that no text may repeat.
    token: what it is authorised by; None for the token calls.
    """

    api_id: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    token: Token | None = None


@frozen
class Response:
    """A whole answer; header names in lower case."""

    request: Request
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def server_time(self) -> datetime | None:
        """The server's clock when it answered; None if no `date` header says it."""
        return http_time(self.headers.get("date", ""))


def unpack_body(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was packed; DecodeError if it is too large or damaged.

    httpx's own decoders have no limit: 50 kB of gzip may be 50 MB.
    """
    problem = ""
    if encoding == "gzip" and body:
        gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            body = gzip.decompress(body, MAX_BODY_BYTES + 1)
        except zlib.error as error:
            problem = str(error)
        if gzip.unused_data:
            problem = problem or "bytes after the end of gzip"
        elif not gzip.eof and len(body) <= MAX_BODY_BYTES:
            problem = problem or "gzip that ends in the middle"
    # Some servers name the absence of an encoding.
    elif encoding not in {"", "gzip", "identity"}:
        # Only such names are quoted: the answer may still hold secrets here.
        name = f"the encoding {encoding}" if encoding in _OTHER_ENCODINGS else "an encoding"
        problem = f"{name} that was not asked for"
    if problem:
        raise decode_error([f"{problem} @ body"], damaged=True)
    if len(body) > MAX_BODY_BYTES:
        raise decode_error([f"more than {MAX_BODY_BYTES:,} bytes @ body"])
    return body


def redact(response: Response, secrets: tuple[str, ...]) -> Response:
    """Return the answer with `***` for every secret in it: no text made of it can show one."""
    body, headers = response.body, response.headers
    header_values = "\n".join(headers.values())
    # The escaped spelling is looked for only if there is one: Kiwoom sends none.
    escaped = b"\\" in body
    for secret in secrets + response.request.secrets:
        if len(secret) < MIN_SECRET_LENGTH:
            continue
        if escaped:
            body = _any_spelling(secret).sub(b"***", body)
        encoded = secret.encode()
        # A page seldom has every character of a secret, and one that it lacks is soon found out.
        if all(map(body.__contains__, encoded)):
            body = body.replace(encoded, b"***")
        if secret in header_values:
            headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    unchanged = body is response.body and headers is response.headers
    return response if unchanged else evolve(response, headers=headers, body=body)


@lru_cache(maxsize=64)
def _any_spelling(secret: str) -> re.Pattern[bytes]:
    """Return a pattern of every way JSON may write it: plain, behind a backslash, by number."""
    characters = (rf"(?:\\{{0,4}}{re.escape(char)}|\\u(?i:{ord(char):04x}))" for char in secret)
    return re.compile("".join(characters).encode())


def decode_body(response: Response) -> dict[str, Any]:
    """Return the JSON object of a successful answer, or raise an error of the tree."""
    body = json_object(response.body)
    if response.status == 429:
        raise _api_error(response, body or {})
    if body is None or (response.status != 200 and "return_code" not in body):
        _raise_foreign_answer(response)
    # No reply without one was seen; the missing list or token would say what is wrong.
    stated = body.get("return_code", 0)
    return_code = 0 if str(stated) == "0" else _return_code(stated)
    if response.status != 200 or return_code not in (0, None):
        raise _api_error(response, body)
    if return_code is None:
        message = f" (return_msg {short_repr(body.get('return_msg'))})"
        raise decode_error([f"{short_repr(stated)} is not a return code @ return_code{message}"])
    return body


def json_object(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body, or None if there is no unambiguous one."""
    # UTF-8 only: json would also take UTF-16, in which secrets are not redacted. Besides
    # ValueError: invalid UTF-8 is one, a number of thousands of digits is one, and deep nesting is
    # a RecursionError.
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
        body = _DECODER.decode(text)
        if not isinstance(body, dict):
            return None
        lists = [value for value in body.values() if isinstance(value, list)]
        rows = [row for each in lists for row in each if isinstance(row, dict)]
        # As many colons as names: then no name is repeated. Looking for one takes longer.
        if raw.count(b":") != sum(map(len, [body, *rows])):
            _STRICT_DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return body


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; ValueError if a name is repeated, because either value may be meant."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name is repeated")
    return unique


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


encode_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_STRICT_DECODER: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, object_pairs_hook=_object_of_unique_names
)


def _return_code(value: object) -> int | None:
    """Return the code, an integer or text; None for anything else (wire-facts.md, section 3)."""
    stated = str(value)
    return int(stated) if re.fullmatch(r"[0-9]{1,9}", stated) else None


def _raise_foreign_answer(response: Response) -> NoReturn:
    """Raise for an answer that is not the API's, or is only part of one."""
    status, text = response.status, response.body.decode("utf-8", errors="replace").strip()
    # An answer to a token request may hold the token.
    hidden = response.request.api_id == ISSUE_TOKEN and not text.startswith("<")
    plain = "(not shown, it may hold a token)" if hidden else _plain(text)
    if status == 200 and not text.startswith("<"):
        what = f"{plain!r} is not a JSON object" if text else "an empty body is not a JSON object"
        raise decode_error([f"{what} @ body"], damaged=True)
    advice = "probably maintenance or a gateway; try again later"
    if 300 <= status < 400:
        advice = "redirects are never followed; check base_url"
    elif status in (401, 403) and "Request Blocked" not in text:
        advice = (
            "the relay or gateway in front of the API refused the call; check the headers that it "
            "wants (headers=, KIWOOM_HEADERS)"
        )
    elif "Request Blocked" in text:
        advice = "the firewall refuses this program's User-Agent or address"
    raise BlockedError(
        f"{response.request.api_id}: HTTP {status} without an answer of the API: {plain!r}"
        f" -- {advice}",
        status=status,
        excerpt=plain,
    )


def _plain(text: str) -> str:
    """Return the beginning of a page as a person would see it."""
    visible = re.sub(r"(?is)<(style|script)\b.*?</\1>|<[^>]*>", " ", text[:4_000])
    return " ".join("".join(char if char.isprintable() else " " for char in visible).split())[:200]


def _api_error(response: Response, body: dict[str, Any]) -> ApiError:
    message = str(body.get("return_msg", ""))[:500]
    match = _INNER_CODE.search(message)
    code = match[1] if match else None
    return_code = _return_code(body.get("return_code", 0))
    error = _error_class(response.status, return_code, code)(
        message or f"HTTP {response.status} without a message",
        code=code,
        return_code=return_code,
        api_id=response.request.api_id,
        status=response.status,
    )
    if isinstance(error, RateLimited):
        limit = _LIMIT.search(message)
        error.limit = int(limit[1]) if limit else None
        error.retry_after = _seconds(response.headers.get("retry-after", ""))
    return error


def _error_class(status: int, return_code: int | None, code: str | None) -> type[ApiError]:
    # Category 5 alone is not a rate limit: 1634 has it and never succeeds (wire-facts.md, fact 5).
    if status == 429 or code in _RATE_CODES or (return_code == 5 and code is None):
        return RateLimited
    if return_code == 3 or status == 401 or (code or "").startswith("8"):
        return AuthError
    return ApiError


def _seconds(text: str) -> float | None:
    """Return a Retry-After in seconds; None for its form with a date."""
    match = re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text.strip())
    return float(match[0]) if match else None
