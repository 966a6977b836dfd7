"""Engines, and one round trip of a request; HttpxEngine is the default.

Requests travel by `httpx.AsyncClient`, rows are made by cattrs. A program chooses another engine
by `KiwoomClient(engine=...)`.
"""

import ssl
import warnings
from collections.abc import AsyncIterator
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Protocol, Self, runtime_checkable

import anyio
import httpx
from attrs import define, field

from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.messages import MAX_BODY_BYTES, Request, Response, unpack_body
from kiwoom_async._protocol.pages import decode_page
from kiwoom_async._protocol.query import Query, RowT, TotalsT
from kiwoom_async._protocol.results import Page
from kiwoom_async.errors import KiwoomError, TransportError

from .http_errors import no_answer_in_time, transport_error
from .httpcore_guard import CONNECTION_LIMIT, WARNING, Connection, inspect_connection
from .network import certificates, proxy_for

# Closing needs no round trip; custom transports get this long.
_CLOSING_SECONDS: Final = 5.0
_KEPT_CONNECTIONS: Final = 20
# httpx's timeouts are for each operation on the socket: a server that drips bytes never trips
# them. The round trip has a deadline of its own.
_NO_TIMEOUTS: Final = httpx.Timeout(None).as_dict()
# A client calls a few URLs, again and again.
_parsed_url: Final = lru_cache(maxsize=64)(httpx.URL)


@runtime_checkable
class Engine(Protocol):
    """Sends requests, and reads pages from the answers."""

    async def send(self, request: Request, *, timeout_seconds: float) -> Response:
        """Return the whole answer; TransportError, TransportTimeout or DecodeError without one."""
        ...

    def decode_page(
        self, response: Response, query: Query[RowT, TotalsT], cursor: Cursor, on_undecoded: str
    ) -> Page[RowT, TotalsT]:
        """Return the page in an answer, as `kiwoom_async._protocol.pages.decode_page` does."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@define(eq=False)
class RoundTrip:
    """One request and its outcome: an answer, an error, or neither at the deadline.

    An engine says in `_exchange` how the request goes and the answer comes.
    """

    request: Request
    timeout_seconds: float
    _deadline: float = field(init=False)
    _response: Response | None = field(init=False, default=None)
    _error: BaseException | None = field(init=False, default=None)

    async def _exchange(self) -> Response:
        """Return the answer, or raise an error of httpx's or of the tree."""
        raise NotImplementedError

    async def run(self) -> None:
        """Travel until the deadline, and keep the outcome.

        It is kept, not raised: raised from a child task, or by the deadline of a scope around
        one, it would replace a cancellation from outside that comes at the same moment.
        """
        self._deadline = anyio.current_time() + self.timeout_seconds
        try:
            with anyio.CancelScope(deadline=self._deadline):
                self._response = await self._exchange()
        except KiwoomError as error:
            self._error = error
        except (httpx.HTTPError, OSError) as error:
            self._error = transport_error(self.request, error)

    async def run_in_child_task(self) -> Response:
        """Return the answer, or raise what happened instead.

        It runs in a task of its own, so that a native Task.cancel arrives as a scope's
        cancellation: httpcore loses pool slots to the former (see `httpcore_guard`).
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self.run)
        except BaseExceptionGroup as errors:
            # A bug in a custom transport; the group is an internal matter.
            self._error = errors.exceptions[0]
        if self._error is not None:
            raise self._error
        if self._response is not None:
            return self._response
        if anyio.current_time() >= self._deadline:
            raise no_answer_in_time(self.request, self.timeout_seconds)
        raise TransportError(f"{self.request.api_id}: the transport cancelled itself")


class HttpxEngine:
    """Sends by `httpx.AsyncClient`, with the proxy and the certificates that `network` finds."""

    # Rows are made by cattrs.
    decode_page = staticmethod(decode_page)

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._connection_limit = anyio.Semaphore(CONNECTION_LIMIT, fast_acquire=True)
        self._clients = [self._new_client(_KEPT_CONNECTIONS)]
        self._connection_headers: dict[str, str] = {}

    def _new_client(self, kept_connections: int) -> httpx.AsyncClient:
        https = self._base_url.startswith("https:")
        own_transport = self._transport is None
        # A proxy must not see what is meant for this machine or a private network.
        proxied = https and own_transport
        return httpx.AsyncClient(
            transport=self._transport,
            proxy=proxy_for(httpx.URL(self._base_url)) if proxied else None,
            verify=certificates() if proxied else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            limits=httpx.Limits(
                max_connections=CONNECTION_LIMIT, max_keepalive_connections=kept_connections
            ),
            # `network` reads proxies and certificates of the environment, with clear errors.
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"response": [_drop_location]},
        )

    async def send(self, request: Request, *, timeout_seconds: float) -> Response:
        """Return the whole answer, within the time that one attempt may take."""
        outgoing = httpx.Request(
            "POST",
            _parsed_url(request.url),
            headers={**self._connection_headers, **request.headers},
            content=request.body,
            extensions={"timeout": dict(_NO_TIMEOUTS)},
        )
        outgoing.stream = _RequestBody(request.body)
        async with self._connection_limit:
            round_trip = HttpxRoundTrip(request, timeout_seconds, self._clients[-1], outgoing)
            try:
                return await round_trip.run_in_child_task()
            finally:
                if round_trip.connection is Connection.UNKNOWN:
                    self._stop_keeping_connections()

    async def aclose(self) -> None:
        """Close every connection, in a program that is being cancelled, too."""
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            for client in self._clients:
                await client.aclose()

    def _stop_keeping_connections(self) -> None:
        """Use each connection once from now on, and warn of it."""
        if not self._connection_headers:
            self._connection_headers = {"connection": "close"}
            # The connections there are serve the calls under way, and no others.
            if self._transport is None:
                self._clients.append(self._new_client(0))
            warnings.warn(WARNING, RuntimeWarning, stacklevel=2)


@define(eq=False)
class HttpxRoundTrip(RoundTrip):
    """One request by httpx."""

    client: httpx.AsyncClient
    outgoing: httpx.Request
    connection: Connection = field(init=False, default=Connection.CLEAN)

    async def _exchange(self) -> Response:
        response = await self.client.send(
            self.outgoing, stream=True, auth=None, follow_redirects=False
        )
        try:
            body = await _read_body(response)
        finally:
            # Before the pool has the connection back, and if the body is refused, too.
            if "network_stream" in response.extensions:
                self.connection = inspect_connection(response)
            await response.aclose()
        return Response(self.request, response.status_code, dict(response.headers.items()), body)


async def _drop_location(response: httpx.Response) -> None:
    """Remove the target of a redirect: httpx reads even one that it does not follow."""
    if "location" in response.headers:
        del response.headers["location"]


async def _read_body(response: httpx.Response) -> bytes:
    """Return the body, unpacked; stop as soon as it is too large."""
    if response.is_stream_consumed:
        # A custom transport that answers from memory has unpacked it.
        return unpack_body(response.content, "")
    body = bytearray()
    stream: Any = response.stream
    chunks = aiter(stream)
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            await _cancel_body(chunks)
            break
    return unpack_body(bytes(body), response.headers.get("content-encoding", ""))


async def _cancel_body(chunks: AsyncIterator[bytes]) -> None:
    """Cancel the reading, so that httpx's generators end; trio warns of any left half-way."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            pass


@define(eq=False)
class _RequestBody(httpx.AsyncByteStream):
    """A request's body without an async generator.

    trio warns of httpx's own, which a cancellation leaves half-way.
    """

    _content: bytes
    _sent: bool = field(init=False, default=False)

    def __aiter__(self) -> Self:
        # From the beginning each time: a custom transport may send twice.
        self._sent = False
        return self

    async def __anext__(self) -> bytes:
        if self._sent:
            raise StopAsyncIteration
        self._sent = True
        return self._content
