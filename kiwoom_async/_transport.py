"""How a request travels: the only file of the core that knows httpx.

Turns whatever happens on the way into TransportError, TransportTimeout or DecodeError; does not
know what an answer means.
"""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, Self

import anyio
import httpx
from httpx import AsyncBaseTransport

from ._body import Unpacker
from ._errors import KiwoomError, TransportError, TransportTimeout
from ._protocol import Request, Response

__all__ = ["AsyncBaseTransport", "Transport", "checked_base_url", "in_process"]

# Nothing is said goodbye to over the network; a custom transport may want to.
_CLOSING_SECONDS: Final = 5.0
# At five calls a second and fifteen seconds for each, 75 are under way at the most.
_CONNECTIONS: Final = 100
_ALWAYS: Final = {"accept": "*/*", "accept-encoding": "gzip"}


def checked_base_url(base_url: str) -> str:
    """The URL without a trailing slash, or ValueError unless secrets are safe on the way there."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"base_url: {base_url!r} is not a URL") from error
    if url.userinfo or {*"?#"} & {*base_url} or not url.host:
        raise ValueError("base_url: expected scheme://host[:port][/path] and nothing else")
    if url.port is not None and not 0 < url.port < 2**16:
        raise ValueError(f"base_url: got {base_url!r}; expected a port from 1 to 65535")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ValueError(
            f"base_url: got {base_url!r}; allowed are https, and http for loopback addresses "
            "only, because the secret key is sent there"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_process(app: Callable[..., Any]) -> AsyncBaseTransport:
    """A transport that hands requests to an ASGI application in this process."""
    return httpx.ASGITransport(app=app)


def _certificates(*, needed: bool) -> ssl.SSLContext:
    """Whom to trust; made once for the host and every proxy, because reading it takes 30 ms."""
    return httpx.create_ssl_context() if needed else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them where they are."""


_NO_COOKIES: Final = _NoCookies()


class _CookielessClient(httpx.AsyncClient):
    """Keeps nothing of what a gateway sets, and spends no time on looking for it."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, ever."""
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        raise AttributeError(f"no {type(cookies).__name__} is kept")


class Transport:
    """One connection pool to one host."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        transport: AsyncBaseTransport | None,
    ) -> None:
        self._base_url = base_url
        self._host = httpx.URL(base_url).netloc.decode()
        self._urls: dict[str, httpx.URL] = {}
        self._timeout_seconds = timeout_seconds
        self._survives_cancel = getattr(transport, "survives_cancel", False)
        self._places = anyio.Semaphore(_CONNECTIONS, fast_acquire=True)
        self._http = _CookielessClient(
            transport=transport,
            verify=_certificates(needed=transport is None and base_url.startswith("https:")),
            # Those of httpx are for each operation on the socket: a server that drips bytes never
            # trips them. Ours is for the whole attempt.
            timeout=None,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=20),
            follow_redirects=False,
            event_hooks={"response": [_drop_location]},
            # A proxy from the environment must not see what is meant for this machine only.
            trust_env=base_url.startswith("https:"),
        )

    async def aclose(self) -> None:
        """Close every connection, in a program that is being cancelled, too."""
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            await self._http.aclose()

    async def send(
        self, request: Request, connected: Callable[[], Coroutine[Any, Any, None]]
    ) -> Response:
        """The whole answer, within the time that one attempt may take.

        `connected` is run, beside the call, when a new connection had to be opened for it, and is
        ready; it has no more time than the attempt.
        """
        outcomes: list[Response | BaseException] = []

        async def attempt() -> None:
            # Kept, not raised: a failing child would take the place of a cancellation from
            # outside that comes at the same moment, and that one would be lost. So would one that
            # meets the deadline, were it the group's.
            try:
                with anyio.CancelScope(deadline=deadline):
                    outcomes.append(await self._exchange(request, tell_connected))
            except KiwoomError as error:
                outcomes.append(error)

        async def in_time() -> None:
            with anyio.CancelScope(deadline=deadline):
                await connected()

        # httpcore 1.0.9 loses pool slots for good when a request is cancelled while it waits for
        # a connection (encode/httpcore issue 1093). So none ever waits there, and a native
        # Task.cancel reaches the request as the cancellation of a scope, which httpcore survives;
        # a transport that survives both needs no task for it.
        async with self._places:
            deadline = anyio.current_time() + self._timeout_seconds
            try:
                async with anyio.create_task_group() as group:
                    tell_connected = partial(group.start_soon, in_time)
                    if self._survives_cancel:
                        await attempt()
                    else:
                        group.start_soon(attempt)
            except BaseExceptionGroup as failed:
                # A bug in a custom transport or pace; the group is our affair. It comes out even
                # where the answer was there already.
                outcomes[:0] = failed.exceptions
        if not outcomes and anyio.current_time() >= deadline:
            raise TransportTimeout(
                f"{request.api_id}: no complete answer within {self._timeout_seconds:g} s"
            )
        if not outcomes:
            raise TransportError(f"{request.api_id}: the transport cancelled itself")
        if isinstance(outcomes[0], BaseException):
            raise outcomes[0]
        return outcomes[0]

    async def _exchange(self, request: Request, connected: Callable[[], object]) -> Response:
        try:
            return await self._post(request, connected)
        except httpx.PoolTimeout as error:
            raise TransportTimeout(
                f"{request.api_id}: no connection of the pool was free", local=True
            ) from error
        except httpx.TimeoutException as error:
            raise TransportTimeout(f"{request.api_id}: {type(error).__name__}") from error
        except httpx.UnsupportedProtocol as error:
            raise TransportError(f"{request.api_id}: {type(error).__name__}", local=True) from error
        except httpx.ProtocolError as error:
            kind = type(error)
        except (httpx.HTTPError, OSError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise TransportError(f"{request.api_id} at {self._host}: {reason}") from error
        # Raised out here, because not even its context may be the original: that one quotes what
        # was sent, or what came, which may be what was sent.
        local = issubclass(kind, httpx.LocalProtocolError)
        problem = kind("its text is not shown: it quotes what travelled")
        raise TransportError(f"{request.api_id}: {kind.__name__}", local=local) from problem

    async def _post(self, request: Request, connected: Callable[[], object]) -> Response:
        if request.path not in self._urls:
            self._urls[request.path] = httpx.URL(self._base_url + request.path)
        # Not by `build_request`, which puts URL and headers together anew for each.
        length = str(len(request.body))
        headers = {"host": self._host, **_ALWAYS, "content-length": length, **request.headers}
        outgoing = httpx.Request(
            "POST", self._urls[request.path], headers=headers, stream=_Body(request.body)
        )
        outgoing.read()  # a custom transport may ask for its content
        outgoing.extensions["trace"] = _watch(outgoing, connected)
        response = await self._http.send(outgoing, stream=True)
        try:
            body = await _whole_body(response)
        finally:
            # Before the pool has the connection back; where the body is refused, too.
            _give_up_where_more_came(response)
            await response.aclose()
        return Response(request, response.status_code, dict(response.headers.items()), body)


def _give_up_where_more_came(response: httpx.Response) -> None:
    """Have a connection closed, not kept, in which more has come than one answer.

    What is left there would be taken for the answer to the next call, whichever that is. httpcore
    looks at the socket only, and what has been read already is not there any more; nothing public
    tells of it (httpcore 1.0.9), and tests of ours notice when a way is closed.
    """
    stream: Any = response.stream
    try:
        connection = stream._stream._httpcore_stream._stream._connection  # noqa: SLF001
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


async def _drop_location(response: httpx.Response) -> None:
    # httpx would read it, and stumble over a strange one, although redirects are not followed.
    if response.is_redirect:
        response.headers.pop("location", None)


async def _whole_body(response: httpx.Response) -> bytes:
    """The body, unpacked; what is too large or damaged is refused as soon as that is known."""
    if response.is_stream_consumed:
        # A custom transport's that answers from memory.
        unpack = Unpacker("")
        unpack.take(response.content)
        return unpack.whole()
    unpack = Unpacker(response.headers.get("content-encoding", ""))
    # Cancelled, not left: httpx's generators then unwind from within. Left half-way they would
    # stay behind, and trio warns of each.
    with anyio.CancelScope() as reading:
        stream: Any = response.stream
        async for chunk in stream:
            if not unpack.take(chunk):
                reading.cancel()
    return unpack.whole()


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
