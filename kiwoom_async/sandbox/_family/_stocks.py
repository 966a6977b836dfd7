"""One stock's program trading by day (ka90013) and within the latest day (ka90008)."""

from itertools import pairwise
from typing import Final

from attrs import frozen

from kiwoom_async.sandbox._market import SUFFIXES, Fills, Quote, Row, StockDay, sign_code, tick_size

from ._forms import clock_time, price_fields, signed
from ._parameters import Parameters
from ._trading import Listing, Trading, fraction, shares_traded, volume

_STEX_TP: Final = {suffix: stex_tp for stex_tp, suffix in SUFFIXES.items()}
_EXCHANGE_WORDS: Final = {"1": "KRX", "2": "NXT", "3": "통합"}

_OPENING: Final = 9 * 3600
# The last row: recorded at KRX until its close at 15:30, with "_AL" at 19:59:59.
_CLOSING: Final = {"1": 55_800, "2": 71_999, "3": 71_999}
_SECONDS_BETWEEN_ROWS: Final = 6.5  # recorded: 6 to 7
_SHARES_BETWEEN_ROWS: Final = 50


@frozen
class _Stock:
    """A stock at one exchange."""

    listing: Listing
    stex_tp: str

    @classmethod
    def of_code(cls, parameters: Parameters, trading: Trading) -> "_Stock":
        """Return the stock of `stk_cd`, whose suffix says the exchange.

        Raises RefusalError 1902 for an unknown stock, 1903 for an unknown suffix.
        """
        code, suffix = parameters["stk_cd"][:6], parameters["stk_cd"][6:]
        listing = trading.find(code)
        if listing is None:
            raise parameters.refused("1902", parameters["stk_cd"])
        if suffix not in _STEX_TP:
            raise parameters.refused("1903", code, reason=suffix)
        return cls(listing, _STEX_TP[suffix])


@frozen
class _Moment:
    """A stock at one exchange as of some moment; `traded` in shares and million won."""

    quote: Quote
    volume: int
    traded: Fills

    @property
    def net_amount(self) -> int:
        return self.traded.buy_amount - self.traded.sell_amount

    @property
    def net_quantity(self) -> int:
        return self.traded.buy_quantity - self.traded.sell_quantity


_NOTHING_TRADED: Final = _Moment(Quote(0, 0, ""), 0, Fills())


def _end_of_day(dt: str, stock_day: StockDay, stex_tp: str) -> _Moment:
    traded = shares_traded(dt, stock_day, stex_tp)
    return _Moment(stock_day.quote, volume(dt, stock_day, stex_tp), traded)


def _fields(moment: _Moment, before: _Moment, stex_tp: str) -> Row:
    """Return a row without its time; the changes are those since `before`."""
    traded = moment.traded
    return {
        **price_fields(moment.quote, "pre_sig"),
        "trde_qty": str(moment.volume),
        "prm_sell_amt": str(traded.sell_amount),
        "prm_buy_amt": str(traded.buy_amount),
        "prm_netprps_amt": signed(moment.net_amount, "--"),
        "prm_netprps_amt_irds": signed(moment.net_amount - before.net_amount, "--"),
        "prm_sell_qty": str(traded.sell_quantity),
        "prm_buy_qty": str(traded.buy_quantity),
        "prm_netprps_qty": signed(moment.net_quantity, "--"),
        "prm_netprps_qty_irds": signed(moment.net_quantity - before.net_quantity, "--"),
        "base_pric_tm": "",
        "dbrt_trde_rpy_sum": "",
        "remn_rcvord_sum": "",
        "stex_tp": _EXCHANGE_WORDS[stex_tp],
    }


class StockDaily:
    """The rows of ka90013."""

    def __init__(self, parameters: Parameters, trading: Trading) -> None:
        self._trading = trading
        self._stock = _Stock.of_code(parameters, trading)
        self._days = trading.days_until(parameters["date"])

    def __len__(self) -> int:
        """Return the number of days, without the one before the oldest."""
        return len(self._days) - 1

    def __getitem__(self, part: slice) -> list[Row]:
        """Return the rows of a page, newest first."""
        listing, stex_tp = self._stock.listing, self._stock.stex_tp
        days = self._days[part.start : part.stop + 1]
        ends = [_end_of_day(dt, self._trading.stock_day(dt, listing), stex_tp) for dt in days]
        return [
            {"dt": dt, **_fields(end, end_before, stex_tp)}
            for dt, (end, end_before) in zip(days, pairwise(ends), strict=False)
        ]


class StockIntraday:
    """The rows of ka90008: of the latest day, whatever `date` says.

    Rows are numbered from 1, the oldest. Of a moving market, the newest row alone moves.
    """

    def __init__(self, parameters: Parameters, trading: Trading) -> None:
        stock = _Stock.of_code(parameters, trading)
        finished_day = trading.finished_stock_day(trading.latest, stock.listing)
        stock_day = trading.stock_day(trading.latest, stock.listing)
        self._stex_tp = stock.stex_tp
        self._words = (trading.latest, finished_day.stock.code, stock.stex_tp)
        self._finished = _end_of_day(trading.latest, finished_day, stock.stex_tp)
        self._newest = _end_of_day(trading.latest, stock_day, stock.stex_tp)
        self._seconds = _CLOSING[stock.stex_tp] - _OPENING
        self._count = self._row_count()

    def _row_count(self) -> int:
        """Return the number of rows: fewer for a stock that programs trade rarely."""
        traded = self._finished.traded
        shares = traded.buy_quantity + traded.sell_quantity
        most = int(self._seconds / _SECONDS_BETWEEN_ROWS)
        at_least = 1 if self._newest.traded.turnover else 0
        return max(at_least, min(most, shares // _SHARES_BETWEEN_ROWS))

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __getitem__(self, part: slice) -> list[Row]:
        """Return the rows of a page, newest first."""
        return [self._row(number) for number in range(self._count, 0, -1)[part]]

    def _row(self, number: int) -> Row:
        seconds = int(self._seconds * self._passed(number, "time"))
        fields = _fields(self._moment(number), self._moment(number - 1), self._stex_tp)
        return {"tm": clock_time(_OPENING + seconds), **fields}

    def _moment(self, number: int) -> _Moment:
        """Return the stock after this many rows; its sums never fall."""
        if number == self._count:
            return self._newest
        if number == 0:
            return _NOTHING_TRADED
        bought, sold = self._passed(number, "bought"), self._passed(number, "sold")
        end = self._finished.traded
        traded = Fills(
            int(end.buy_quantity * bought),
            int(end.buy_amount * bought),
            int(end.sell_quantity * sold),
            int(end.sell_amount * sold),
        )
        # Program trading is part of the volume, so the volume must not be behind it.
        volume_until_now = self._finished.volume * number // self._count
        return _Moment(self._quote(number), volume_until_now, traded)

    def _passed(self, number: int, what: str) -> float:
        """Return the part of the day that has passed with this row: rising, 1.0 at the end."""
        if number == self._count:
            return 1.0
        return (number - 0.8 * fraction(*self._words, number, what)) / self._count

    def _quote(self, number: int) -> Quote:
        """Return a price some ticks off the straight way from the previous close to the close."""
        end = self._finished.quote
        previous_close = end.price - end.change
        straight = previous_close + end.change * number // self._count
        tick = tick_size(straight)
        ticks = int(5 * fraction(*self._words, number, "price")) - 2
        price = (straight // tick + ticks) * tick
        # KRX's price limit is 30 %.
        if not 0.7 * previous_close < price < 1.3 * previous_close:
            return end
        return Quote(price, price - previous_close, sign_code(price, previous_close))
