"""The most bought and the most sold stocks of a day, as bars."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._axes import set_ticks, tick_values
from ._canvas import (
    PIXELS_PER_INCH,
    SCREEN_WIDTH_INCHES,
    Heading,
    Picture,
    base_font_size,
    figure_settings,
    freeze_layout,
    is_narrow,
    measure_text,
    new_figure,
    no_trades_figure,
    truncate_text,
)
from ._fonts import find_font
from ._labels import draw_bar_label
from ._selection import missing_markets_note, select_exchange, single_day_rows
from ._style import (
    BUY_COLOUR,
    SELL_COLOUR,
    TEXT_COLOUR,
    amount_unit,
    bilingual,
    exchange_name,
    format_signed,
    format_subtitle,
    stock_label,
    to_axis_units,
)

_MAX_COUNT: Final = 50
_NAME_PART_OF_PANEL: Final = 0.4
# Keeps bars visible if the values need nearly all of the panel.
_MIN_BAR_PART_OF_PANEL: Final = 0.3
_VALUE_MARGIN_PIXELS: Final = 12
_STOCKS_IN_ALT: Final = 5


@frozen
class _Side:
    english: str
    korean: str
    colour: str
    sign: int


_SIDES: Final = (
    _Side("Net bought", "순매수", BUY_COLOUR, 1),
    _Side("Net sold", "순매도", SELL_COLOUR, -1),
)


def rank_by_net(
    rows: Sequence[ProgramTrade], count: int
) -> tuple[list[ProgramTrade], list[ProgramTrade]]:
    """Return the most bought and the most sold, at most `count` of each, the largest first."""
    order = sorted(rows, key=lambda row: (-abs(row.net_buy_amount), row.stock_code))
    bought = [row for row in order if row.net_buy_amount > 0]
    sold = [row for row in order if row.net_buy_amount < 0]
    return bought[:count], sold[:count]


@figure_settings()
def most_bought_and_sold(
    rows: Sequence[ProgramTrade],
    *,
    count: int = 15,
    exchange: Exchange | None = None,
    width: float = SCREEN_WIDTH_INCHES,
) -> Picture:
    """Draw the day's most bought and most sold stocks by net amount, 100 million won (억원).

    `rows` are of one day, of any markets. One exchange is drawn: the one asked for, or
    CONSOLIDATED, or else KRX, or else NXT. `width` is in inches; below 6.5 the panels go below
    each other, for a phone. Raises ValueError for other rows.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MAX_COUNT:
        raise ValueError(f"count: got {count!r}; expected 1 to {_MAX_COUNT}")
    day_rows = single_day_rows(rows)
    selected, venue = select_exchange(day_rows, exchange)
    bought, sold = rank_by_net(selected, count)
    heading = _heading(selected, venue, missing_markets_note(day_rows, venue))
    if not bought and not sold:
        return no_trades_figure(width, heading)
    return _draw_figure(heading, bought, sold, width)


def _heading(rows: Sequence[ProgramTrade], venue: Exchange, note: str) -> Heading:
    markets = " and ".join(sorted({row.market for row in rows}, reverse=True))
    return Heading(
        bilingual("Most bought and most sold by programs", "프로그램 순매수·순매도 상위"),
        format_subtitle((row.date for row in rows), markets, exchange_name(venue)),
        (note,),
    )


def _draw_figure(
    heading: Heading, bought: Sequence[ProgramTrade], sold: Sequence[ProgramTrade], width: float
) -> Picture:
    figure, axes, bar_slots = _panels(heading, len(bought), len(sold), width)
    largest = max(abs(row.net_buy_amount) for row in (*bought, *sold))
    for panel, side, rows, slots in zip(axes, _SIDES, (bought, sold), bar_slots, strict=True):
        _draw_panel(panel, rows, side, width)
        panel.set_ylim(slots - 0.4, -0.6)
        _scale_to_longest_bar(panel, side.sign * to_axis_units(largest), width)
    freeze_layout(figure)
    _draw_values(dict(zip(axes, (bought, sold), strict=True)), largest, base_font_size(width))
    figure.alt = _alt(heading, bought, sold)
    return figure


def _panels(
    heading: Heading, bought: int, sold: int, width: float
) -> tuple[Picture, Sequence[Axes], tuple[int, int]]:
    """Return the figure, its two panels, and for how many bars each panel has room."""
    if is_narrow(width):
        slots = max(bought, 2), max(sold, 2)
        figure = new_figure(width, sum(slots) * 0.2 + 1.9, heading)
        return figure, figure.subplots(2, 1, height_ratios=[count + 0.5 for count in slots]), slots
    longest = max(bought, sold, 3)
    figure = new_figure(width, longest * 0.27 + 1.1, heading)
    return figure, figure.subplots(1, 2), (longest, longest)


def _draw_panel(axes: Axes, rows: Sequence[ProgramTrade], side: _Side, width: float) -> None:
    font_size, colour = base_font_size(width), side.colour
    axes.set_title(
        bilingual(side.english, side.korean),
        loc="left",
        fontproperties=find_font().bold,
        fontsize=font_size * 1.1,
        color=colour,
    )
    nets = [to_axis_units(row.net_buy_amount) for row in rows]
    axes.barh(range(len(rows)), nets, 0.72, color=colour)
    panel_pixels = width * PIXELS_PER_INCH / (1 if is_narrow(width) else 2)
    max_pixels = panel_pixels * _NAME_PART_OF_PANEL
    names = [truncate_text(axes, stock_label(row), max_pixels, font_size) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=font_size, color=TEXT_COLOUR)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(amount_unit(), fontsize=font_size * 0.95)
    axes.grid(axis="x")
    if not rows:
        none = bilingual("none", "없음")
        axes.text(0.5, 0.5, none, transform=axes.transAxes, ha="center", fontsize=font_size)


def _scale_to_longest_bar(axes: Axes, longest_bar: float, width: float) -> None:
    """Set ticks from zero to the longest bar; if that is negative, the axis runs to the left."""
    ticks = tick_values(min(0, longest_bar), max(0, longest_bar), 2 if is_narrow(width) else 4)
    set_ticks(axes.xaxis, ticks, base_font_size(width) * 0.9)
    axes.set_xlim(0, longest_bar * 1.2)


def _draw_values(
    panels: dict[Axes, Sequence[ProgramTrade]], largest: int, font_size: float
) -> None:
    """Write each net amount behind its bar, and set both axes to one scale with room for them."""
    bar_part = min(_bar_part(axes, rows, font_size) for axes, rows in panels.items())
    for axes, rows in panels.items():
        sign = -1 if axes.get_xlim()[1] < 0 else 1
        axes.set_xlim(0, sign * to_axis_units(largest) / bar_part)
        for index, row in enumerate(rows):
            bar_end = (to_axis_units(row.net_buy_amount), index)
            draw_bar_label(axes, format_signed(row.net_buy_amount), bar_end, font_size)


def _bar_part(axes: Axes, rows: Sequence[ProgramTrade], font_size: float) -> float:
    """Return the part of the panel's width that leaves room for a value behind the longest bar."""
    values = [format_signed(row.net_buy_amount) for row in rows]
    widest = max((measure_text(axes, value, font_size)[0] for value in values), default=0.0)
    room = widest + _VALUE_MARGIN_PIXELS
    return max(_MIN_BAR_PART_OF_PANEL, 1 - room / axes.get_window_extent().width)


def _alt(heading: Heading, bought: Sequence[ProgramTrade], sold: Sequence[ProgramTrade]) -> str:
    return (
        f"{heading.title}, {heading.subtitle}, in 100 million won."
        f" Most bought: {_list_nets(bought)}. Most sold: {_list_nets(sold)}."
    )


def _list_nets(rows: Sequence[ProgramTrade]) -> str:
    nets = [
        f"{row.stock_name or row.stock_code} {format_signed(row.net_buy_amount)}"
        for row in rows[:_STOCKS_IN_ALT]
    ]
    return ", ".join(nets) or "none"
