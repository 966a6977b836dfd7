"""What a row costs through `merge`, against walking one query; and what six merged walks hold.

Ratios of one run, in alternating order. A canned transport answers, so that no server is timed.
"""

import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import Sandbox

REPEATS = 7
PAGES = 40
ROWS = 50
SIX = [ProgramTradeQuery("2026-11-20", market, venue) for market in Market for venue in Exchange]
ONE = SIX[0]
# The merge asks for the same number of pages in all.
ALONE = PAGES * len(SIX)


class Canned(httpx.AsyncBaseTransport):
    """Answers of `pages` pages a walk, each `ROWS` rows."""

    def __init__(self, pages: int) -> None:
        rows = Sandbox(kospi_stocks=ROWS).rows("20261120", "P00101", "1")
        self._body = json.dumps({"stk_prm_trde_prst": rows, "return_code": 0}).encode()
        self._pages = pages

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer at once."""
        await asyncio.sleep(0)
        if request.url.path == "/oauth2/token":
            token = {"token": "t", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        number = int(request.headers.get("next-key") or 1)
        more = number < self._pages
        headers = {"cont-yn": "Y" if more else "N", "next-key": str(number + 1) if more else ""}
        return httpx.Response(200, content=self._body, headers=headers)


def client(pages: int) -> KiwoomClient:
    return KiwoomClient("a", "b", transport=Canned(pages), requests_per_second=1e9)


async def one_query() -> int:
    async with client(ALONE) as kiwoom:
        return sum([1 async for _ in kiwoom.rows(ONE)])


async def merged() -> int:
    async with client(PAGES) as kiwoom, kiwoom.merge(SIX) as pages:
        return sum([1 async for _ in pages.rows()])


def microseconds_a_row(walk: Callable[[], Coroutine[Any, Any, int]]) -> float:
    gc.collect()
    began = time.process_time()
    rows = asyncio.run(walk())
    if rows != ALONE * ROWS:
        raise SystemExit(f"{rows:,} rows came, {ALONE * ROWS:,} were expected")
    return (time.process_time() - began) / rows * 1e6


async def memory_of_six() -> float:
    """Most that a merge of six full days holds, in MB."""
    async with client(50) as kiwoom:
        await kiwoom.page(ONE)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with kiwoom.merge(SIX) as pages:
            async for _ in pages:
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return (most - before) / 1e6


def main() -> None:
    asyncio.run(merged())
    pairs = [(microseconds_a_row(one_query), microseconds_a_row(merged)) for _ in range(REPEATS)]
    alone, together = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(merge / one for one, merge in pairs)
    print(f"rows of one query    {alone:6.2f} us a row")
    print(f"rows of six, merged  {together:6.2f} us a row")
    spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"ratio                {statistics.median(ratios):6.2f} {spread}")
    print(f"six merged walks hold {asyncio.run(memory_of_six()):.2f} MB at most")


if __name__ == "__main__":
    main()
