"""aiohttp and the standard library's json: plain dicts, no check, no pace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from measured import LIST, PATH, Pages, Walk, measure, query_of


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Walk]:
    """A session with a token."""
    async with aiohttp.ClientSession(url) as session:
        keys = {"grant_type": "client_credentials", "appkey": "a", "secretkey": "s"}
        async with session.post("/oauth2/token", json=keys) as answer:
            token = (await answer.json())["token"]

        async def walk(market: str) -> Pages:
            headers = {"authorization": f"Bearer {token}", "api-id": "ka90004"}
            more = True
            while more:
                async with session.post(PATH, json=query_of(market), headers=headers) as answer:
                    yield (await answer.json())[LIST]
                    more = answer.headers["cont-yn"] == "Y"
                    headers |= {"cont-yn": "Y", "next-key": answer.headers["next-key"]}

        yield walk


if __name__ == "__main__":
    measure(opened)
