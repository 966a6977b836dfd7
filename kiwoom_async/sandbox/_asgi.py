"""ASGI on the outside, `Request` and `Reply` on the inside.

Moves bytes; does not know what any of them mean.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from attrs import field, frozen

from ._replies import RefusalError, Reply, refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@frozen
class Request:
    """One HTTP request, complete; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    raw_body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Look up a header, "" when it is absent."""
        return self.headers.get(name, "").strip()

    def json_object(self) -> dict[str, Any]:
        """Parse the body; RefusalError 1517 when it is anything but a JSON object."""
        try:
            body: object = json.loads(self.raw_body)
        except (ValueError, RecursionError) as error:
            raise RefusalError(refusal("1517", parameter="body", reason="JSON")) from error
        if not isinstance(body, dict):
            raise RefusalError(refusal("1517", parameter="body", reason="JSON object"))
        return cast("dict[str, Any]", body)


async def read_request(scope: Message, receive: Receive) -> Request | None:
    """Receive the whole request, or None when the caller hung up before its end."""
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], headers, b"".join(chunks))


async def send_reply(reply: Reply, send: Send) -> None:
    """Send head and body; one that is cut short breaks off in the middle of the body."""
    body = reply.encoded()
    await send(
        {"type": "http.response.start", "status": reply.status, "headers": _head(reply, body)}
    )
    if reply.cut_short:
        half = body[: len(body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionResetError("the sandbox was told to break off here")
    await send({"type": "http.response.body", "body": body})


def _head(reply: Reply, body: bytes) -> list[tuple[bytes, bytes]]:
    fields = {"content-type": reply.content_type, "content-length": str(len(body)), **reply.headers}
    # What is echoed (api-id, next-key) came in as latin-1 and leaves as it came.
    return [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]


async def lifespan(receive: Receive, send: Send) -> None:
    """Agree to start and to stop; there is nothing to set up."""
    stopping = False
    while not stopping:
        phase = (await receive())["type"]
        stopping = phase == "lifespan.shutdown"
        await send({"type": f"{phase}.complete"})
