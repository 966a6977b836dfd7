"""Concentration of program turnover on the largest stocks of a market, as curves."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market, ProgramTrade

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
)
from ._labels import Label, draw_labels, polyline_pixels
from ._selection import (
    has_trades,
    missing_markets_note,
    select_exchange,
    single_day_rows,
)
from ._style import MARKET_COLOURS, bilingual, exchange_name, format_subtitle

_LABELLED_RANKS: Final = (1, 10, 100)
_LABELLED_RANKS_NARROW: Final = (10, 100)
_TICKS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_TICKS_NARROW: Final = (1, 10, 100, 1_000)
# So few stocks have room for all ticks, even on a phone.
_FEW_STOCKS: Final = 20


@frozen
class _LineStyle:
    dashes: str
    marker: str


_LINE_STYLES: Final = {Market.KOSPI: _LineStyle("-", "o"), Market.KOSDAQ: _LineStyle("--", "s")}

# By market: the turnover shares of its largest stock, of its two largest, and so on, percent.
Curves = dict[Market, list[float]]


@figure_settings()
def concentration(
    rows: Sequence[ProgramTrade],
    *,
    exchange: Exchange | None = None,
    width: float = SCREEN_WIDTH_INCHES,
) -> Picture:
    """Draw the part of each market's program turnover that its largest stocks make up, percent.

    From `turnover_share`, over the stocks that traded, the largest first, on a log scale. Rows,
    exchange and width as in `most_bought_and_sold`.
    """
    day_rows = single_day_rows(rows)
    selected, venue = select_exchange(day_rows, exchange)
    curves = _cumulative_shares(selected)
    heading = _heading(selected, venue, missing_markets_note(day_rows, venue))
    if not curves:
        return no_trades_figure(width, heading)
    narrow, font_size = is_narrow(width), base_font_size(width)
    figure = new_figure(width, 3.4 if narrow else 5.2, heading)
    axes = figure.subplots()
    _draw_curves(axes, curves)
    _set_up_axes(axes, max(len(curve) for curve in curves.values()), width)
    freeze_layout(figure)
    _label_curves(axes, curves, _LABELLED_RANKS_NARROW if narrow else _LABELLED_RANKS, font_size)
    figure.alt = _alt(heading, curves)
    return figure


def _cumulative_shares(rows: Sequence[ProgramTrade]) -> Curves:
    curves: Curves = {}
    for market in Market:
        traded = [row for row in rows if row.market is market and has_trades(row)]
        shares = sorted((row.turnover_share for row in traded), reverse=True)
        if shares:
            curves[market] = [float(share) for share in accumulate(shares)]
    return curves


def _heading(rows: Sequence[ProgramTrade], venue: Exchange, note: str) -> Heading:
    return Heading(
        bilingual("How few stocks make up program turnover", "프로그램 거래 집중도"),
        format_subtitle((row.date for row in rows), exchange_name(venue)),
        ("Turnover is all that programs bought and sold in a market.", note),
    )


def _draw_curves(axes: Axes, curves: Curves) -> None:
    for market, curve in curves.items():
        ranks = range(1, len(curve) + 1)
        dashes = _LINE_STYLES[market].dashes
        axes.plot(ranks, curve, dashes, color=MARKET_COLOURS[market], linewidth=2.2)


def _set_up_axes(axes: Axes, stocks: int, width: float) -> None:
    font_size = base_font_size(width)
    last_rank = max(2, stocks)
    axes.set_xscale("log")
    ranks = _TICKS_NARROW if is_narrow(width) and last_rank > _FEW_STOCKS else _TICKS
    set_ticks(axes.xaxis, [rank for rank in ranks if rank <= last_rank], font_size * 0.9)
    axes.set_xticks([], minor=True)
    set_ticks(axes.yaxis, range(0, 101, 20), font_size * 0.9)
    axes.set(xlim=(0.9, last_rank * 1.12), ylim=(0, 118))
    axes.set_xlabel(bilingual("largest stocks", "거래 상위 종목 수"), fontsize=font_size)
    share_title = bilingual("share of the market's turnover, %", "누적 거래비율")
    axes.set_title(share_title, loc="left", fontsize=font_size)
    axes.grid()


def _label_curves(axes: Axes, curves: Curves, ranks: Sequence[int], font_size: float) -> None:
    """Mark and label points of the curves.

    The ends of the curves come first, because their labels name the markets.
    """
    marks = [(market, len(curve)) for market, curve in curves.items()]
    for market, curve in curves.items():
        marks += [(market, rank) for rank in ranks if rank < len(curve)]
    labels = [_mark(axes, curves, market, rank, font_size) for market, rank in marks]
    pixels = [
        pixel
        for curve in curves.values()
        for pixel in polyline_pixels(axes, list(enumerate(curve, 1)))
    ]
    # Twice: a curve costs more to hide than a point.
    draw_labels(axes, labels, pixels * 2, font_size)


def _mark(axes: Axes, curves: Curves, market: Market, rank: int, font_size: float) -> Label:
    """Draw a marker on a curve and return the label for it."""
    curve, colour = curves[market], MARKET_COLOURS[market]
    point = (rank, curve[rank - 1])
    marker = _LINE_STYLES[market].marker
    axes.plot(*point, marker, color=colour, markersize=font_size * 0.6, zorder=3)
    prefix = f"{market}, " if rank == len(curve) else ""
    return Label(point, f"{prefix}{_count_stocks(rank)}: {point[1]:.0f} %", colour)


def _count_stocks(count: int) -> str:
    return "1 stock" if count == 1 else f"{count:,} stocks"


def _alt(heading: Heading, curves: Curves) -> str:
    sentences = []
    for market, curve in curves.items():
        shares = [
            f"{_count_stocks(rank)} {curve[rank - 1]:.0f} %"
            for rank in _LABELLED_RANKS
            if rank <= len(curve)
        ]
        sentences.append(
            f"{market}: {', '.join(shares)} of the turnover, {len(curve):,} stocks traded"
        )
    return f"{heading.title}, {heading.subtitle}. {'. '.join(sentences)}."
