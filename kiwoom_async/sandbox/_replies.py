"""Answers before they are sent: successful ones, refusals, and HTML pages that bypass the API."""

import json
from typing import Any, Final

from attrs import evolve, field, frozen

from ._codes import CATEGORY_TEXTS, CODES

_JSON_TYPE: Final = "application/json;charset=UTF-8"
_HTML_TYPE: Final = "text/html; charset=UTF-8"
_SUCCESS: Final = {"return_code": 0, "return_msg": CATEGORY_TEXTS[0]}
_HTML_TEMPLATE: Final = (
    "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1>{1}</body></html>"
)


@frozen(kw_only=True)
class Reply:
    """One answer; a dict body is sent as JSON, bytes are sent as they are.

    `code` is the four-digit code of a refusal. Of a page, `rows_key` is the name of its list, and
    `walk_keys` are the continuation keys of the whole walk, for faults that lead back to one of
    them. `wait_seconds` delays the answer; `cut_short` breaks the connection in the middle of the
    body.
    """

    body: dict[str, Any] | bytes = field(repr=False)  # may hold a token
    status: int = 200
    headers: dict[str, str] = field(factory=dict[str, str])
    content_type: str = _JSON_TYPE
    code: str | None = None
    rows_key: str | None = None
    walk_keys: tuple[str, ...] = field(default=(), repr=False)
    wait_seconds: float = 0.0
    cut_short: bool = False

    def encoded(self) -> bytes:
        """Return the body as bytes; JSON is UTF-8 with Korean unescaped."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class RefusalError(Exception):
    """A refused request; `reply` is the answer to send."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def success(body: dict[str, Any], headers: dict[str, str]) -> Reply:
    """Return the body, followed by return code 0 and its text if it has none of its own."""
    return Reply(body={**body, **_SUCCESS, **body}, headers=headers)


def refusal(
    code: str,
    *,
    api_id: str = "",
    uri: str = "",
    parameter: str = "",
    reason: str = "",
    limit: int = 5,
) -> Reply:
    """Return HTTP 200 with the code's category and, in brackets, the code and its text."""
    category, template = CODES[code]
    text = template.format(api_id=api_id, uri=uri, field=parameter, reason=reason, limit=limit)
    detail = f"{code}:{text}" if text else code
    body = {"return_msg": f"{CATEGORY_TEXTS[category]}[{detail}]", "return_code": category}
    return Reply(body=body, headers={"api-id": api_id}, code=code)


def rate_limited(api_id: str, limit: int) -> Reply:
    """Return the 429 of a full rate window."""
    return evolve(refusal("1700", api_id=api_id, limit=limit), status=429)


def html_page(status: int, title: str, content: str) -> Reply:
    """Return an HTML page, as a proxy or firewall in front of the API sends it."""
    body = _HTML_TEMPLATE.format(title, content).encode()
    return Reply(status=status, body=body, content_type=_HTML_TYPE)


def firewall_page() -> Reply:
    """Return the firewall's "Request Blocked" page."""
    content = "<p>The request was blocked by the security policy.</p>"
    return html_page(400, "Request Blocked", content)


def not_found(path: str) -> Reply:
    """Return HTTP 404, for an unknown path or method."""
    return Reply(status=404, body={"status": 404, "error": "Not Found", "path": path})
