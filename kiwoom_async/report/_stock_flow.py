"""Cumulative net program flow of stocks over several days, as lines."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._axes import GAP_NOTE, draw_trading_days, gap_indices, scale_amounts
from ._canvas import (
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
from ._label_layout import spread_labels
from ._labels import to_pixels
from ._selection import drop_duplicates, has_trades, select_exchange, validated_list
from ._style import (
    MUTED_COLOUR,
    STOCK_COLOURS,
    TEXT_COLOUR,
    amount_unit,
    bilingual,
    exchange_name,
    format_signed,
    format_subtitle,
    stock_label,
    to_axis_units,
)

_MAX_STOCKS: Final = 8
_DEFAULT_STOCKS: Final = 6
_DASHES: Final = ("-", "--", "-.", ":", "-", "--", "-.", ":")
_MARKERS: Final = "osD^vP*X"
# About so many markers along each line; one a day would hide it.
_MARKERS_PER_LINE: Final = 12
_NAME_PART_OF_PANEL: Final = 0.28
_LEADER_PIXELS: Final = 16
_LABEL_GAP_PIXELS: Final = 3
# Of 100 in the figure's width; the rest is margins, the vertical axis and names.
_PIXELS_PER_FIGURE_INCH: Final = 65
_PIXELS_PER_FIGURE_INCH_NARROW: Final = 50


@frozen
class _StockSums:
    """A stock's last row, and its net flow summed up to each day, million won."""

    row: ProgramTrade
    sums: Sequence[int]


@figure_settings()
def stock_flow(
    rows: Sequence[ProgramTrade],
    *,
    stocks: Sequence[str] | None = None,
    exchange: Exchange | None = None,
    width: float = SCREEN_WIDTH_INCHES,
) -> Picture:
    """Draw the net flow of stocks, added up day by day, a line each, 100 million won (억원).

    `rows` are of several days; a stock without a row on a day had no flow on it. `stocks` are at
    most eight stock codes; without them, the six with the largest sums, bought or sold, are
    drawn. Days as in `net_flow`, exchange and width as in `most_bought_and_sold`.
    """
    unique_rows = drop_duplicates(validated_list("rows", rows, ProgramTrade))
    selected, venue = select_exchange(unique_rows, exchange)
    dates = sorted({row.date for row in selected})
    codes = None if stocks is None else _validated_codes(stocks, selected)
    has_any_trades = any(has_trades(row) for row in selected)
    lines = _sum_stocks(selected, dates, codes) if has_any_trades else []
    heading = _heading(dates, venue)
    if not lines:
        return no_trades_figure(width, heading)
    narrow, font_size = is_narrow(width), base_font_size(width)
    figure = new_figure(width, 3.8 if narrow else 5.2, heading)
    axes = figure.subplots()
    _draw_lines(axes, lines, len(dates), font_size)
    _set_up_axes(axes, lines, len(dates), font_size)
    pixels = width * (_PIXELS_PER_FIGURE_INCH_NARROW if narrow else _PIXELS_PER_FIGURE_INCH)
    draw_trading_days(axes, dates, pixels, font_size * 0.9)
    freeze_layout(figure)
    _label_lines(axes, lines, len(dates), font_size)
    figure.alt = _alt(heading, lines)
    return figure


def _heading(dates: Sequence[datetime.date], venue: Exchange) -> Heading:
    return Heading(
        bilingual("Net program flow of stocks, added up", "종목별 프로그램 누적 순매수"),
        format_subtitle(dates, exchange_name(venue)),
        (GAP_NOTE if gap_indices(dates) else "",),
    )


def _validated_codes(stocks: Sequence[str], rows: Sequence[ProgramTrade]) -> list[str]:
    """Return the stock codes, each once; raise ValueError for one that no row has."""
    codes = list(dict.fromkeys(validated_list("stocks", stocks, str)))
    if not 1 <= len(codes) <= _MAX_STOCKS:
        raise ValueError(f"stocks: got {len(codes)}; expected 1 to {_MAX_STOCKS} stock codes")
    known = {row.stock_code for row in rows}
    if rows and (unknown := [code for code in codes if code not in known]):
        raise ValueError(
            f"stocks: no row of {', '.join(unknown)}; expected stock codes of the rows, without"
            f" the suffix of an exchange, such as {min(known)!r}"
        )
    return codes


def _sum_stocks(
    rows: Sequence[ProgramTrade], dates: Sequence[datetime.date], codes: Sequence[str] | None
) -> list[_StockSums]:
    """Return the sums of the stocks with these codes, or of those with the largest."""
    nets = defaultdict[str, defaultdict[datetime.date, int]](lambda: defaultdict(int))
    last_rows: dict[str, ProgramTrade] = {}
    for row in rows:
        nets[row.stock_code][row.date] += row.net_buy_amount
        last_rows[row.stock_code] = row
    if codes is None:
        order = sorted(nets, key=lambda code: (-abs(sum(nets[code].values())), code))
        codes = [code for code in order[:_DEFAULT_STOCKS] if any(nets[code].values())]
    return [
        _StockSums(last_rows[code], list(accumulate(nets[code][date] for date in dates)))
        for code in codes
    ]


def _draw_lines(axes: Axes, lines: Sequence[_StockSums], days: int, font_size: float) -> None:
    styles = zip(lines, STOCK_COLOURS, _DASHES, _MARKERS, strict=False)
    for index, (line, colour, dash, marker) in enumerate(styles):
        # The first marker is elsewhere on each line, so that markers of close lines stay apart.
        first_marker = index * days // (_MARKERS_PER_LINE * _MAX_STOCKS)
        axes.plot(
            range(days),
            [to_axis_units(net) for net in line.sums],
            linestyle=dash,
            marker=marker,
            color=colour,
            linewidth=1.8,
            markersize=font_size * 0.5,
            markevery=(first_marker, max(1, days // _MARKERS_PER_LINE)),
        )


def _set_up_axes(axes: Axes, lines: Sequence[_StockSums], days: int, font_size: float) -> None:
    nets = [net for line in lines for net in line.sums]
    scale_amounts(axes, nets, margin=0.08, max_intervals=6, font_size=font_size * 0.9)
    axes.plot((-0.5, days - 1), (0, 0), color=MUTED_COLOUR, linewidth=0.9, zorder=1.5)
    axes.set_title(amount_unit(), loc="left", fontsize=font_size * 0.95)
    axes.set_xlabel(bilingual("trading day", "거래일"), fontsize=font_size)


def _label_lines(axes: Axes, lines: Sequence[_StockSums], days: int, font_size: float) -> None:
    """Write names and sums at the ends of the lines, and lengthen the axis by their width."""
    frame = axes.get_window_extent()
    texts = [_label_text(axes, line, frame.width, font_size) for line in lines]
    sizes = [measure_text(axes, text, font_size) for text in texts]
    label_pixels = max(width for width, _ in sizes) + 2 * _LEADER_PIXELS
    axis_length = max(days - 0.5, 1) / (1 - label_pixels / frame.width)
    axes.set_xlim(-0.5, axis_length - 0.5)
    ends = [(days - 1, to_axis_units(line.sums[-1])) for line in lines]
    end_pixels = [to_pixels(axes, end) for end in ends]
    height = max(height for _, height in sizes) + _LABEL_GAP_PIXELS
    centres = spread_labels([y for _, y in end_pixels], height, frame.y0, frame.y1)
    to_data = axes.transData.inverted().transform
    for text, end, (end_x, _), centre, colour in zip(
        texts, ends, end_pixels, centres, STOCK_COLOURS, strict=False
    ):
        x, y = to_data((end_x + _LEADER_PIXELS, centre))
        axes.plot((end[0], x), (end[1], y), color=colour, linewidth=0.9)
        # Hides the grid behind the letters.
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.text(x, y, f" {text}", fontsize=font_size, va="center", color=TEXT_COLOUR, bbox=white)


def _label_text(axes: Axes, line: _StockSums, panel_pixels: float, font_size: float) -> str:
    max_pixels = panel_pixels * _NAME_PART_OF_PANEL
    name = truncate_text(axes, stock_label(line.row), max_pixels, font_size)
    return f"{name} {format_signed(line.sums[-1])}"


def _alt(heading: Heading, lines: Sequence[_StockSums]) -> str:
    sums = [
        f"{line.row.stock_name or line.row.stock_code} {format_signed(line.sums[-1])}"
        for line in lines
    ]
    return f"{heading.title}, {heading.subtitle}, net in 100 million won: {', '.join(sums)}."
