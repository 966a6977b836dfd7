"""FastEngine: requests over compiled connections, pages read by columns."""

import ssl
from functools import lru_cache
from typing import Any, NamedTuple

import anyio
import httpx
from attrs import define

from kiwoom_async._io.http import RoundTrip
from kiwoom_async._io.http_errors import no_answer_in_time, transport_error
from kiwoom_async._io.httpcore_guard import CONNECTION_LIMIT
from kiwoom_async._protocol.convert import structure_totals
from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.messages import Request, Response, unpack_body
from kiwoom_async._protocol.pages import decode_page, make_page
from kiwoom_async._protocol.query import Query, RowT, TotalsT
from kiwoom_async._protocol.results import Page
from kiwoom_async.errors import TransportError

from ._columns import read_page
from ._connections import Connection, Connections, Origin, encode_head, origin_of


class FastEngine:
    """HTTP/1.1 on asyncio's own sockets, parsed by httptools; pages parsed by msgspec.

    A page on which anything is out of the ordinary is read by the default engine's way, which
    judges it. RuntimeError if a call is made outside of asyncio; proxies are not used.

    verify: the authorities to trust; without it, httpx's.
    """

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._connections = Connections(verify)
        self._connection_limit = anyio.Semaphore(CONNECTION_LIMIT, fast_acquire=True)

    async def send(self, request: Request, *, timeout_seconds: float) -> Response:
        """Return the whole answer, within the time that one attempt may take."""
        address = _address(request.url)
        async with self._connection_limit:
            idle = self._connections.idle(address.origin)
            if idle is None:
                # asyncio leaves sockets behind if connecting is cancelled natively.
                first = FirstRoundTrip(request, timeout_seconds, self._connections, address)
                return await first.run_in_child_task()
            try:
                return await _send_on(self._connections, idle, address, request, timeout_seconds)
            except httpx.TimeoutException:
                failure: TransportError = no_answer_in_time(request, timeout_seconds)
            except (httpx.HTTPError, OSError) as error:
                failure = transport_error(request, error)
        # Raised out here, so that it does not carry the original, whose text may quote a secret.
        raise failure

    def decode_page(
        self,
        response: Response,
        query: Query[RowT, TotalsT],
        cursor: Cursor,
        on_undecoded: str = "raise",
    ) -> Page[RowT, TotalsT]:
        """Return the page in an answer, with the errors of the default engine."""
        result = read_page(response, query)
        if result is None:
            return decode_page(response, query, cursor, on_undecoded)
        rows, body = result
        totals = _totals(query.totals_class, tuple(body.items()))
        return make_page(query, cursor, response, rows, totals, blank_rows=0, undecoded=[])

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


class _Address(NamedTuple):
    """The parts of a URL."""

    origin: Origin
    host: str
    target: str


@define(eq=False)
class FirstRoundTrip(RoundTrip):
    """One request on a new connection."""

    connections: Connections
    address: _Address

    async def _exchange(self) -> Response:
        connection = await self.connections.open(self.address.origin)
        # `run` keeps the deadline, which is for connecting, too.
        return await _send_on(self.connections, connection, self.address, self.request, None)


async def _send_on(
    connections: Connections,
    connection: Connection,
    address: _Address,
    request: Request,
    timeout_seconds: float | None,
) -> Response:
    """Return the answer to a request on a connection, which is kept afterwards, or closed."""
    length = str(len(request.body))
    headers = {"host": address.host, "content-length": length, **request.headers}
    try:
        content = encode_head("POST", address.target, headers.items()) + request.body
    except httpx.LocalProtocolError:
        connection.abort()
        raise
    answer = await connections.exchange(connection, address.origin, content, timeout_seconds)
    answer_headers = _decode_headers(answer.headers)
    body = unpack_body(b"".join(answer.chunks), answer_headers.get("content-encoding", ""))
    return Response(request, answer.status, answer_headers, body)


def _totals(cls: Any, texts: tuple[tuple[str, str], ...]) -> Any:
    """Return the totals; what cannot change is made once for all pages that state the same."""
    # attrs gives a hash of the values to what is frozen.
    if cls is None or cls.__hash__ in (None, object.__hash__):
        return structure_totals(dict(texts), cls)
    return _kept_totals(cls, texts)


@lru_cache(maxsize=64)
def _kept_totals(cls: Any, texts: tuple[tuple[str, str], ...]) -> Any:
    return structure_totals(dict(texts), cls)


@lru_cache(maxsize=64)
def _address(url: str) -> _Address:
    parsed = httpx.URL(url)
    return _Address(
        origin_of(parsed), parsed.netloc.decode("ascii"), parsed.raw_path.decode("ascii")
    )


def _decode_headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name; two of a name are one with a comma between."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1").strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
