"""httpx and the standard library's json: plain dicts, no check, no pace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from measured import PATH, ROWS_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a client and get a token."""
    async with httpx.AsyncClient(base_url=url) as client:
        keys = {"grant_type": "client_credentials", "appkey": "a", "secretkey": "s"}
        token = (await client.post("/oauth2/token", json=keys)).json()["token"]

        async def walk(market: str) -> Pages:
            headers = {"authorization": f"Bearer {token}", "api-id": "ka90004"}
            more = True
            while more:
                answer = await client.post(PATH, json=request_body(market), headers=headers)
                yield answer.json()[ROWS_KEY]
                more = answer.headers["cont-yn"] == "Y"
                headers |= {"cont-yn": "Y", "next-key": answer.headers["next-key"]}

        yield walk


if __name__ == "__main__":
    measure(open_pages)
