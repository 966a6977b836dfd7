"""HTTP/1.1 on asyncio's own sockets, read by a compiled parser: for `KiwoomClient(transport=...)`.

One call at a time on a connection, every body whole, no proxies, no trio: what this client needs,
in a third of the processor's time that httpx takes. A connection on which anything was not as it
should be is not used again. Needs httptools, which the extra `speed` brings.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, final

import httpx

from kiwoom_async._protocol.body import ACCEPTED, Unpacker
from kiwoom_async._protocol.messages import Request, Response, header_texts
from kiwoom_async.errors import require_extra

with require_extra("speed", "httptools"):
    from .connections import Connection, Connections, origin_of

# What httpcore tells of a new connection, before and after.
_TRACE: Final = ("connection.connect_tcp.started", "http11.send_request_headers.started")


@final
class CompiledTransport(httpx.AsyncBaseTransport):
    """Where `KiwoomClient(transport=CompiledTransport())` sends its calls, on asyncio only.

    verify: whom to trust; without it, what httpx trusts.

    RuntimeError where a call is made outside of asyncio. It has no subclasses, which would not be
    asked: to see each request, put a transport of your own around it.
    """

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._connections = Connections(verify)

    def __init_subclass__(cls, **_: Any) -> None:
        raise TypeError("CompiledTransport has no subclasses; put another transport around it")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the answer when all of it is there."""
        tell = request.extensions.get("trace", _ignore)

        async def connected() -> None:
            for step in _TRACE:
                await tell(step, {})

        head = _head(request.method, request.url.raw_path, request.headers.raw)
        sent = head + await request.aread()
        origin, connections = origin_of(request.url), self._connections
        connection = connections.kept(origin) or await connections.opened(origin, connected)
        answer = await connections.exchange(connection, origin, sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.chunks))

    def line_to(self, base_url: str) -> "_Line":
        """The same without httpx's requests and answers: what `KiwoomClient` sends its calls by."""
        return _Line(self._connections, httpx.URL(base_url))

    async def aclose(self) -> None:
        """Close what is kept."""
        await self._connections.aclose()


class _Line:
    """Calls to one host, over connections that may serve several."""

    def __init__(self, connections: Connections, base_url: httpx.URL) -> None:
        self._connections = connections
        self._origin = origin_of(base_url)
        self._host = base_url.netloc
        self._path = base_url.raw_path.rstrip(b"/")

    def at_hand(self) -> Callable[[Request], Awaitable[Response]] | None:
        """How to make a call on a connection that is kept; None where there is none."""
        connection = self._connections.kept(self._origin)
        return None if connection is None else partial(self._call, connection)

    async def carry(self, request: Request, connected: Callable[[], object]) -> Response:
        """The whole answer; an error of httpx's where there is none."""

        async def tell() -> None:
            connected()

        kept = self._connections.kept(self._origin)
        connection = kept or await self._connections.opened(self._origin, tell)
        return await self._call(connection, request)

    async def _call(self, connection: Connection, request: Request) -> Response:
        try:
            sent = self._encoded(request)
        except httpx.LocalProtocolError:
            connection.abort()
            raise
        answer = await self._connections.exchange(connection, self._origin, sent)
        named = header_texts(answer.headers)
        unpack = Unpacker(named.get("content-encoding", ""))
        for chunk in answer.chunks:
            if not unpack.take(chunk):
                break
        return Response(request, answer.status, named, unpack.whole())

    def _encoded(self, request: Request) -> bytes:
        headers = ACCEPTED | {"content-length": str(len(request.body)), **request.headers}
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        target = self._path + request.path.encode()
        return _head("POST", target, [(b"host", self._host), *named]) + request.body

    async def aclose(self) -> None:
        """Close what is kept."""
        await self._connections.aclose()


async def _ignore(_: str, __: object) -> None:
    pass


def _head(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target)]
    lines += [b"%b: %b" % header for header in headers]
    head = b"\r\n".join(lines)
    if head.count(b"\n") >= len(lines) or head.count(b"\r") >= len(lines):
        raise httpx.LocalProtocolError("a line break in a header")
    return head + b"\r\n\r\n"


class _Body(httpx.AsyncByteStream):
    """A body for httpx."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
