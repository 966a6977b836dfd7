"""HTTP/1.1 on asyncio's own sockets, read by a compiled parser: for `KiwoomClient(transport=...)`.

One call at a time on a connection, every body whole, no proxies, no trio: what this client needs,
in half of the processor's time that httpx's own transport takes. A connection on which anything was
not as it should be is not used again. Needs httptools, which the extra `speed` brings.
"""

import asyncio
import selectors
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final, cast

import httpx

from ._body import LARGEST_BODY_BYTES
from ._extras import needed

with needed("speed", "httptools"):
    import httptools

# A connection that was idle for longer may be half closed already; httpx keeps them as long.
_IDLE_SECONDS: Final = 5.0
_MOST_HEADER_BYTES: Final = 64 * 1024
# Needs no file descriptor of its own; Windows has none.
_Poll: Final[type[selectors.BaseSelector]] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)

_Origin = tuple[str, str, int | None]


class CompiledTransport(httpx.AsyncBaseTransport):
    """Where `KiwoomClient(transport=CompiledTransport())` sends its calls, on asyncio only.

    verify: whom to trust; without it, what httpx trusts.

    RuntimeError where a call is made outside of asyncio.
    """

    # `Task.cancel` may reach it at any moment, so no task of its own stands around a call.
    survives_cancel: Final = True

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._verify = verify
        self._idle: defaultdict[_Origin, list[_Connection]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the answer when all of it is there."""
        sent = _encoded(request, await request.aread())
        idle = self._idle[_origin(request.url)]
        connection = _kept(idle) or await self._opened(request)
        try:
            response = await connection.exchange(sent)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            idle.append(connection)
        else:
            connection.abort()
        return response

    async def aclose(self) -> None:
        """Close what is kept."""
        for idle in [*self._idle.values()]:
            while idle:
                connection = idle.pop()
                connection.abort()
                await connection.lost.wait()

    async def _opened(self, request: httpx.Request) -> "_Connection":
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "CompiledTransport needs asyncio; on trio, leave `transport` away"
            ) from None
        # The two steps that httpcore would tell, for those who want to know of a new connection.
        tell = request.extensions.get("trace", _ignore)
        await tell("connection.connect_tcp.started", {})
        scheme, host, port = _origin(request.url)
        context = None
        if scheme == "https":
            context = self._verify = self._verify or httpx.create_ssl_context()
        elif scheme != "http":
            raise httpx.UnsupportedProtocol("expected http or https")
        try:
            _, connection = await loop.create_connection(
                _Connection,
                host,
                port or (80 if context is None else 443),
                # No `happy_eyeballs_delay`: cancelled in it, asyncio leaves sockets behind.
                ssl=context,
            )
        except (OSError, UnicodeError) as error:
            # The latter of a name with an empty part, or one that is too long.
            raise httpx.ConnectError(str(error)) from error
        await tell("http11.send_request_headers.started", {})
        return connection


def _origin(url: httpx.URL) -> _Origin:
    # Names as httpx writes them on the wire; asyncio would encode them by an older standard.
    return url.scheme, url.raw_host.decode("ascii"), url.port


def _kept(idle: "list[_Connection]") -> "_Connection | None":
    while idle:
        connection = idle.pop()
        if connection.fresh():
            return connection
        connection.abort()
    return None


async def _ignore(_: str, __: object) -> None:
    pass


def _encoded(request: httpx.Request, body: bytes) -> bytes:
    lines = [b" ".join((request.method.encode(), request.url.raw_path, b"HTTP/1.1"))]
    lines += [name + b": " + value for name, value in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\n") >= len(lines) or head.count(b"\r") >= len(lines):
        raise httpx.LocalProtocolError("a line break in a header")
    return head + b"\r\n\r\n" + body


class _Body(httpx.AsyncByteStream):
    """What came, still packed: who reads it decides how far it may be unpacked."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class _Connection(asyncio.Protocol):
    """One connection, and the one call that is under way on it."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.reusable = self._in_body = False
        self._loop = asyncio.get_running_loop()
        self._idle_since = self._loop.time()
        self._waiting: asyncio.Future[httpx.Response] | None = None

    async def exchange(self, sent: bytes) -> httpx.Response:
        """Send it, and wait for the answer."""
        if self.lost.is_set():
            raise httpx.ReadError("the server closed the connection")
        self.reusable = True
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._header_bytes = self._body_bytes = 0
        self._in_body = False
        self._waiting = self._loop.create_future()
        self._transport.write(sent)
        try:
            return await self._waiting
        finally:
            if self._waiting.done() and not self._waiting.cancelled():
                self._waiting.exception()  # asyncio complains where nobody has looked
            self._waiting = None
            self._idle_since = self._loop.time()

    def fresh(self) -> bool:
        """Whether a call may be sent on it."""
        recent = self._loop.time() - self._idle_since < _IDLE_SECONDS
        # Over TLS, `connection_lost` comes a turn later than the end.
        ended = self._transport.is_closing()
        return self.reusable and recent and not ended and not self._readable()

    def _readable(self) -> bool:
        # Something may have come, or the end, that the loop has had no turn to tell of.
        with _Poll() as poll:
            poll.register(self._transport.get_extra_info("socket"), selectors.EVENT_READ)
            return bool(poll.select(0))

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's over TLS is one by what it does, not by its class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            # What nobody asked for would be taken for the answer to the next call.
            self.reusable = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(type(error).__name__))
        self._header_bytes += 0 if self._in_body else len(data)
        if self._header_bytes > _MOST_HEADER_BYTES:
            self._fail(httpx.RemoteProtocolError("headers without end"))
        if self._body_bytes > LARGEST_BODY_BYTES:
            # Whoever reads it refuses it for its size.
            self.reusable = False
            self._finish()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set()
        self.reusable = False
        if exc is None and self._in_body and self._ends_with_connection():
            self._finish()
        else:
            self._fail(httpx.ReadError("the server closed the connection"))

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._waiting is not None and self._waiting.done():
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._body_bytes += len(chunk)

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            self._headers, self._in_body = [], False
            return
        self.reusable = self.reusable and self._parser.should_keep_alive()
        self._finish()

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self._headers}
        return not names & {b"content-length", b"transfer-encoding"}

    def _finish(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            status, body = self._parser.get_status_code(), _Body(self._chunks)
            self._waiting.set_result(httpx.Response(status, headers=self._headers, stream=body))
            # What follows in the same breath is no part of it.
            self._chunks = []

    def _fail(self, error: httpx.TransportError) -> None:
        self.reusable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
