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

# Each name is loaded when it is first asked for: whoever wants an error class, or the names of the
# markets, does not wait for the HTTP library.
_HOMES: Final = {
    "_continuation": "Cursor",
    "_endpoint": "Environment Page Undecoded Walk",
    "_errors": (
        "ApiError AuthError BlockedError ContinuationError DecodeError KiwoomError "
        "RateLimited SharingError TransportError TransportTimeout"
    ),
    "_estimate": "Estimate",
    "_events": (
        "CallEnded CallRetried CallSent Event PageDelivered SlotWaited TokenRenewed WalkFinished"
    ),
    "_merging": "Failure MergedPages",
    "_pace": "Pace Priority",
    "_protocol": "Token",
    "_sharing": "Program Sharing SharingReport",
    "_tabular": "Rows",
    "_token": "TokenStore",
    "_watch": "Change WalkComplete Watch",
    "client": "KiwoomClient",
    "program_trades": (
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
