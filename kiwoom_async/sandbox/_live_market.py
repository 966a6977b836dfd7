"""A market during trading hours: program trades on top of a finished day, and their log.

Deterministic except for the times at which the market is asked for.
"""

from collections import deque
from random import Random
from typing import Final

from attrs import frozen

from ._market import (
    Day,
    Fills,
    Quote,
    Row,
    StockDay,
    draw_stock_days,
    sign_code,
    tick_size,
    to_wire,
)

# Hours of trading at a few trades a second; older changes are forgotten.
_MAX_CHANGES: Final = 100_000
# More trades would delay an answer noticeably.
_MAX_TRADES_AT_ONCE: Final = 10_000


@frozen
class RowChange:
    """A row before and after it changed.

    `time` is when the change was first visible to a request, in seconds of the event loop's clock,
    like an arrival's.
    """

    time: float
    dt: str
    mrkt_tp: str
    stex_tp: str
    before: Row
    after: Row


class _LiveMarket:
    """One market on one day, trading from `started_at` on."""

    def __init__(self, dt: str, mrkt_tp: str, count: int, started_at: float) -> None:
        self.stock_days = list(draw_stock_days(dt, mrkt_tp, count))
        self.trade_count = 0
        self.started_at = started_at
        self._random = Random(f"moving {dt} {mrkt_tp}").random  # noqa: S311 - no secrets
        self._liquid_indices = [
            index for index, stock_day in enumerate(self.stock_days) if stock_day.stock.turnover
        ] or [0]

    def trade_up_to(self, trade_count: int) -> None:
        for _ in range(self.trade_count, trade_count):
            index = self._liquid_indices[int(self._random() * len(self._liquid_indices))]
            self.stock_days[index] = self._trade(self.stock_days[index])
        self.trade_count = max(self.trade_count, trade_count)

    def _trade(self, stock_day: StockDay) -> StockDay:
        """Return the stock's day with one more program trade, at KRX or NXT."""
        quote = _move_price(stock_day.quote, int(3 * self._random()) - 1)
        quantity = 1 + int(20 * self._random())
        amount = round(quantity * quote.price / 1000)
        is_buy = self._random() < 0.5
        fill = Fills(quantity, amount, 0, 0) if is_buy else Fills(0, 0, quantity, amount)
        venue = "2" if self._random() < 0.3 else "1"
        by_exchange = {
            stex_tp: fills.plus(fill) if stex_tp in (venue, "3") else fills
            for stex_tp, fills in stock_day.by_exchange.items()
        }
        return StockDay(stock_day.stock, quote, by_exchange)


def _move_price(quote: Quote, ticks: int) -> Quote:
    previous_close = quote.price - quote.change
    price = quote.price + ticks * tick_size(quote.price)
    # KRX's price limit is 30 %; a trade that would cross it leaves the price as it is.
    if not ticks or not 0.7 * previous_close <= price <= 1.3 * previous_close:
        return quote
    return Quote(price, price - previous_close, sign_code(price, previous_close))


@frozen
class _Snapshot:
    """One exchange of a market as last sent, and the number of trades until then."""

    day: Day
    trade_count: int


class LiveMarkets:
    """Every market asked for so far, each trading since it was first asked for."""

    def __init__(self, trades_per_second: float) -> None:
        self.changes: deque[RowChange] = deque(maxlen=_MAX_CHANGES)
        self._trades_per_second = trades_per_second
        self._markets: dict[tuple[str, str], _LiveMarket] = {}
        self._snapshots: dict[tuple[str, str, str], _Snapshot] = {}

    def day(self, dt: str, mrkt_tp: str, stex_tp: str, count: int, time: float) -> Day:
        """Return the day as of `time`; log the rows that changed since it was last returned."""
        market = self._market(dt, mrkt_tp, count, time)
        key = (dt, mrkt_tp, stex_tp)
        last = self._snapshots.get(key)
        if last is not None and last.trade_count == market.trade_count:
            return last.day
        day = to_wire(market.stock_days, stex_tp)
        self._snapshots[key] = _Snapshot(day, market.trade_count)
        if last is not None:
            self.changes += [
                RowChange(time, *key, before, after)
                for before, after in zip(last.day.rows, day.rows, strict=True)
                if before != after
            ]
        return day

    def last_day(self, dt: str, mrkt_tp: str, stex_tp: str) -> Day | None:
        """Return the day as last returned by `day`, or None."""
        snapshot = self._snapshots.get((dt, mrkt_tp, stex_tp))
        return snapshot.day if snapshot else None

    def stock_days(self, dt: str, mrkt_tp: str, count: int, time: float) -> list[StockDay]:
        """Return what every stock did until `time`; a market not asked for before begins now."""
        return self._market(dt, mrkt_tp, count, time).stock_days

    def is_moving(self, dt: str, mrkt_tp: str) -> bool:
        """Return True if the market was asked for on this day."""
        return (dt, mrkt_tp) in self._markets

    def _market(self, dt: str, mrkt_tp: str, count: int, time: float) -> _LiveMarket:
        if (dt, mrkt_tp) not in self._markets:
            self._markets[dt, mrkt_tp] = _LiveMarket(dt, mrkt_tp, count, time)
        market = self._markets[dt, mrkt_tp]
        market.trade_up_to(self._trades_due(market, time))
        return market

    def _trades_due(self, market: _LiveMarket, time: float) -> int:
        due = int((time - market.started_at) * self._trades_per_second)
        if not 0 <= due - market.trade_count <= _MAX_TRADES_AT_ONCE:
            # After a long pause, or with another event loop's clock, trading goes on from now:
            # the trades of the gap are not made up for.
            due = market.trade_count
            market.started_at = time - due / self._trades_per_second
        return due
