"""The net flow of chosen stocks, added up over several days, as lines."""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from kiwoom_async import Exchange, ProgramTrade

from ._choice import checked, each_once, of_one_exchange, traded
from ._dates import GAP_NOTE, gaps, mark_days
from ._ink import (
    FAINT_INK,
    INK,
    STOCK_COLOURS,
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
from ._placing import spread

_MOST: Final = 8
_USUAL: Final = 6
_DASHES: Final = ("-", "--", "-.", ":", "-", "--", "-.", ":")
_MARKERS: Final = "osD^vP*X"
# A marker every so many days would hide the line: about this many along each.
_MARKS_A_LINE: Final = 12
_PIXELS_TO_LABEL: Final = 16


@frozen
class _Line:
    """A stock, and its net flow added up to each day, million won."""

    row: ProgramTrade
    sums: Sequence[int]


@on_paper
def stock_flow(
    rows: Sequence[ProgramTrade],
    *,
    stocks: Sequence[str] | None = None,
    exchange: Exchange | None = None,
    width: float = WIDE,
) -> Picture:
    """The net flow of stocks, added up day by day, a line each, 100 million won (억원).

    `rows` are of several days; a stock without a row on a day had no flow there. `stocks` are at
    most eight stock codes; without them, the six with the largest sums, bought or sold, are
    drawn. Days as in `net_flow`, exchange and width as in `most_bought_and_sold`.
    """
    given = each_once(checked("rows", rows, ProgramTrade))
    drawn, venue = of_one_exchange(given, exchange)
    dates = sorted({row.date for row in drawn})
    codes = None if stocks is None else _codes(stocks, drawn)
    lines = _lines(drawn, dates, codes) if any(map(traded, drawn)) else []
    heading = _heading(dates, venue)
    slim = narrow(width)
    if not lines:
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    figure = paper(width, 3.8 if slim else 5.2, heading)
    axes = figure.subplots()
    size = text_size(width)
    _draw(axes, lines, len(dates), size)
    mark_days(axes, dates, width * (50 if slim else 65), size * 0.9)
    settle(figure)
    _label(axes, lines, len(dates), size)
    figure.alt = _alt(heading, lines)
    return figure


def _heading(dates: Sequence[datetime.date], venue: Exchange) -> Heading:
    return Heading(
        words("Net program flow of stocks, added up", "종목별 프로그램 누적 순매수"),
        subtitle(dates, exchange_words(venue)),
        (GAP_NOTE if gaps(dates) else "",),
    )


def _codes(stocks: Sequence[str], rows: Sequence[ProgramTrade]) -> list[str]:
    codes = list(dict.fromkeys(checked("stocks", stocks, str)))
    if not 1 <= len(codes) <= _MOST:
        raise ValueError(f"stocks: got {len(codes)}; expected 1 to {_MOST} stock codes")
    known = {row.stock_code for row in rows}
    if rows and (unknown := [code for code in codes if code not in known]):
        raise ValueError(
            f"stocks: no row of {', '.join(unknown)}; expected stock codes of the rows, without"
            f" the suffix of an exchange, such as {min(known)!r}"
        )
    return codes


def _lines(
    rows: Sequence[ProgramTrade], dates: Sequence[datetime.date], codes: Sequence[str] | None
) -> list[_Line]:
    nets = defaultdict[str, defaultdict[datetime.date, int]](lambda: defaultdict(int))
    latest: dict[str, ProgramTrade] = {}
    for row in rows:
        nets[row.stock_code][row.date] += row.net_buy_amount
        latest[row.stock_code] = row
    if codes is None:
        order = sorted(nets, key=lambda code: (-abs(sum(nets[code].values())), code))
        codes = [code for code in order[:_USUAL] if any(nets[code].values())]
    return [_Line(latest[code], [*accumulate(nets[code][day] for day in dates)]) for code in codes]


def _draw(axes: Axes, lines: Sequence[_Line], days: int, size: float) -> None:
    looks = zip(lines, STOCK_COLOURS, _DASHES, _MARKERS, strict=False)
    for index, (line, colour, dash, marker) in enumerate(looks):
        axes.plot(
            range(days),
            [units(each) for each in line.sums],
            linestyle=dash,
            marker=marker,
            color=colour,
            linewidth=1.8,
            markersize=size * 0.5,
            markevery=(index * days // (_MARKS_A_LINE * 8), max(1, days // _MARKS_A_LINE)),
        )
    values = [units(each) for line in lines for each in line.sums]
    low, high = min(0, *values, 0), max(0, *values, 0)
    room = (high - low) * 0.08 or 1
    axes.set_ylim(low - room, high + room)
    ticks = ticks_between(low - room, high + room, 6)
    axes.set_yticks(ticks, [tick_text(tick) for tick in ticks], fontsize=size * 0.9)
    axes.plot((-0.5, days - 1), (0, 0), color=FAINT_INK, linewidth=0.9, zorder=1.5)
    axes.grid(axis="y")
    axes.set_title(unit(), loc="left", fontsize=size * 0.95)
    axes.set_xlabel(words("trading day", "거래일"), fontsize=size)


def _label(axes: Axes, lines: Sequence[_Line], days: int, size: float) -> None:
    """Names at the ends of the lines, on an axis that is longer by their width."""
    frame = axes.get_window_extent()
    texts = [
        f"{shortened(name_of(line.row), axes, frame.width * 0.28, size)} {signed(line.sums[-1])}"
        for line in lines
    ]
    sizes = [measured(axes, text, fontsize=size) for text in texts]
    needed = max(width for width, _ in sizes) + 2 * _PIXELS_TO_LABEL
    span = max(days - 0.5, 1) / (1 - needed / frame.width)
    axes.set_xlim(-0.5, span - 0.5)
    ends = [axes.transData.transform((days - 1, units(line.sums[-1])))[1] for line in lines]
    height = max(height for _, height in sizes) + 3
    to_data = axes.transData.inverted().transform
    for line, text, end, up, colour in zip(
        lines, texts, ends, spread(ends, height, frame.y0, frame.y1), STOCK_COLOURS, strict=False
    ):
        start = axes.transData.transform((days - 1, units(line.sums[-1])))[0]
        x, y = to_data((start + _PIXELS_TO_LABEL, up))
        axes.plot((days - 1, x), (to_data((start, end))[1], y), color=colour, linewidth=0.9)
        # The white hides the grid behind the letters.
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.text(x, y, f" {text}", fontsize=size, va="center", color=INK, bbox=white)


def _alt(heading: Heading, lines: Sequence[_Line]) -> str:
    told = [
        f"{line.row.stock_name or line.row.stock_code} {signed(line.sums[-1])}" for line in lines
    ]
    return f"{heading.title}, {heading.subtitle}, net in 100 million won: {', '.join(told)}."
