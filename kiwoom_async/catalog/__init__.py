"""The declared requests, one file for each, and their names on the command line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kiwoom_async._protocol.query import Query

from .program_arbitrage_daily import ProgramArbitrageDailyQuery
from .program_market_cumulative import ProgramMarketCumulativeQuery
from .program_market_daily import ProgramMarketDailyQuery
from .program_market_intraday import ProgramMarketIntradayQuery
from .program_rankings import ProgramAmountRankingQuery, ProgramQuantityRankingQuery
from .program_stock_daily import ProgramStockDailyQuery
from .program_stock_intraday import ProgramStockIntradayQuery
from .program_trades import ProgramTradeQuery

REQUESTS: Final[Mapping[str, type[Query[Any, Any]]]] = MappingProxyType(
    {
        "program-trades": ProgramTradeQuery,
        "stock-daily": ProgramStockDailyQuery,
        "stock-intraday": ProgramStockIntradayQuery,
        "market-daily": ProgramMarketDailyQuery,
        "market-intraday": ProgramMarketIntradayQuery,
        "market-cumulative": ProgramMarketCumulativeQuery,
        "arbitrage-daily": ProgramArbitrageDailyQuery,
        "amount-ranking": ProgramAmountRankingQuery,
        "quantity-ranking": ProgramQuantityRankingQuery,
    }
)
