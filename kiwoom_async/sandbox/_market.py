"""The market: what every stock did on a day, and the rows and totals that follow from it.

Deterministic: date, market and exchange decide everything. Knows no clock, no page and no caller.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from attrs import frozen

from ._names import Stock, stocks

Row = dict[str, str]
Chance = Callable[[], float]

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

# KRX's price steps since 2023: below this price, this step.
_TICKS: Final = ((2000, 1), (5000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))
UPPER, UP, FLAT, LOWER, DOWN = "1", "2", "3", "4", "5"


class Fills(NamedTuple):
    """Program trading at one exchange: thousand shares, million won."""

    buy_quantity: int = 0
    buy_amount: int = 0
    sell_quantity: int = 0
    sell_amount: int = 0

    @property
    def turnover(self) -> int:
        """Both sides, million won."""
        return self.buy_amount + self.sell_amount


@frozen
class Quote:
    """A closing price beside the one before it; the sign code may be blank."""

    price: int
    change: int
    sign: str

    @property
    def wire_price(self) -> str:
        """Signed by direction, unsigned when flat."""
        return f"{'+' if self.change > 0 else '-' if self.change < 0 else ''}{self.price}"


class Traded(NamedTuple):
    """What one stock did: its close, and program trading by `stex_tp`."""

    stock: Stock
    quote: Quote
    by_exchange: dict[str, Fills]


@frozen
class Day:
    """One market at one exchange on one day."""

    rows: tuple[Row, ...]
    totals: Row


# Six days fit one date in full: two markets at three exchanges, about 3 MB each.
@lru_cache(maxsize=12)
def day(dt: str, mrkt_tp: str, stex_tp: str, count: int) -> Day:
    """Work out a finished day."""
    return told(session(dt, mrkt_tp, count), stex_tp)


def told(traded: Sequence[Traded], stex_tp: str) -> Day:
    """Rows and totals as the wire spells them."""
    fills = [each.by_exchange[stex_tp] for each in traded]
    shares = hundredths([fill.turnover for fill in fills])
    suffix = SUFFIXES[stex_tp]
    rows = (
        _row(each.stock.code + suffix, each, fill, share)
        for each, fill, share in zip(traded, fills, shares, strict=True)
    )
    return Day(tuple(rows), _totals(fills))


@lru_cache(maxsize=4)
def session(dt: str, mrkt_tp: str, count: int) -> tuple[Traded, ...]:
    """What every stock of a market did on a day."""
    chance = Random(f"{dt} {mrkt_tp}").random  # noqa: S311 - a market, not a secret
    return tuple(_traded(stock, chance) for stock in stocks(mrkt_tp, count))


def _traded(stock: Stock, chance: Chance) -> Traded:
    million_won = _program_turnover(stock, chance)
    quote = _quote(stock.price, chance)
    if not million_won:
        if chance() < 0.006:  # "" and "0" occur, rarely
            quote = Quote(quote.price, 0, "" if chance() < 0.5 else "0")  # a coin
        return Traded(stock, quote, dict.fromkeys(SUFFIXES, Fills()))
    nxt_part = 0.05 + 0.45 * chance()
    krx = _fills(million_won * (1 - nxt_part), quote.price, chance)
    nxt = _fills(million_won * nxt_part, quote.price, chance)
    both = Fills(*(one + other for one, other in zip(krx, nxt, strict=True)))
    return Traded(stock, quote, {"1": krx, "2": nxt, "3": both})


def _program_turnover(stock: Stock, chance: Chance) -> float:
    """Million won today: now and then a thin stock trades and a liquid one does not."""
    trades_today = chance() < (0.96 if stock.turnover else 0.03)
    return (stock.turnover or 40) * (0.4 + 1.2 * chance()) if trades_today else 0.0


def _quote(typical: int, chance: Chance) -> Quote:
    before = _on_tick(int(typical * (0.85 + 0.3 * chance())))
    price, sign = _close(before, chance)
    return Quote(price, price - before, sign)


def _close(before: int, chance: Chance) -> tuple[int, str]:
    event = int(2000 * chance())
    if event < 2:  # one stock in a thousand
        return _on_tick(before * 13 // 10), UPPER
    if event == 2:  # one in two thousand
        return _lower_limit(before), LOWER
    moved = 0.0 if event % 10 == 0 else 0.06 * (chance() + chance() + chance() - 1.5)
    price = _on_tick(int(before * (1 + moved)))
    return price, UP if price > before else DOWN if price < before else FLAT


def _lower_limit(before: int) -> int:
    lowest = -(-before * 7 // 10)
    below = _on_tick(lowest)
    return below if below == lowest else below + tick(lowest)


def _on_tick(price: int) -> int:
    return price // tick(price) * tick(price)


def tick(price: int) -> int:
    """KRX's price step at this price."""
    return next((step for limit, step in _TICKS if price < limit), 1000)


def _fills(million_won: float, price: int, chance: Chance) -> Fills:
    buying = 0.25 + 0.5 * chance()
    bought = _side(million_won * buying, price, chance)
    return Fills(*bought, *_side(million_won * (1 - buying), price, chance))


def _side(million_won: float, price: int, chance: Chance) -> tuple[int, int]:
    quantity = int(million_won * 1000 / price)
    # Recorded rows lie between 0.98 and 1.01 of quantity times closing price.
    return quantity, int(quantity * price / 1000 * (0.98 + 0.03 * chance()) + 0.5)


def hundredths(parts: list[int]) -> list[int]:
    """Each part's share of the whole in 1/100 percent, adding up to exactly 100.00."""
    whole = sum(parts)
    if not whole:
        return [0] * len(parts)
    shares = [part * 10_000 // whole for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda at: -(parts[at] * 10_000 % whole))
    for at in by_remainder[: 10_000 - sum(shares)]:
        shares[at] += 1
    return shares


def _row(code: str, traded: Traded, fills: Fills, share: int) -> Row:
    return {
        "stk_cd": code,
        "stk_nm": traded.stock.name,
        "cur_prc": traded.quote.wire_price,
        "flu_sig": traded.quote.sign,
        "pred_pre": f"{traded.quote.change:+d}" if traded.quote.change else "0",
        "buy_cntr_qty": str(fills.buy_quantity),
        "buy_cntr_amt": str(fills.buy_amount),
        "sel_cntr_qty": str(fills.sell_quantity),
        "sel_cntr_amt": str(fills.sell_amount),
        "netprps_prica": str(fills.buy_amount - fills.sell_amount),
        "all_trde_rt": f"+{share // 100}.{share % 100:02d}",
    }


def _totals(fills: list[Fills]) -> Row:
    # The start value keeps four columns when there is no stock at all.
    columns = [sum(column) for column in zip(Fills(), *fills, strict=True)]
    sums = [*columns, columns[1] - columns[3]]
    return {**{f"tot_{number}": str(value) for number, value in enumerate(sums, 1)}, "tot_6": ""}
