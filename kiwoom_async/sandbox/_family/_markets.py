"""A market's program trading by day (ka90010) and within the latest day (ka90005)."""

from typing import Final

from attrs import frozen

from kiwoom_async.sandbox._market import Fills, Row

from ._forms import clock_time, decimal, in_thousands, net_in_thousands
from ._indices import basis, kosdaq_basis, kosdaq_index, kospi200
from ._parameters import Parameters
from ._trading import MarketFills, Trading, fraction

_KOSDAQ: Final = "P10102"
# The market of each code, and the exchanges that it may be sent with. The last code is the
# manual's for KOSDAQ, and answers with KOSPI (measured on 2026-07-19).
_MARKET_CODES: Final = {
    "P00101": ("P00101", "123"),
    "P10102": ("P10102", "123"),
    "P001_NX01": ("P00101", "2"),
    "P101_NX02": ("P10102", "2"),
    "P001_AL01": ("P00101", "3"),
    "P101_AL02": ("P10102", "3"),
    "P001_AL02": ("P00101", "3"),
}

_OPENING: Final = 9 * 60
# The last row, in minutes. Recorded at KRX until 15:30, of stocks with "_AL" at 19:59.
_CLOSING: Final = {"1": 930, "2": 1199, "3": 1199}
_MISSING_MINUTES: Final = 0.02  # recorded: 2 of about 20
_BEFORE_THE_OPENING: Final = "085100"


@frozen
class _Market:
    """A market at one exchange."""

    mrkt_tp: str
    stex_tp: str

    @classmethod
    def of_code(cls, parameters: Parameters) -> "_Market":
        """Return the market; raises RefusalError 1901 for a code of none or another exchange."""
        code, stex_tp = parameters["mrkt_tp"], parameters["stex_tp"]
        mrkt_tp, exchanges = _MARKET_CODES.get(code, ("", ""))
        if stex_tp not in exchanges:
            raise parameters.refused("1901", code)
        return cls(mrkt_tp, stex_tp)


def _fields(fills: MarketFills, minus: str) -> Row:
    """Return a row without its time, total net and indices."""
    total = fills.total
    return {
        **_amounts("dfrt_trde", fills.arbitrage, minus),
        **_amounts("ndiffpro_trde", fills.non_arbitrage, minus),
        **_quantities("dfrt_trde", fills.arbitrage, minus),
        **_quantities("ndiffpro_trde", fills.non_arbitrage, minus),
        "all_sel": str(in_thousands(total.sell_amount)),
        "all_buy": str(in_thousands(total.buy_amount)),
    }


def _amounts(name: str, fills: Fills, minus: str) -> Row:
    return {
        f"{name}_sel": str(in_thousands(fills.sell_amount)),
        f"{name}_buy": str(in_thousands(fills.buy_amount)),
        f"{name}_netprps": net_in_thousands(fills.buy_amount - fills.sell_amount, minus),
    }


def _quantities(name: str, fills: Fills, minus: str) -> Row:
    net = fills.buy_quantity - fills.sell_quantity
    return {
        f"{name}_sell_qty": str(in_thousands(fills.sell_quantity)),
        f"{name}_buy_qty": str(in_thousands(fills.buy_quantity)),
        f"{name}_netprps_qty": net_in_thousands(net, minus),
    }


class MarketDaily:
    """The rows of ka90010."""

    def __init__(self, parameters: Parameters, trading: Trading) -> None:
        self._trading = trading
        self._market = _Market.of_code(parameters)
        self._days = trading.days_until(parameters["date"])[:-1]

    def __len__(self) -> int:
        """Return the number of days."""
        return len(self._days)

    def __getitem__(self, part: slice) -> list[Row]:
        """Return the rows of a page, newest first."""
        return [self._row(dt) for dt in self._days[part]]

    def _row(self, dt: str) -> Row:
        fills = self._trading.market_fills(dt, self._market.mrkt_tp, self._market.stex_tp)
        is_kosdaq = self._market.mrkt_tp == _KOSDAQ
        return {
            "cntr_tm": f"{dt}000000",
            **_fields(fills, "-"),
            # Without "+", unlike the nets of its parts.
            "all_netprps": str(in_thousands(fills.total.buy_amount - fills.total.sell_amount)),
            # Of KOSDAQ, too: recorded, and wrong.
            "kospi200": f"+{decimal(kospi200(dt))}",
            "basis": decimal(kosdaq_basis(dt) if is_kosdaq else basis(dt)),
        }


class MarketIntraday:
    """The rows of ka90005: of the latest day, whatever `date` says.

    Row 0 is the oldest, from before the opening. Of a moving market, the newest row alone moves.
    """

    def __init__(self, parameters: Parameters, trading: Trading) -> None:
        self._dt = trading.latest
        self._market = _Market.of_code(parameters)
        self._by_minute = parameters["min_tic_tp"] == "1"
        market = (self._dt, self._market.mrkt_tp, self._market.stex_tp)
        self._finished = trading.finished_market_fills(*market)
        self._newest = trading.market_fills(*market)
        closing = _CLOSING[self._market.stex_tp]
        self._minutes = [
            minute
            for minute in range(_OPENING, closing + 1)
            if minute == closing or self._fraction(minute, "present") >= _MISSING_MINUTES
        ]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._minutes) + 1

    def __getitem__(self, part: slice) -> list[Row]:
        """Return the rows of a page, newest first."""
        return [self._row(number) for number in range(len(self._minutes), -1, -1)[part]]

    def _row(self, number: int) -> Row:
        fills = self._fills(number)
        total = fills.total
        return {
            "cntr_tm": self._time(number),
            **_fields(fills, "--"),
            "all_netprps": net_in_thousands(total.buy_amount - total.sell_amount, "--"),
            "kospi200": f"+{self._index(number)}" if number else "0",
            "basis": decimal(self._basis(number)) if number else "",
        }

    def _fills(self, number: int) -> MarketFills:
        """Return the trading up to a row; its sums never fall."""
        if number == len(self._minutes):
            return self._newest
        if number == 0:  # recorded: no arbitrage before the opening
            return MarketFills(Fills(), _part_of(self._finished.non_arbitrage, 0.0001, 0.0001))
        bought, sold = self._passed(number, "bought"), self._passed(number, "sold")
        return MarketFills(*(_part_of(fills, bought, sold) for fills in self._finished))

    def _passed(self, number: int, what: str) -> float:
        """Return the part of the day that has passed with this row: rising, 1.0 at the end."""
        return (number - 0.8 * self._fraction(number, what)) / len(self._minutes)

    def _time(self, number: int) -> str:
        if number == 0:
            return _BEFORE_THE_OPENING
        # Recorded: in tick mode, too, about one row a minute.
        second = 0 if self._by_minute else int(60 * self._fraction(number, "second"))
        return clock_time(60 * self._minutes[number - 1] + second)

    def _index(self, number: int) -> int:
        index = kosdaq_index if self._market.mrkt_tp == _KOSDAQ else kospi200
        return index(self._dt) + int(1000 * self._deviation(number, "index"))

    def _basis(self, number: int) -> int:
        return basis(self._dt) + int(200 * self._deviation(number, "basis"))

    def _deviation(self, number: int, what: str) -> float:
        """Return a number from [-0.5, 0.5), 0.0 in the newest row."""
        is_newest = number == len(self._minutes)
        return 0.0 if is_newest else self._fraction(number, what) - 0.5

    def _fraction(self, *words: object) -> float:
        return fraction(self._dt, self._market.mrkt_tp, self._market.stex_tp, *words)


def _part_of(fills: Fills, bought: float, sold: float) -> Fills:
    return Fills(
        int(fills.buy_quantity * bought),
        int(fills.buy_amount * bought),
        int(fills.sell_quantity * sold),
        int(fills.sell_amount * sold),
    )
