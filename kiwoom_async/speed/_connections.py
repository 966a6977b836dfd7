"""Connections on asyncio's sockets, parsed by httptools, each with one call at a time."""

import asyncio
import math
import select
import selectors
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, cast

import httptools
import httpx

from kiwoom_async._io.network import certificates
from kiwoom_async._protocol.messages import MAX_BODY_BYTES

# A connection that was idle for longer may be half closed already; httpx keeps them as long.
_IDLE_SECONDS: Final = 5.0
_MAX_HEADER_BYTES: Final = 64 * 1024
# A page fits. asyncio's own buffer is larger, and made anew for each.
_BUFFER_BYTES: Final = 64 * 1024
Headers = list[tuple[bytes, bytes]]
Origin = tuple[str, str, int | None]


class Answer(NamedTuple):
    """One answer, its body still packed."""

    status: int
    headers: Headers
    chunks: list[bytes]


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and port."""
    # Names as httpx writes them on the wire; asyncio would encode them by an older standard.
    return url.scheme, url.raw_host.decode("ascii"), url.port


class Connection(asyncio.BufferedProtocol):
    """A connection, and the call that is under way on it."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.reusable = self._in_body = False
        self._loop = asyncio.get_running_loop()
        self._idle_since = self._loop.time()
        self._waiting: asyncio.Future[Answer] | None = None
        # Of the call under way. The timer may be one of an earlier call, and then goes on to it.
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))

    async def exchange(self, content: bytes, timeout_seconds: float | None) -> Answer:
        """Send a request, and return the answer; httpx.ReadTimeout if it takes longer."""
        if self.lost.is_set():
            raise httpx.ReadError("the server closed the connection")
        self.reusable = True
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._chunks: list[bytes] = []
        self._other_bytes = self._body_bytes = 0
        self._in_body = False
        self._waiting = self._loop.create_future()
        self._transport.write(content)
        if timeout_seconds is not None:
            self._set_deadline(self._loop.time() + timeout_seconds)
        try:
            return await self._waiting
        finally:
            self._deadline = math.inf
            if self._waiting.done() and not self._waiting.cancelled():
                self._waiting.exception()  # asyncio warns of errors that were not retrieved
            self._waiting = None
            self._idle_since = self._loop.time()

    def fit(self) -> bool:
        """Return True if a call may be sent on it."""
        recent = self._loop.time() - self._idle_since < _IDLE_SECONDS
        # Over TLS, `connection_lost` comes a turn later than the end.
        ended = self._transport.is_closing()
        # Bytes may have come, or the end, that the loop has not reported yet.
        return self.reusable and recent and not ended and not self._arrived()

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's over TLS is one by what it does, not by its class.
        self._transport = cast("asyncio.Transport", transport)
        self._arrived = _poll(transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._waiting is None or self._waiting.done():
            # Unrequested bytes would be taken for the answer to the next call.
            self.reusable = False
            return
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(type(error).__name__))
        self._other_bytes += nbytes
        # A body in pieces of one byte has five others around each.
        if self._other_bytes > _MAX_HEADER_BYTES + 8 * self._body_bytes:
            self._fail(httpx.RemoteProtocolError("headers without end"))
        if self._body_bytes > MAX_BODY_BYTES:
            # `unpack_body` refuses it for its size.
            self.reusable = False
            self._finish()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.set()
        self.reusable = False
        if self._timer is not None:
            self._timer.cancel()
        if exc is None and self._in_body and self._ends_with_connection():
            self._finish()
        else:
            self._fail(httpx.ReadError("the server closed the connection"))

    def on_message_begin(self) -> None:
        if self._waiting is not None and self._waiting.done():
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer behind a body in pieces is no header of the answer.
        if not self._in_body:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._body_bytes += len(chunk)
        self._other_bytes -= len(chunk)

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
            answer = Answer(self._parser.get_status_code(), self._headers, self._chunks)
            self._waiting.set_result(answer)
            # Bytes behind the answer are no part of it.
            self._headers, self._chunks = [], []

    def _set_deadline(self, deadline: float) -> None:
        """Let the call under way fail at the deadline; a timer for each call would take longer."""
        self._deadline = deadline
        if self._timer is not None and self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._fail(httpx.ReadTimeout("no complete answer in time"))
        elif self._deadline < math.inf:
            self._set_deadline(self._deadline)

    def _fail(self, error: httpx.TransportError) -> None:
        self.reusable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


def _poll(socket: Any) -> Callable[[], Any]:
    """Return a function that says whether bytes, or the end, have arrived at a socket."""
    # A poll needs no file descriptor of its own; Windows has none.
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(socket, select.POLLIN)
        return partial(poll.poll, 0)
    selector = selectors.SelectSelector()
    selector.register(socket, selectors.EVENT_READ)
    return partial(selector.select, 0)


class Connections:
    """The connections to all hosts, kept while they are fit for another call."""

    def __init__(self, verify: ssl.SSLContext | None) -> None:
        self._verify = verify
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)

    def idle(self, origin: Origin) -> Connection | None:
        """Return an idle connection, which is the caller's from then on, or None."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.fit():
                return connection
            connection.abort()
        return None

    async def exchange(
        self,
        connection: Connection,
        origin: Origin,
        content: bytes,
        timeout_seconds: float | None,
    ) -> Answer:
        """Return the answer to a request; the connection is kept afterwards, or closed."""
        try:
            answer = await connection.exchange(content, timeout_seconds)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle[origin].append(connection)
        else:
            connection.abort()
        return answer

    async def open(self, origin: Origin) -> Connection:
        """Return a new connection; httpx.ConnectError if there is none to be had."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "kiwoom_async.speed needs asyncio; on trio, use the default engine"
            ) from None
        scheme, host, port = origin
        context = None
        if scheme == "https":
            context = self._verify = self._verify or certificates()
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
            # UnicodeError: a host name with an empty part, or one that is too long.
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def aclose(self) -> None:
        """Close the idle connections."""
        for idle in [*self._idle.values()]:
            while idle:
                connection = idle.pop()
                connection.abort()
                await connection.lost.wait()


def encode_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a request; httpx.LocalProtocolError for a line break in a header."""
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers]]
    head = "\r\n".join(lines)
    if head.count("\n") >= len(lines) or head.count("\r") >= len(lines):
        raise httpx.LocalProtocolError("a line break in a header")
    return f"{head}\r\n\r\n".encode("latin-1")
