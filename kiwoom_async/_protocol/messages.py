"""One call as values: what to send, and what an answer means.

Pure: bytes in, values or errors out. Judges an answer in the order status, return code,
body (wire-facts.md, section 3); does not know how bytes travel.
"""

import codecs
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
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

from .convert import header_safe, http_time, kst_time

ISSUE_TOKEN: Final = "au10001"  # noqa: S105 - the name of a request
REVOKE_TOKEN: Final = "au10002"  # noqa: S105

_INNER_CODE: Final = re.compile(r"\[(\d{4})[:\]]")
# Not 총유량, the total of code 1701: its period is unknown.
_LIMIT: Final = re.compile(r"(?<!총)유량=(\d{1,6})")
_RATE_CODES: Final = frozenset({"1700", "1701", "1702"})
# A shorter secret is no secret, and removing it would garble every message.
SHORTEST_SECRET: Final = 8
# Before it there was no such API, and arithmetic with the year 1 overflows.
_FIRST_YEAR: Final = 2000
# The firewall turns away the default User-Agents of Python's libraries (wire-facts.md, fact 3).
_ALWAYS: Final = {
    "content-type": "application/json;charset=UTF-8",
    "user-agent": f"kiwoom_async/{__version__}",
}


def _app_key(value: str) -> str:
    return _key("app_key", value)


def _secret_key(value: str) -> str:
    return _key("secret_key", value)


def _key(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected text, got {type(value).__name__}")
    # Keys pasted from the portal may carry zero-width characters (wire-facts.md, section 2).
    key = "".join(char for char in value if unicodedata.category(char) != "Cf").strip()
    if not header_safe(key):
        what = "a character that no key has" if key else "nothing"
        raise ValueError(f"{name}: expected printable ASCII without spaces, got {what}")
    return key


@frozen
class Credentials:
    """The two keys of an account, cleaned of what pasting adds. Its repr shows neither."""

    app_key: str = field(repr=False, converter=_app_key)
    secret_key: str = field(repr=False, converter=_secret_key)


@frozen
class Token:
    """An access token and the moment it dies, both as the server stated them.

    `issue` names the issue it came from, where programs share it: the same string may be issued
    again (wire-facts.md, fact 7).
    """

    value: str = field(repr=False)
    expires: datetime
    issue: str = field(default="", eq=False, repr=False)


@frozen
class Request:
    """What to send, always by POST. Its repr shows no secret."""

    api_id: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    # What only this request carries, besides the keys, that no text may repeat.
    secrets: tuple[str, ...] = field(repr=False)
    # What it is authorised by; None for the token calls.
    token: Token | None = None


@frozen
class Response:
    """What came back, in full; header names in lower case."""

    request: Request
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def server_time(self) -> datetime | None:
        """The server's clock when it answered, where it says so."""
        return http_time(self.headers.get("date", ""))


def header_texts(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; two of a name are one with a comma between."""
    found: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1").strip(" \t")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def encode_call(api_id: str, path: str, body: dict[str, str], token: Token, key: str) -> Request:
    """The request for one page of a TR; `key` is empty for the first (wire-facts.md, section 5)."""
    headers = {"api-id": api_id, "authorization": f"Bearer {token.value}"}
    if key:
        headers |= {"cont-yn": "Y", "next-key": key}
    return Request(api_id, path, _ALWAYS | headers, _json(body), (token.value,), token)


def encode_issue(keys: Credentials) -> Request:
    """The request for a token (wire-facts.md, section 2)."""
    body = {
        "grant_type": "client_credentials",
        "appkey": keys.app_key,
        "secretkey": keys.secret_key,
    }
    return Request(ISSUE_TOKEN, "/oauth2/token", _ALWAYS, _json(body), ())


def encode_revoke(keys: Credentials, token: Token) -> Request:
    """The request that ends a token for every program that holds it."""
    body = {"appkey": keys.app_key, "secretkey": keys.secret_key, "token": token.value}
    return Request(REVOKE_TOKEN, "/oauth2/revoke", _ALWAYS, _json(body), (token.value,))


def _json(body: dict[str, str]) -> bytes:
    return _ENCODER.encode(body).encode()


def decode_token(response: Response) -> Token:
    """The token that `response` brings."""
    body = _json_object(response.body) or {}
    value = body.get("token")
    if isinstance(value, str) and len(value) >= SHORTEST_SECRET:
        # No error that comes of this answer may quote the token that it brings.
        response = evolve(response, body=response.body.replace(value.encode(), b"***"))
    decode_body(response)
    if not isinstance(value, str) or not header_safe(value):
        raise decode_error(["no usable token @ token"])
    try:
        expires = kst_time(body.get("expires_dt"))
    except ValueError:
        expires = None
    if expires is None or expires.year < _FIRST_YEAR:
        # What stands there is not shown: the token is no known secret yet.
        raise decode_error(["no time of the form yyyyMMddHHmmss @ expires_dt"])
    return Token(value, expires)


def decode_body(response: Response) -> dict[str, Any]:
    """The JSON object of an answer that says success; an error of the tree for any other."""
    body = _json_object(response.body)
    if response.status == 429:
        raise _api_error(response, body or {})
    if body is None or (response.status != 200 and "return_code" not in body):
        _refuse_foreign(response)
    # Absent in no reply seen; where it is, the missing list or token says what is wrong.
    stated = body.get("return_code", 0)
    return_code = _return_code(stated)
    if response.status != 200 or return_code not in (0, None):
        raise _api_error(response, body)
    if return_code is None:
        said = f" (return_msg {short_repr(body.get('return_msg'))})"
        raise decode_error([f"{short_repr(stated)} is not a return code @ return_code{said}"])
    return body


def _json_object(raw: bytes) -> dict[str, Any] | None:
    # UTF-8 and nothing else: json would also take UTF-16, in which no secret has been looked for.
    # Besides ValueError: invalid UTF-8 is one, a number of thousands of digits is one, and deep
    # nesting is a RecursionError.
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
        body = _QUICK.decode(text)
        # A colon for each name and none elsewhere: then no name stands twice.
        if raw.count(b":") != _names(body):
            body = _CAREFUL.decode(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _names(body: Any) -> int:
    """How many names an answer has, and its rows; of any deeper down it knows nothing."""
    if not isinstance(body, dict):
        return 0
    lists = [value for value in body.values() if isinstance(value, list)]
    return len(body) + sum([len(row) for rows in lists for row in rows if isinstance(row, dict)])


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a name stands twice in it: which of the values is meant, nobody knows."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
_QUICK: Final = json.JSONDecoder(parse_constant=_no_number)
_CAREFUL: Final = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=_unambiguous)


def _return_code(value: object) -> int | None:
    """An integer in every body seen; text is taken too (wire-facts.md, section 3)."""
    stated = str(value)
    return int(stated) if re.fullmatch(r"[0-9]{1,9}", stated) else None


def _refuse_foreign(response: Response) -> NoReturn:
    """Raise for an answer that is not the API's, or not all of it."""
    status, text = response.status, response.body.decode("utf-8", errors="replace").strip()
    # What comes instead of a token may hold one.
    hidden = response.request.api_id == ISSUE_TOKEN and not text.startswith("<")
    plain = "(not shown, it may hold a token)" if hidden else _plain(text)
    if status == 200 and not text.startswith("<"):
        what = f"{plain!r} is not a JSON object" if text else "an empty body is not a JSON object"
        raise decode_error([f"{what} @ body"], damaged=True)
    advice = "probably maintenance or a gateway; try again later"
    if 300 <= status < 400:
        advice = "redirects are never followed; check base_url"
    elif "Request Blocked" in text:
        advice = "the firewall refuses this program's User-Agent or address"
    raise BlockedError(
        f"{response.request.api_id}: HTTP {status} without an answer of the API: {plain!r}"
        f" -- {advice}",
        status=status,
        excerpt=plain,
    )


def _plain(text: str) -> str:
    """The beginning of a page as a reader would see it."""
    seen = re.sub(r"(?is)<(style|script)\b.*?</\1>|<[^>]*>", " ", text[:4_000])
    return " ".join("".join(char if char.isprintable() else " " for char in seen).split())[:200]


def _api_error(response: Response, body: dict[str, Any]) -> ApiError:
    message = str(body.get("return_msg", ""))[:500]
    found = _INNER_CODE.search(message)
    code = found[1] if found else None
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
    if return_code == 3 or (code or "").startswith("8"):
        return AuthError
    return ApiError


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; the form with a date is left to the floor of the policy."""
    match = re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text.strip())
    return float(match[0]) if match else None
