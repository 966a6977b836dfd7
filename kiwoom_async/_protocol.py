"""One call as values: what to send, and what an answer means.

Pure: bytes in, values or errors out. Judges an answer in the order status, return code,
continuation, body (wire-facts.md, sections 3 and 5); does not know how bytes travel.
"""

import json
import re
import unicodedata
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

from attrs import field, frozen

from ._errors import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    DecodeError,
    RateLimited,
)
from ._version import __version__
from ._wire import kst_time, shown, unreadable

ISSUE_TOKEN: Final = "au10001"  # noqa: S105 - the name of a request
REVOKE_TOKEN: Final = "au10002"  # noqa: S105

_INNER_CODE: Final = re.compile(r"\[(\d{4})[:\]]")
_LIMIT: Final = re.compile(r"유량=(\d+)")
_RATE_CODES: Final = frozenset({"1700", "1701", "1702"})
# What may stand in a header: anything else would make the HTTP layer print the header.
_HEADER_SAFE: Final = re.compile(r"[!-~]+")
# The firewall turns away the default User-Agents of Python's libraries (wire-facts.md, fact 3).
_ALWAYS: Final = {
    "content-type": "application/json;charset=UTF-8",
    "user-agent": f"kiwoom_async/{__version__}",
}
# A shorter secret is no secret, and removing it would garble every message.
_SHORTEST_SECRET: Final = 8


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
    """An access token and the moment it dies, both as the server stated them."""

    value: str = field(repr=False)
    expires: datetime


@frozen
class Request:
    """What to send, always by POST. Its repr shows no secret."""

    api_id: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    # What must not be repeated in an error text, whatever the answer echoes.
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


def header_safe(text: str) -> bool:
    """Whether a header may carry this text."""
    return _HEADER_SAFE.fullmatch(text) is not None


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
    secrets = (keys.app_key, keys.secret_key)
    return Request(ISSUE_TOKEN, "/oauth2/token", _ALWAYS, _json(body), secrets)


def encode_revoke(keys: Credentials, token: Token) -> Request:
    """The request that ends a token for every program that holds it."""
    body = {"appkey": keys.app_key, "secretkey": keys.secret_key, "token": token.value}
    secrets = tuple(body.values())
    return Request(REVOKE_TOKEN, "/oauth2/revoke", _ALWAYS, _json(body), secrets)


def _json(body: dict[str, str]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def next_key(headers: Mapping[str, str], asked: str, seen: Container[str]) -> str | None:
    """The key of the page after the one asked for with key `asked`; None at the end of the walk.

    `seen` holds the keys this walk has used already. Raises ContinuationError when the server
    would send us round in circles, or says what could be taken for an end without being one.
    """
    announced = headers.get("cont-yn", "").strip()
    key = headers.get("next-key", "").strip()
    if announced == "N" or not (announced or key):
        return None
    if announced != "Y":
        raise ContinuationError(f"cont-yn is {shown(announced)}, expected Y or N")
    # An empty key restarts at page one, and a repeated one goes in circles. Stopping here
    # instead of raising would look like a complete walk with stocks missing.
    if not key:
        raise ContinuationError("cont-yn is Y, but next-key is empty")
    if key == asked or key in seen:
        raise ContinuationError(f"next-key {shown(key)} came before in this walk")
    if not header_safe(key):
        raise ContinuationError("next-key holds characters that no header may carry")
    return key


def decode_token(response: Response) -> Token:
    """The token that `response` brings."""
    body = decode_body(response)
    value = body.get("token")
    if not isinstance(value, str) or not header_safe(value):
        raise unreadable(["no usable token @ token"])
    try:
        return Token(value, kst_time(body.get("expires_dt")))
    except ValueError as error:
        raise unreadable([f"{error} @ expires_dt"]) from error


def decode_body(response: Response) -> dict[str, Any]:
    """The JSON object of an answer that says success; an error of the tree for any other."""
    body = _json_object(response)
    if response.status == 429:
        raise _api_error(response, body or {})
    if body is None or (response.status != 200 and "return_code" not in body):
        _refuse_foreign(response)
    # Absent in no reply seen; where it is, the missing list or token says what is wrong.
    return_code = _return_code(body.get("return_code", 0))
    if return_code != 0 or response.status != 200:
        raise _api_error(response, body)
    return body


def _json_object(response: Response) -> dict[str, Any] | None:
    # Besides ValueError: invalid UTF-8 is one, a number of thousands of digits is one, and deep
    # nesting is a RecursionError.
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _refuse_foreign(response: Response) -> NoReturn:
    """Raise for an answer that is not the API's, or not all of it."""
    excerpt = _excerpt(response)
    if response.status == 200 and not excerpt.startswith("<"):
        what = f"{shown(excerpt)} is not a JSON object" if excerpt else "nothing"
        raise DecodeError(
            f"cannot read the answer: got {what}", problems=[f"{what} @ body"], damaged=True
        )
    plain = " ".join(re.sub(r"<[^>]*>", " ", excerpt).split())[:200]
    raise BlockedError(
        f"{response.request.api_id}: HTTP {response.status} without an answer of the API: "
        f"{plain!r}{_blocked_advice(response, plain)}",
        status=response.status,
        excerpt=plain,
    )


def _blocked_advice(response: Response, plain: str) -> str:
    if "Request Blocked" in plain:
        return " -- the firewall refuses this program's User-Agent or address"
    if 300 <= response.status < 400:
        return " -- redirects are never followed; check base_url"
    return " -- probably maintenance or a gateway; try again later"


def _excerpt(response: Response) -> str:
    text = response.body[:2000].decode("utf-8", errors="replace").strip()
    return _redacted(
        "".join(char for char in text if char.isprintable() or char.isspace()), response
    )


def _redacted(text: str, response: Response) -> str:
    for secret in response.request.secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def _return_code(value: object) -> int:
    """An integer in every body seen; text is taken too (wire-facts.md, section 3)."""
    try:
        return int(value) if isinstance(value, int | str) else int(str(value))
    except ValueError as error:
        raise unreadable([f"{shown(value)} is not a return code @ return_code"]) from error


def _api_error(response: Response, body: dict[str, Any]) -> ApiError:
    message = _redacted(str(body.get("return_msg", "")), response)[:500]
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


def _error_class(status: int, return_code: int, code: str | None) -> type[ApiError]:
    # Category 5 alone is not a rate limit: 1634 has it and never succeeds (wire-facts.md, fact 5).
    if status == 429 or code in _RATE_CODES or (return_code == 5 and code is None):
        return RateLimited
    if return_code == 3 or (code or "").startswith("8"):
        return AuthError
    return ApiError


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; the form with a date is left to the floor of the policy."""
    return float(text) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text.strip()) else None
