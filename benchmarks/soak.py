"""A hundred thousand pages over a real socket with a few percent faults: rows, files, memory.

`python benchmarks/soak.py [PAGES] [SEED]`. Every row is compared with the truth; a walk that a
fault ends is resumed from its cursor. Growth is measured from a tenth of the way on.
"""

import asyncio
import ctypes
import gc
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.fault_proxy import FAULTS, FaultProxy, Request

from kiwoom_async import (
    ContinuationError,
    Cursor,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
)
from kiwoom_async.sandbox import Sandbox

SHARE_OF_FAULTS = 0.03
AT_ONCE = 8
PORTION = 40
TIMEOUT_SECONDS = 0.25
_KINDS = [kind for kind in FAULTS if kind is not None]


def queries(pages: int) -> Iterator[ProgramTradeQuery]:
    """Weekdays back from one, both markets, until they make so many pages."""
    day, left = date(2026, 11, 20), pages
    while left > 0:
        for market in Market:
            yield ProgramTradeQuery(day, market, Exchange.CONSOLIDATED)
            left -= 50 if market is Market.KOSPI else 61
        day -= timedelta(days=3 if day.weekday() == 0 else 1)


def batched(
    every: Iterator[ProgramTradeQuery], size: int
) -> Iterator[tuple[ProgramTradeQuery, ...]]:
    """In tuples of that size; itertools has it from Python 3.12 on."""
    while portion := tuple(islice(every, size)):
        yield portion


def used() -> dict[str, int]:
    """What must not grow."""
    gc.collect()
    # What the allocator keeps for later is not in use: a refused 8 MiB body leaves such room.
    ctypes.CDLL(None).malloc_trim(0)
    process = Path("/proc/self")
    resident = int((process / "statm").read_text("ascii").split()[1]) * resource.getpagesize()
    return {
        "open files": len(list((process / "fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
        "blocks of Python's heap": sys.getallocatedblocks(),
        "resident bytes": resident,
    }


class Soak:
    """One run: what came, what went wrong, what was used when."""

    def __init__(self, pages: int, seed: int) -> None:
        self.pages = pages
        self.seen = 0
        self.resumed = 0
        self.wrong: list[str] = []
        self.failures: Counter[str] = Counter()
        self.early: dict[str, int] = {}
        self._chance = random.Random(seed)
        self._found: dict[ProgramTradeQuery, list[tuple[str, int]]] = {}
        self.sandbox = Sandbox(requests_per_second=None)
        self.proxy = FaultProxy(self.sandbox, self._plan, seed=seed)

    def _plan(self, _: Request) -> str | None:
        return self._chance.choice(_KINDS) if self._chance.random() < SHARE_OF_FAULTS else None

    async def run(self) -> None:
        """Walk everything; what fails is begun again where it was left."""
        async with (
            self.proxy.serving() as base_url,
            KiwoomClient(
                "app-key", "secret-key", base_url=base_url, requests_per_second=1e6,
                timeout=TIMEOUT_SECONDS,
            ) as kiwoom,
        ):  # fmt: skip
            # In portions: walks that failed would be kept to the end, with all their rows.
            for portion in batched(queries(self.pages), PORTION):
                start: dict[ProgramTradeQuery, Cursor] = {}
                todo = list(portion)
                # Logs of ours that would be the only things to grow.
                self.proxy.forget()
                self.sandbox.arrivals.clear()
                while todo:
                    start = await self._walk(kiwoom, todo, start)
                    self.resumed += len(start)
                    todo = list(start)

    async def _walk(
        self,
        kiwoom: KiwoomClient,
        todo: list[ProgramTradeQuery],
        start: dict[ProgramTradeQuery, Cursor],
    ) -> dict[ProgramTradeQuery, Cursor]:
        """Walk them; those that failed, and where."""
        failed: dict[ProgramTradeQuery, Cursor] = {}
        async with kiwoom.merge(
            todo, start=start, concurrency=AT_ONCE, on_error="deliver"
        ) as items:
            async for item in items:
                if isinstance(item, Failure):
                    self.failures[type(item.error).__name__] += 1
                    failed[item.query] = item.cursor
                else:
                    self._take(item.query, item.rows, last=item.next is None)
        return failed

    def _take(self, query: ProgramTradeQuery, rows: list, *, last: bool) -> None:  # type: ignore[type-arg]
        found = self._found.setdefault(query, [])
        found += [(row.symbol, row.net_buy_amount) for row in rows]
        self.seen += 1
        if self.seen == self.pages // 10:
            self.early = used()
        if last:
            body = query.endpoint.body(query)
            wire = self.sandbox.rows(body["dt"], body["mrkt_tp"], body["stex_tp"])
            truth = [(row["stk_cd"], int(row["netprps_prica"])) for row in wire]
            if self._found.pop(query) != truth:
                self.wrong.append(str(query))


def main() -> None:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261122
    soak = Soak(pages, seed)
    began = time.monotonic()

    async def run() -> dict[str, int]:
        await soak.run()
        return used()

    late = asyncio.run(run())
    seconds = time.monotonic() - began
    struck = soak.proxy.struck
    each = seconds / soak.seen * 1e3
    print(f"seed {seed}: {soak.seen:,} pages in {seconds:.0f} s, {each:.1f} ms each")
    print(f"faults: {sum(struck.values()) - struck['none']:,} of {sum(struck.values()):,} calls")
    print(f"walks resumed: {soak.resumed:,} ({dict(soak.failures)})")
    print(f"walks whose rows are not the truth: {soak.wrong or 'none'}")
    for name, value in late.items():
        print(f"{name}: {soak.early[name]:,} after a tenth, {value:,} at the end")
    grown = late["resident bytes"] / soak.early["resident bytes"] - 1
    print(f"memory grew by {grown:.1%}")
    sys.exit(bool(soak.wrong) or grown > 0.05 or bool(soak.failures[ContinuationError.__name__]))


if __name__ == "__main__":
    main()
