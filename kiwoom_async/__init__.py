"""Every row of Kiwoom's ka90004 (program trading by stock): typed, complete, at the server's pace.

query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
async with KiwoomClient(app_key, secret_key) as kiwoom:
    async for trade in kiwoom.rows(query):
        print(trade.symbol, trade.stock_name, trade.net_buy_amount)
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from ._version import __version__

if TYPE_CHECKING:
    from ._io.merge import Failure, MergedPages
    from ._io.rate_limit import Priority, RateLimiter
    from ._io.sharing import Program, Sharing, SharingReport
    from ._io.tokens import TokenStore
    from ._io.watch import Change, WalkComplete, Watch
    from ._protocol.cursor import Cursor
    from ._protocol.estimate import Estimate
    from ._protocol.messages import Token
    from ._protocol.query import Environment, Page, Undecoded, Walk
    from ._protocol.rows import Rows
    from .catalog.program_trades import (
        AmountCheck,
        Exchange,
        Market,
        PriceMove,
        ProgramTrade,
        ProgramTradeAudit,
        ProgramTradeQuery,
        ProgramTradeTotals,
    )
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
    "RateLimiter",
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

# Each name is loaded when it is first asked for: whoever wants an error class, or the names of the
# markets, does not wait for the HTTP library.
_HOMES: Final = {
    "_protocol.cursor": "Cursor",
    "_protocol.query": "Environment Page Undecoded Walk",
    "errors": (
        "ApiError AuthError BlockedError ContinuationError DecodeError KiwoomError "
        "RateLimited SharingError TransportError TransportTimeout"
    ),
    "_protocol.estimate": "Estimate",
    "events": (
        "CallEnded CallRetried CallSent Event PageDelivered SlotWaited TokenRenewed WalkFinished"
    ),
    "_io.merge": "Failure MergedPages",
    "_io.rate_limit": "Priority RateLimiter",
    "_protocol.messages": "Token",
    "_io.sharing": "Program Sharing SharingReport",
    "_protocol.rows": "Rows",
    "_io.tokens": "TokenStore",
    "_io.watch": "Change WalkComplete Watch",
    "client": "KiwoomClient",
    "catalog.program_trades": (
        "AmountCheck Exchange Market PriceMove ProgramTrade ProgramTradeAudit "
        "ProgramTradeQuery ProgramTradeTotals"
    ),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in ("client", "program_trades"):
            return importlib.import_module(f".{name}", __name__)
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
