"""A real TCP server in front of the sandbox that spoils answers as planned.

Seeded, so that a failing case fails again. Speaks the part of HTTP/1.1 that the clients under test
use.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketAttribute
from attrs import frozen
from support.wire_faults import FAULTS, Answer

__all__ = ["FAULTS", "FaultProxy", "Request"]


@frozen
class Request:
    """One request; `page` is its page of the walk, counted from 1, and 0 for a token call."""

    path: str
    headers: dict[str, str]
    body: bytes
    page: int


App = Callable[..., Awaitable[None]]
# Returns the fault that strikes a request, None for an unspoiled answer.
Plan = Callable[[Request], str | None]


class FaultProxy:
    """Serves an ASGI application on a real socket, with the faults that `plan` chooses.

    `calls` counts requests by page, `struck` counts answers by fault ("none" without one).
    """

    def __init__(self, app: App, plan: Plan = lambda _: None, *, seed: int = 0) -> None:
        self.app = app
        self.plan = plan
        self.calls: Counter[int] = Counter()
        self.struck: Counter[str] = Counter()
        self._random = Random(seed)
        self._pages_by_key: dict[str, int] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve until the block ends; yield the base URL."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._serve_connection)
            yield f"http://127.0.0.1:{port}"
            group.cancel_scope.cancel()

    def forget(self) -> None:
        """Forget the keys seen so far; a request with one of them counts as page 1."""
        self._pages_by_key.clear()

    async def _serve_connection(self, stream: ByteStream) -> None:
        closed = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, OSError)
        with suppress(*closed):
            async with stream:
                buffered = b""
                while True:
                    request, buffered = await self._read_request(stream, buffered)
                    self.calls[request.page] += 1
                    answer = await _call_app(self.app, request)
                    self._remember_next_page(request, answer)
                    fault = self.plan(request)
                    self.struck[fault or "none"] += 1
                    await FAULTS[fault](stream, answer, self._random)

    async def _read_request(self, stream: ByteStream, received: bytes) -> tuple[Request, bytes]:
        """Return the next request, and the bytes received behind it."""
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, rest = received.partition(b"\r\n\r\n")
        request_line, *header_lines = head.decode().split("\r\n")
        pairs = (header.partition(":") for header in header_lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            rest += await stream.receive()
        path = request_line.split()[1]
        key = headers.get("next-key", "")
        page = 0 if path.startswith("/oauth2/") else self._pages_by_key.get(key, 1)
        return Request(path, headers, rest[:length], page), rest[length:]

    def _remember_next_page(self, request: Request, answer: Answer) -> None:
        key = dict(answer.headers).get("next-key")
        if request.page and key:
            self._pages_by_key[key] = request.page + 1


async def _call_app(app: App, request: Request) -> Answer:
    """Return the application's answer, without a socket."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw_headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    scope = {"type": "http", "method": "POST", "path": request.path, "headers": raw_headers}
    await app(scope, receive, send)
    headers = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], headers, body)
