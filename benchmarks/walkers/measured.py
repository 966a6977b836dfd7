"""Measure one client in a process of its own; needs the standard library and nothing else.

A walker is an async context manager that opens a client at a URL and gives a function from a
market to an async iterator of lists of rows, page by page if the client goes page by page.
Commands come line by line on standard input, so that all contenders can run at once and take
turns of some milliseconds.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

PATH = "/api/dostk/stkinfo"
ROWS_KEY = "stk_prm_trde_prst"
FEW, MANY = "P00101", "P10102"
# As long as real ones: a client that keeps secrets out of its texts looks for them in each answer.
APP_KEY = "PtYgjmUhBel31iEl2hpChYgCfrL1spNxnyVmihA_2O7"
SECRET_KEY = "6UMFxFkM_R5Kjp1vRt-1fjORS_6ilI8ihN5KXSc7Tvo"  # noqa: S105 - made up

Pages = AsyncGenerator[Sequence[Any], None]
Walk = Callable[[str], Pages]
OpenWalker = Callable[[str], AbstractAsyncContextManager[Walk]]


def request_body(market: str) -> dict[str, str]:
    """Return the body of a request for a page."""
    return {"dt": "20261120", "mrkt_tp": market, "stex_tp": "1"}


async def count_rows(walk: Walk, market: str) -> int:
    """Walk, and return the number of rows; none is kept."""
    return sum([len(rows) async for rows in walk(market)])


async def measure_walk(walk: Walk) -> dict[str, float]:
    """Return the rows, CPU seconds and clock seconds of one walk."""
    cpu, clock = time.process_time(), time.perf_counter()
    rows = await count_rows(walk, FEW)
    return {
        "rows": rows,
        "cpu": time.process_time() - cpu,
        "clock": time.perf_counter() - clock,
    }


async def measure_stall(walk: Walk) -> dict[str, float]:
    """Return the longest time in seconds that another task waited for its turn in a walk."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.0)
            longest = max(longest, time.perf_counter() - before)

    ticker = asyncio.create_task(tick())
    await count_rows(walk, FEW)
    ticker.cancel()
    return {"stall": longest}


async def measure_memory(walk: Walk) -> dict[str, float]:
    """Return the bytes by which the process grows in a long walk whose rows are not kept."""
    gc.collect()
    before = _resident_bytes()
    rows = await count_rows(walk, MANY)
    gc.collect()
    return {"rows": rows, "grown": _resident_bytes() - before}


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def run_commands(open_walker: OpenWalker, url: str) -> None:
    """Open the client, print the time to its first row, then run each command."""
    started_at = time.perf_counter()
    async with open_walker(url) as walk:
        pages = walk(FEW)
        rows = len(await anext(pages))
        report(first_row=time.perf_counter() - started_at, rows=rows)
        await pages.aclose()
        for line in sys.stdin:
            if line == "walk\n":
                report(**await measure_walk(walk))
            elif line == "stall\n":
                report(**await measure_stall(walk))
            elif line == "memory\n":
                report(**await measure_memory(walk))


def report(**figures: float) -> None:
    """Print the figures as a line of JSON."""
    print(json.dumps(figures), flush=True)


def measure(open_walker: OpenWalker) -> None:
    """Run commands on a walker at the URL of the argument, until standard input ends."""
    asyncio.run(run_commands(open_walker, sys.argv[1]))
