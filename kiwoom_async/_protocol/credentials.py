"""Credentials: the keys of an account, and the calls that issue and revoke its token."""

import unicodedata
from typing import Final

from attrs import evolve, field, frozen

from kiwoom_async.errors import decode_error

from .convert import HEADER_SAFE
from .messages import (
    COMMON_HEADERS,
    ISSUE_TOKEN,
    MIN_SECRET_LENGTH,
    REVOKE_TOKEN,
    Request,
    Response,
    Token,
    decode_body,
    encode_json,
    json_object,
)
from .times import kst_time

# Before it there was no such API, and arithmetic with the year 1 overflows.
_FIRST_YEAR: Final = 2000


def _app_key(value: str) -> str:
    return _clean_key("app_key", value)


def _secret_key(value: str) -> str:
    return _clean_key("secret_key", value)


def _clean_key(name: str, value: str) -> str:
    """Return a key without what pasting adds; its text is in no error."""
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected text, got {type(value).__name__}")
    # Keys pasted from the portal may carry zero-width characters (wire-facts.md, section 2).
    key = "".join(char for char in value if unicodedata.category(char) != "Cf").strip()
    if not HEADER_SAFE.fullmatch(key):
        what = "a character that no key has" if key else "nothing"
        raise ValueError(f"{name}: expected printable ASCII without spaces, got {what}")
    return key


@frozen
class Credentials:
    """The two keys of an account, cleaned of what pasting adds. Its repr shows neither."""

    app_key: str = field(repr=False, converter=_app_key)
    secret_key: str = field(repr=False, converter=_secret_key)


def encode_issue(base_url: str, keys: Credentials) -> Request:
    """Return the request for a token (wire-facts.md, section 2)."""
    body = {
        "grant_type": "client_credentials",
        "appkey": keys.app_key,
        "secretkey": keys.secret_key,
    }
    return Request(
        ISSUE_TOKEN, f"{base_url}/oauth2/token", COMMON_HEADERS, encode_json(body).encode(), ()
    )


def encode_revoke(base_url: str, keys: Credentials, token: Token) -> Request:
    """Return the request that revokes a token for every program that holds it."""
    body = {"appkey": keys.app_key, "secretkey": keys.secret_key, "token": token.value}
    url = f"{base_url}/oauth2/revoke"
    return Request(REVOKE_TOKEN, url, COMMON_HEADERS, encode_json(body).encode(), (token.value,))


def decode_token(response: Response) -> Token:
    """Return the token in the answer, or raise an error of the tree."""
    body = json_object(response.body) or {}
    value = body.get("token")
    if isinstance(value, str) and len(value) >= MIN_SECRET_LENGTH:
        # No error about this answer may quote the token in it.
        response = evolve(response, body=response.body.replace(value.encode(), b"***"))
    decode_body(response)
    if not isinstance(value, str) or not HEADER_SAFE.fullmatch(value):
        raise decode_error(["no usable token @ token"])
    try:
        expires = kst_time(body.get("expires_dt"))
    except ValueError:
        expires = None
    if expires is None or expires.year < _FIRST_YEAR:
        # Its text is not quoted: the token is not redacted yet.
        raise decode_error(["no time of the form yyyyMMddHHmmss @ expires_dt"])
    return Token(value, expires)
