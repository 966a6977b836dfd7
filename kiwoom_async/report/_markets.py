"""Sums of each market at each exchange, as bars."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market, ProgramTrade

from ._axes import set_ticks, tick_values
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
)
from ._day_flows import DayFlow, day_flows
from ._fonts import find_font
from ._labels import draw_bar_label
from ._selection import EXCHANGES_WIDEST_FIRST, single_day_rows
from ._style import (
    BUY_COLOUR,
    SELL_COLOUR,
    amount_unit,
    bilingual,
    exchange_name,
    format_amount,
    format_days,
    format_signed,
    market_name,
    net_colour,
    to_axis_units,
)

_BAR_HEIGHT: Final = 0.3
# Keeps bars visible if the values need nearly all of the panel.
_MIN_BAR_PART_OF_PANEL: Final = 0.3
_VALUE_MARGIN_PIXELS: Final = 9


@figure_settings()
def by_market_and_exchange(
    rows: Sequence[ProgramTrade], *, width: float = SCREEN_WIDTH_INCHES
) -> Picture:
    """Draw the amounts bought, sold and net of each market and exchange, 100 million won (억원).

    `rows` are of one day. All exchanges that have rows stand side by side; a note says that
    consolidated holds the two others. `width` as in `most_bought_and_sold`.
    """
    flows = [flow for flow in day_flows(single_day_rows(rows)) if _has_amounts(flow)]
    heading = _heading(rows, flows)
    if not flows:
        return no_trades_figure(width, heading)
    flows_by_market = _group_by_market(flows)
    figure, axes = _panels(heading, [len(group) for group in flows_by_market.values()], width)
    largest = max(max(flow.buy_amount, flow.sell_amount) for flow in flows)
    for panel, (market, market_flows) in zip(axes, flows_by_market.items(), strict=True):
        _draw_panel(panel, market, market_flows, largest, width)
    axes[-1].set_xlabel(amount_unit(), fontsize=base_font_size(width))
    freeze_layout(figure)
    for panel, market_flows in zip(axes, flows_by_market.values(), strict=True):
        _draw_values(panel, market_flows, largest, base_font_size(width))
    figure.alt = _alt(heading, flows)
    return figure


def _has_amounts(flow: DayFlow) -> bool:
    return bool(flow.buy_amount or flow.sell_amount)


def _group_by_market(flows: Sequence[DayFlow]) -> dict[Market, list[DayFlow]]:
    """Return the markets that have flows, each with its flows, the widest exchange first."""
    order = sorted(flows, key=lambda flow: EXCHANGES_WIDEST_FIRST.index(flow.exchange))
    groups = {market: [flow for flow in order if flow.market is market] for market in Market}
    return {market: group for market, group in groups.items() if group}


def _heading(rows: Sequence[ProgramTrade], flows: Sequence[DayFlow]) -> Heading:
    present = {flow.exchange for flow in flows}
    consolidated = exchange_name(Exchange.CONSOLIDATED)
    note = f"Not to be added up: {consolidated} is KRX and NXT together, and holds both."
    overlapping = Exchange.CONSOLIDATED in present and len(present) > 1
    return Heading(
        bilingual("Program trading by market and exchange", "시장·거래소별 프로그램 매매"),
        format_days(row.date for row in rows),
        (note,) if overlapping else (),
    )


def _panels(
    heading: Heading, flow_counts: Sequence[int], width: float
) -> tuple[Picture, Sequence[Axes]]:
    inches_per_flow = 0.72 if is_narrow(width) else 0.62
    height = sum(flow_counts) * inches_per_flow + 0.75 * len(flow_counts) + 0.2
    figure = new_figure(width, height, heading)
    ratios = [count + 0.4 for count in flow_counts]
    axes = figure.subplots(len(flow_counts), 1, squeeze=False, height_ratios=ratios)
    return figure, list(axes[:, 0])


def _draw_panel(
    axes: Axes, market: Market, flows: Sequence[DayFlow], largest: int, width: float
) -> None:
    font_size = base_font_size(width)
    bold = find_font().bold
    axes.set_title(market_name(market), loc="left", fontproperties=bold, fontsize=font_size * 1.1)
    _draw_bars(axes, [flow.buy_amount for flow in flows], -_BAR_HEIGHT / 2, BUY_COLOUR)
    _draw_bars(axes, [flow.sell_amount for flow in flows], _BAR_HEIGHT / 2, SELL_COLOUR)
    axes.set_ylim(len(flows) - 0.45, -0.55)
    names = [
        f"{exchange_name(flow.exchange)}\nnet {format_signed(flow.net_buy_amount)}"
        for flow in flows
    ]
    axes.set_yticks(range(len(flows)), names, fontsize=font_size)
    for label, flow in zip(axes.get_yticklabels(), flows, strict=True):
        label.set_color(net_colour(flow.net_buy_amount))
    axes.tick_params(axis="y", length=0)
    ticks = tick_values(0, to_axis_units(largest), 2 if is_narrow(width) else 4)
    set_ticks(axes.xaxis, ticks, font_size * 0.9)
    axes.set_xlim(0, to_axis_units(largest))
    axes.grid(axis="x")


def _draw_bars(axes: Axes, amounts: Sequence[int], offset: float, colour: str) -> None:
    positions = [index + offset for index in range(len(amounts))]
    widths = [to_axis_units(amount) for amount in amounts]
    axes.barh(positions, widths, _BAR_HEIGHT * 0.94, color=colour)


def _draw_values(axes: Axes, flows: Sequence[DayFlow], largest: int, font_size: float) -> None:
    """Write the kind and amount of each bar behind it, and set the axis to leave room for them."""
    font_size *= 0.92
    bought, sold = bilingual("bought", "매수"), bilingual("sold", "매도")
    longest_text = f"{bought} {format_amount(largest)}"
    room = measure_text(axes, longest_text, font_size)[0] + _VALUE_MARGIN_PIXELS
    bar_part = max(_MIN_BAR_PART_OF_PANEL, 1 - room / axes.get_window_extent().width)
    axes.set_xlim(0, to_axis_units(largest) / bar_part)
    for index, flow in enumerate(flows):
        for kind, amount, offset in (
            (bought, flow.buy_amount, -_BAR_HEIGHT / 2),
            (sold, flow.sell_amount, _BAR_HEIGHT / 2),
        ):
            bar_end = (to_axis_units(amount), index + offset)
            draw_bar_label(axes, f"{kind} {format_amount(amount)}", bar_end, font_size)


def _alt(heading: Heading, flows: Sequence[DayFlow]) -> str:
    sums = [
        f"{flow.market} {flow.exchange}: bought {format_amount(flow.buy_amount)},"
        f" sold {format_amount(flow.sell_amount)}, net {format_signed(flow.net_buy_amount)}"
        for flow in flows
    ]
    return f"{heading.title}, {heading.subtitle}, in 100 million won. {'; '.join(sums)}."
