"""Colours, and the spelling of names, amounts and dates in figures.

Stocks have the colours of Okabe and Ito. Red and blue for bought and sold stay apart in all three
kinds of colour blindness, and a sign, a shape or a word always says the same.
"""

import datetime
import unicodedata
from collections.abc import Iterable
from typing import Final

from kiwoom_async import Exchange, Market, ProgramTrade

from ._fonts import find_font

BUY_COLOUR: Final = "#d0202e"
SELL_COLOUR: Final = "#1c54b2"
EVEN_COLOUR: Final = "#6b6b6b"
TEXT_COLOUR: Final = "#1a1a1a"
MUTED_COLOUR: Final = "#555555"
GRID_COLOUR: Final = "#e3e3e3"
# Okabe and Ito's palette. Its yellow comes last, because it has little contrast on white.
STOCK_COLOURS: Final = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9", "#B8A800",
)  # fmt: skip
# The palette's blue and vermilion, darkened so that text in them is readable.
MARKET_COLOURS: Final = {Market.KOSPI: "#0067A3", Market.KOSDAQ: "#B54A00"}
_MINUS_SIGN: Final = "\N{MINUS SIGN}"
_MILLION_WON_PER_AXIS_UNIT: Final = 100
_EXCHANGE_NAMES: Final = {
    Exchange.KRX: ("KRX", "한국거래소"),
    Exchange.NXT: ("NXT", "넥스트레이드"),
    Exchange.CONSOLIDATED: ("consolidated", "통합"),
}
_MARKET_NAMES: Final = {Market.KOSPI: ("KOSPI", "코스피"), Market.KOSDAQ: ("KOSDAQ", "코스닥")}
# Not strftime's names, which follow the locale.
_WEEKDAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def net_colour(net: float) -> str:
    """Return red for net bought, blue for net sold, grey for even."""
    if not net:
        return EVEN_COLOUR
    return BUY_COLOUR if net > 0 else SELL_COLOUR


def bilingual(english: str, korean: str) -> str:
    """Return the English text, followed by the Korean one if the font has Hangul."""
    return f"{english} ({korean})" if find_font().has_hangul else english


def amount_unit() -> str:
    """Return the name of the unit of all drawn amounts."""
    return bilingual("100 million won", "억원")


def exchange_name(exchange: Exchange) -> str:
    """Return the exchange's English name, and its Korean one if the font has Hangul."""
    return bilingual(*_EXCHANGE_NAMES[exchange])


def market_name(market: Market) -> str:
    """Return the market's English name, and its Korean one if the font has Hangul."""
    return bilingual(*_MARKET_NAMES[market])


def stock_label(row: ProgramTrade) -> str:
    """Return the stock's name, or its code if the name is blank or the font cannot draw it."""
    font = find_font()
    name = unicodedata.normalize("NFC", row.stock_name.strip())
    if font.has_hangul and name and font.can_draw(name):
        return name
    return font.replace_undrawable(row.stock_code)


def to_axis_units(million_won: int) -> float:
    """Return the amount in 100 million won, the unit of all axes; rows hold million won."""
    return million_won / _MILLION_WON_PER_AXIS_UNIT


def format_amount(million_won: int) -> str:
    """Return the amount in 100 million won, with up to two decimals for three digits."""
    hundred_millions = to_axis_units(million_won)
    size = abs(hundred_millions)
    decimals = 0 if size >= 100 or not size else 1 if size >= 10 else 2
    return f"{hundred_millions:,.{decimals}f}".replace("-", _MINUS_SIGN)


def format_signed(million_won: int) -> str:
    """Return the amount as `format_amount` does, with a plus sign if it is positive."""
    return ("+" if million_won > 0 else "") + format_amount(million_won)


def format_tick(value: float) -> str:
    """Return the text of a tick on an axis of numbers."""
    return f"{value:,.10g}".replace("-", _MINUS_SIGN)


def format_days(days: Iterable[datetime.date]) -> str:
    """Return a single day with its weekday, or the first day, the last and the number of days."""
    ordered = sorted(set(days))
    if not ordered:
        return ""
    if len(ordered) == 1:
        return f"{ordered[0]} ({_WEEKDAY_NAMES[ordered[0].weekday()]})"
    return f"{ordered[0]} to {ordered[-1]}, {len(ordered):,} days"


def format_subtitle(days: Iterable[datetime.date], *facts: str) -> str:
    """Return the days and the facts, joined by dots; "" without days."""
    days_text = format_days(days)
    return " · ".join((days_text, *facts)) if days_text else ""
