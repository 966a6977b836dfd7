"""Net program flow by market, day by day and cumulative."""

import datetime
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market

from ._axes import GAP_NOTE, draw_trading_days, gap_indices, scale_amounts
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
from ._day_flows import DayFlow
from ._fonts import find_font
from ._selection import missing_markets_note, select_exchange, validated_list
from ._style import (
    MUTED_COLOUR,
    TEXT_COLOUR,
    amount_unit,
    bilingual,
    exchange_name,
    format_signed,
    format_subtitle,
    market_name,
    net_colour,
    to_axis_units,
)

# So few days get a marker each: a line through a single day is nothing but its marker.
_MAX_MARKED_DAYS: Final = 5
# Of 100 in the figure's width; the rest is margins and the vertical axis.
_PIXELS_PER_FIGURE_INCH: Final = 80

# Net amounts by market and day, million won.
Nets = dict[Market, dict[datetime.date, int]]


@figure_settings()
def net_flow(
    days: Sequence[DayFlow],
    *,
    exchange: Exchange | None = None,
    width: float = SCREEN_WIDTH_INCHES,
) -> Picture:
    """Draw each market's net flow, daily and summed so far, 100 million won (억원).

    The days stand side by side in order, without room for days that are not given; a dotted line
    marks each gap longer than a holiday. Exchange and width as in `most_bought_and_sold`.
    Raises ValueError for anything but DayFlow, and for a day given twice.
    """
    flows, venue = select_exchange(validated_list("days", days, DayFlow), exchange)
    _require_unique(flows)
    dates = sorted({flow.date for flow in flows})
    nets = _nets_by_market(flows)
    heading = _heading(dates, venue, missing_markets_note(days, venue))
    if not any(flow.buy_amount or flow.sell_amount for flow in flows):
        return no_trades_figure(width, heading)
    inches_per_market = 2.9 if is_narrow(width) else 3.1
    figure = new_figure(width, inches_per_market * len(nets) + 0.3, heading)
    ratios = [1.6, 1] * len(nets)
    grid = figure.subplots(len(ratios), 1, squeeze=False, sharex=True, height_ratios=ratios)
    axes = list(grid[:, 0])
    for daily, cumulative, market in zip(axes[::2], axes[1::2], nets, strict=True):
        nets_by_position = {dates.index(day): nets[market][day] for day in sorted(nets[market])}
        _draw_market(daily, cumulative, market, nets_by_position, base_font_size(width))
    _set_up_days(axes, dates, width)
    figure.align_ylabels()
    freeze_layout(figure)
    figure.alt = _alt(heading, nets)
    return figure


def _require_unique(flows: Sequence[DayFlow]) -> None:
    seen = set()
    for flow in flows:
        if (flow.date, flow.market) in seen:
            raise ValueError(
                f"days: got {flow.date} {flow.market} {flow.exchange} twice; expected one DayFlow"
                f" for each: pass all rows to day_flows at once"
            )
        seen.add((flow.date, flow.market))


def _nets_by_market(flows: Sequence[DayFlow]) -> Nets:
    nets = {
        market: {flow.date: flow.net_buy_amount for flow in flows if flow.market is market}
        for market in Market
    }
    return {market: by_day for market, by_day in nets.items() if by_day}


def _heading(dates: Sequence[datetime.date], venue: Exchange, note: str) -> Heading:
    return Heading(
        bilingual("Net program flow by market", "시장별 프로그램 순매수"),
        format_subtitle(dates, exchange_name(venue)),
        (GAP_NOTE if gap_indices(dates) else "", note),
    )


def _draw_market(
    daily: Axes,
    cumulative: Axes,
    market: Market,
    nets_by_position: dict[int, int],
    font_size: float,
) -> None:
    bold = find_font().bold
    daily.set_title(market_name(market), loc="left", fontproperties=bold, fontsize=font_size * 1.1)
    positions, nets = list(nets_by_position), list(nets_by_position.values())
    _draw_daily(daily, positions, nets, font_size)
    _draw_cumulative(cumulative, positions, list(accumulate(nets)), font_size)


def _set_up_days(axes: Sequence[Axes], dates: Sequence[datetime.date], width: float) -> None:
    """Give all panels the same axis of days, with labels below the last panel only."""
    font_size = base_font_size(width)
    for panel in axes:
        panel.set_xlim(-0.7, len(dates) - 0.3)
        draw_trading_days(panel, dates, width * _PIXELS_PER_FIGURE_INCH, font_size * 0.9)
        panel.tick_params(labelbottom=panel is axes[-1])
    axes[-1].set_xlabel(bilingual("trading day", "거래일"), fontsize=font_size)


def _draw_daily(
    axes: Axes, positions: Sequence[int], nets: Sequence[int], font_size: float
) -> None:
    heights = [to_axis_units(net) for net in nets]
    axes.bar(positions, heights, 0.8, color=[net_colour(net) for net in nets])
    axes.set_title(amount_unit(), loc="right", fontsize=font_size * 0.9, color=MUTED_COLOUR)
    axes.set_ylabel(bilingual("a day", "일별"), fontsize=font_size * 0.95)
    _scale(axes, nets, font_size)


def _draw_cumulative(
    axes: Axes, positions: Sequence[int], sums: Sequence[int], font_size: float
) -> None:
    marker = "o" if len(sums) <= _MAX_MARKED_DAYS else ""
    heights = [to_axis_units(net) for net in sums]
    axes.plot(positions, heights, marker=marker, markersize=4, color=TEXT_COLOUR, linewidth=1.8)
    axes.set_title(
        f"{bilingual('added up', '누적')}: {format_signed(sums[-1])}",
        loc="left",
        fontsize=font_size * 0.95,
        color=net_colour(sums[-1]),
    )
    axes.set_ylabel(bilingual("sum", "누적"), fontsize=font_size * 0.95)
    _scale(axes, sums, font_size)


def _scale(axes: Axes, nets: Sequence[int], font_size: float) -> None:
    scale_amounts(axes, nets, margin=0.06, max_intervals=4, font_size=font_size * 0.85)
    axes.axhline(0, color=MUTED_COLOUR, linewidth=0.9)


def _alt(heading: Heading, nets: Nets) -> str:
    sentences = []
    for market, by_day in nets.items():
        most_bought = max(by_day, key=lambda day: by_day[day])
        most_sold = min(by_day, key=lambda day: by_day[day])
        sentences.append(
            f"{market}: {format_signed(sum(by_day.values()))} in all,"
            f" most bought {format_signed(by_day[most_bought])} on {most_bought},"
            f" most sold {format_signed(by_day[most_sold])} on {most_sold}"
        )
    return f"{heading.title}, {heading.subtitle}, net in 100 million won. {'. '.join(sentences)}."
