"""How few stocks make up how much of a market's program turnover."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market, ProgramTrade

from ._choice import left_out, of_one_day, of_one_exchange, traded
from ._ink import (
    MARKET_COLOURS,
    exchange_words,
    subtitle,
    tick_text,
    words,
)
from ._labels import Label, along, write_labels
from ._paper import (
    WIDE,
    Heading,
    Picture,
    narrow,
    nothing_to_draw,
    on_paper,
    paper,
    settle,
    text_size,
)

_MARKED: Final = (1, 10, 100)
_MARKED_ON_A_PHONE: Final = (10, 100)
_TICKS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_TICKS_ON_A_PHONE: Final = (1, 10, 100, 1_000)
_FEW: Final = 20
_LOOKS: Final = {Market.KOSPI: ("-", "o"), Market.KOSDAQ: ("--", "s")}

Curves = dict[Market, list[float]]


def cumulative_shares(rows: Sequence[ProgramTrade]) -> Curves:
    """By market: the turnover shares of its largest stock, its two largest, and so on, percent."""
    curves: Curves = {}
    for market in Market:
        of_market = [row for row in rows if row.market is market and traded(row)]
        shares = sorted((row.turnover_share for row in of_market), reverse=True)
        if shares:
            curves[market] = [float(each) for each in accumulate(shares, initial=Decimal(0))][1:]
    return curves


@on_paper
def concentration(
    rows: Sequence[ProgramTrade],
    *,
    exchange: Exchange | None = None,
    width: float = WIDE,
) -> Picture:
    """The part of each market's program turnover that its largest stocks make up, percent.

    From `turnover_share`, over the stocks that traded, the largest first, on a log scale. Rows,
    exchange and width as in `most_bought_and_sold`.
    """
    of_day = of_one_day(rows)
    drawn, venue = of_one_exchange(of_day, exchange)
    curves = cumulative_shares(drawn)
    heading = _heading(drawn, venue, left_out(of_day, venue))
    if not curves:
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    slim = narrow(width)
    figure = paper(width, 3.4 if slim else 5.2, heading)
    axes = figure.subplots()
    _draw(axes, curves, slim, text_size(width))
    settle(figure)
    _mark(axes, curves, _MARKED_ON_A_PHONE if slim else _MARKED, text_size(width))
    figure.alt = _alt(heading, curves)
    return figure


def _heading(rows: Sequence[ProgramTrade], venue: Exchange, note: str) -> Heading:
    return Heading(
        words("How few stocks make up program turnover", "프로그램 거래 집중도"),
        subtitle((row.date for row in rows), exchange_words(venue)),
        ("Turnover is all that programs bought and sold in a market.", note),
    )


def _draw(axes: Axes, curves: Curves, slim: bool, size: float) -> None:
    for market, curve in curves.items():
        line, _ = _LOOKS[market]
        ranks = range(1, len(curve) + 1)
        axes.plot(ranks, curve, line, color=MARKET_COLOURS[market], linewidth=2.2)
    most = max(2, *(len(curve) for curve in curves.values()))
    axes.set_xscale("log")
    ticks = [
        tick for tick in (_TICKS_ON_A_PHONE if slim and most > _FEW else _TICKS) if tick <= most
    ]
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks], fontsize=size * 0.9)
    axes.set_xticks([], minor=True)
    shares = range(0, 101, 20)
    axes.set_yticks(shares, [f"{share}" for share in shares], fontsize=size * 0.9)
    axes.set(xlim=(0.9, most * 1.12), ylim=(0, 118))
    axes.set_xlabel(words("largest stocks", "거래 상위 종목 수"), fontsize=size)
    shares_of = words("share of the market's turnover, %", "누적 거래비율")
    axes.set_title(shares_of, loc="left", fontsize=size)
    axes.grid()


def _mark(axes: Axes, curves: Curves, ranks: Sequence[int], size: float) -> None:
    """Points on the curves and their labels; the ends, which name the markets, choose first."""
    ends = [(market, len(curve)) for market, curve in curves.items()]
    marks = ends + [
        (market, rank) for market, curve in curves.items() for rank in ranks if rank < len(curve)
    ]
    labels = []
    for market, rank in marks:
        at = (rank, curves[market][rank - 1])
        colour = MARKET_COLOURS[market]
        axes.plot(*at, _LOOKS[market][1], color=colour, markersize=size * 0.6, zorder=3)
        before = f"{market}, " if (market, rank) in ends else ""
        stocks = f"{rank:,} stock{'s' * (rank > 1)}"
        labels.append(Label(at, f"{before}{stocks}: {at[1]:.0f} %", colour))
    lines = [along(axes, list(enumerate(curve, 1))) for curve in curves.values()]
    # Twice: a line costs more to cross than a point.
    write_labels(axes, labels, [point for line in lines for point in line] * 2, size)


def _alt(heading: Heading, curves: Curves) -> str:
    told = [
        f"{market}: "
        + ", ".join(
            f"{rank:,} stock{'s' * (rank > 1)} {curve[rank - 1]:.0f} %"
            for rank in _MARKED
            if rank <= len(curve)
        )
        + f" of the turnover, {len(curve):,} stocks traded"
        for market, curve in curves.items()
    ]
    return f"{heading.title}, {heading.subtitle}. {'. '.join(told)}."
