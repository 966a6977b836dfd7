"""CompiledTransport: the compiled connections for httpx itself."""

import ssl
from collections.abc import AsyncIterator

import httpx

from ._connections import Connections, encode_head, origin_of


class CompiledTransport(httpx.AsyncBaseTransport):
    """A transport for `KiwoomClient(transport=...)` or any `httpx.AsyncClient`, on asyncio only.

    One call at a time on a connection, every body whole, no proxies. Of httpx's timeouts it has
    `read`, which is for the whole answer. `FastEngine` uses the same connections without httpx's
    requests and responses. RuntimeError outside of asyncio.

    verify: the authorities to trust; without it, httpx's.
    """

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._connections = Connections(verify)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and return the answer when all of it is there."""
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
        ]
        content = encode_head(request.method, request.url.raw_path.decode("ascii"), pairs)
        content += await request.aread()
        origin = origin_of(request.url)
        connection = self._connections.idle(origin)
        if connection is None:
            connection = await self._connections.open(origin)
        timeouts = request.extensions.get("timeout", {})
        answer = await self._connections.exchange(connection, origin, content, timeouts.get("read"))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.chunks))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


class _Body(httpx.AsyncByteStream):
    """A body for httpx."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
