"""kiwoom-restful: its HTTP client's `request_until`, which returns all pages at once, as dicts.

Its API class would connect a WebSocket as well, so the client below it is used, as that class does.
Its README advises uvloop; here all run on asyncio's own loop, so that the clients are compared.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiwoom.http.client import Client
from measured import APP_KEY, PATH, ROWS_KEY, SECRET_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a client whose limiter does not wait."""
    client = Client(url, APP_KEY, SECRET_KEY)
    client._limiter.set(1e9)  # noqa: SLF001 - there is no other way
    await client._connect(APP_KEY, SECRET_KEY, {"User-Agent": "benchmark/1"})  # noqa: SLF001

    async def walk(market: str) -> Pages:
        body = await client.request_until(
            lambda _: True, PATH, "ka90004", data=request_body(market)
        )
        yield body[ROWS_KEY]

    try:
        yield walk
    finally:
        await client.close()


if __name__ == "__main__":
    measure(open_pages)
