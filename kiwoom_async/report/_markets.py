"""Each market at each exchange: what programs bought and sold there in all."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from kiwoom_async import Exchange, Market, ProgramTrade

from ._choice import of_one_day
from ._flows import DayFlow, day_flows
from ._fonts import font
from ._ink import (
    BOUGHT,
    SOLD,
    amount,
    colour_of,
    day_text,
    exchange_words,
    market_words,
    signed,
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
    text_size,
)

_WHOLE_FIRST: Final = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
_BAR: Final = 0.3
_POINTS_TO_VALUE: Final = 3


@on_paper
def by_market_and_exchange(rows: Sequence[ProgramTrade], *, width: float = WIDE) -> Picture:
    """Bought and sold in all, and net, of each market at each exchange, 100 million won (억원).

    `rows` are of one day. All exchanges that have rows stand side by side, though consolidated
    holds the two others; a note says so. `width` as in `most_bought_and_sold`.
    """
    flows = [flow for flow in day_flows(of_one_day(rows)) if flow.buy_amount or flow.sell_amount]
    heading = _heading(rows, flows)
    slim = narrow(width)
    if not flows:
        return nothing_to_draw(width, heading, words("no program trades", "프로그램 매매 없음"))
    panels = {market: _of(market, flows) for market in Market if _of(market, flows)}
    slots = [len(panel) for panel in panels.values()]
    figure = paper(width, sum(slots) * (0.72 if slim else 0.62) + 0.75 * len(slots) + 0.2, heading)
    ratios = {"height_ratios": [slot + 0.4 for slot in slots]}
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw=ratios)[:, 0]
    top = max(max(flow.buy_amount, flow.sell_amount) for flow in flows)
    for panel, (market, of_market) in zip(axes, panels.items(), strict=True):
        _panel(panel, market, of_market, top, width)
    axes[-1].set_xlabel(unit(), fontsize=text_size(width))
    settle(figure)
    for panel, of_market in zip(axes, panels.values(), strict=True):
        _write_values(panel, of_market, top, text_size(width))
    figure.alt = _alt(heading, flows)
    return figure


def _of(market: Market, flows: Sequence[DayFlow]) -> list[DayFlow]:
    of_market = {flow.exchange: flow for flow in flows if flow.market is market}
    return [of_market[exchange] for exchange in _WHOLE_FIRST if exchange in of_market]


def _heading(rows: Sequence[ProgramTrade], flows: Sequence[DayFlow]) -> Heading:
    present = {flow.exchange for flow in flows}
    several = Exchange.CONSOLIDATED in present and len(present) > 1
    consolidated = exchange_words(Exchange.CONSOLIDATED)
    note = f"Not to be added up: {consolidated} is KRX and NXT together, and holds both." * several
    return Heading(
        words("Program trading by market and exchange", "시장·거래소별 프로그램 매매"),
        day_text(row.date for row in rows),
        (note,),
    )


def _panel(axes: Axes, market: Market, flows: Sequence[DayFlow], top: int, width: float) -> None:
    size = text_size(width)
    bold = font().bold
    axes.set_title(market_words(market), loc="left", fontproperties=bold, fontsize=size * 1.1)
    for sign, colour, name in ((-1, BOUGHT, "buy_amount"), (1, SOLD, "sell_amount")):
        at = [index + sign * _BAR / 2 for index in range(len(flows))]
        axes.barh(at, [units(getattr(flow, name)) for flow in flows], _BAR * 0.94, color=colour)
    axes.set_ylim(len(flows) - 0.45, -0.55)
    venues = [
        f"{exchange_words(flow.exchange)}\nnet {signed(flow.net_buy_amount)}" for flow in flows
    ]
    axes.set_yticks(range(len(flows)), venues, fontsize=size)
    for label, flow in zip(axes.get_yticklabels(), flows, strict=True):
        label.set_color(colour_of(flow.net_buy_amount))
    axes.tick_params(axis="y", length=0)
    ticks = ticks_between(0, units(top), 2 if narrow(width) else 4)
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks], fontsize=size * 0.9)
    axes.set_xlim(0, units(top))
    axes.grid(axis="x")


def _write_values(axes: Axes, flows: Sequence[DayFlow], top: int, size: float) -> None:
    """What each bar is, and its amount, on an axis just long enough for the longest."""
    small = size * 0.92
    longest = f"{words('bought', '매수')} {amount(top)}"
    needed = measured(axes, longest, fontsize=small)[0] + 3 * _POINTS_TO_VALUE
    axes.set_xlim(0, units(top) / max(0.3, 1 - needed / axes.get_window_extent().width))
    for index, flow in enumerate(flows):
        for sign, word, value in (
            (-1, words("bought", "매수"), flow.buy_amount),
            (1, words("sold", "매도"), flow.sell_amount),
        ):
            axes.annotate(
                f"{word} {amount(value)}",
                (units(value), index + sign * _BAR / 2),
                xytext=(_POINTS_TO_VALUE, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=small,
            )


def _alt(heading: Heading, flows: Sequence[DayFlow]) -> str:
    told = [
        f"{flow.market} {flow.exchange}: bought {amount(flow.buy_amount)},"
        f" sold {amount(flow.sell_amount)}, net {signed(flow.net_buy_amount)}"
        for flow in flows
    ]
    return f"{heading.title}, {heading.subtitle}, in 100 million won. {'; '.join(told)}."
