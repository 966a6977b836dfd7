"""The latest day's stocks ranked by net buying or net selling (ka90003)."""

from typing import NamedTuple

from kiwoom_async.sandbox._market import PAGE_SIZES, SUFFIXES, Fills, Row, StockDay

from ._forms import price_fields, signed
from ._parameters import Parameters
from ._trading import Trading, shares_traded, volume


class _Ranked(NamedTuple):
    stock_day: StockDay
    bought: int
    sold: int

    @property
    def net(self) -> int:
        return self.bought - self.sold


def ranking(parameters: Parameters, trading: Trading) -> list[Row]:
    """Return the rows of every stock with a net on the side asked for, the largest first.

    Raises RefusalError 1901 for an unknown market; the codes that ka90005 has for NXT are unknown.
    """
    if parameters["mrkt_tp"] not in PAGE_SIZES:
        raise parameters.refused("1901", parameters["mrkt_tp"])
    dt, stex_tp = trading.latest, parameters["stex_tp"]
    direction = 1 if parameters["trde_upper_tp"] == "2" else -1
    in_shares = parameters["amt_qty_tp"] == "2"
    ranked = [
        _ranked(dt, stock_day, stex_tp, in_shares)
        for stock_day in trading.latest_stock_days(parameters["mrkt_tp"])
    ]
    on_this_side = [stock for stock in ranked if stock.net * direction > 0]
    on_this_side.sort(key=lambda stock: -stock.net * direction)
    return [_row(rank, dt, stex_tp, stock) for rank, stock in enumerate(on_this_side, 1)]


def _ranked(dt: str, stock_day: StockDay, stex_tp: str, in_shares: bool) -> _Ranked:
    traded: Fills = stock_day.by_exchange[stex_tp]
    if not in_shares:
        return _Ranked(stock_day, traded.buy_amount, traded.sell_amount)
    if not traded.turnover:
        return _Ranked(stock_day, 0, 0)
    shares = shares_traded(dt, stock_day, stex_tp)
    return _Ranked(stock_day, shares.buy_quantity, shares.sell_quantity)


def _row(rank: int, dt: str, stex_tp: str, ranked: _Ranked) -> Row:
    stock = ranked.stock_day.stock
    return {
        "rank": str(rank),
        "stk_cd": stock.code + SUFFIXES[stex_tp],
        "stk_nm": stock.name,
        **price_fields(ranked.stock_day.quote, "flu_sig"),
        "acc_trde_qty": str(volume(dt, ranked.stock_day, stex_tp)),
        "prm_sell_amt": str(ranked.sold),
        "prm_buy_amt": str(ranked.bought),
        "prm_netprps_amt": signed(ranked.net),
    }
