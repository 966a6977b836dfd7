"""A market's nets summed up (ka90007), and the arbitrage of KOSPI (ka90006), by day."""

from itertools import accumulate, pairwise
from typing import Final

from kiwoom_async.sandbox._market import Row

from ._forms import decimal, in_thousands, signed
from ._indices import basis, kospi200
from ._parameters import Parameters
from ._trading import MarketFills, Trading

_KOSPI: Final = "P00101"
# Not the codes of the other TRs.
_MARKETS: Final = {"0": _KOSPI, "1": "P10102"}


class ArbitrageDaily:
    """The rows of ka90006: the arbitrage of KOSPI, bought and sold."""

    def __init__(self, parameters: Parameters, trading: Trading) -> None:
        self._trading = trading
        self._stex_tp = parameters["stex_tp"]
        self._days = trading.days_until(parameters["date"])

    def __len__(self) -> int:
        """Return the number of days, without the one before the oldest."""
        return len(self._days) - 1

    def __getitem__(self, part: slice) -> list[Row]:
        """Return the rows of a page, newest first."""
        days = self._days[part.start : part.stop + 1]
        fills = [self._trading.market_fills(dt, _KOSPI, self._stex_tp) for dt in days]
        pairs = zip(days, pairwise(fills), strict=False)
        return [_arbitrage_row(dt, today, before) for dt, (today, before) in pairs]


def _arbitrage_row(dt: str, today: MarketFills, before: MarketFills) -> Row:
    fills = today.arbitrage
    bought_more = fills.buy_amount - before.arbitrage.buy_amount
    sold_more = fills.sell_amount - before.arbitrage.sell_amount
    return {
        "dt": dt,
        "buy_dfrt_trde_qty": str(in_thousands(fills.buy_quantity)),
        "buy_dfrt_trde_amt": str(in_thousands(fills.buy_amount)),
        "buy_dfrt_trde_irds_amt": str(in_thousands(bought_more)),
        "sel_dfrt_trde_qty": str(in_thousands(fills.sell_quantity)),
        "sel_dfrt_trde_amt": str(in_thousands(fills.sell_amount)),
        "sel_dfrt_trde_irds_amt": str(in_thousands(sold_more)),
    }


def cumulative(parameters: Parameters, trading: Trading) -> list[Row]:
    """Return the rows of ka90007: nets in million won, and their sums since `date`.

    Raises RefusalError 1901 for an unknown market.
    """
    mrkt_tp = _MARKETS.get(parameters["mrkt_tp"])
    if mrkt_tp is None:
        raise parameters.refused("1901", parameters["mrkt_tp"])
    oldest_first = trading.days_since(parameters["date"])[::-1]
    nets = [_nets(trading.market_fills(dt, mrkt_tp, parameters["stex_tp"])) for dt in oldest_first]
    sums = accumulate(nets, _add)
    rows = [_cumulative_row(*row) for row in zip(oldest_first, nets, sums, strict=True)]
    return rows[::-1]


_Nets = tuple[int, int, int]


def _nets(fills: MarketFills) -> _Nets:
    """Return the net amounts of arbitrage, of the rest, and of both."""
    arbitrage, rest, total = (
        in_thousands(part.buy_amount - part.sell_amount) for part in (*fills, fills.total)
    )
    return arbitrage, rest, total


def _add(sums: _Nets, nets: _Nets) -> _Nets:
    return sums[0] + nets[0], sums[1] + nets[1], sums[2] + nets[2]


def _cumulative_row(dt: str, nets: _Nets, sums: _Nets) -> Row:
    names = ("dfrt_trde", "ndiffpro_trde", "all")
    return {
        "dt": dt,
        "kospi200": f"+{decimal(kospi200(dt))}",
        "basis": decimal(basis(dt)),
        **{
            f"{name}_{suffix}": signed(value, "--")
            for name, net, net_sum in zip(names, nets, sums, strict=True)
            for suffix, value in (("tdy", net), ("acc", net_sum))
        },
    }
