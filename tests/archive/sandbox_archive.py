"""Queries of a small sandbox, and how to fill an archive from it."""

import datetime
from collections import Counter

from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.archive import _times

# Three pages each, except for the Saturday, which has no data.
KOSPI = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
KOSDAQ = ProgramTradeQuery("2026-11-19", Market.KOSDAQ, Exchange.KRX)
NEXT_DAY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.CONSOLIDATED)
SATURDAY = ProgramTradeQuery("2026-11-21", Market.KOSPI, Exchange.CONSOLIDATED)
ALL_QUERIES = [KOSPI, KOSDAQ, NEXT_DAY, SATURDAY]


def client(sandbox=None, **options):
    """A client of this sandbox, or of an undisturbed one."""
    return KiwoomClient.sandbox(sandbox or small_sandbox(), **options)


async def fetch(archive, queries=ALL_QUERIES, sandbox=None, **options):
    """Fetch into the archive with a client of its own; return the entries."""
    async with client(sandbox) as kiwoom:
        return await archive.fetch(kiwoom, queries, **options)


async def collect_rows(query):
    """Return the rows that an undisturbed sandbox sends for a query."""
    async with client() as kiwoom:
        return (await kiwoom.collect(query)).rows


def read_files(archive):
    """Return the bytes of each file of the data set, by its relative path."""
    return {
        str(path.relative_to(archive.dataset)): path.read_bytes()
        for path in archive.dataset.rglob("*.parquet")
    }


def file_of(archive, query):
    """Return the path of the file of a ka90004 query."""
    folders = (f"{name}={getattr(query, name)}" for name in ("date", "market", "exchange"))
    return archive.dataset.joinpath(*folders, "walk.parquet")


def page_requests(sandbox):
    """Count the requests for each page."""
    return Counter(
        (arrival.body["dt"], arrival.body["mrkt_tp"], arrival.body["stex_tp"], arrival.next_key)
        for arrival in sandbox.arrivals
        if arrival.api_id == "ka90004"
    )


def month(name, days):
    """Return the queries of both markets for the first days of a month, such as "2026-10"."""
    return [
        ProgramTradeQuery(f"{name}-{day:02}", market, Exchange.KRX)
        for day in range(1, days + 1)
        for market in Market
    ]


def set_korean_time(monkeypatch, time):
    """Set the archive's clock to a time in Korea, such as "2026-11-19 14:00"."""
    moment = datetime.datetime.fromisoformat(f"{time}+09:00")
    monkeypatch.setattr(_times, "utc_now", lambda: moment)
