"""Measures one client in a process of its own; needs the standard library and nothing else.

A walker is an async context manager that opens a client at a URL, and gives a function from a
market to an async iterator of lists of rows, page by page where the client goes page by page.
What is to be measured comes line by line on standard input, so that all contenders can be alive
at once and take turns of some milliseconds.
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
LIST = "stk_prm_trde_prst"
FEW, MANY = "P00101", "P10102"

Pages = AsyncGenerator[Sequence[Any], None]
Walk = Callable[[str], Pages]
Opened = Callable[[str], AbstractAsyncContextManager[Walk]]


def query_of(market: str) -> dict[str, str]:
    """What is asked, as it is sent."""
    return {"dt": "20261120", "mrkt_tp": market, "stex_tp": "1"}


async def rows_of(walk: Walk, market: str) -> int:
    """How many rows came; none is kept."""
    return sum([len(rows) async for rows in walk(market)])


async def cost(walk: Walk, market: str) -> dict[str, float]:
    """Seconds of the processor and of the clock for one walk."""
    processor, clock = time.process_time(), time.perf_counter()
    rows = await rows_of(walk, market)
    return {
        "rows": rows,
        "processor": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
    }


async def stall(walk: Walk) -> dict[str, float]:
    """The longest time in seconds that the event loop had for nobody else during a walk."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.0)
            longest = max(longest, time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    await rows_of(walk, FEW)
    ticking.cancel()
    return {"stall": longest}


async def growth(walk: Walk) -> dict[str, float]:
    """Bytes by which a long walk makes the process grow, of which no row is kept."""
    gc.collect()
    before = _resident_bytes()
    rows = await rows_of(walk, MANY)
    gc.collect()
    return {"rows": rows, "grown": _resident_bytes() - before}


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def take_turns(opened: Opened, url: str) -> None:
    """Open, say how long the first row took, then do what each line asks for."""
    began = time.perf_counter()
    async with opened(url) as walk:
        pages = walk(FEW)
        rows = len(await anext(pages))
        say(first_row=time.perf_counter() - began, rows=rows)
        await pages.aclose()
        for line in sys.stdin:
            if line == "walk\n":
                say(**await cost(walk, FEW))
            elif line == "stall\n":
                say(**await stall(walk))
            elif line == "memory\n":
                say(**await growth(walk))


def say(**figures: float) -> None:
    """One line of JSON for whoever asked."""
    print(json.dumps(figures), flush=True)


def measure(opened: Opened) -> None:
    """Take turns at the URL that is the argument, until standard input ends."""
    asyncio.run(take_turns(opened, sys.argv[1]))
