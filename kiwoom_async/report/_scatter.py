"""Amounts bought against amounts sold of each stock, as a scatter plot."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._axes import set_ticks
from ._canvas import (
    SCREEN_WIDTH_INCHES,
    Heading,
    Picture,
    base_font_size,
    figure_settings,
    freeze_layout,
    is_narrow,
    new_figure,
    no_trades_figure,
    truncate_text,
)
from ._label_layout import Point
from ._labels import Label, draw_labels, polyline_pixels, to_pixels
from ._selection import (
    has_trades,
    missing_markets_note,
    select_exchange,
    single_day_rows,
)
from ._style import (
    BUY_COLOUR,
    EVEN_COLOUR,
    MUTED_COLOUR,
    SELL_COLOUR,
    TEXT_COLOUR,
    amount_unit,
    bilingual,
    exchange_name,
    format_signed,
    format_subtitle,
    net_colour,
    stock_label,
    to_axis_units,
)

# The smallest amount is a million won. Below it the axis is linear, so that it can show zero.
_LINEAR_BELOW: Final = 0.01
_LINEAR_PART: Final = 0.6
_LABELLED_STOCKS: Final = 12
_LABELLED_STOCKS_NARROW: Final = 6
_STOCKS_IN_ALT: Final = 5
_NAME_PART_OF_PANEL: Final = 0.35
_TICKS: Final = (0, 0.01, 0.1, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
_TICKS_NARROW: Final = (0, 0.1, 10, 1_000, 100_000)


@frozen
class _Group:
    """Stocks with a net of the same sign, and how they are drawn."""

    english: str
    korean: str
    colour: str
    marker: str
    rows: Sequence[ProgramTrade]

    def name(self, *, narrow: bool) -> str:
        """Return the name in the legend: short, and English only, on a narrow figure."""
        if narrow:
            return self.english.removeprefix("net ")
        return bilingual(self.english, self.korean)


@figure_settings()
def buy_against_sell(
    rows: Sequence[ProgramTrade],
    *,
    exchange: Exchange | None = None,
    width: float = SCREEN_WIDTH_INCHES,
) -> Picture:
    """Draw what was bought of each stock against what was sold, 100 million won (억원).

    On log scales, for all stocks that traded. The stocks furthest from even are named: twelve,
    six on a narrow figure, fewer if their names would overlap. Rows, exchange and width as in
    `most_bought_and_sold`.
    """
    day_rows = single_day_rows(rows)
    selected, venue = select_exchange(day_rows, exchange)
    traded = [row for row in selected if has_trades(row)]
    heading = _heading(selected, len(traded), venue, missing_markets_note(day_rows, venue))
    if not traded:
        return no_trades_figure(width, heading)
    narrow = is_narrow(width)
    figure = new_figure(width, 3.9 if narrow else 6.6, heading)
    axes = figure.subplots()
    _draw_points(axes, traded, width)
    _set_up_axes(axes, traded, width)
    _draw_legend(axes, base_font_size(width))
    freeze_layout(figure)
    furthest = _furthest_from_even(traded)
    labelled = furthest[: _LABELLED_STOCKS_NARROW if narrow else _LABELLED_STOCKS]
    _label_stocks(axes, labelled, traded, base_font_size(width))
    figure.alt = _alt(heading, traded, furthest)
    return figure


def _heading(rows: Sequence[ProgramTrade], count: int, venue: Exchange, note: str) -> Heading:
    stocks = f"{count:,} stocks traded by programs"
    return Heading(
        bilingual("Bought against sold, stock by stock", "종목별 매수·매도"),
        format_subtitle((row.date for row in rows), exchange_name(venue), stocks),
        ("Both axes are logarithmic; a stock on the dashed line was bought as much as sold.", note),
    )


def _groups(rows: Sequence[ProgramTrade]) -> tuple[_Group, _Group, _Group]:
    bought = [row for row in rows if row.net_buy_amount > 0]
    sold = [row for row in rows if row.net_buy_amount < 0]
    even = [row for row in rows if not row.net_buy_amount]
    return (
        _Group("net bought", "순매수", BUY_COLOUR, "^", bought),
        _Group("net sold", "순매도", SELL_COLOUR, "v", sold),
        _Group("even", "같음", EVEN_COLOUR, "o", even),
    )


def _draw_points(axes: Axes, rows: Sequence[ProgramTrade], width: float) -> None:
    for group in _groups(rows):
        axes.plot(
            [to_axis_units(row.sell_amount) for row in group.rows],
            [to_axis_units(row.buy_amount) for row in group.rows],
            group.marker,
            markersize=base_font_size(width) * 0.42,
            color=group.colour,
            alpha=0.55,
            markeredgewidth=0,
            label=f"{group.name(narrow=is_narrow(width))}: {len(group.rows):,}",
        )


def _set_up_axes(axes: Axes, rows: Sequence[ProgramTrade], width: float) -> None:
    """Set equal log scales, with labels and the dashed line of stocks that are even."""
    narrow, font_size = is_narrow(width), base_font_size(width)
    largest = to_axis_units(max(max(row.buy_amount, row.sell_amount) for row in rows))
    # Leaves room for names above the largest amount.
    limits = (-_LINEAR_BELOW * 0.3, largest * (8 if narrow else 3))
    ticks = [tick for tick in (_TICKS_NARROW if narrow else _TICKS) if tick <= limits[1]]
    axes.set_xscale("symlog", linthresh=_LINEAR_BELOW, linscale=_LINEAR_PART)
    axes.set_yscale("symlog", linthresh=_LINEAR_BELOW, linscale=_LINEAR_PART)
    for axis in (axes.xaxis, axes.yaxis):
        set_ticks(axis, ticks, font_size * 0.9)
        axis.set_ticks([], minor=True)
    axes.set(xlim=limits, ylim=limits)
    axes.plot(limits, limits, "--", color=MUTED_COLOUR, linewidth=1, zorder=1)
    axes.set_xlabel(f"{bilingual('sold', '매도')}, {amount_unit()}", fontsize=font_size)
    axes.set_ylabel(f"{bilingual('bought', '매수')}, {amount_unit()}", fontsize=font_size)
    axes.grid()


def _draw_legend(axes: Axes, font_size: float) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1),
        ncols=3,
        columnspacing=1,
        handlelength=1.2,
        handletextpad=0.2,
        borderpad=0.1,
        frameon=False,
        fontsize=font_size * 0.9,
        markerscale=1.5,
    )


def _furthest_from_even(rows: Sequence[ProgramTrade]) -> list[ProgramTrade]:
    uneven = [row for row in rows if row.net_buy_amount]
    return sorted(uneven, key=lambda row: (-abs(row.net_buy_amount), row.stock_code))


def _label_stocks(
    axes: Axes, labelled: Sequence[ProgramTrade], rows: Sequence[ProgramTrade], font_size: float
) -> None:
    """Write names and nets beside the points, and outline the points of those written."""
    max_pixels = axes.get_window_extent().width * _NAME_PART_OF_PANEL
    labels = []
    for row in labelled:
        name = truncate_text(axes, stock_label(row), max_pixels, font_size)
        net = row.net_buy_amount
        labels.append(Label(_point(row), f"{name} {format_signed(net)}", net_colour(net)))
    low, high = axes.get_xlim()
    stock_pixels = [to_pixels(axes, _point(row)) for row in rows]
    even_line_pixels = polyline_pixels(axes, [(low, low), (high, high)])
    for label in draw_labels(axes, labels, [*stock_pixels, *even_line_pixels], font_size):
        marker = "^" if label.colour == BUY_COLOUR else "v"
        (outlined,) = axes.plot(*label.anchor, marker, color=label.colour, zorder=3)
        outlined.set(markersize=font_size * 0.6, markeredgecolor=TEXT_COLOUR, markeredgewidth=0.8)


def _point(row: ProgramTrade) -> Point:
    return to_axis_units(row.sell_amount), to_axis_units(row.buy_amount)


def _alt(heading: Heading, rows: Sequence[ProgramTrade], furthest: Sequence[ProgramTrade]) -> str:
    bought, sold, _ = _groups(rows)
    nets = ", ".join(
        f"{row.stock_name or row.stock_code} {format_signed(row.net_buy_amount)}"
        for row in furthest[:_STOCKS_IN_ALT]
    )
    return (
        f"{heading.title}, {heading.subtitle}:"
        f" {len(bought.rows):,} net bought, {len(sold.rows):,} net sold."
        f" Furthest from even, net in 100 million won: {nets or 'none'}."
    )
