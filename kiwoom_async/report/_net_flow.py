"""The net flow of programs by market, day by day, and added up."""

import datetime
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market

from ._choice import checked, left_out, of_one_exchange
from ._dates import GAP_NOTE, gaps, mark_days
from ._flows import DayFlow
from ._fonts import font
from ._ink import (
    FAINT_INK,
    INK,
    colour_of,
    exchange_words,
    market_words,
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
    narrow,
    nothing_to_draw,
    on_paper,
    paper,
    settle,
    text_size,
)

_FEW: Final = 5


@on_paper
def net_flow(
    days: Sequence[DayFlow],
    *,
    exchange: Exchange | None = None,
    width: float = WIDE,
) -> Picture:
    """Each market's net flow: a bar a day, and below it the sum so far, 100 million won (억원).

    The days stand side by side in order, without room for days that are not given; a dotted line
    tells where more than a holiday is missing. Exchange and width as in `most_bought_and_sold`.
    ValueError for anything but DayFlow, and for a day given twice.
    """
    flows, venue = of_one_exchange(checked("days", days, DayFlow), exchange)
    _once(flows)
    dates = sorted({flow.date for flow in flows})
    nets = _nets(flows)
    note = GAP_NOTE if gaps(dates) else ""
    heading = Heading(
        words("Net program flow by market", "시장별 프로그램 순매수"),
        subtitle(dates, exchange_words(venue)),
        (note, left_out(days, venue)),
    )
    slim = narrow(width)
    if not any(flow.buy_amount or flow.sell_amount for flow in flows):
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    figure = paper(width, (2.9 if slim else 3.1) * len(nets) + 0.3, heading)
    axes = figure.subplots(
        2 * len(nets), 1, squeeze=False, sharex=True, height_ratios=[1.6, 1] * len(nets)
    )[:, 0]
    size, bold = text_size(width), font().bold
    for bars, line, (market, of_market) in zip(axes[::2], axes[1::2], nets.items(), strict=True):
        title = market_words(market)
        bars.set_title(title, loc="left", fontproperties=bold, fontsize=size * 1.1)
        days_of = {dates.index(date): of_market[date] for date in sorted(of_market)}
        _draw_bars(bars, days_of, size)
        _draw_line(line, days_of, size)
    for each in axes:
        each.set_xlim(-0.7, len(dates) - 0.3)
        mark_days(each, dates, width * 80, size * 0.9)
        each.tick_params(labelbottom=each is axes[-1])
    axes[-1].set_xlabel(words("trading day", "거래일"), fontsize=size)
    figure.align_ylabels()
    settle(figure)
    figure.alt = _alt(heading, nets)
    return figure


def _once(flows: Sequence[DayFlow]) -> None:
    seen = set()
    for flow in flows:
        if (flow.date, flow.market) in seen:
            raise ValueError(
                f"days: {flow.date} {flow.market} {flow.exchange} came twice; expected one DayFlow"
                f" for each, as day_flows(rows) makes them of all rows at once"
            )
        seen.add((flow.date, flow.market))


def _nets(flows: Sequence[DayFlow]) -> dict[Market, dict[datetime.date, int]]:
    return {
        market: {flow.date: flow.net_buy_amount for flow in flows if flow.market is market}
        for market in Market
        if any(flow.market is market for flow in flows)
    }


def _draw_bars(axes: Axes, days: dict[int, int], size: float) -> None:
    heights = [units(net) for net in days.values()]
    axes.bar([*days], heights, 0.8, color=[colour_of(net) for net in days.values()])
    axes.set_title(unit(), loc="right", fontsize=size * 0.9, color=FAINT_INK)
    axes.set_ylabel(words("a day", "일별"), fontsize=size * 0.95)
    _scale(axes, [*days.values()], size)


def _draw_line(axes: Axes, days: dict[int, int], size: float) -> None:
    sums = [*accumulate(days.values())]
    # A line through one day is nothing but its marker.
    marker = "o" if len(days) <= _FEW else ""
    heights = [units(each) for each in sums]
    axes.plot([*days], heights, marker=marker, markersize=4, color=INK, linewidth=1.8)
    axes.set_title(
        f"{words('added up', '누적')}: {signed(sums[-1])}",
        loc="left",
        fontsize=size * 0.95,
        color=colour_of(sums[-1]),
    )
    axes.set_ylabel(words("sum", "누적"), fontsize=size * 0.95)
    _scale(axes, sums, size)


def _scale(axes: Axes, values: Sequence[int], size: float) -> None:
    low, high = units(min(0, *values, 0)), units(max(0, *values, 0))
    room = (high - low) * 0.06 or 1
    axes.set_ylim(low - room, high + room)
    ticks = ticks_between(low - room, high + room, 4)
    axes.set_yticks(ticks, [tick_text(tick) for tick in ticks], fontsize=size * 0.85)
    axes.axhline(0, color=FAINT_INK, linewidth=0.9)
    axes.grid(axis="y")


def _alt(heading: Heading, nets: dict[Market, dict[datetime.date, int]]) -> str:
    told = [
        f"{market}: {signed(sum(days.values()))} in all, most bought"
        f" {signed(max(days.values()))} on {max(days, key=lambda day: days[day])}, most sold"
        f" {signed(min(days.values()))} on {min(days, key=lambda day: days[day])}"
        for market, days in nets.items()
    ]
    return f"{heading.title}, {heading.subtitle}, net in 100 million won. {'. '.join(told)}."
