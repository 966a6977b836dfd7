"""A hundred thousand pages over a real socket with a few percent faults: rows, files, memory.

`python benchmarks/soak.py [PAGES] [SEED]`. Every row is compared with the sandbox's; a walk that a
fault ends is resumed from its cursor. Growth is measured from a tenth of the way on. Exit code 1
for a wrong row, a walk that cannot be continued, or memory that grew by more than 5 %.
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
    Page,
    ProgramTradeQuery,
)
from kiwoom_async._protocol.encode import request_body
from kiwoom_async.sandbox import Sandbox

SHARE_OF_FAULTS = 0.03
CONCURRENCY = 8
BATCH_QUERIES = 40
TIMEOUT_SECONDS = 0.25
_FAULT_NAMES = [name for name in FAULTS if name is not None]


def queries(pages: int) -> Iterator[ProgramTradeQuery]:
    """Yield both markets, weekday by weekday into the past, until they make so many pages."""
    day, remaining = date(2026, 11, 20), pages
    while remaining > 0:
        for market in Market:
            yield ProgramTradeQuery(day, market, Exchange.CONSOLIDATED)
            remaining -= 50 if market is Market.KOSPI else 61
        day -= timedelta(days=3 if day.weekday() == 0 else 1)


def batched(
    items: Iterator[ProgramTradeQuery], size: int
) -> Iterator[tuple[ProgramTradeQuery, ...]]:
    """Yield tuples of that size; itertools has it from Python 3.12 on."""
    while batch := tuple(islice(items, size)):
        yield batch


def resources_in_use() -> dict[str, int]:
    """Return the counts that must not grow."""
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
    """One run: the pages received, wrong walks, failures, and the resources in use early on."""

    def __init__(self, pages: int, seed: int) -> None:
        self.pages = pages
        self.received_pages = 0
        self.resumed_walks = 0
        self.wrong_walks: list[str] = []
        self.failures: Counter[str] = Counter()
        self.early: dict[str, int] = {}
        self._random = random.Random(seed)
        self._rows: dict[ProgramTradeQuery, list[tuple[str, int]]] = {}
        self.sandbox = Sandbox(requests_per_second=None)
        self.proxy = FaultProxy(self.sandbox, self._plan, seed=seed)

    def _plan(self, _: Request) -> str | None:
        """Return the fault of this answer, or None."""
        faulty = self._random.random() < SHARE_OF_FAULTS
        return self._random.choice(_FAULT_NAMES) if faulty else None

    async def run(self) -> None:
        """Walk everything; resume what fails."""
        async with (
            self.proxy.serving() as base_url,
            KiwoomClient(
                "app-key", "secret-key", base_url=base_url, requests_per_second=1e6,
                timeout=TIMEOUT_SECONDS,
            ) as kiwoom,
        ):  # fmt: skip
            # In batches: walks that failed would be kept to the end, with all their rows.
            for batch in batched(queries(self.pages), BATCH_QUERIES):
                start: dict[ProgramTradeQuery, Cursor] = {}
                remaining = list(batch)
                # The logs of proxy and sandbox would be the only things to grow.
                self.proxy.forget()
                self.sandbox.arrivals.clear()
                while remaining:
                    start = await self._walk(kiwoom, remaining, start)
                    self.resumed_walks += len(start)
                    remaining = list(start)

    async def _walk(
        self,
        kiwoom: KiwoomClient,
        queries: list[ProgramTradeQuery],
        start: dict[ProgramTradeQuery, Cursor],
    ) -> dict[ProgramTradeQuery, Cursor]:
        """Walk the queries; return those that failed, with their cursors."""
        failed: dict[ProgramTradeQuery, Cursor] = {}
        async with kiwoom.merge(
            queries, start=start, concurrency=CONCURRENCY, on_error="deliver"
        ) as items:
            async for item in items:
                if isinstance(item, Failure):
                    self.failures[type(item.error).__name__] += 1
                    failed[item.query] = item.cursor
                else:
                    self._receive(item)
        return failed

    def _receive(self, page: Page) -> None:
        """Count the page; compare the rows of a walk when its last page has come."""
        query = page.query
        rows = self._rows.setdefault(query, [])
        rows += [(row.symbol, row.net_buy_amount) for row in page.rows]
        self.received_pages += 1
        if self.received_pages == self.pages // 10:
            self.early = resources_in_use()
        if page.next is None:
            body = request_body(query)
            raw_rows = self.sandbox.rows(body["dt"], body["mrkt_tp"], body["stex_tp"])
            expected = [(raw["stk_cd"], int(raw["netprps_prica"])) for raw in raw_rows]
            if self._rows.pop(query) != expected:
                self.wrong_walks.append(str(query))


def main() -> None:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261122
    soak = Soak(pages, seed)
    started_at = time.monotonic()

    async def run() -> dict[str, int]:
        await soak.run()
        return resources_in_use()

    late = asyncio.run(run())
    seconds = time.monotonic() - started_at
    pages, answers = soak.received_pages, soak.proxy.struck
    print(f"seed {seed}: {pages:,} pages in {seconds:.0f} s, {seconds / pages * 1e3:.1f} ms each")
    print(f"faults: {answers.total() - answers['none']:,} of {answers.total():,} calls")
    print(f"walks resumed: {soak.resumed_walks:,} ({dict(soak.failures)})")
    print(f"walks with wrong rows: {soak.wrong_walks or 'none'}")
    for name, value in late.items():
        print(f"{name}: {soak.early[name]:,} after a tenth, {value:,} at the end")
    growth = late["resident bytes"] / soak.early["resident bytes"] - 1
    print(f"memory grew by {growth:.1%}")
    lost_walks = soak.failures[ContinuationError.__name__]
    sys.exit(bool(soak.wrong_walks) or bool(lost_walks) or growth > 0.05)


if __name__ == "__main__":
    main()
