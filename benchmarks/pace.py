"""How much of the permitted pace is used, and how many calls the exchange refuses for it.

By the exchange's own count: five calls a second, in a window of three kinds, behind a line whose
delay varies by 20 ms each way (and is never below nothing, so that "5 ms" is 13 ms on average).
The table is made in virtual time (trio's clock, which jumps over all waiting), so that the machine
has no part in it; below it, what happens where the line varies by more than the margin is for.
`python benchmarks/pace.py real` does three cells on asyncio with real timers, half a minute each.
"""

import asyncio
import json
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
# What the margin is for, and more.
JITTERS_SECONDS: Final = (0.020, 0.025, 0.030, 0.040)
ROW: Final = Sandbox(kospi_stocks=1).rows("20261120", "P00101", "1")
PAGE: Final = json.dumps({"stk_prm_trde_prst": ROW, "return_code": 0}).encode()
TOKEN: Final = {"token": "t" * 60, "expires_dt": "29991231235959", "return_code": 0}
REFUSED: Final = {
    "return_code": 5,
    "return_msg": f"[1700:허용된 요청 개수를 초과하였습니다. 유량={PER_SECOND}, API ID=ka90004]",
}

# Whether a call that arrives now is let in.
Window = Callable[[float], bool]


def sliding() -> Window:
    """Five in any second, without tolerance: the strictest."""
    accepted: deque[float] = deque([-math.inf] * PER_SECOND, maxlen=PER_SECOND)

    def arrives(now: float) -> bool:
        if now - accepted[0] < 1.0:
            return False
        accepted.append(now)
        return True

    return arrives


def fixed() -> Window:
    """Five in each second of the exchange's clock."""
    second, used, phase = -1, 0, random.random()

    def arrives(now: float) -> bool:
        nonlocal second, used
        if math.floor(now + phase) != second:
            second, used = math.floor(now + phase), 0
        used += 1
        return used <= PER_SECOND

    return arrives


def bucket() -> Window:
    """Five tokens at most, five more a second."""
    tokens, seen = float(PER_SECOND), -math.inf

    def arrives(now: float) -> bool:
        nonlocal tokens, seen
        tokens, seen = min(PER_SECOND, tokens + (now - seen) * PER_SECOND), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return arrives


WINDOWS: Final = {"sliding": sliding, "fixed": fixed, "bucket": bucket}


@frozen
class Line(httpx.AsyncBaseTransport):
    """An exchange at the other end of a line; keeps when each call came, and what it refused."""

    pages: int
    latency_seconds: float
    lets_in: Window
    jitter_seconds: float = JITTER_SECONDS
    arrivals: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let it travel there, and the answer back."""
        await anyio.sleep(self._one_way())
        answer = self._answer(request)
        await anyio.sleep(self._one_way())
        return answer

    def _one_way(self) -> float:
        varied = random.uniform(-self.jitter_seconds, self.jitter_seconds)
        return max(0.0, self.latency_seconds / 2 + varied)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        if not self.lets_in(anyio.current_time()):
            self.refused.append(anyio.current_time())
            return httpx.Response(429, json=REFUSED)
        self.arrivals.append(anyio.current_time())
        number = int(request.headers.get("next-key") or 1)
        more = number < self.pages
        headers = {"cont-yn": "Y" if more else "N", "next-key": str(number + 1) if more else ""}
        return httpx.Response(200, content=PAGE, headers=headers)


def queries() -> Iterator[ProgramTradeQuery]:
    """One after the other, every weekday back from a day."""
    day = date(2026, 11, 20)
    while True:
        if day.weekday() < 5:
            for market in Market:
                for exchange in Exchange:
                    yield ProgramTradeQuery(day, market, exchange)
        day -= timedelta(days=1)


async def cell(
    asked: int, latency_seconds: float, window: str, calls: int, jitter_seconds: float
) -> tuple[float, int]:
    """The share of what was permitted, and the number of refusals."""
    pages = math.ceil(calls / asked)
    line = Line(pages, latency_seconds, WINDOWS[window](), jitter_seconds)
    async with (
        KiwoomClient("a", "b", transport=line) as kiwoom,
        kiwoom.merge(list(islice(queries(), asked)), concurrency=asked) as walked,
    ):
        async for _ in walked:
            pass
    came = line.arrivals
    return (len(came) - 1) / (came[-1] - came[0]) / PER_SECOND, len(line.refused)


def possible(asked: int, latency_seconds: float) -> float:
    """The share that so many queries can ask for: each asks when it has its last page."""
    return min(1.0, asked / latency_seconds / PER_SECOND)


def virtually(
    asked: int, latency_seconds: float, window: str, jitter_seconds: float = JITTER_SECONDS
) -> tuple[float, int]:
    clock = MockClock(autojump_threshold=0)
    return trio.run(cell, asked, latency_seconds, window, CALLS, jitter_seconds, clock=clock)


Cell = tuple[str, int, float]


def table(found: dict[Cell, tuple[float, int]]) -> Iterator[str]:
    """Markdown: share and refusals of each cell."""
    latencies = [f"{seconds * 1e3:.0f} ms" for seconds in LATENCIES_SECONDS]
    yield "| window | queries | " + " | ".join(latencies) + " |"
    yield "|---|---|" + "---|" * len(latencies)
    for window in WINDOWS:
        for asked in QUERIES:
            shown = []
            for seconds in LATENCIES_SECONDS:
                share, refused = found[window, asked, seconds]
                most = possible(asked, seconds)
                of = "" if most == 1 else f" of {most:.1%} that it can ask for"
                shown.append(f"{share:.1%}{of}, {refused} refused")
            yield f"| {window} | {asked} | " + " | ".join(shown) + " |"


async def first_pages(latency_seconds: float) -> tuple[float, float]:
    """Seconds until a fresh client has its first page, and until bare httpx has the same one."""
    line = Line(1, latency_seconds, bucket(), jitter_seconds=0.0)
    began = anyio.current_time()
    async with KiwoomClient("a", "b", transport=line) as kiwoom:
        await kiwoom.page(next(queries()))
        ours = anyio.current_time() - began
    began = anyio.current_time()
    async with httpx.AsyncClient(base_url="https://localhost", transport=line) as client:
        await client.post("/oauth2/token")
        await client.post("/api/dostk/stkinfo")
        return ours, anyio.current_time() - began


def main() -> None:
    random.seed(20261123)
    if sys.argv[1:] != ["real"]:
        print(f"{CALLS} calls a cell, delays vary by 20 ms either way, virtual time\n")
        found = {
            (window, asked, seconds): virtually(asked, seconds, window)
            for window in WINDOWS
            for asked in QUERIES
            for seconds in LATENCIES_SECONDS
        }
        print("\n".join(table(found)))
        for jitter in JITTERS_SECONDS:
            share, refused = virtually(6, 0.3, "sliding", jitter)
            varied = f"{jitter * 1e3:.0f} ms"
            print(f"six queries, 300 ms, varied by {varied}: {share:.1%}, {refused} refused")
        for seconds in LATENCIES_SECONDS:
            ours, bare = trio.run(first_pages, seconds, clock=MockClock(autojump_threshold=0))
            print(f"first page at {seconds * 1e3:.0f} ms: {ours:.3f} s, bare httpx {bare:.3f} s")
        kept = [[*key, *value, possible(*key[1:])] for key, value in found.items()]
        (Path(__file__).parent / "results" / "pace.json").write_text(json.dumps(kept))
        return
    for window in WINDOWS:
        share, refused = asyncio.run(cell(6, 0.046, window, 30 * PER_SECOND, JITTER_SECONDS))
        print(f"{window}, six queries, 46 ms, real time on asyncio: {share:.1%}, {refused} refused")


if __name__ == "__main__":
    main()
