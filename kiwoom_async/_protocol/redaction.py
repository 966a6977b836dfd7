"""Secrets that an answer repeats are taken out of it before anybody reads it. Pure."""

import re
from functools import lru_cache

from attrs import evolve

from .messages import SHORTEST_SECRET, Response


def redact(response: Response, secrets: tuple[str, ...]) -> Response:
    """The answer without any secret that it repeats: no text made of it can show one."""
    body, headers = response.body, response.headers
    said = "\n".join(headers.values())
    # The escaped spelling is looked for only where there is one: Kiwoom sends none.
    escaped = b"\\" in body
    for secret in secrets + response.request.secrets:
        if len(secret) < SHORTEST_SECRET:
            continue
        if escaped:
            body = _spelling(secret).sub(b"***", body)
        body = body.replace(secret.encode(), b"***")
        if secret in said:
            headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    unchanged = body is response.body and headers is response.headers
    return response if unchanged else evolve(response, headers=headers, body=body)


@lru_cache(maxsize=64)
def _spelling(secret: str) -> re.Pattern[bytes]:
    """Every way in which JSON may write it: as it is, behind a backslash, by number."""
    each = (rf"(?:\\{{0,4}}{re.escape(char)}|\\u(?i:{ord(char):04x}))" for char in secret)
    return re.compile("".join(each).encode())
