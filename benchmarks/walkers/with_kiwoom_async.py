"""kiwoom_async with the default engine, page by page: typed rows, complete or an error."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from measured import APP_KEY, FEW, MANY, SECRET_KEY, Pages, Walk, measure

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery

QUERIES = {
    FEW: ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX),
    MANY: ProgramTradeQuery("2026-11-20", Market.KOSDAQ, Exchange.KRX),
}
# The canned pages are no whole day: their shares do not add up to 100 %, of which it would warn.
logging.getLogger("kiwoom_async").setLevel(logging.ERROR)


@asynccontextmanager
async def open_pages(url: str, **options: Any) -> AsyncIterator[Walk]:
    """Open a client without a rate limit; its walks give a list of rows for each page."""
    async with KiwoomClient(
        APP_KEY, SECRET_KEY, base_url=url, requests_per_second=1e9, **options
    ) as kiwoom:

        async def walk(market: str) -> Pages:
            async for page in kiwoom.pages(QUERIES[market]):
                yield page.rows

        yield walk


@asynccontextmanager
async def open_rows(url: str, **options: Any) -> AsyncIterator[Walk]:
    """Open the same client; its walks go row by row, and keep none."""
    async with KiwoomClient(
        APP_KEY, SECRET_KEY, base_url=url, requests_per_second=1e9, **options
    ) as kiwoom:

        async def walk(market: str) -> Pages:
            rows = kiwoom.rows(QUERIES[market])
            yield [await anext(rows)]
            count = 0
            async for _ in rows:
                count += 1
            yield range(count)

        yield walk


if __name__ == "__main__":
    measure(open_pages)
