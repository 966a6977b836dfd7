"""Calls over httpx: the default, and whatever transport takes its place.

Knows httpx and httpcore inside out, where they must be watched; does not know how long a call may
take, nor what its errors mean.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Self

import anyio
import httpx

from kiwoom_async._protocol.body import ACCEPTED, Unpacker
from kiwoom_async._protocol.messages import Request, Response, header_texts

# httpx's are for each operation on the socket: a server that drips bytes never trips them.
_NO_TIMEOUTS: Final = httpx.Timeout(None).as_dict()


def _certificates(*, needed: bool) -> ssl.SSLContext:
    """Whom to trust; made once for the host and every proxy, because reading it takes 30 ms."""
    return httpx.create_ssl_context() if needed else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class HttpxLine:
    """One `httpx.AsyncClient`, for one host.

    It decides on proxies, certificates and connections. Requests go right to the transport that
    it has for the host: its own way there takes a tenth of a call, for auth, cookies, redirects
    and hooks, of which no call of ours has any.
    """

    def __init__(
        self, base_url: str, transport: httpx.AsyncBaseTransport | None, *, connections: int
    ) -> None:
        self._base_url = base_url
        self._host = httpx.URL(base_url).netloc.decode()
        self._urls: dict[str, httpx.URL] = {}
        self._http = httpx.AsyncClient(
            transport=transport,
            verify=_certificates(needed=transport is None and base_url.startswith("https:")),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=20),
            # A proxy from the environment must not see what is meant for this machine only.
            trust_env=base_url.startswith("https:"),
        )
        # Nothing public tells which one it is (httpx 0.28.1).
        self._transport = self._http._transport_for_url(httpx.URL(base_url))  # noqa: SLF001

    def at_hand(self) -> None:
        """None: httpx does not tell, and its pool does not stand every cancellation."""

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def carry(self, request: Request, connected: Callable[[], object]) -> Response:
        """The whole answer; an error of httpx's where there is none."""
        if request.path not in self._urls:
            self._urls[request.path] = httpx.URL(self._base_url + request.path)
        # Not by `build_request`, which puts URL and headers together anew for each.
        length = str(len(request.body))
        headers = {"host": self._host, **ACCEPTED, "content-length": length, **request.headers}
        outgoing = httpx.Request(
            "POST", self._urls[request.path], headers=headers, stream=_Body(request.body)
        )
        outgoing.read()  # a custom transport may ask for its content
        outgoing.extensions["timeout"] = dict(_NO_TIMEOUTS)
        outgoing.extensions["trace"] = _watch(outgoing, connected)
        response = await self._transport.handle_async_request(outgoing)
        try:
            body = await _whole_body(response)
        finally:
            # Before the pool has the connection back; where the body is refused, too.
            _give_up_where_more_came(response)
            await response.aclose()
        return Response(request, response.status_code, header_texts(response.headers.raw), body)


def _give_up_where_more_came(response: httpx.Response) -> None:
    """Have a connection closed, not kept, in which more has come than one answer.

    What is left there would be taken for the answer to the next call, whichever that is. httpcore
    looks at the socket only, and what has been read already is not there any more; nothing public
    tells of it (httpcore 1.0.9), and tests of ours notice when a way is closed.
    """
    stream: Any = response.stream
    try:
        connection = stream._httpcore_stream._stream._connection  # noqa: SLF001
        rest, _ = connection._h11_state.trailing_data  # noqa: SLF001
        more_came = rest or _read_ahead(connection._network_stream._stream)  # noqa: SLF001
    except AttributeError:
        return  # a custom transport
    if more_came:
        # What is in this state is closed by httpcore when the answer is.
        connection._h11_state.send_failed()  # noqa: SLF001


def _read_ahead(stream: Any) -> bool:
    """Whether anyio or trio hold anything that httpcore has not asked for yet."""
    while stream is not None:
        # Records of TLS: those of anyio, those of trio. Then what anyio took from the socket.
        records = getattr(stream, "_read_bio", None) or getattr(stream, "_incoming", None)
        protocol = getattr(stream, "_protocol", None)
        if (records is not None and records.pending) or getattr(protocol, "read_queue", None):
            return True
        stream = getattr(stream, "transport_stream", None)
    return False


async def _whole_body(response: httpx.Response) -> bytes:
    """The body, unpacked; what is too large or damaged is refused as soon as that is known."""
    if response.is_stream_consumed:
        # A custom transport's that answers from memory.
        unpack = Unpacker("")
        unpack.take(response.content)
        return unpack.whole()
    unpack = Unpacker(response.headers.get("content-encoding", ""))
    stream: Any = response.stream
    chunks = aiter(stream)
    async for chunk in chunks:
        if not unpack.take(chunk):
            await _break_off(chunks)
            break
    return unpack.whole()


async def _break_off(chunks: AsyncIterator[bytes]) -> None:
    """Cancel the reading: httpx's generators unwind from within.

    Left half-way they would stay behind, and trio warns of each.
    """
    with anyio.CancelScope() as reading:
        reading.cancel()
        async for _ in chunks:
            pass


def _watch(
    request: httpx.Request, connected: Callable[[], object]
) -> Callable[[str, object], Awaitable[None]]:
    """A trace for httpcore, which tells it each step of a request as it happens."""
    opened = False

    async def trace(step: str, _: object) -> None:
        nonlocal opened
        if step == "connection.connect_tcp.started":
            opened = True
        elif step == "http11.send_request_headers.started":
            # Nothing that comes after is of interest, and being told takes time.
            request.extensions.pop("trace", None)
            if opened:
                connected()

    return trace


class _Body(httpx.ByteStream):
    """A request's body that can be cancelled in silence.

    httpx's own is read by an async generator, and trio warns of each that a cancellation leaves
    behind.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._left: list[bytes] = []

    def __aiter__(self) -> Self:
        # From the beginning each time: a custom transport may send twice.
        self._left = [self._content]
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
