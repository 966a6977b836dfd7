"""Every row of Kiwoom's ka90004 (program trading by stock): typed, complete, at the server's pace.

query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
async with KiwoomClient(app_key, secret_key) as kiwoom:
    async for trade in kiwoom.rows(query):
        print(trade.symbol, trade.stock_name, trade.net_buy_amount)
"""

from ._continuation import Cursor
from ._endpoint import Environment, Page, Undecoded, Walk
from ._errors import (
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
from ._estimate import Estimate
from ._events import (
    CallEnded,
    CallRetried,
    CallSent,
    Event,
    PageDelivered,
    SlotWaited,
    TokenRenewed,
    WalkFinished,
)
from ._merging import Failure, MergedPages
from ._pace import Pace, Priority
from ._protocol import Token
from ._sharing import Program, Sharing, SharingReport
from ._tabular import Rows
from ._token import TokenStore
from ._version import __version__
from ._watch import Change, WalkComplete, Watch
from .client import KiwoomClient
from .program_trades import (
    AmountCheck,
    Exchange,
    Market,
    PriceMove,
    ProgramTrade,
    ProgramTradeAudit,
    ProgramTradeQuery,
    ProgramTradeTotals,
)

__all__ = [
    "AmountCheck",
    "ApiError",
    "AuthError",
    "BlockedError",
    "CallEnded",
    "CallRetried",
    "CallSent",
    "Change",
    "ContinuationError",
    "Cursor",
    "DecodeError",
    "Environment",
    "Estimate",
    "Event",
    "Exchange",
    "Failure",
    "KiwoomClient",
    "KiwoomError",
    "Market",
    "MergedPages",
    "Pace",
    "Page",
    "PageDelivered",
    "PriceMove",
    "Priority",
    "Program",
    "ProgramTrade",
    "ProgramTradeAudit",
    "ProgramTradeQuery",
    "ProgramTradeTotals",
    "RateLimited",
    "Rows",
    "Sharing",
    "SharingError",
    "SharingReport",
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
]
