"""A year into an archive: its cost beside the calls, its memory, and other programs reading it.

`python benchmarks/archive.py [WEEKDAYS] [LATENCY_SECONDS]`. There is no pace: at five calls a
second a page may take 200 ms, of which the archive needs a few. The sandbox is in the same
process, so its work is part of the calls' time that the archive's is compared with.
"""

import ctypes
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import anyio
import duckdb
import polars as pl

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.archive import Archive
from kiwoom_async.sandbox import Sandbox

CONCURRENCY = 4
BATCH_WEEKDAYS = 25


def queries(weekdays: int, last: date = date(2026, 11, 20)) -> list[ProgramTradeQuery]:
    """Return both markets on so many weekdays, oldest first."""
    days = [day for day in days_before(last, weekdays * 2) if day.weekday() < 5][:weekdays]
    return [ProgramTradeQuery(day, market, Exchange.KRX) for day in days[::-1] for market in Market]


def days_before(last: date, count: int) -> Iterator[date]:
    """Yield so many days back from the last, which is the first yielded."""
    for days in range(count):
        yield last - timedelta(days=days)


def resident_megabytes() -> float:
    gc.collect()
    # What the allocator keeps for later is not in use.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def walk_seconds(kiwoom: KiwoomClient, batch: list[ProgramTradeQuery]) -> float:
    """Return the seconds of the calls alone: the same walks, with nothing kept."""
    started_at = time.perf_counter()
    async with kiwoom.merge(batch, concurrency=CONCURRENCY) as pages:
        async for _ in pages:
            pass
    return time.perf_counter() - started_at


async def fetch_seconds(
    kiwoom: KiwoomClient, archive: Archive, batch: list[ProgramTradeQuery]
) -> float:
    """Return the seconds of the walks into the archive."""
    started_at = time.perf_counter()
    await archive.fetch(kiwoom, batch, concurrency=CONCURRENCY)
    return time.perf_counter() - started_at


async def main() -> None:
    weekdays = int(sys.argv[1]) if len(sys.argv) > 1 else 250
    latency = float(sys.argv[2]) if len(sys.argv) > 2 else 0.046
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        sandbox = Sandbox(requests_per_second=None, latency_seconds=latency)
        async with KiwoomClient.sandbox(sandbox) as kiwoom:
            await compare(kiwoom, sandbox, archive, queries(weekdays))
        read_back(archive)


async def compare(
    kiwoom: KiwoomClient, sandbox: Sandbox, archive: Archive, asked: list[ProgramTradeQuery]
) -> None:
    """Walk and fetch the queries batch by batch, and print seconds and memory."""
    walking = fetching = 0.0
    for start in range(0, len(asked), 2 * BATCH_WEEKDAYS):
        batch = asked[start : start + 2 * BATCH_WEEKDAYS]
        # In turns, so that a noisy machine is noisy for both.
        walking += await walk_seconds(kiwoom, batch)
        fetching += await fetch_seconds(kiwoom, archive, batch)
        sandbox.arrivals.clear()  # its log grows by 4 MB a batch
        print(f"{start + len(batch):5} walks: {resident_megabytes():6.1f} MB resident")
    print(
        f"calls alone {walking:.1f} s, into the archive {fetching:.1f} s: "
        f"{fetching / walking:.2f} times"
    )


def read_back(archive: Archive) -> None:
    """Verify the archive, and compare sums by the archive, polars and DuckDB."""
    started_at = time.perf_counter()
    findings = archive.verify()
    print(f"verify: {len(findings)} findings, {time.perf_counter() - started_at:.1f} s")
    sums = "select count(*), count(distinct date), sum(net_buy_amount) from trades"
    started_at = time.perf_counter()
    by_archive = [*archive.query(sums).to_pylist()[0].values()]
    print(f"Archive.query: {by_archive}, {time.perf_counter() - started_at:.2f} s")
    started_at = time.perf_counter()
    frame = pl.scan_parquet(archive.dataset)
    columns = pl.len(), pl.col("date").n_unique(), pl.col("net_buy_amount").sum()
    by_polars = [*frame.select(*columns).collect().row(0)]
    print(f"polars: {by_polars}, {time.perf_counter() - started_at:.2f} s")
    files = sums.replace("trades", f"'{archive.dataset}/**/*.parquet'")
    by_duckdb = [*duckdb.sql(files).fetchall()[0]]
    print("all the same" if by_archive == by_polars == by_duckdb else f"DuckDB: {by_duckdb}")
    size = sum(entry.bytes for entry in archive.entries()) / 1e6
    print(f"{len(archive.entries())} walks, {size:.1f} MB")


if __name__ == "__main__":
    anyio.run(main)
