"""What is drawn with: colours, signs, and how numbers and names are written.

Okabe and Ito's colours for stocks; red and blue for bought and sold, which stay apart in all three
kinds of colour blindness, and never stand alone: a sign, a shape or a word says the same.
"""

import datetime
import unicodedata
from collections.abc import Iterable
from typing import Final

from matplotlib.ticker import MaxNLocator

from kiwoom_async import Exchange, Market, ProgramTrade

from ._fonts import font

BOUGHT: Final = "#d0202e"
SOLD: Final = "#1c54b2"
EVEN: Final = "#6b6b6b"
INK: Final = "#1a1a1a"
FAINT_INK: Final = "#555555"
GRID: Final = "#e3e3e3"
# Okabe and Ito's palette; its yellow, hardly seen on white, comes last.
STOCK_COLOURS: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9", "#B8A800",
)  # fmt: skip
# Blue and vermilion again, dark enough for letters.
MARKET_COLOURS: Final = {Market.KOSPI: "#0067A3", Market.KOSDAQ: "#B54A00"}
MINUS: Final = "\N{MINUS SIGN}"
# Rows and flows hold million won.
MILLIONS_A_UNIT: Final = 100
_EXCHANGES: Final = {
    Exchange.KRX: ("KRX", "한국거래소"),
    Exchange.NXT: ("NXT", "넥스트레이드"),
    Exchange.CONSOLIDATED: ("consolidated", "통합"),
}
_MARKETS: Final = {Market.KOSPI: ("KOSPI", "코스피"), Market.KOSDAQ: ("KOSDAQ", "코스닥")}


def colour_of(net: float) -> str:
    """Red for bought, blue for sold, grey for neither."""
    return BOUGHT if net > 0 else SOLD if net < 0 else EVEN


def words(english: str, korean: str) -> str:
    """English with the Korean term beside it, where it can be drawn."""
    return f"{english} ({korean})" if font().hangul else english


def unit() -> str:
    """The unit of every axis of amounts."""
    return words("100 million won", "억원")


def exchange_words(exchange: Exchange) -> str:
    """An exchange, as a figure calls it."""
    return words(*_EXCHANGES[exchange])


def market_words(market: Market) -> str:
    """A market, as a figure calls it."""
    return words(*_MARKETS[market])


def name_of(row: ProgramTrade) -> str:
    """The stock's name, or its code where the name cannot be drawn or is blank."""
    written = font()
    name = unicodedata.normalize("NFC", row.stock_name.strip())
    known = written.hangul and name and written.draws(name)
    return name if known else written.drawable(row.stock_code)


def units(million_won: int) -> float:
    """Million won in the axes' unit."""
    return million_won / MILLIONS_A_UNIT


def amount(million_won: int) -> str:
    """In 100 million won, with three digits at least where there are any behind the point."""
    size = abs(million_won)
    decimals = 0 if size >= 100 * MILLIONS_A_UNIT else 1 if size >= 10 * MILLIONS_A_UNIT else 2
    return f"{units(million_won):,.{decimals if million_won else 0}f}".replace("-", MINUS)


def signed(million_won: int) -> str:
    """As `amount`, with a plus before what was bought."""
    return ("+" if million_won > 0 else "") + amount(million_won)


def tick_text(value: float) -> str:
    """A number on an axis."""
    return f"{value:,.10g}".replace("-", MINUS)


def ticks_between(low: float, high: float, most: int) -> list[float]:
    """Round numbers that lie in the range, about `most` of them."""
    found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    return [float(each) for each in found if low - slack <= each <= high + slack]


def day_text(days: Iterable[datetime.date]) -> str:
    """One day with its weekday, or the first and the last."""
    ordered = sorted(set(days))
    if not ordered:
        return ""
    if len(ordered) == 1:
        return f"{ordered[0]} ({_weekday(ordered[0])})"
    return f"{ordered[0]} to {ordered[-1]}, {len(ordered):,} days"


def subtitle(days: Iterable[datetime.date], *facts: str) -> str:
    """What a figure is of: its days, and what else is to be said where there are any."""
    when = day_text(days)
    return " · ".join((when, *facts)) if when else ""


def _weekday(day: datetime.date) -> str:
    # Not strftime: it would follow the locale.
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]
