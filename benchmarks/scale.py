"""The cost of `merge` by the number of queries, and of `collect` by the number of rows.

CPU times, every size in turn and every other round in reverse order. A transport answers from
memory, so that no exchange is timed.
"""

import asyncio
import gc
import json
import logging
import statistics
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any, Final

import httpx

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import Sandbox

ROUNDS: Final = 5
QUERIES: Final = (1, 10, 100, 1_000, 10_000)
TOTAL_PAGES: Final = 10_000
ROWS: Final = (1_000, 10_000, 100_000, 1_000_000)
ROWS_PER_PAGE: Final = 100
TOKEN: Final = {"token": "t" * 60, "expires_dt": "29991231235959", "return_code": 0}


class CannedTransport(httpx.AsyncBaseTransport):
    """Answers walks of so many pages of so many rows, at once.

    Each row has a stock code of its own, as pages that repeat are an error.
    """

    def __init__(self, pages: int, rows: int) -> None:
        raw_rows = Sandbox(kospi_stocks=max(rows, 2)).rows("20261120", "P00101", "1")[:rows]
        coded = [row | {"stk_cd": "STOCK CODE"} for row in raw_rows]
        body = {"stk_prm_trde_prst": coded, "return_code": 0}
        self._parts = json.dumps(body, ensure_ascii=False).encode().split(b"STOCK CODE")
        self._pages, self._rows = pages, rows

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return a token or a page."""
        await asyncio.sleep(0)
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        number = int(request.headers.get("next-key") or 1)
        more = number < self._pages
        headers = {"cont-yn": "Y" if more else "N", "next-key": str(number + 1) if more else ""}
        return httpx.Response(200, content=self._body(number), headers=headers)

    def _body(self, number: int) -> bytes:
        first = (number - 1) * self._rows
        codes = [b"%06d" % code for code in range(first, first + self._rows)]
        return b"".join(chain.from_iterable(zip(self._parts, [*codes, b""], strict=True)))


def new_client(pages: int, rows: int) -> KiwoomClient:
    return KiwoomClient("a", "b", transport=CannedTransport(pages, rows), requests_per_second=1e9)


def queries() -> Iterator[ProgramTradeQuery]:
    """Yield queries without end, day by day into the past; pages do not depend on them."""
    day = date(2026, 11, 20)
    while True:
        for market in Market:
            for exchange in Exchange:
                yield ProgramTradeQuery(day, market, exchange)
        day -= timedelta(days=1)


async def merge_queries(number: int) -> int:
    """Merge so many queries; return the pages that came, the same for any number."""
    asked = list(islice(queries(), number))
    async with new_client(TOTAL_PAGES // number, 1) as kiwoom, kiwoom.merge(asked) as pages:
        return sum([1 async for _ in pages])


async def collect_rows(number: int) -> int:
    """Collect a walk of so many rows; return the rows that came."""
    async with new_client(number // ROWS_PER_PAGE, ROWS_PER_PAGE) as kiwoom:
        return len((await kiwoom.collect(next(queries()))).rows)


def cpu_seconds(work: Callable[[int], Coroutine[Any, Any, int]], size: int, expected: int) -> float:
    gc.collect()
    started_at = time.process_time()
    received = asyncio.run(work(size))
    if received != expected:
        raise SystemExit(f"{received:,} came, {expected:,} were expected")
    return time.process_time() - started_at


def compare(
    name: str,
    unit: str,
    work: Callable[[int], Coroutine[Any, Any, int]],
    expected: dict[int, int],
) -> None:
    """Print the microseconds of one unit at each size, and their ratio to the lowest."""
    times: dict[int, list[float]] = {size: [] for size in expected}
    sizes = list(expected)
    for _ in range(ROUNDS):
        for size in sizes:
            seconds = cpu_seconds(work, size, expected[size])
            times[size].append(seconds / expected[size] * 1e6)
        sizes.reverse()
    lowest = min(map(statistics.median, times.values()))
    print(f"\n| {name} | us {unit} | spread | of the lowest |\n|---|---|---|---|")
    for size, values in times.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"| {size:,} | {median:.2f} | {spread} | {median / lowest:.2f} |")


async def peak_megabytes() -> float:
    """Return the memory that a merge of six walks of 50 pages holds at its peak."""
    async with new_client(50, 50) as kiwoom:
        asked = list(islice(queries(), 6))
        await kiwoom.page(asked[0])
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with kiwoom.merge(asked) as pages:
            async for _ in pages:
                pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return (peak - before) / 1e6


def main() -> None:
    # The pages are no whole day: each walk would warn that shares do not add up to 100 %.
    logging.getLogger("kiwoom_async").setLevel(logging.ERROR)
    print(f"{TOTAL_PAGES:,} pages of one row, shared by the queries of a merge; {ROUNDS} rounds")
    compare("queries", "a page", merge_queries, dict.fromkeys(QUERIES, TOTAL_PAGES))
    compare("rows collected", "a row", collect_rows, {number: number for number in ROWS})
    print(f"\nsix merged walks hold {asyncio.run(peak_megabytes()):.2f} MB at most")


if __name__ == "__main__":
    main()
