"""kiwoom-playground: its typed client, the loop over its continuation, pydantic models of text.

It is synchronous, so an asyncio program calls it in a thread; each call is a new connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiwoom_rest.client import KiwoomClient
from measured import APP_KEY, SECRET_KEY, Pages, Walk, measure, request_body


@asynccontextmanager
async def open_pages(url: str) -> AsyncIterator[Walk]:
    """Open a client that does not wait between calls."""
    client = KiwoomClient(APP_KEY, SECRET_KEY, base_url=url)
    client.core._call_delay = 0.0  # noqa: SLF001 - there is no other way

    async def walk(market: str) -> Pages:
        more = {"cont_yn": "", "next_key": ""}
        last = False
        while not last:
            answer = await asyncio.to_thread(
                client.program_trading_by_item, **request_body(market), **more
            )
            yield answer.stk_prm_trde_prst
            last = answer.cont_yn != "Y"
            more = {"cont_yn": answer.cont_yn, "next_key": answer.next_key}

    yield walk


if __name__ == "__main__":
    measure(open_pages)
