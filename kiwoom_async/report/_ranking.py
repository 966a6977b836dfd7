"""The most bought and the most sold stocks of a day, as bars."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._choice import left_out, of_one_day, of_one_exchange
from ._fonts import font
from ._ink import (
    BOUGHT,
    INK,
    SOLD,
    exchange_words,
    name_of,
    signed,
    subtitle,
    tick_text,
    ticks_between,
    unit,
    units,
    words,
)
from ._paper import (
    WIDE,
    Heading,
    Picture,
    measured,
    narrow,
    nothing_to_draw,
    on_paper,
    paper,
    settle,
    shortened,
    text_size,
)

_MOST_STOCKS: Final = 50
# The part of a panel's width that a name may take.
_NAME_PART: Final = 0.4
_POINTS_TO_VALUE: Final = 3


@frozen
class _Side:
    english: str
    korean: str
    colour: str
    sign: int


_SIDES: Final = (
    _Side("Net bought", "순매수", BOUGHT, 1),
    _Side("Net sold", "순매도", SOLD, -1),
)


def ranked(
    rows: Sequence[ProgramTrade], count: int
) -> tuple[list[ProgramTrade], list[ProgramTrade]]:
    """The most bought and the most sold, at most `count` of each, the largest first."""
    order = sorted(rows, key=lambda row: (-abs(row.net_buy_amount), row.stock_code))
    bought = [row for row in order if row.net_buy_amount > 0]
    sold = [row for row in order if row.net_buy_amount < 0]
    return bought[:count], sold[:count]


@on_paper
def most_bought_and_sold(
    rows: Sequence[ProgramTrade],
    *,
    count: int = 15,
    exchange: Exchange | None = None,
    width: float = WIDE,
) -> Picture:
    """The day's most bought and most sold stocks by net amount, 100 million won (억원).

    `rows` are of one day, of any markets. One exchange is drawn: the one asked for, or
    CONSOLIDATED, or else KRX, or else NXT. `width` is in inches; below 6.5 the panels go below
    each other, for a phone. ValueError for other rows.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_STOCKS:
        raise ValueError(f"count: got {count!r}; expected 1 to {_MOST_STOCKS}")
    of_day = of_one_day(rows)
    drawn, venue = of_one_exchange(of_day, exchange)
    bought, sold = ranked(drawn, count)
    heading = _heading(drawn, venue, left_out(of_day, venue))
    if not bought and not sold:
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    return _bars(heading, bought, sold, width)


def _heading(rows: Sequence[ProgramTrade], venue: Exchange, note: str) -> Heading:
    markets = " and ".join(sorted({row.market for row in rows}, reverse=True))
    return Heading(
        words("Most bought and most sold by programs", "프로그램 순매수·순매도 상위"),
        subtitle((row.date for row in rows), markets, exchange_words(venue)),
        (note,),
    )


def _bars(
    heading: Heading, bought: Sequence[ProgramTrade], sold: Sequence[ProgramTrade], width: float
) -> Picture:
    longest = max(len(bought), len(sold), 3)
    stacked = narrow(width)
    inch_a_bar = 0.2 if stacked else 0.27
    panels = (max(len(bought), 2), max(len(sold), 2)) if stacked else (longest, longest)
    height = (sum(panels) if stacked else longest) * inch_a_bar + (1.9 if stacked else 1.1)
    figure = paper(width, height, heading)
    ratios = {"height_ratios": [each + 0.5 for each in panels]} if stacked else {}
    axes = figure.subplots(*((2, 1) if stacked else (1, 2)), gridspec_kw=ratios)
    top = max(abs(row.net_buy_amount) for row in (*bought, *sold))
    for panel, side, shown, slots in zip(axes, _SIDES, (bought, sold), panels, strict=True):
        _panel(panel, shown, side, width)
        panel.set_ylim(slots - 0.4, -0.6)
        _scale(panel, side.sign * units(top), width)
    settle(figure)
    _write_values(dict(zip(axes, (bought, sold), strict=True)), top, text_size(width))
    figure.alt = _alt(heading, bought, sold)
    return figure


def _panel(axes: Axes, rows: Sequence[ProgramTrade], side: _Side, width: float) -> None:
    size, colour = text_size(width), side.colour
    title = words(side.english, side.korean)
    axes.set_title(title, loc="left", fontproperties=font().bold, fontsize=size * 1.1, color=colour)
    axes.barh(range(len(rows)), [units(row.net_buy_amount) for row in rows], 0.72, color=colour)
    panel_pixels = width * 100 / (1 if narrow(width) else 2)
    names = [shortened(name_of(row), axes, panel_pixels * _NAME_PART, size) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=size, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit(), fontsize=size * 0.95)
    axes.grid(axis="x")
    if not rows:
        axes.text(
            0.5, 0.5, words("none", "없음"), transform=axes.transAxes, ha="center", fontsize=size
        )


def _scale(axes: Axes, longest: float, width: float) -> None:
    """Ticks from zero to the longest bar, which may be negative: then the axis runs that way."""
    ticks = ticks_between(min(0, longest), max(0, longest), 2 if narrow(width) else 4)
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks], fontsize=text_size(width) * 0.9)
    axes.set_xlim(0, longest * 1.2)


def _write_values(panels: dict[Axes, Sequence[ProgramTrade]], top: int, size: float) -> None:
    """Values at the ends of the bars, on axes of one scale, just long enough for them."""
    share = min(_share_of_bars(axes, rows, size) for axes, rows in panels.items())
    for axes, rows in panels.items():
        sign = -1 if axes.get_xlim()[1] < 0 else 1
        axes.set_xlim(0, sign * units(top) / share)
        for index, row in enumerate(rows):
            axes.annotate(
                signed(row.net_buy_amount),
                (units(row.net_buy_amount), index),
                xytext=(_POINTS_TO_VALUE, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=size,
            )


def _share_of_bars(axes: Axes, rows: Sequence[ProgramTrade], size: float) -> float:
    """The part of an axis that the longest bar may take, so that its value fits behind it."""
    texts = [signed(row.net_buy_amount) for row in rows]
    widest = max((measured(axes, text, fontsize=size)[0] for text in texts), default=0.0)
    return max(0.3, 1 - (widest + 4 * _POINTS_TO_VALUE) / axes.get_window_extent().width)


def _alt(heading: Heading, bought: Sequence[ProgramTrade], sold: Sequence[ProgramTrade]) -> str:
    def told(rows: Sequence[ProgramTrade]) -> str:
        first = [f"{row.stock_name or row.stock_code} {signed(row.net_buy_amount)}" for row in rows]
        return ", ".join(first[:5]) or "none"

    return (
        f"{heading.title}, {heading.subtitle}, in 100 million won."
        f" Most bought: {told(bought)}. Most sold: {told(sold)}."
    )
