"""A year into an archive: what it costs beside the calls, whether memory grows, who can read it.

`python benchmarks/archive.py [WEEKDAYS] [LATENCY_SECONDS]`. There is no pace: at five
calls a second a page may take 200 ms, and the archive's part of it is a few. The sandbox is in the
same process, so that its work, too, is part of the calls' time that the archive's is compared with.
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

AT_ONCE = 4
PORTION = 25


def queries(days: int, last: date = date(2026, 11, 20)) -> list[ProgramTradeQuery]:
    """Both markets on so many weekdays, oldest first."""
    found = [day for day in back_from(last, days * 2) if day.weekday() < 5][:days]
    return [
        ProgramTradeQuery(day, market, Exchange.KRX) for day in found[::-1] for market in Market
    ]


def back_from(last: date, days: int) -> Iterator[date]:
    for back in range(days):
        yield last - timedelta(days=back)


def resident_megabytes() -> float:
    gc.collect()
    # What the allocator keeps for later is not in use.
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def walked(kiwoom: KiwoomClient, asked: list[ProgramTradeQuery]) -> float:
    """Seconds for the calls alone: the same walks, and nothing kept."""
    began = time.perf_counter()
    async with kiwoom.merge(asked, concurrency=AT_ONCE) as pages:
        async for _ in pages:
            pass
    return time.perf_counter() - began


async def fetched(kiwoom: KiwoomClient, archive: Archive, asked: list[ProgramTradeQuery]) -> float:
    began = time.perf_counter()
    await archive.fetch(kiwoom, asked, concurrency=AT_ONCE)
    return time.perf_counter() - began


async def main() -> None:
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 250
    latency = float(sys.argv[2]) if len(sys.argv) > 2 else 0.046
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        exchange = Sandbox(requests_per_second=None, latency_seconds=latency)
        async with KiwoomClient.sandbox(exchange) as kiwoom:
            await in_portions(kiwoom, exchange, archive, queries(days))
        look(archive)


async def in_portions(
    kiwoom: KiwoomClient, exchange: Sandbox, archive: Archive, asked: list[ProgramTradeQuery]
) -> None:
    calls = keeping = 0.0
    for start in range(0, len(asked), 2 * PORTION):
        portion = asked[start : start + 2 * PORTION]
        # In turns, so that a noisy machine is noisy for both.
        calls += await walked(kiwoom, portion)
        keeping += await fetched(kiwoom, archive, portion)
        exchange.arrivals.clear()  # its log grows by 4 MB a portion
        print(f"{start + len(portion):5} walks: {resident_megabytes():6.1f} MB resident")
    print(
        f"calls alone {calls:.1f} s, into the archive {keeping:.1f} s: {keeping / calls:.2f} times"
    )


def look(archive: Archive) -> None:
    began = time.perf_counter()
    findings = archive.verify()
    print(f"verify: {len(findings)} findings, {time.perf_counter() - began:.1f} s")
    sums = "select count(*), count(distinct date), sum(net_buy_amount) from trades"
    began = time.perf_counter()
    by_archive = [*archive.query(sums).to_pylist()[0].values()]
    print(f"Archive.query: {by_archive}, {time.perf_counter() - began:.2f} s")
    began = time.perf_counter()
    frame = pl.scan_parquet(archive.dataset)
    columns = pl.len(), pl.col("date").n_unique(), pl.col("net_buy_amount").sum()
    by_polars = [*frame.select(*columns).collect().row(0)]
    print(f"polars: {by_polars}, {time.perf_counter() - began:.2f} s")
    data = sums.replace("trades", f"'{archive.dataset}/**/*.parquet'")
    by_duckdb = [*duckdb.sql(data).fetchall()[0]]
    print("all the same" if by_archive == by_polars == by_duckdb else f"DuckDB: {by_duckdb}")
    size = sum(entry.bytes for entry in archive.entries()) / 1e6
    print(f"{len(archive.entries())} walks, {size:.1f} MB")


anyio.run(main)
