"""What programs bought of each stock against what they sold, as a cloud of points."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._choice import left_out, of_one_day, of_one_exchange, traded
from ._ink import (
    BOUGHT,
    EVEN,
    FAINT_INK,
    INK,
    SOLD,
    colour_of,
    exchange_words,
    name_of,
    signed,
    subtitle,
    tick_text,
    unit,
    units,
    words,
)
from ._labels import Label, along, pixel, write_labels
from ._paper import (
    WIDE,
    Heading,
    Picture,
    narrow,
    nothing_to_draw,
    on_paper,
    paper,
    settle,
    shortened,
    text_size,
)
from ._placing import Point

# A million won, the smallest amount. Below it the axis is linear, so that zero has a place.
_SMALLEST: Final = 0.01
_LINEAR_PART: Final = 0.6
_NAMED: Final = 12
_NAMED_ON_A_PHONE: Final = 6
_TICKS: Final = (0, 0.01, 0.1, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
_TICKS_ON_A_PHONE: Final = (0, 0.1, 10, 1_000, 100_000)
_SIDES: Final = (
    ("net bought", "순매수", BOUGHT, "^"),
    ("net sold", "순매도", SOLD, "v"),
    ("even", "같음", EVEN, "o"),
)


@on_paper
def buy_against_sell(
    rows: Sequence[ProgramTrade],
    *,
    exchange: Exchange | None = None,
    width: float = WIDE,
) -> Picture:
    """Every stock that traded: bought against sold, 100 million won (억원), on log scales.

    The stocks furthest from even are named: twelve, six on a narrow figure, less where their
    names would lie on each other. Rows, exchange and width as in `most_bought_and_sold`.
    """
    of_day = of_one_day(rows)
    of_venue, venue = of_one_exchange(of_day, exchange)
    drawn = [row for row in of_venue if traded(row)]
    heading = _heading(of_venue, len(drawn), venue, left_out(of_day, venue))
    slim = narrow(width)
    if not drawn:
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    figure = paper(width, 3.9 if slim else 6.6, heading)
    axes = figure.subplots()
    _cloud(axes, drawn, width)
    settle(figure)
    furthest = sorted(drawn, key=lambda row: (-abs(row.net_buy_amount), row.stock_code))
    named = [row for row in furthest if row.net_buy_amount]
    _name(axes, named[: _NAMED_ON_A_PHONE if slim else _NAMED], drawn, text_size(width))
    figure.alt = _alt(heading, drawn, named[:5])
    return figure


def _heading(rows: Sequence[ProgramTrade], count: int, venue: Exchange, note: str) -> Heading:
    stocks = f"{count:,} stocks traded by programs"
    return Heading(
        words("Bought against sold, stock by stock", "종목별 매수·매도"),
        subtitle((row.date for row in rows), exchange_words(venue), stocks),
        ("Both axes are logarithmic; a stock on the dashed line was bought as much as sold.", note),
    )


def _cloud(axes: Axes, rows: Sequence[ProgramTrade], width: float) -> None:
    slim, size = narrow(width), text_size(width)
    for (english, korean, colour, marker), side in zip(_SIDES, _by_side(rows), strict=True):
        name = english.removeprefix("net ") if slim else words(english, korean)
        axes.plot(
            [at[0] for at in map(_at, side)],
            [at[1] for at in map(_at, side)],
            marker,
            markersize=size * 0.42,
            color=colour,
            alpha=0.55,
            markeredgewidth=0,
            label=f"{name}: {len(side):,}",
        )
    largest = units(max(max(row.buy_amount, row.sell_amount) for row in rows))
    # Above the largest there must be room for names.
    limits = (-_SMALLEST * 0.3, largest * (8 if slim else 3))
    ticks = [tick for tick in (_TICKS_ON_A_PHONE if slim else _TICKS) if tick <= limits[1]]
    labels = [tick_text(tick) for tick in ticks]
    axes.set_xscale("symlog", linthresh=_SMALLEST, linscale=_LINEAR_PART)
    axes.set_yscale("symlog", linthresh=_SMALLEST, linscale=_LINEAR_PART)
    axes.set_xticks(ticks, labels, fontsize=size * 0.9)
    axes.set_yticks(ticks, labels, fontsize=size * 0.9)
    axes.set_xticks([], minor=True)
    axes.set_yticks([], minor=True)
    axes.set(xlim=limits, ylim=limits)
    axes.plot(limits, limits, "--", color=FAINT_INK, linewidth=1, zorder=1)
    axes.set_xlabel(f"{words('sold', '매도')}, {unit()}", fontsize=size)
    axes.set_ylabel(f"{words('bought', '매수')}, {unit()}", fontsize=size)
    axes.grid()
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1),
        ncols=3,
        columnspacing=1,
        handlelength=1.2,
        handletextpad=0.2,
        borderpad=0.1,
        frameon=False,
        fontsize=size * 0.9,
        markerscale=1.5,
    )


def _by_side(rows: Sequence[ProgramTrade]) -> tuple[list[ProgramTrade], ...]:
    return (
        [row for row in rows if row.net_buy_amount > 0],
        [row for row in rows if row.net_buy_amount < 0],
        [row for row in rows if not row.net_buy_amount],
    )


def _name(
    axes: Axes, named: Sequence[ProgramTrade], rows: Sequence[ProgramTrade], size: float
) -> None:
    most = axes.get_window_extent().width * 0.35
    labels = [
        Label(
            _at(row),
            f"{shortened(name_of(row), axes, most, size)} {signed(row.net_buy_amount)}",
            colour_of(row.net_buy_amount),
        )
        for row in named
    ]
    low, high = axes.get_xlim()
    cloud = [pixel(axes, *_at(row)) for row in rows]
    even = along(axes, [(low, low), (high, high)])
    for label in write_labels(axes, labels, [*cloud, *even], size):
        marker = "^" if label.colour == BOUGHT else "v"
        (mark,) = axes.plot(*label.at, marker, color=label.colour, zorder=3)
        mark.set(markersize=size * 0.6, markeredgecolor=INK, markeredgewidth=0.8)


def _at(row: ProgramTrade) -> Point:
    return units(row.sell_amount), units(row.buy_amount)


def _alt(heading: Heading, rows: Sequence[ProgramTrade], named: Sequence[ProgramTrade]) -> str:
    bought, sold, _ = _by_side(rows)
    first = ", ".join(
        f"{row.stock_name or row.stock_code} {signed(row.net_buy_amount)}" for row in named
    )
    return (
        f"{heading.title}, {heading.subtitle}: {len(bought):,} net bought, {len(sold):,} net sold."
        f" Furthest from even, net in 100 million won: {first or 'none'}."
    )
