"""What the program-trading requests share: enums with wire codes, units, rows, arguments, checks.

Codes and units are wire-facts.md's (sections 6 and 9).
"""

import datetime
import re
from collections.abc import Hashable, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from kiwoom_async._protocol.arguments import checked_day, checked_member
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import read_decimal
from kiwoom_async._protocol.query import Environment
from kiwoom_async._protocol.times import KST
from kiwoom_async.errors import short_repr

WON: Final = "won"
MILLION_WON: Final = "million won"
SHARES: Final = "shares"
THOUSAND_SHARES: Final = "thousand shares"
PERCENT: Final = "percent"
INDEX_POINTS: Final = "index points"


class Market(StrEnum):
    """The listing market (시장구분)."""

    KOSPI = "KOSPI"
    KOSDAQ = "KOSDAQ"


class Exchange(StrEnum):
    """The venue of the trades (거래소구분).

    CONSOLIDATED (통합) is KRX and NXT together; it can differ from KRX even in sign.
    """

    KRX = "KRX"
    NXT = "NXT"
    CONSOLIDATED = "CONSOLIDATED"


class PriceMove(StrEnum):
    """The price against the previous close (등락기호)."""

    UPPER_LIMIT = "UPPER_LIMIT"
    UP = "UP"
    FLAT = "FLAT"
    LOWER_LIMIT = "LOWER_LIMIT"
    DOWN = "DOWN"


class Side(StrEnum):
    """The side of the net that a ranking begins with (매매상위구분)."""

    BUY = "BUY"
    SELL = "SELL"


class Interval(StrEnum):
    """What a row within the day stands for (분틱구분).

    TICK rows have times with seconds; still about one comes a minute (wire-facts.md, section 9).
    """

    TICK = "TICK"
    MINUTE = "MINUTE"


MARKET_CODES: Final = {Market.KOSPI: "P00101", Market.KOSDAQ: "P10102"}
EXCHANGE_CODES: Final = {Exchange.KRX: "1", Exchange.NXT: "2", Exchange.CONSOLIDATED: "3"}
SIDE_CODES: Final = {Side.SELL: "1", Side.BUY: "2"}
INTERVAL_CODES: Final = {Interval.TICK: "0", Interval.MINUTE: "1"}
MOVE_CODES: Final = {
    None: "0",  # seen, and says nothing (wire-facts.md, section 6)
    PriceMove.UPPER_LIMIT: "1",
    PriceMove.UP: "2",
    PriceMove.FLAT: "3",
    PriceMove.LOWER_LIMIT: "4",
    PriceMove.DOWN: "5",
}
# The rows of one stock name their venue by a word.
EXCHANGE_WORDS: Final = {
    Exchange.KRX: "KRX",
    Exchange.NXT: "NXT",
    Exchange.CONSOLIDATED: "통합",
}
# The PDF prints P001_AL02 for the last, which answers with KOSPI (wire-facts.md, section 9).
_MARKET_CODES_BY_EXCHANGE: Final = {
    (Market.KOSPI, Exchange.KRX): "P00101",
    (Market.KOSPI, Exchange.NXT): "P001_NX01",
    (Market.KOSPI, Exchange.CONSOLIDATED): "P001_AL01",
    (Market.KOSDAQ, Exchange.KRX): "P10102",
    (Market.KOSDAQ, Exchange.NXT): "P101_NX02",
    (Market.KOSDAQ, Exchange.CONSOLIDATED): "P101_AL02",
}
_EXCHANGES_BY_SUFFIX: Final = {
    "": Exchange.KRX,
    "NX": Exchange.NXT,
    "AL": Exchange.CONSOLIDATED,
}
_SYMBOL: Final = re.compile(r"[0-9A-Z]{6}(_NX|_AL)?")


class StockRow:
    """A row about one stock."""

    __slots__ = ()
    symbol: str

    @property
    def stock_code(self) -> str:
        """The symbol without the venue's suffix; it may hold letters (`0156T0`)."""
        return self.symbol.partition("_")[0]


def market_argument(value: Market) -> Market:
    """Return the market; ValueError for anything else."""
    return checked_member("market", value, Market)


def exchange_argument(value: Exchange) -> Exchange:
    """Return the exchange; ValueError for anything else."""
    return checked_member("exchange", value, Exchange)


def side_argument(value: Side) -> Side:
    """Return the side; ValueError for anything else."""
    return checked_member("side", value, Side)


def interval_argument(value: Interval) -> Interval:
    """Return the interval; ValueError for anything else."""
    return checked_member("interval", value, Interval)


def until_argument(value: datetime.date | str) -> datetime.date:
    """Return the newest day that is asked for; ValueError for what is not a day."""
    return checked_day("until", value)


def symbol_argument(value: str) -> str:
    """Return the symbol of a stock, with or without a venue's suffix; ValueError for others."""
    if isinstance(value, str) and _SYMBOL.fullmatch(value):
        return value
    raise ValueError(
        f"symbol: got {short_repr(value)}; expected six digits or capital letters, with _NX or _AL "
        "behind them for a venue other than KRX, as in '005930' or '005930_AL'"
    )


def today_in_korea() -> datetime.date:
    """Return the present day, for requests that must send it."""
    return datetime.datetime.now(KST).date()


def market_code_of(query: Any) -> str:
    """Return the wire code of a query's market at its exchange."""
    return _MARKET_CODES_BY_EXCHANGE[query.market, query.exchange]


def exchange_of(symbol: str) -> Exchange:
    """Return the exchange that the suffix of a symbol stands for."""
    return _EXCHANGES_BY_SUFFIX[symbol.partition("_")[2]]


def read_index(text: str) -> Decimal | None:
    """Return an index; None for zero, which is sent while it is not known yet."""
    return read_decimal(text) or None


def refuse_future_day(name: str, day: datetime.date, today: datetime.date) -> None:
    """Raise ValueError for a day that has not come."""
    if day > today:
        raise ValueError(f"{name}: {day} has not come yet; today is {today} in Korea")


def doubt_of_exchange(exchange: Exchange, environment: Environment) -> str | None:
    """Return why the mock host may not know an exchange, None if there is no such doubt."""
    if environment is Environment.MOCK and exchange is not Exchange.KRX:
        return (
            f"the specification says that the mock host knows Exchange.KRX only, not "
            f"Exchange.{exchange.name}; one measurement contradicts it, so it is sent"
        )
    return None


def doubt_of_day(day: datetime.date, today: datetime.date) -> str | None:
    """Return why a query of another day than today may be answered otherwise, None for today."""
    if day != today:
        return (
            f"the query was made on {day}, and today is {today} in Korea; the server has ignored "
            "the day wherever it was tried (wire-facts.md, section 9): make a new query each day"
        )
    return None


def no_rows(condition: str, keys: Iterable[Hashable]) -> Check:
    """Return the check that there are no rows of a condition; `keys` are those of such rows."""
    found = tuple(keys)
    name = f"count of rows {condition}"
    return Check(name=name, actual=len(found), expected=0, examples=found, each_row=True)


def differ(stated: int, computed: int) -> bool:
    """Return True if two figures differ by more than the rounding of each to a whole number."""
    return abs(stated - computed) > 1
