"""kiwoom-rest-trade: its asynchronous client, pydantic models of text.

It knows two hosts only, and drops the headers of answers, which a walk needs to continue. So its
host is replaced, and the headers are taken from httpx.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from kiwoom.api.base import BaseAPI
from kiwoom.auth import TokenManager
from kiwoom.client import AsyncKiwoomClient
from kiwoom.models.domestic import Ka90004Request
from measured import APP_KEY, SECRET_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a client without its limiter."""
    seen = httpx.Headers()
    BaseAPI.base_url = TokenManager.base_url = property(lambda _: url)
    request = httpx.AsyncClient.request

    async def remember_headers(
        self: httpx.AsyncClient, *args: Any, **options: Any
    ) -> httpx.Response:
        nonlocal seen
        answer = await request(self, *args, **options)
        seen = answer.headers
        return answer

    httpx.AsyncClient.request = remember_headers  # type: ignore[method-assign]
    client = AsyncKiwoomClient(APP_KEY, SECRET_KEY)
    client.limiter = None

    async def walk(market: str) -> Pages:
        headers: dict[str, str] = {}
        more = True
        while more:
            query = Ka90004Request(**request_body(market))
            answer = await client.domestic.ka90004(query, headers=headers)
            yield answer.stk_prm_trde_prst
            more = seen["cont-yn"] == "Y"
            headers = {"cont-yn": "Y", "next-key": seen["next-key"]}

    yield walk


if __name__ == "__main__":
    measure(open_pages)
