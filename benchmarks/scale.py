"""How cost grows: of `merge` with the number of queries, of `collect` with the number of rows.

Times of the processor, every size in turn and every other round the other way about. A canned
transport answers, so that no exchange is timed.
"""

import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Any, Final

import httpx

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import Sandbox

ROUNDS: Final = 5
QUERIES: Final = (1, 10, 100, 1_000, 10_000)
PAGES_OF_ALL: Final = 10_000
ROWS: Final = (1_000, 10_000, 100_000, 1_000_000)
ROWS_A_PAGE: Final = 100
TOKEN: Final = {"token": "t" * 60, "expires_dt": "29991231235959", "return_code": 0}


class Canned(httpx.AsyncBaseTransport):
    """Walks of so many pages of so many rows, answered at once."""

    def __init__(self, pages: int, rows: int) -> None:
        found = Sandbox(kospi_stocks=max(rows, 2)).rows("20261120", "P00101", "1")[:rows]
        body = {"stk_prm_trde_prst": found, "return_code": 0}
        self._body = json.dumps(body, ensure_ascii=False).encode()
        self._pages = pages

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        await asyncio.sleep(0)
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        number = int(request.headers.get("next-key") or 1)
        more = number < self._pages
        headers = {"cont-yn": "Y" if more else "N", "next-key": str(number + 1) if more else ""}
        return httpx.Response(200, content=self._body, headers=headers)


def client(pages: int, rows: int) -> KiwoomClient:
    return KiwoomClient("a", "b", transport=Canned(pages, rows), requests_per_second=1e9)


def queries() -> Iterator[ProgramTradeQuery]:
    """One after the other, day by day into the past; pages do not depend on them."""
    day = date(2026, 11, 20)
    while True:
        for market in Market:
            for exchange in Exchange:
                yield ProgramTradeQuery(day, market, exchange)
        day -= timedelta(days=1)


async def merged(number: int) -> int:
    """Pages that came: the same for any number of queries."""
    asked = list(islice(queries(), number))
    async with client(PAGES_OF_ALL // number, 1) as kiwoom, kiwoom.merge(asked) as pages:
        return sum([1 async for _ in pages])


async def collected(number: int) -> int:
    """Rows that came."""
    async with client(number // ROWS_A_PAGE, ROWS_A_PAGE) as kiwoom:
        return len((await kiwoom.collect(next(queries()))).rows)


def seconds(work: Callable[[int], Coroutine[Any, Any, int]], size: int, expected: int) -> float:
    gc.collect()
    began = time.process_time()
    came = asyncio.run(work(size))
    if came != expected:
        raise SystemExit(f"{came:,} came, {expected:,} were expected")
    return time.process_time() - began


def compare(
    name: str,
    unit: str,
    work: Callable[[int], Coroutine[Any, Any, int]],
    expected: dict[int, int],
) -> None:
    """Microseconds for one unit at each size, and of the size of the least cost."""
    taken: dict[int, list[float]] = {size: [] for size in expected}
    sizes = list(expected)
    for _ in range(ROUNDS):
        for size in sizes:
            taken[size].append(seconds(work, size, expected[size]) / expected[size] * 1e6)
        sizes.reverse()
    least = min(statistics.median(each) for each in taken.values())
    print(f"\n| {name} | us {unit} | spread | of the least |\n|---|---|---|---|")
    for size, each in taken.items():
        middle = statistics.median(each)
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"| {size:,} | {middle:.2f} | {spread} | {middle / least:.2f} |")


async def most_held() -> float:
    """Most that a merge of six days of 50 pages holds at a time, in MB."""
    async with client(50, 50) as kiwoom:
        asked = list(islice(queries(), 6))
        await kiwoom.page(asked[0])
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with kiwoom.merge(asked) as pages:
            async for _ in pages:
                pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return (most - before) / 1e6


def main() -> None:
    print(f"{PAGES_OF_ALL:,} pages of one row, shared by the queries of a merge; {ROUNDS} rounds")
    compare("queries", "a page", merged, dict.fromkeys(QUERIES, PAGES_OF_ALL))
    compare("rows collected", "a row", collected, {number: number for number in ROWS})
    print(f"\nsix merged walks hold {asyncio.run(most_held()):.2f} MB at most")


if __name__ == "__main__":
    main()
