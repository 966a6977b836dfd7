"""The share of the permitted pace that is used, and the calls that the exchange refuses.

As the exchange counts them: five calls a second in a window of three kinds, over a network with
20 ms of jitter each way (delays are never below 0, so that "5 ms" is 13 ms on average). The table
is made in virtual time (trio's clock, which jumps over all waiting), so that the machine has no
part in it; below it, more jitter than the margin is for.
`python benchmarks/pace.py real` measures three cells on asyncio with real timers, half a minute
each.
"""

import asyncio
import json
import logging
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import anyio
import httpx
import trio
from attrs import field, frozen
from trio.testing import MockClock

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import Sandbox

PER_SECOND: Final = 5
JITTER_SECONDS: Final = 0.020
CALLS: Final = 600
QUERIES: Final = (1, 2, 6, 100)
LATENCIES_SECONDS: Final = (0.005, 0.046, 0.300)
# The jitter that the margin is for, and more.
JITTERS_SECONDS: Final = (0.020, 0.025, 0.030, 0.040)
ROW: Final = Sandbox(kospi_stocks=1).rows("20261120", "P00101", "1")[0]
TOKEN: Final = {"token": "t" * 60, "expires_dt": "29991231235959", "return_code": 0}
REFUSED: Final = {
    "return_code": 5,
    "return_msg": f"[1700:허용된 요청 개수를 초과하였습니다. 유량={PER_SECOND}, API ID=ka90004]",
}

# Takes the time of an arrival; returns True if the call is accepted.
Window = Callable[[float], bool]


def sliding() -> Window:
    """Accept five in any second, without tolerance: the strictest."""
    accepted: deque[float] = deque([-math.inf] * PER_SECOND, maxlen=PER_SECOND)

    def accepts(now: float) -> bool:
        if now - accepted[0] < 1.0:
            return False
        accepted.append(now)
        return True

    return accepts


def fixed() -> Window:
    """Accept five in each second of the exchange's clock."""
    second, used, phase = -1, 0, random.random()

    def accepts(now: float) -> bool:
        nonlocal second, used
        if math.floor(now + phase) != second:
            second, used = math.floor(now + phase), 0
        used += 1
        return used <= PER_SECOND

    return accepts


def bucket() -> Window:
    """Accept by a token bucket of five that gains five a second."""
    tokens, seen = float(PER_SECOND), -math.inf

    def accepts(now: float) -> bool:
        nonlocal tokens, seen
        tokens, seen = min(PER_SECOND, tokens + (now - seen) * PER_SECOND), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return accepts


WINDOWS: Final = {"sliding": sliding, "fixed": fixed, "bucket": bucket}


@frozen
class SimulatedExchange(httpx.AsyncBaseTransport):
    """An exchange behind a network with jitter; keeps the times of arrivals and refusals."""

    pages: int
    latency_seconds: float
    accepts: Window
    jitter_seconds: float = JITTER_SECONDS
    arrivals: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer after the delays of both ways."""
        await anyio.sleep(self._one_way())
        answer = self._answer(request)
        await anyio.sleep(self._one_way())
        return answer

    def _one_way(self) -> float:
        jitter = random.uniform(-self.jitter_seconds, self.jitter_seconds)
        return max(0.0, self.latency_seconds / 2 + jitter)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        if not self.accepts(anyio.current_time()):
            self.refused.append(anyio.current_time())
            return httpx.Response(429, json=REFUSED)
        self.arrivals.append(anyio.current_time())
        number = int(request.headers.get("next-key") or 1)
        more = number < self.pages
        headers = {"cont-yn": "Y" if more else "N", "next-key": str(number + 1) if more else ""}
        # A stock of its own, as pages that repeat are an error.
        row = ROW | {"stk_cd": f"{number:06}"}
        return httpx.Response(
            200, json={"stk_prm_trde_prst": [row], "return_code": 0}, headers=headers
        )


def queries() -> Iterator[ProgramTradeQuery]:
    """Yield queries without end, weekday by weekday into the past."""
    day = date(2026, 11, 20)
    while True:
        if day.weekday() < 5:
            for market in Market:
                for exchange in Exchange:
                    yield ProgramTradeQuery(day, market, exchange)
        day -= timedelta(days=1)


async def measure_cell(
    query_count: int, latency_seconds: float, window: str, calls: int, jitter_seconds: float
) -> tuple[float, int]:
    """Return the share of the permitted pace that was used, and the number of refusals."""
    pages = math.ceil(calls / query_count)
    exchange = SimulatedExchange(pages, latency_seconds, WINDOWS[window](), jitter_seconds)
    asked = list(islice(queries(), query_count))
    async with (
        KiwoomClient("a", "b", transport=exchange) as kiwoom,
        kiwoom.merge(asked, concurrency=query_count) as merged,
    ):
        async for _ in merged:
            pass
    arrivals = exchange.arrivals
    share = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / PER_SECOND
    return share, len(exchange.refused)


def possible_share(query_count: int, latency_seconds: float) -> float:
    """Return the share that so many queries can use: each waits for a page to ask for the next."""
    return min(1.0, query_count / latency_seconds / PER_SECOND)


def measure_in_virtual_time(
    query_count: int, latency_seconds: float, window: str, jitter_seconds: float = JITTER_SECONDS
) -> tuple[float, int]:
    """Return the share and the refusals of one cell."""
    clock = MockClock(autojump_threshold=0)
    arguments = query_count, latency_seconds, window, CALLS, jitter_seconds
    return trio.run(measure_cell, *arguments, clock=clock)


Cell = tuple[str, int, float]


def table(results: dict[Cell, tuple[float, int]]) -> Iterator[str]:
    """Yield the lines of a Markdown table with share and refusals of each cell."""
    latencies = [f"{seconds * 1e3:.0f} ms" for seconds in LATENCIES_SECONDS]
    yield "| window | queries | " + " | ".join(latencies) + " |"
    yield "|---|---|" + "---|" * len(latencies)
    for window in WINDOWS:
        for query_count in QUERIES:
            texts = []
            for seconds in LATENCIES_SECONDS:
                share, refused = results[window, query_count, seconds]
                possible = possible_share(query_count, seconds)
                of = "" if possible == 1 else f" of {possible:.1%} that it can ask for"
                texts.append(f"{share:.1%}{of}, {refused} refused")
            yield f"| {window} | {query_count} | " + " | ".join(texts) + " |"


async def first_page_seconds(latency_seconds: float) -> tuple[float, float]:
    """Return the seconds to the first page of a fresh client, and of bare httpx."""
    exchange = SimulatedExchange(1, latency_seconds, bucket(), jitter_seconds=0.0)
    started_at = anyio.current_time()
    async with KiwoomClient("a", "b", transport=exchange) as kiwoom:
        await kiwoom.page(next(queries()))
        ours = anyio.current_time() - started_at
    started_at = anyio.current_time()
    async with httpx.AsyncClient(base_url="https://localhost", transport=exchange) as client:
        await client.post("/oauth2/token")
        await client.post("/api/dostk/stkinfo")
        return ours, anyio.current_time() - started_at


def measure_all() -> None:
    """Print the table in virtual time, more jitter, and first pages; write results/pace.json."""
    print(f"{CALLS} calls a cell, 20 ms of jitter either way, virtual time\n")
    results = {
        (window, query_count, seconds): measure_in_virtual_time(query_count, seconds, window)
        for window in WINDOWS
        for query_count in QUERIES
        for seconds in LATENCIES_SECONDS
    }
    print("\n".join(table(results)))
    for jitter in JITTERS_SECONDS:
        share, refused = measure_in_virtual_time(6, 0.3, "sliding", jitter)
        milliseconds = f"{jitter * 1e3:.0f} ms"
        print(f"six queries, 300 ms, {milliseconds} of jitter: {share:.1%}, {refused} refused")
    for seconds in LATENCIES_SECONDS:
        clock = MockClock(autojump_threshold=0)
        ours, bare = trio.run(first_page_seconds, seconds, clock=clock)
        print(f"first page at {seconds * 1e3:.0f} ms: {ours:.3f} s, bare httpx {bare:.3f} s")
    cells = [[*key, *value, possible_share(*key[1:])] for key, value in results.items()]
    (Path(__file__).parent / "results" / "pace.json").write_text(json.dumps(cells))


def measure_in_real_time() -> None:
    """Print one cell of each window, on asyncio with real timers."""
    for window in WINDOWS:
        cell = measure_cell(6, 0.046, window, 30 * PER_SECOND, JITTER_SECONDS)
        share, refused = asyncio.run(cell)
        print(f"{window}, six queries, 46 ms, real time on asyncio: {share:.1%}, {refused} refused")


def main() -> None:
    # The pages are no whole day: each walk would warn that shares do not add up to 100 %.
    logging.getLogger("kiwoom_async").setLevel(logging.ERROR)
    random.seed(20261123)
    if sys.argv[1:] == ["real"]:
        measure_in_real_time()
    else:
        measure_all()


if __name__ == "__main__":
    main()
