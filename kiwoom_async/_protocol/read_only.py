"""The refusal of requests that trade or carry keys: this library's calls only read."""

import difflib
import re
from typing import Final

from kiwoom_async.errors import short_repr

from .messages import ISSUE_TOKEN, REVOKE_TOKEN
from .published import is_trading_path, published_request, published_requests

_API_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
# No dots, percent signs or question marks, with which one path has several spellings.
_PATH: Final = re.compile(r"(/[A-Za-z0-9_-]+)+/?")
_TOKEN_ADVICE: Final = "use the client's methods token_expires and revoke_token"  # noqa: S105


def check_reads_only(api_id: str, path: str) -> None:
    """Raise ValueError for a request that trades or carries keys, or that cannot be sent.

    A request trades if its path is that of orders, or the path published for its api-id is.
    """
    _check_api_id(api_id)
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ValueError(
            f"path: got {short_repr(path)}; expected one such as '/api/dostk/stkinfo', of letters, "
            "digits, _ and - between slashes"
        )
    published = published_request(api_id.lower())
    if is_trading_path(path) or (published is not None and published.trades):
        name = "" if published is None else f" ({published.korean_name})"
        raise ValueError(
            f"{api_id}{name} at {path} trades, which this library does not: a retry could place an "
            "order twice"
        )
    if "oauth2" in path.lower().split("/"):
        raise ValueError(f"path: got {path}, of the token; {_TOKEN_ADVICE}")


def checked_path(api_id: str, path: str | None) -> str:
    """Return the path of a request: the one given, else the one published for its api-id.

    ValueError for an api-id with neither, and as `check_reads_only` says.
    """
    _check_api_id(api_id)
    if path is None:
        published = published_request(api_id)
        if published is None:
            raise ValueError(_unknown_text(api_id))
        path = published.path
    check_reads_only(api_id, path)
    return path


def _check_api_id(api_id: str) -> None:
    if not isinstance(api_id, str) or not _API_ID.fullmatch(api_id):
        raise ValueError(
            f"api_id: got {short_repr(api_id)}; expected one such as 'ka10001', of letters, "
            "digits, _ and -"
        )
    if api_id.lower() in (ISSUE_TOKEN, REVOKE_TOKEN):
        raise ValueError(f"api_id: got {api_id}, of the token; {_TOKEN_ADVICE}")


def _unknown_text(api_id: str) -> str:
    known = [request.api_id for request in published_requests()]
    near = difflib.get_close_matches(api_id.lower(), known)
    such_as = f", such as {', '.join(near)}" if near else ""
    return (
        f"api_id: got {short_repr(api_id)}; expected one of the {len(known)} published requests"
        f"{such_as}; of any other, name the path with path="
    )
