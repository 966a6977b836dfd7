"""Every row of Kiwoom's ka90004 (program trading by stock): typed, complete, at the server's pace.

query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
async with KiwoomClient(app_key, secret_key) as kiwoom:
    async for trade in kiwoom.rows(query):
        print(trade.symbol, trade.stock_name, trade.net_buy_amount)
"""

from ._io.merge import Failure, MergedPages
from ._io.rate_limit import Priority, RateLimiter
from ._io.sharing import Program, Sharing, SharingReport
from ._io.tokens import TokenStore
from ._io.watch import Change, WalkComplete, Watch
from ._protocol.audit import Audit, Check
from ._protocol.convert import hundredths, magnitude
from ._protocol.cursor import Cursor
from ._protocol.estimate import Estimate
from ._protocol.messages import Token
from ._protocol.published import PublishedRequest, published_requests
from ._protocol.query import Environment, Query, wire
from ._protocol.records import to_dict
from ._protocol.reply import Reply
from ._protocol.results import Page, Rows, Undecoded, Walk
from ._version import __version__
from .catalog.codes import Exchange, Interval, Market, PriceMove, Side
from .catalog.program_arbitrage_daily import ProgramArbitrageDaily, ProgramArbitrageDailyQuery
from .catalog.program_market_cumulative import ProgramMarketCumulative, ProgramMarketCumulativeQuery
from .catalog.program_market_daily import ProgramMarketDaily, ProgramMarketDailyQuery
from .catalog.program_market_intraday import ProgramMarketIntraday, ProgramMarketIntradayQuery
from .catalog.program_rankings import (
    ProgramAmountRanking,
    ProgramAmountRankingQuery,
    ProgramQuantityRanking,
    ProgramQuantityRankingQuery,
)
from .catalog.program_stock_daily import ProgramStockDaily, ProgramStockDailyQuery
from .catalog.program_stock_intraday import ProgramStockIntraday, ProgramStockIntradayQuery
from .catalog.program_trades import ProgramTrade, ProgramTradeQuery, ProgramTradeTotals
from .client import KiwoomClient
from .errors import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    DecodeError,
    KiwoomError,
    RateLimited,
    SharingError,
    TransportError,
    TransportTimeout,
)
from .events import (
    CallEnded,
    CallRetried,
    CallSent,
    Event,
    PageDelivered,
    SlotWaited,
    TokenRenewed,
    WalkFinished,
)

__all__ = [
    "ApiError",
    "Audit",
    "AuthError",
    "BlockedError",
    "CallEnded",
    "CallRetried",
    "CallSent",
    "Change",
    "Check",
    "ContinuationError",
    "Cursor",
    "DecodeError",
    "Environment",
    "Estimate",
    "Event",
    "Exchange",
    "Failure",
    "Interval",
    "KiwoomClient",
    "KiwoomError",
    "Market",
    "MergedPages",
    "Page",
    "PageDelivered",
    "PriceMove",
    "Priority",
    "Program",
    "ProgramAmountRanking",
    "ProgramAmountRankingQuery",
    "ProgramArbitrageDaily",
    "ProgramArbitrageDailyQuery",
    "ProgramMarketCumulative",
    "ProgramMarketCumulativeQuery",
    "ProgramMarketDaily",
    "ProgramMarketDailyQuery",
    "ProgramMarketIntraday",
    "ProgramMarketIntradayQuery",
    "ProgramQuantityRanking",
    "ProgramQuantityRankingQuery",
    "ProgramStockDaily",
    "ProgramStockDailyQuery",
    "ProgramStockIntraday",
    "ProgramStockIntradayQuery",
    "ProgramTrade",
    "ProgramTradeQuery",
    "ProgramTradeTotals",
    "PublishedRequest",
    "Query",
    "RateLimited",
    "RateLimiter",
    "Reply",
    "Rows",
    "Sharing",
    "SharingError",
    "SharingReport",
    "Side",
    "SlotWaited",
    "Token",
    "TokenRenewed",
    "TokenStore",
    "TransportError",
    "TransportTimeout",
    "Undecoded",
    "Walk",
    "WalkComplete",
    "WalkFinished",
    "Watch",
    "__version__",
    "hundredths",
    "magnitude",
    "published_requests",
    "to_dict",
    "wire",
]
_WINGS = ["archive", "cli", "report", "sandbox", "sharing", "speed", "tables"]


def __dir__() -> list[str]:
    return sorted([*__all__, *_WINGS])
