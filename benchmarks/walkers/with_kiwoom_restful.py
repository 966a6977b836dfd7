"""kiwoom-restful: its HTTP client's `request_until`, which gives all pages at once, as dicts.

Its API class would connect a WebSocket as well, so the client beneath it is used as API uses it.
Its README advises uvloop; here all run on asyncio's own loop, so that the clients are compared.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiwoom.http.client import Client
from measured import LIST, PATH, Pages, Walk, measure, query_of


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Walk]:
    """A client whose limiter does not wait."""
    client = Client(url, "a", "s")
    client._limiter.set(1e9)  # noqa: SLF001 - there is no other way
    await client._connect("a", "s", {"User-Agent": "benchmark/1"})  # noqa: SLF001

    async def walk(market: str) -> Pages:
        found = await client.request_until(lambda _: True, PATH, "ka90004", data=query_of(market))
        yield found[LIST]

    try:
        yield walk
    finally:
        await client.close()


if __name__ == "__main__":
    measure(opened)
