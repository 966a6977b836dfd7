"""A finished day of a market: what every stock did, and the rows and totals that follow from it.

Deterministic: date, market, exchange and the number of stocks decide every digit.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from attrs import frozen

from ._stocks import RandomFloat, Stock, stocks

Row = dict[str, str]

PAGE_SIZES: Final = {"P00101": 50, "P10102": 30}
SUFFIXES: Final = {"1": "", "2": "_NX", "3": "_AL"}
BLANK_ROW: Final[Row] = {
    "stk_cd": "",
    "stk_nm": "",
    "cur_prc": "",
    "flu_sig": "",
    "pred_pre": "",
    "buy_cntr_qty": "",
    "buy_cntr_amt": "",
    "sel_cntr_qty": "",
    "sel_cntr_amt": "",
    "netprps_prica": "",
    "all_trde_rt": "",
}
BLANK_TOTALS: Final[Row] = {f"tot_{number}": "" for number in range(1, 7)}
UPPER_LIMIT, UP, FLAT, LOWER_LIMIT, DOWN = "1", "2", "3", "4", "5"

# KRX's tick sizes since 2023, in won: each holds from one of these prices up to the next.
_TICK_SIZES: Final = (1, 5, 10, 50, 100, 500, 1000)
_TICK_SIZE_LIMITS: Final = (2000, 5000, 20_000, 50_000, 200_000, 500_000)


class Fills(NamedTuple):
    """Program trading in one stock at one exchange: thousand shares, million won."""

    buy_quantity: int = 0
    buy_amount: int = 0
    sell_quantity: int = 0
    sell_amount: int = 0

    @property
    def turnover(self) -> int:
        """Bought and sold amount together, million won."""
        return self.buy_amount + self.sell_amount

    def plus(self, other: "Fills") -> "Fills":
        """Return the sums, field by field."""
        return sum_fills((self, other))


@frozen
class Quote:
    """A closing price and its change from the previous close, in won; the sign may be ""."""

    price: int
    change: int
    sign: str

    @property
    def wire_price(self) -> str:
        """The price with the sign of its change, without one if unchanged."""
        return f"{'+' if self.change > 0 else '-' if self.change < 0 else ''}{self.price}"


class StockDay(NamedTuple):
    """One stock's day: its quote, and its program trading by `stex_tp`."""

    stock: Stock
    quote: Quote
    by_exchange: dict[str, Fills]


@frozen
class Day:
    """The rows and totals of one market at one exchange on one day, as sent."""

    rows: tuple[Row, ...]
    totals: Row


# A date takes six entries (two markets at three exchanges) of about 3 MB each.
@lru_cache(maxsize=12)
def finished_day(dt: str, mrkt_tp: str, stex_tp: str, count: int) -> Day:
    """Return the day of a market that lists `count` stocks, at one exchange."""
    return to_wire(draw_stock_days(dt, mrkt_tp, count), stex_tp)


def to_wire(stock_days: Sequence[StockDay], stex_tp: str) -> Day:
    """Return the rows and totals of an exchange, as sent."""
    fills = [stock_day.by_exchange[stex_tp] for stock_day in stock_days]
    shares = hundredths([fill.turnover for fill in fills])
    suffix = SUFFIXES[stex_tp]
    rows = (
        _row(stock_day.stock.code + suffix, stock_day, fill, share)
        for stock_day, fill, share in zip(stock_days, fills, shares, strict=True)
    )
    return Day(tuple(rows), _totals(fills))


@lru_cache(maxsize=4)
def draw_stock_days(dt: str, mrkt_tp: str, count: int) -> tuple[StockDay, ...]:
    """Invent what the first `count` stocks of a market did on a day, in listing order."""
    random = _random_of_day(dt, mrkt_tp)
    return tuple(_stock_day(stock, random) for stock in stocks(mrkt_tp, count))


@lru_cache(maxsize=1024)
def draw_stock_day(dt: str, mrkt_tp: str, count: int, index: int) -> StockDay:
    """Return one of `draw_stock_days` without inventing the others."""
    random = _random_of_day(dt, mrkt_tp)
    listed = stocks(mrkt_tp, count)
    for stock in listed[:index]:
        _skip_stock_day(stock, random)
    return _stock_day(listed[index], random)


@lru_cache(maxsize=2048)
def draw_market_fills(dt: str, mrkt_tp: str, count: int) -> tuple[Fills, Fills]:
    """Return the sums of `draw_stock_days` at KRX and at NXT, in half of its time."""
    random = _random_of_day(dt, mrkt_tp)
    krx: list[Fills] = []
    nxt: list[Fills] = []
    for stock in stocks(mrkt_tp, count):
        turnover = _program_turnover(stock, random)
        if turnover:
            price, _ = _closing_price(_previous_close(stock.price, random), random)
            at_krx, at_nxt = _fills_at_exchanges(turnover, price, random)
            krx.append(at_krx)
            nxt.append(at_nxt)
        else:
            _skip_idle_quote(random)
    return sum_fills(krx), sum_fills(nxt)


def sum_fills(fills: Sequence[Fills]) -> Fills:
    """Return the sums, field by field."""
    return Fills(*map(sum, zip(Fills(), *fills, strict=True)))


def _random_of_day(dt: str, mrkt_tp: str) -> RandomFloat:
    return Random(f"{dt} {mrkt_tp}").random  # noqa: S311 - invented prices, no secrets


def _stock_day(stock: Stock, random: RandomFloat) -> StockDay:
    turnover = _program_turnover(stock, random)
    quote = _quote(stock.price, random)
    if not turnover:
        if random() < 0.006:  # "" and "0" are rare in recordings
            quote = Quote(quote.price, 0, "" if random() < 0.5 else "0")
        return StockDay(stock, quote, dict.fromkeys(SUFFIXES, Fills()))
    krx, nxt = _fills_at_exchanges(turnover, quote.price, random)
    return StockDay(stock, quote, {"1": krx, "2": nxt, "3": krx.plus(nxt)})


def _skip_stock_day(stock: Stock, random: RandomFloat) -> None:
    """Draw as often as `_stock_day`."""
    if not _program_turnover(stock, random):
        _skip_idle_quote(random)
        return
    _skip_quote(random)
    for _ in range(7):
        random()


def _skip_idle_quote(random: RandomFloat) -> None:
    """Draw as often as `_stock_day` after `_program_turnover` returned 0.0."""
    _skip_quote(random)
    if random() < 0.006:
        random()


def _skip_quote(random: RandomFloat) -> None:
    """Draw as often as `_quote`."""
    random()
    event = int(2000 * random())
    if event > 2 and event % 10:
        random()
        random()
        random()


def _program_turnover(stock: Stock, random: RandomFloat) -> float:
    """Draw the day's program turnover, million won; 0.0 if the stock does not trade."""
    # Rarely a thin stock trades, or a liquid one does not.
    trades_today = random() < (0.96 if stock.turnover else 0.03)
    return (stock.turnover or 40) * (0.4 + 1.2 * random()) if trades_today else 0.0


def _quote(typical_price: int, random: RandomFloat) -> Quote:
    previous_close = _previous_close(typical_price, random)
    price, sign = _closing_price(previous_close, random)
    return Quote(price, price - previous_close, sign)


def _previous_close(typical_price: int, random: RandomFloat) -> int:
    return _round_down_to_tick(int(typical_price * (0.85 + 0.3 * random())))


def _closing_price(previous_close: int, random: RandomFloat) -> tuple[int, str]:
    """Draw a closing price and its sign code."""
    event = int(2000 * random())
    if event < 2:  # one stock in a thousand
        return _round_down_to_tick(previous_close * 13 // 10), UPPER_LIMIT
    if event == 2:  # one in two thousand
        return _lower_limit(previous_close), LOWER_LIMIT
    move = 0.0 if event % 10 == 0 else 0.06 * (random() + random() + random() - 1.5)
    price = _round_down_to_tick(int(previous_close * (1 + move)))
    return price, sign_code(price, previous_close)


def sign_code(price: int, previous_close: int) -> str:
    """Return UP, DOWN or FLAT."""
    return UP if price > previous_close else DOWN if price < previous_close else FLAT


def _lower_limit(previous_close: int) -> int:
    lowest = -(-previous_close * 7 // 10)
    rounded = _round_down_to_tick(lowest)
    return rounded if rounded == lowest else rounded + tick_size(lowest)


def _round_down_to_tick(price: int) -> int:
    size = tick_size(price)
    return price // size * size


def tick_size(price: int) -> int:
    """Return KRX's tick size at this price, in won."""
    return _TICK_SIZES[bisect_right(_TICK_SIZE_LIMITS, price)]


def _fills_at_exchanges(turnover: float, price: int, random: RandomFloat) -> tuple[Fills, Fills]:
    """Divide the turnover among KRX and NXT."""
    nxt_part = 0.05 + 0.45 * random()
    krx = _fills(turnover * (1 - nxt_part), price, random)
    return krx, _fills(turnover * nxt_part, price, random)


def _fills(turnover: float, price: int, random: RandomFloat) -> Fills:
    buy_part = 0.25 + 0.5 * random()
    bought = _quantity_and_amount(turnover * buy_part, price, random)
    sold = _quantity_and_amount(turnover * (1 - buy_part), price, random)
    return Fills(*bought, *sold)


def _quantity_and_amount(turnover: float, price: int, random: RandomFloat) -> tuple[int, int]:
    quantity = int(turnover * 1000 / price)
    # Recorded rows lie between 0.98 and 1.01 of quantity times closing price.
    return quantity, int(quantity * price / 1000 * (0.98 + 0.03 * random()) + 0.5)


def hundredths(parts: list[int]) -> list[int]:
    """Return each part's share of the sum in 1/100 percent.

    Shares are rounded up or down so that they add up to 10,000; all are 0 if the sum is 0.
    """
    whole = sum(parts)
    if not whole:
        return [0] * len(parts)
    shares = [part * 10_000 // whole for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda index: -(parts[index] * 10_000 % whole))
    for index in by_remainder[: 10_000 - sum(shares)]:
        shares[index] += 1
    return shares


def _row(code: str, stock_day: StockDay, fills: Fills, share: int) -> Row:
    quote = stock_day.quote
    return {
        "stk_cd": code,
        "stk_nm": stock_day.stock.name,
        "cur_prc": quote.wire_price,
        "flu_sig": quote.sign,
        "pred_pre": f"{quote.change:+d}" if quote.change else "0",
        "buy_cntr_qty": str(fills.buy_quantity),
        "buy_cntr_amt": str(fills.buy_amount),
        "sel_cntr_qty": str(fills.sell_quantity),
        "sel_cntr_amt": str(fills.sell_amount),
        "netprps_prica": str(fills.buy_amount - fills.sell_amount),
        "all_trde_rt": f"+{share // 100}.{share % 100:02d}",
    }


def _totals(fills: list[Fills]) -> Row:
    total = sum_fills(fills)
    sums = [*total, total.buy_amount - total.sell_amount]
    return {**{f"tot_{number}": str(value) for number, value in enumerate(sums, 1)}, "tot_6": ""}
