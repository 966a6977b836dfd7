"""A market that does not stand still: program trades on top of a finished day, and their log.

Deterministic but for the moments at which it is asked. Knows no page and no caller.
"""

from collections import deque
from random import Random
from typing import Final

from attrs import define, frozen

from ._market import DOWN, FLAT, UP, Day, Fills, Quote, Row, Traded, session, tick, told

# Hours of trading at a few trades a second; older changes are forgotten.
_LOG_LENGTH: Final = 100_000
# As many as are worked out without being noticed.
_MOST_AT_ONCE: Final = 10_000


@frozen
class RowChange:
    """A row that was sent, or could have been, and what has taken its place since `time`.

    `time` is in seconds of the event loop's clock, like an arrival's.
    """

    time: float
    dt: str
    mrkt_tp: str
    stex_tp: str
    before: Row
    after: Row


class _Market:
    """One market on one day, from the moment it is first asked for."""

    def __init__(self, dt: str, mrkt_tp: str, count: int, began: float) -> None:
        self.traded = list(session(dt, mrkt_tp, count))
        self.trades = 0
        self.began = began
        self._chance = Random(f"moving {dt} {mrkt_tp}").random  # noqa: S311 - no secret
        self._busy = [at for at, each in enumerate(self.traded) if each.stock.turnover] or [0]

    def trade_until(self, trades: int) -> None:
        for _ in range(self.trades, trades):
            at = self._busy[int(self._chance() * len(self._busy))]
            self.traded[at] = self._after_a_trade(self.traded[at])
        self.trades = max(self.trades, trades)

    def _after_a_trade(self, traded: Traded) -> Traded:
        quote = _moved(traded.quote, int(3 * self._chance()) - 1)
        quantity = 1 + int(20 * self._chance())
        amount = round(quantity * quote.price / 1000)
        bought = self._chance() < 0.5  # a coin
        fill = Fills(quantity, amount, 0, 0) if bought else Fills(0, 0, quantity, amount)
        venue = "2" if self._chance() < 0.3 else "1"
        by_exchange = {
            stex_tp: _added(fills, fill) if stex_tp in (venue, "3") else fills
            for stex_tp, fills in traded.by_exchange.items()
        }
        return Traded(traded.stock, quote, by_exchange)


def _added(fills: Fills, fill: Fills) -> Fills:
    return Fills(*(one + other for one, other in zip(fills, fill, strict=True)))


def _moved(quote: Quote, steps: int) -> Quote:
    before = quote.price - quote.change
    price = quote.price + steps * tick(quote.price)
    # The price limit is 30 %: at its edge a stock stays where it is.
    if not steps or not 0.7 * before <= price <= 1.3 * before:
        return quote
    sign = UP if price > before else DOWN if price < before else FLAT
    return Quote(price, price - before, sign)


@define
class _View:
    """One exchange of a market as it was last shown, after so many trades."""

    day: Day
    trades: int


class Moving:
    """Every market asked for so far, and how each has changed under whoever asked."""

    def __init__(self, trades_per_second: float) -> None:
        self.changes: deque[RowChange] = deque(maxlen=_LOG_LENGTH)
        self._trades_per_second = trades_per_second
        self._markets: dict[tuple[str, str], _Market] = {}
        self._views: dict[tuple[str, str, str], _View] = {}

    def day(self, dt: str, mrkt_tp: str, stex_tp: str, count: int, time: float) -> Day:
        """The market as it is now; what has changed since it was last asked for is logged."""
        if (dt, mrkt_tp) not in self._markets:
            self._markets[dt, mrkt_tp] = _Market(dt, mrkt_tp, count, time)
        market = self._markets[dt, mrkt_tp]
        market.trade_until(self._due(market, time))
        key = (dt, mrkt_tp, stex_tp)
        if key not in self._views:
            day = told(market.traded, stex_tp)
            self._views[key] = _View(day, market.trades)
        view = self._views[key]
        if view.trades != market.trades:
            day = told(market.traded, stex_tp)
            self.changes += [
                RowChange(time, *key, before, after)
                for before, after in zip(view.day.rows, day.rows, strict=True)
                if before != after
            ]
            view.day, view.trades = day, market.trades
        return view.day

    def _due(self, market: _Market, time: float) -> int:
        due = int((time - market.began) * self._trades_per_second)
        if not 0 <= due - market.trades <= _MOST_AT_ONCE:
            # Nobody asked for long, or another event loop asks, with another clock: what it
            # missed is not made up for.
            due = market.trades
            market.began = time - due / self._trades_per_second
        return due

    def last_told(self, dt: str, mrkt_tp: str, stex_tp: str) -> Day | None:
        """What was shown last, if anything was."""
        view = self._views.get((dt, mrkt_tp, stex_tp))
        return view.day if view else None
