"""The share of the permitted pace that is used, and the calls that the exchange refuses.

As the exchange counts them: five calls a second, most strictly in a sliding window. Lines of many
kinds, with bulk calls (a merge) and interactive ones (twelve walks collected at once); then windows
of three kinds at 20 ms of jitter each way. Delays are never below 0, so that "5 ms" with 20 ms of
jitter is 13 ms on average. All in virtual time (trio's clock, which jumps over all waiting), so
that the machine has no part in it. `python benchmarks/pace.py real` measures three cells on asyncio
with real timers, half a minute each.
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
from functools import partial
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
CALLS: Final = 600
LINE_CALLS: Final = 4_000
LINE_QUERIES: Final = 12
QUERIES: Final = (1, 2, 6, 100)
LATENCIES_SECONDS: Final = (0.005, 0.046, 0.300)
ROW: Final = Sandbox(kospi_stocks=1).rows("20261120", "P00101", "1")[0]
TOKEN: Final = {"token": "t" * 60, "expires_dt": "29991231235959", "return_code": 0}
REFUSED: Final = {
    "return_code": 5,
    "return_msg": f"[1700:허용된 요청 개수를 초과하였습니다. 유량={PER_SECOND}, API ID=ka90004]",
}

# Takes the time of an arrival; returns True if the call is accepted.
Window = Callable[[float], bool]
# Takes the time; returns the seconds of one way.
Line = Callable[[float], float]


def jitter(latency: float, seconds: float) -> Line:
    """Return a line whose delays vary by so much either way, the same for all."""
    return lambda _: max(0.0, latency / 2 + random.uniform(-seconds, seconds))


def lognormal(latency: float, sigma: float) -> Line:
    """Return a line with a long tail of late calls."""
    return lambda _: latency / 2 * math.exp(random.gauss(0, sigma))


def late(latency: float, extra: float) -> Line:
    """Return a line on which one way in 100 takes so much longer."""
    line = jitter(latency, 0.002)
    return lambda now: line(now) + (extra if random.random() < 0.01 else 0.0)


def in_turns(one: Line, other: Line, seconds: float) -> Line:
    """Return a line that is another one after so many seconds, and so on."""
    return lambda now: (other if int(now / seconds) % 2 else one)(now)


LINES: Final = {
    "5 ms, +-1": jitter(0.005, 0.001),
    "46 ms, +-2": jitter(0.046, 0.002),
    "46 ms, +-20": jitter(0.046, 0.020),
    "300 ms, +-20": jitter(0.300, 0.020),
    "300 ms, +-40": jitter(0.300, 0.040),
    "300 ms, +-100": jitter(0.300, 0.100),
    "46 ms, lognormal 0.3": lognormal(0.046, 0.3),
    "46 ms, lognormal 0.8": lognormal(0.046, 0.8),
    "1 in 100 later by 40 ms": late(0.046, 0.040),
    "1 in 100 later by 2.5 s": late(0.046, 2.5),
    "+-2 and +-20 ms by turns": in_turns(jitter(0.046, 0.002), jitter(0.046, 0.020), 20),
    "60 ms longer by turns": in_turns(jitter(0.046, 0.002), jitter(0.166, 0.002), 10),
}


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
    """An exchange behind a line; keeps the times of arrivals and refusals."""

    pages: int
    line: Line
    accepts: Window
    arrivals: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer after the delays of both ways."""
        await anyio.sleep(self.line(anyio.current_time()))
        answer = self._answer(request)
        await anyio.sleep(self.line(anyio.current_time()))
        return answer

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
    query_count: int, line: Line, window: str, calls: int, *, bulk: bool = True
) -> tuple[float, int]:
    """Return the share of the permitted pace that was used, and the number of refusals."""
    exchange = SimulatedExchange(math.ceil(calls / query_count), line, WINDOWS[window]())
    asked = list(islice(queries(), query_count))
    async with KiwoomClient("a", "b", transport=exchange) as kiwoom:
        if bulk:
            async with kiwoom.merge(asked, concurrency=query_count) as merged:
                async for _ in merged:
                    pass
        else:
            async with anyio.create_task_group() as group:
                for query in asked:
                    group.start_soon(kiwoom.collect, query)
    arrivals = exchange.arrivals
    share = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / PER_SECOND
    return share, len(exchange.refused)


def possible_share(query_count: int, latency_seconds: float) -> float:
    """Return the share that so many queries can use: each waits for a page to ask for the next."""
    return min(1.0, query_count / latency_seconds / PER_SECOND)


def measure_in_virtual_time(
    query_count: int, line: Line, window: str, calls: int, *, bulk: bool = True
) -> tuple[float, int]:
    """Return the share and the refusals of one cell."""
    measure = partial(measure_cell, query_count, line, window, calls, bulk=bulk)
    return trio.run(measure, clock=MockClock(autojump_threshold=0))


def lines_table(results: dict[str, list[tuple[float, int]]]) -> Iterator[str]:
    """Yield the lines of a Markdown table of shares and refusals on each line."""
    yield "| line | bulk | interactive |"
    yield "|---|---|---|"
    for name, cells in results.items():
        texts = [f"{share:.1%}, {refused} refused" for share, refused in cells]
        yield f"| {name} | " + " | ".join(texts) + " |"


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


async def first_pages_seconds(latency_seconds: float, pages: int) -> float:
    """Return the seconds to the first pages of a fresh client; the token is one round trip more."""
    exchange = SimulatedExchange(pages, jitter(latency_seconds, 0.0), sliding())
    started_at = anyio.current_time()
    async with KiwoomClient("a", "b", transport=exchange) as kiwoom:
        await kiwoom.collect(next(queries()))
    return anyio.current_time() - started_at


def measure_all() -> None:
    """Print the tables in virtual time, and the first pages; write results/pace.json."""
    print(f"{LINE_CALLS} calls a cell, {LINE_QUERIES} queries, a sliding window, virtual time\n")
    lines = {
        name: [
            measure_in_virtual_time(LINE_QUERIES, line, "sliding", LINE_CALLS, bulk=bulk)
            for bulk in (True, False)
        ]
        for name, line in LINES.items()
    }
    print("\n".join(lines_table(lines)))
    print(f"\n{CALLS} calls a cell, 20 ms of jitter either way, virtual time\n")
    results = {
        (window, count, seconds): measure_in_virtual_time(
            count, jitter(seconds, 0.020), window, CALLS
        )
        for window in WINDOWS
        for count in QUERIES
        for seconds in LATENCIES_SECONDS
    }
    print("\n".join(table(results)))
    for seconds in LATENCIES_SECONDS:
        times = [
            trio.run(first_pages_seconds, seconds, pages, clock=MockClock(autojump_threshold=0))
            for pages in (1, 5, 6)
        ]
        first, five, six = (f"{time:.3f} s" for time in times)
        print(f"at {seconds * 1e3:.0f} ms: first page {first}, five {five}, six {six}")
    (Path(__file__).parent / "results" / "pace.json").write_text(json.dumps(lines))


def measure_in_real_time() -> None:
    """Print one cell of each window, on asyncio with real timers."""
    for window in WINDOWS:
        cell = measure_cell(6, jitter(0.046, 0.020), window, 30 * PER_SECOND)
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
