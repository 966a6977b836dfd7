"""HTTP/1.1 on asyncio's own sockets, read by a compiled parser: for `KiwoomClient(transport=...)`.

One call at a time on a connection, every body whole, no proxies, no trio: what this client needs,
in a third of the processor's time that httpx takes. A connection on which anything was not as it
should be is not used again. Needs httptools, which the extra `speed` brings.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

import httpx

from ._body import Unpacker
from ._extras import needed
from ._protocol import Request, Response, header_texts

with needed("speed", "httptools"):
    from ._compiled import Answer, Connection

# What httpcore tells of a new connection, before and after.
_TRACE: Final = ("connection.connect_tcp.started", "http11.send_request_headers.started")

_Origin = tuple[str, str, int | None]
_Connected = Callable[[], Awaitable[None]]


class CompiledTransport(httpx.AsyncBaseTransport):
    """Where `KiwoomClient(transport=CompiledTransport())` sends its calls, on asyncio only.

    verify: whom to trust; without it, what httpx trusts.

    RuntimeError where a call is made outside of asyncio.
    """

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._verify = verify
        self._idle: defaultdict[_Origin, list[Connection]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the answer when all of it is there."""
        tell = request.extensions.get("trace", _ignore)

        async def connected() -> None:
            for step in _TRACE:
                await tell(step, {})

        head = _head(request.method, request.url.raw_path, request.headers.raw)
        sent = head + await request.aread()
        answer = await self.exchange(_origin(request.url), sent, connected)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.chunks))

    def line_to(self, base_url: str) -> "CompiledLine":
        """The same without httpx's requests and answers: what `KiwoomClient` sends its calls by."""
        return CompiledLine(self, httpx.URL(base_url))

    async def aclose(self) -> None:
        """Close what is kept."""
        for idle in [*self._idle.values()]:
            while idle:
                connection = idle.pop()
                connection.abort()
                await connection.lost.wait()

    def at_hand(self, origin: _Origin) -> bool:
        """Whether a connection is kept on which a call may be sent at once."""
        idle = self._idle[origin]
        while idle and not idle[-1].fresh():
            idle.pop().abort()
        return bool(idle)

    async def exchange(self, origin: _Origin, sent: bytes, connected: _Connected) -> Answer:
        """The answer to what is sent there; `connected` is awaited after opening a connection."""
        kept = self.at_hand(origin)
        connection = self._idle[origin].pop() if kept else await self._opened(origin)
        try:
            if not kept:
                await connected()
            answer = await connection.exchange(sent)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle[origin].append(connection)
        else:
            connection.abort()
        return answer

    async def _opened(self, origin: _Origin) -> Connection:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "CompiledTransport needs asyncio; on trio, leave `transport` away"
            ) from None
        scheme, host, port = origin
        context = None
        if scheme == "https":
            context = self._verify = self._verify or httpx.create_ssl_context()
        elif scheme != "http":
            raise httpx.UnsupportedProtocol("expected http or https")
        try:
            _, connection = await loop.create_connection(
                Connection,
                host,
                port or (80 if context is None else 443),
                # No `happy_eyeballs_delay`: cancelled in it, asyncio leaves sockets behind.
                ssl=context,
            )
        except (OSError, UnicodeError) as error:
            # The latter of a name with an empty part, or one that is too long.
            raise httpx.ConnectError(str(error)) from error
        return connection


class CompiledLine:
    """Calls to one host, over a `CompiledTransport` that may serve several."""

    def __init__(self, transport: CompiledTransport, base_url: httpx.URL) -> None:
        self._transport = transport
        self._origin = _origin(base_url)
        self._host = base_url.netloc
        self._path = base_url.raw_path.rstrip(b"/")

    def at_hand(self) -> bool:
        """Whether a connection is kept on which a call may be sent at once."""
        return self._transport.at_hand(self._origin)

    async def carry(self, request: Request, connected: Callable[[], object]) -> Response:
        """The whole answer; an error of httpx's where there is none."""

        async def tell() -> None:
            connected()

        headers = [
            (b"host", self._host),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip"),
            (b"content-length", b"%d" % len(request.body)),
            *[(name.encode(), value.encode()) for name, value in request.headers.items()],
        ]
        head = _head("POST", self._path + request.path.encode(), headers)
        answer = await self._transport.exchange(self._origin, head + request.body, tell)
        named = header_texts(answer.headers)
        unpack = Unpacker(named.get("content-encoding", ""))
        for chunk in answer.chunks:
            if not unpack.take(chunk):
                break
        return Response(request, answer.status, named, unpack.whole())

    async def aclose(self) -> None:
        """Close what the transport keeps."""
        await self._transport.aclose()


def _origin(url: httpx.URL) -> _Origin:
    # Names as httpx writes them on the wire; asyncio would encode them by an older standard.
    return url.scheme, url.raw_host.decode("ascii"), url.port


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
