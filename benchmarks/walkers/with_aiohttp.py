"""aiohttp and the standard library's json: plain dicts, no check, no pace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from measured import PATH, ROWS_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a session and get a token."""
    async with aiohttp.ClientSession(url) as session:
        keys = {"grant_type": "client_credentials", "appkey": "a", "secretkey": "s"}
        async with session.post("/oauth2/token", json=keys) as answer:
            token = (await answer.json())["token"]

        async def walk(market: str) -> Pages:
            headers = {"authorization": f"Bearer {token}", "api-id": "ka90004"}
            more = True
            while more:
                async with session.post(PATH, json=request_body(market), headers=headers) as answer:
                    yield (await answer.json())[ROWS_KEY]
                    more = answer.headers["cont-yn"] == "Y"
                    headers |= {"cont-yn": "Y", "next-key": answer.headers["next-key"]}

        yield walk


if __name__ == "__main__":
    measure(open_pages)
