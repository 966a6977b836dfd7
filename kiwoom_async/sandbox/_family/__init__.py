"""The program-trading family beside ka90004, with numbers that agree with its days.

Paths, list keys, page sizes, order and forms as recorded; see `kiwoom_async.sandbox` for what is
not. Each TR is a table entry here, and rows in one of the files beside.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from kiwoom_async.sandbox._pages import Pages, Rows

from ._markets import MarketDaily, MarketIntraday
from ._parameters import Parameters
from ._ranking import ranking
from ._stocks import StockDaily, StockIntraday
from ._sums import ArbitrageDaily, cumulative
from ._trading import Trading

__all__ = ["FAMILY", "FamilyRequest", "Trading"]


@frozen
class FamilyRequest:
    """One TR: `find_rows` returns all its rows, or raises RefusalError."""

    path: str
    rows_key: str
    page_size: int
    find_rows: Callable[[Parameters, Trading], Rows]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def pages(self, api_id: str, body: dict[str, Any], trading: Trading) -> Pages:
        """Return the answer; raises RefusalError for a wrong request."""
        parameters = Parameters(api_id, body)
        parameters.check(self.required, self.optional)
        rows = self.find_rows(parameters, trading)
        query = (api_id, json.dumps(body, sort_keys=True))
        return Pages(api_id, query, self.rows_key, self.page_size, rows)


_STOCK_INFO: Final = "/api/dostk/stkinfo"
_MARKET_CONDITIONS: Final = "/api/dostk/mrkcond"
_OF_A_MARKET: Final = ("date", "amt_qty_tp", "mrkt_tp", "min_tic_tp", "stex_tp")

FAMILY: Final = {
    "ka90003": FamilyRequest(
        _STOCK_INFO,
        "prm_netprps_upper_50",
        15,
        ranking,
        ("trde_upper_tp", "amt_qty_tp", "mrkt_tp", "stex_tp"),
    ),
    "ka90005": FamilyRequest(
        _MARKET_CONDITIONS, "prm_trde_trnsn", 100, MarketIntraday, _OF_A_MARKET
    ),
    "ka90006": FamilyRequest(
        _MARKET_CONDITIONS, "prm_trde_dfrt_remn_trnsn", 100, ArbitrageDaily, ("date", "stex_tp")
    ),
    "ka90007": FamilyRequest(
        _MARKET_CONDITIONS,
        "prm_trde_acc_trnsn",
        100,
        cumulative,
        ("date", "amt_qty_tp", "mrkt_tp", "stex_tp"),
    ),
    "ka90008": FamilyRequest(
        _MARKET_CONDITIONS,
        "stk_tm_prm_trde_trnsn",
        200,
        StockIntraday,
        ("amt_qty_tp", "stk_cd", "date"),
    ),
    "ka90010": FamilyRequest(_MARKET_CONDITIONS, "prm_trde_trnsn", 100, MarketDaily, _OF_A_MARKET),
    "ka90013": FamilyRequest(
        _MARKET_CONDITIONS,
        "stk_daly_prm_trde_trnsn",
        20,
        StockDaily,
        ("stk_cd",),
        optional=("amt_qty_tp", "date"),
    ),
}
