"""ASGI messages to and from `Request` and `Reply`."""

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
    """One complete HTTP request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    raw_body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header without surrounding blanks, "" if it is absent."""
        return self.headers.get(name, "").strip()

    def json_object(self) -> dict[str, Any]:
        """Parse the body. Raises RefusalError 1517 if it is not a JSON object."""
        try:
            body: object = json.loads(self.raw_body)
        except (ValueError, RecursionError) as error:
            raise RefusalError(refusal("1517", parameter="body", reason="JSON")) from error
        if not isinstance(body, dict):
            raise RefusalError(refusal("1517", parameter="body", reason="JSON object"))
        return cast("dict[str, Any]", body)


async def read_request(scope: Message, receive: Receive) -> Request | None:
    """Receive a whole request; return None if the client disconnects before its end."""
    chunks: list[bytes] = []
    more_body = True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        more_body = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], headers, b"".join(chunks))


async def send_reply(reply: Reply, send: Send) -> None:
    """Send status, headers and body. Raises ConnectionResetError half-way if `cut_short`."""
    body = reply.encoded()
    headers = _encoded_headers(reply, len(body))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut_short:
        half = body[: len(body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        raise ConnectionResetError("the sandbox cut this answer short: fault 'disconnect'")
    await send({"type": "http.response.body", "body": body})


def _encoded_headers(reply: Reply, length: int) -> list[tuple[bytes, bytes]]:
    headers = {"content-type": reply.content_type, "content-length": str(length), **reply.headers}
    # Echoed headers (api-id, next-key) were decoded as latin-1.
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def handle_lifespan(receive: Receive, send: Send) -> None:
    """Confirm startup and shutdown; the sandbox has nothing to set up."""
    stopping = False
    while not stopping:
        phase = (await receive())["type"]
        stopping = phase == "lifespan.shutdown"
        await send({"type": f"{phase}.complete"})
