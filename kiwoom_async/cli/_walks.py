"""Walks of several queries at once, with progress lines."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from kiwoom_async import (
    KiwoomClient,
    Page,
    ProgramTrade,
    ProgramTradeQuery,
    ProgramTradeTotals,
    Query,
    Walk,
)

from ._progress import Progress

TradePage: TypeAlias = Page[ProgramTrade, ProgramTradeTotals]
TradeWalk: TypeAlias = Walk[ProgramTrade, ProgramTradeTotals]


def estimated_calls(kiwoom: KiwoomClient, queries: Iterable[Query[Any, Any]]) -> dict[Any, int]:
    """Return the number of calls that each query is expected to take."""
    return {query: kiwoom.estimate([query]).calls for query in queries}


async def collect_walks(
    kiwoom: KiwoomClient, queries: Sequence[ProgramTradeQuery], progress: Progress
) -> list[TradeWalk]:
    """Return the whole walk of each query, in the order of the queries."""
    pages_of: dict[ProgramTradeQuery, list[TradePage]] = {query: [] for query in queries}
    progress.expect(estimated_calls(kiwoom, queries))
    with progress:
        async with kiwoom.merge(queries) as merged:
            async for page in merged:
                pages_of[page.query].append(page)
    return [Walk.from_pages(query, pages) for query, pages in pages_of.items()]
