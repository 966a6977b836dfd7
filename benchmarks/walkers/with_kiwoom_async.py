"""kiwoom_async as installed: typed rows, complete or an error."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from measured import FEW, MANY, Pages, Walk, measure

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery

MARKETS = {FEW: Market.KOSPI, MANY: Market.KOSDAQ}


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Walk]:
    """A client whose pace has no limit."""
    async with KiwoomClient("a", "s", base_url=url, requests_per_second=1e9, **options) as kiwoom:

        async def walk(market: str) -> Pages:
            async for page in kiwoom.pages(
                ProgramTradeQuery("2026-11-20", MARKETS[market], Exchange.KRX)
            ):
                yield page.rows

        yield walk


if __name__ == "__main__":
    measure(opened)
