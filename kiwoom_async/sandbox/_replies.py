"""What an answer is before it is sent, and how the good, the refused and the foreign ones look.

Knows bodies and headers; does not know who asked or why.
"""

import json
from typing import Any, Final

from attrs import evolve, field, frozen

from ._codes import CODES, SENTENCES

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html; charset=UTF-8"
LIST: Final = "stk_prm_trde_prst"

_PAGE: Final = (
    "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1>{1}</body></html>"
)


@frozen(kw_only=True)
class Reply:
    """One answer; a dict body is sent as JSON, bytes are sent as they are."""

    body: dict[str, Any] | bytes = field(repr=False)  # may hold a token
    status: int = 200
    headers: dict[str, str] = field(factory=dict[str, str])
    content_type: str = JSON
    code: str | None = None
    walk_keys: tuple[str, ...] = field(default=(), repr=False)
    wait_seconds: float = 0.0
    cut_short: bool = False

    def encoded(self) -> bytes:
        """Encode the body, Korean unescaped."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class RefusalError(Exception):
    """Ends the handling of a request; carries the answer to send."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code)
        self.reply = reply


def success(body: dict[str, Any], headers: dict[str, str]) -> Reply:
    """Body, closed by code 0 and its sentence."""
    return Reply(body={**body, "return_code": 0, "return_msg": SENTENCES[0]}, headers=headers)


def refusal(
    code: str,
    *,
    api_id: str = "",
    uri: str = "",
    parameter: str = "",
    reason: str = "",
    limit: int = 5,
) -> Reply:
    """HTTP 200 with the code's category and its text in brackets."""
    category, text = CODES[code]
    said = text.format(api_id=api_id, uri=uri, field=parameter, reason=reason, limit=limit)
    inner = f"{code}:{said}" if said else code
    body = {"return_msg": f"{SENTENCES[category]}[{inner}]", "return_code": category}
    return Reply(body=body, headers={"api-id": api_id}, code=code)


def rate_limited(api_id: str, limit: int) -> Reply:
    """Refuse with the 429 of a full window."""
    return evolve(refusal("1700", api_id=api_id, limit=limit), status=429)


def html(status: int, title: str, text: str) -> Reply:
    """Wrap words in a page; such an answer is not the API's."""
    return Reply(status=status, body=_PAGE.format(title, text).encode(), content_type=HTML)


def blocked() -> Reply:
    """Answer with the firewall's page."""
    return html(400, "Request Blocked", "<p>The request was blocked by the security policy.</p>")


def not_found(path: str) -> Reply:
    """For a path or method nobody serves."""
    return Reply(status=404, body={"status": 404, "error": "Not Found", "path": path})
