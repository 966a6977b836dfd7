"""The trading of the days up to today: by stock in shares, by market in arbitrage and the rest.

All of it follows from the days of ka90004, which count thousand shares and million won. Whatever
is finer than that is invented in such a way that rounding gives the figures of ka90004.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from attrs import frozen

from kiwoom_async.sandbox._market import (
    Fills,
    StockDay,
    draw_market_fills,
    draw_stock_day,
    draw_stock_days,
    sum_fills,
)
from kiwoom_async.sandbox._market_data import MarketData
from kiwoom_async.sandbox._stocks import stocks

_SATURDAY: Final = 5


@frozen
class Listing:
    """The market of a stock, and its place in the server's order."""

    mrkt_tp: str
    index: int


class MarketFills(NamedTuple):
    """The program trading of a market at one exchange, in shares and thousand won."""

    arbitrage: Fills
    non_arbitrage: Fills

    @property
    def total(self) -> Fills:
        """Arbitrage and non-arbitrage together."""
        return self.arbitrage.plus(self.non_arbitrage)


@frozen
class Trading:
    """What was traded up to `today`; of a moving market, up to `time`."""

    market_data: MarketData
    today: date
    time: float

    @property
    def latest(self) -> str:
        """The latest trading day."""
        return self._days[0]

    @property
    def _days(self) -> tuple[str, ...]:
        # One day more than histories hold: their last row needs the day before.
        return _weekdays(self.today, self.market_data.history_days + 1)

    def days_until(self, dt: str) -> tuple[str, ...]:
        """Return the days of a history, newest first, and the day before its oldest.

        "" is the latest day.
        """
        history = [day for day in self._days[:-1] if not dt or day <= dt]
        return (*history, self._days[-1])

    def days_since(self, dt: str) -> tuple[str, ...]:
        """Return the days of a history from this one on, newest first."""
        return tuple(day for day in self._days[:-1] if day >= dt)

    def find(self, code: str) -> Listing | None:
        """Return where a stock is listed, by its code without suffix."""
        for mrkt_tp, count in self.market_data.stock_counts.items():
            index = _indices(mrkt_tp, count).get(code)
            if index is not None:
                return Listing(mrkt_tp, index)
        return None

    def stock_day(self, dt: str, listing: Listing) -> StockDay:
        """Return one stock's day."""
        moving = self._moving(dt, listing.mrkt_tp)
        return moving[listing.index] if moving else self.finished_stock_day(dt, listing)

    def finished_stock_day(self, dt: str, listing: Listing) -> StockDay:
        """Return one stock's day; of a moving market, as it was before it moved."""
        count = self.market_data.stock_counts[listing.mrkt_tp]
        return draw_stock_day(dt, listing.mrkt_tp, count, listing.index)

    def latest_stock_days(self, mrkt_tp: str) -> Sequence[StockDay]:
        """Return the latest day of every stock of a market."""
        count = self.market_data.stock_counts[mrkt_tp]
        moving = self._moving(self.latest, mrkt_tp)
        return moving or draw_stock_days(self.latest, mrkt_tp, count)

    def market_fills(self, dt: str, mrkt_tp: str, stex_tp: str) -> MarketFills:
        """Return the sums of a market's day."""
        moving = self._moving(dt, mrkt_tp)
        sums = _sums(moving) if moving else self._finished(dt, mrkt_tp)
        return _at_exchange(dt, mrkt_tp, stex_tp, sums)

    def finished_market_fills(self, dt: str, mrkt_tp: str, stex_tp: str) -> MarketFills:
        """Return the sums of a market's day; of a moving market, as it was before it moved."""
        return _at_exchange(dt, mrkt_tp, stex_tp, self._finished(dt, mrkt_tp))

    def _finished(self, dt: str, mrkt_tp: str) -> tuple[Fills, Fills]:
        return draw_market_fills(dt, mrkt_tp, self.market_data.stock_counts[mrkt_tp])

    def _moving(self, dt: str, mrkt_tp: str) -> list[StockDay]:
        """Return the stocks of a market that moves on this day; none if it does not.

        The latest day begins to move when it is asked for; other days, by ka90004 only.
        """
        live = self.market_data.live_markets
        count = self.market_data.stock_counts[mrkt_tp]
        if live is None or not count or not (dt == self.latest or live.is_moving(dt, mrkt_tp)):
            return []
        return live.stock_days(dt, mrkt_tp, count, self.time)


def fraction(*words: object) -> float:
    """Return a number from [0, 1) that these words decide."""
    digest = blake2b(" ".join(map(str, words)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def shares_traded(dt: str, stock_day: StockDay, stex_tp: str) -> Fills:
    """Return a stock's program trading in shares (not thousands) and million won."""
    if stex_tp == "3":
        return shares_traded(dt, stock_day, "1").plus(shares_traded(dt, stock_day, "2"))
    fills, code = stock_day.by_exchange[stex_tp], stock_day.stock.code
    return fills._replace(
        buy_quantity=_shares(fills.buy_quantity, fraction(dt, code, stex_tp, "buy")),
        sell_quantity=_shares(fills.sell_quantity, fraction(dt, code, stex_tp, "sell")),
    )


def _shares(thousands: int, part: float) -> int:
    # At most 1 % more, and always less than 250 shares: then the sum of two exchanges, and the
    # difference of two sums, give the thousands of ka90004 if rounded.
    return 1000 * thousands + int(part * min(250, 10 * thousands))


def volume(dt: str, stock_day: StockDay, stex_tp: str) -> int:
    """Return the shares that everybody traded, at least as many as programs bought or sold."""
    if stex_tp == "3":
        return volume(dt, stock_day, "1") + volume(dt, stock_day, "2")
    traded = shares_traded(dt, stock_day, stex_tp)
    part = fraction(dt, stock_day.stock.code, stex_tp, "volume")
    by_programs = max(traded.buy_quantity, traded.sell_quantity)
    if by_programs:
        return int(by_programs * (1.5 + 3 * part))
    return int(20_000 * part) if stock_day.quote.sign not in ("", "0") else 0


def _sums(stock_days: Sequence[StockDay]) -> tuple[Fills, Fills]:
    krx, nxt = ([day.by_exchange[stex_tp] for day in stock_days] for stex_tp in "12")
    return sum_fills(krx), sum_fills(nxt)


def _at_exchange(dt: str, mrkt_tp: str, stex_tp: str, sums: tuple[Fills, Fills]) -> MarketFills:
    krx, nxt = (
        _divide(fills, (dt, mrkt_tp, exchange)) for exchange, fills in zip("12", sums, strict=True)
    )
    if stex_tp == "3":
        return MarketFills(
            krx.arbitrage.plus(nxt.arbitrage), krx.non_arbitrage.plus(nxt.non_arbitrage)
        )
    return krx if stex_tp == "1" else nxt


def _divide(fills: Fills, words: tuple[str, ...]) -> MarketFills:
    """Divide thousand shares and million won of a market into arbitrage and the rest."""
    exact = Fills(*(_finer(value, *words, number) for number, value in enumerate(fills)))
    bought, sold = (0.01 + 0.08 * fraction(*words, side) for side in ("bought", "sold"))
    # An arbitrage share costs about 2.5 times as much as another one (ka90005 of 2026-07-01).
    parts = (bought / 2.5, bought, sold / 2.5, sold)
    arbitrage = Fills(*(int(value * part) for value, part in zip(exact, parts, strict=True)))
    rest = Fills(*(value - part for value, part in zip(exact, arbitrage, strict=True)))
    return MarketFills(arbitrage, rest)


def _finer(value: int, *words: object) -> int:
    # Less than 120 more or less: then sums of two exchanges, and differences of two sums, give the
    # figures of ka90004 if rounded to thousands.
    return 1000 * value + int(240 * fraction(*words)) - 120 if value else 0


@lru_cache(maxsize=8)
def _weekdays(today: date, count: int) -> tuple[str, ...]:
    """Return the latest trading days, newest first."""
    days: list[str] = []
    day = today
    while len(days) < count:
        if day.weekday() < _SATURDAY:
            days.append(f"{day:%Y%m%d}")
        day -= timedelta(days=1)
    return tuple(days)


@lru_cache(maxsize=8)
def _indices(mrkt_tp: str, count: int) -> dict[str, int]:
    return {stock.code: index for index, stock in enumerate(stocks(mrkt_tp, count))}
