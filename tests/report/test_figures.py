"""Figures draw what the rows say, in colours that everybody can tell apart."""

import datetime
import itertools

import pytest
from matplotlib.colors import to_hex, to_rgb
from report.drawing import DAY, WIDTHS, all_text, bars, texts_and_boxes

from kiwoom_async import Exchange, Market
from kiwoom_async.report import (
    buy_against_sell,
    by_market_and_exchange,
    concentration,
    day_flows,
    most_bought_and_sold,
    net_flow,
    stock_flow,
)
from kiwoom_async.report._axes import gap_indices
from kiwoom_async.report._style import BUY_COLOUR, SELL_COLOUR, format_amount, format_signed


@WIDTHS
def test_the_ranking_draws_the_largest_nets_red_and_blue(rows, width):
    consolidated = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    nets = sorted(row.net_buy_amount for row in consolidated)
    bought, sold = most_bought_and_sold(rows, count=7, width=width).axes
    assert bars(bought) == [(net / 100, BUY_COLOUR) for net in nets[::-1][:7]]
    assert bars(sold) == [(net / 100, SELL_COLOUR) for net in nets[:7]]
    names = [label.get_text() for label in bought.get_yticklabels()]
    most_bought = max(consolidated, key=lambda row: row.net_buy_amount)
    assert names[0] == most_bought.stock_name
    assert format_signed(nets[-1]) in [text for text, _ in texts_and_boxes(bought.figure)]


def test_the_exchange_asked_for_is_drawn_or_else_the_widest(rows):
    for exchange in Exchange:
        nets = [row.net_buy_amount for row in rows if row.exchange is exchange]
        axes = most_bought_and_sold(rows, exchange=exchange).axes[0]
        assert bars(axes)[0][0] == max(nets) / 100
    without_consolidated = [row for row in rows if row.exchange is not Exchange.CONSOLIDATED]
    axes = most_bought_and_sold(without_consolidated).axes[0]
    krx_nets = [row.net_buy_amount for row in rows if row.exchange is Exchange.KRX]
    assert bars(axes)[0][0] == max(krx_nets) / 100


def test_a_market_without_rows_of_the_exchange_is_named(rows):
    mixed = [
        row for row in rows
        if (row.market is Market.KOSPI) == (row.exchange is Exchange.CONSOLIDATED)
    ]  # fmt: skip
    note = "Not drawn: KOSDAQ, without rows of CONSOLIDATED."
    assert note in all_text(concentration(mixed))


def test_the_scatter_plot_has_every_stock_that_traded_by_colour_and_shape(rows):
    consolidated = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    bought, sold, even, *_ = buy_against_sell(rows).axes[0].lines
    for line, colour, marker, stocks in (
        (bought, BUY_COLOUR, "^", [row for row in consolidated if row.net_buy_amount > 0]),
        (sold, SELL_COLOUR, "v", [row for row in consolidated if row.net_buy_amount < 0]),
    ):
        assert (line.get_color(), line.get_marker()) == (colour, marker)
        points = {(row.sell_amount / 100, row.buy_amount / 100) for row in stocks}
        assert set(zip(*line.get_data(), strict=True)) == points
    assert even.get_marker() == "o"


def test_concentration_adds_up_the_shares_of_the_largest_stocks(rows):
    axes = concentration(rows, exchange=Exchange.KRX).axes[0]
    for line, market in zip(axes.lines, Market, strict=False):
        shares = [
            row.turnover_share for row in rows
            if (row.market, row.exchange) == (market, Exchange.KRX) and row.buy_amount
        ]  # fmt: skip
        ten_largest = sum(sorted(shares, reverse=True)[:10])
        assert line.get_ydata()[9] == pytest.approx(float(ten_largest))
        assert line.get_ydata()[-1] == pytest.approx(100)
        assert f"10 stocks: {ten_largest:.0f} %" in [text.get_text() for text in axes.texts]


def test_markets_and_exchanges_stand_side_by_side_and_are_not_added(rows):
    figure = by_market_and_exchange(rows)
    for axes, market in zip(figure.axes, Market, strict=True):
        flows = {flow.exchange: flow for flow in day_flows(rows) if flow.market is market}
        order = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
        ordered_flows = [flows[exchange] for exchange in order]
        buy_bars, sell_bars = bars(axes)[:3], bars(axes)[3:]
        assert buy_bars == [(flow.buy_amount / 100, BUY_COLOUR) for flow in ordered_flows]
        assert sell_bars == [(flow.sell_amount / 100, SELL_COLOUR) for flow in ordered_flows]
        for label, flow in zip(axes.get_yticklabels(), ordered_flows, strict=True):
            assert f"net {format_signed(flow.net_buy_amount)}" in label.get_text()
    assert "Not to be added up" in all_text(figure)


def test_day_flows_are_sums_of_rows_by_day_market_and_exchange(rows):
    flows = day_flows(rows)
    assert [(flow.market, flow.exchange) for flow in flows] == [
        *itertools.product(Market, Exchange)
    ]
    for flow in flows:
        key = (flow.market, flow.exchange)
        summed_rows = [row for row in rows if (row.market, row.exchange) == key]
        assert flow.buy_amount == sum(row.buy_amount for row in summed_rows)
        assert flow.net_buy_amount == sum(row.net_buy_amount for row in summed_rows)
    assert day_flows([*rows, rows[0]]) == flows


def test_net_flow_draws_a_bar_a_day_and_their_sum(many_days):
    flows = day_flows(many_days)
    figure = net_flow(flows[::-1])
    panels = zip(figure.axes[::2], figure.axes[1::2], Market, strict=True)
    for daily, cumulative, market in panels:
        nets = [flow.net_buy_amount for flow in flows if flow.market is market]
        heights = [(bar.get_height(), to_hex(bar.get_facecolor())) for bar in daily.patches]
        assert heights == [(net / 100, BUY_COLOUR if net > 0 else SELL_COLOUR) for net in nets]
        assert cumulative.lines[0].get_ydata()[-1] == pytest.approx(sum(nets) / 100)


def test_gaps_longer_than_a_holiday_are_marked(many_days):
    flows = [flow for flow in day_flows(many_days) if flow.date.month != 7]
    assert "dotted line" in all_text(net_flow(flows))
    assert gap_indices([DAY, DAY + datetime.timedelta(days=11)]) == []
    assert gap_indices([DAY, DAY + datetime.timedelta(days=12)]) == [1]


def test_stock_flow_draws_the_largest_sums_or_the_stocks_asked_for(many_days):
    sums = {}
    for row in many_days:
        sums[row.stock_code] = sums.get(row.stock_code, 0) + row.net_buy_amount
    largest = sorted(sums, key=lambda code: -abs(sums[code]))[:6]
    lines = stock_flow(many_days).axes[0].lines[:6]
    ends = [line.get_ydata()[-1] for line in lines]
    assert ends == pytest.approx([sums[code] / 100 for code in largest])
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(styles) == 6
    (line, *_) = stock_flow(many_days, stocks=["005930"]).axes[0].lines
    assert line.get_ydata()[-1] == pytest.approx(sums["005930"] / 100)


def test_amounts_are_in_100_million_won_with_at_least_three_digits():
    amounts = (0, 1, -99, 999, 1_000, 9_999, 10_000, -123_456_789)
    texts = ["0", "0.01", "−0.99", "9.99", "10.0", "100.0", "100", "−1,234,568"]
    assert [format_amount(amount) for amount in amounts] == texts
    assert [format_signed(amount) for amount in (100, -100, 0)] == ["+1.00", "−1.00", "0"]


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
COLOUR_BLINDNESS = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def perceived_lab(colour, blindness=None):
    """Return CIE L*a*b* of a colour as seen with this kind of colour blindness."""
    rgb = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    if blindness:
        matrix = COLOUR_BLINDNESS[blindness]
        rgb = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in matrix]
        rgb = [min(max(c, 0), 1) for c in rgb]
    r, g, b = rgb
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("blindness", [None, *COLOUR_BLINDNESS])
def test_red_and_blue_stay_apart_for_the_colour_blind(blindness):
    """Their CIE76 distance is ten times 2.3, the just noticeable difference."""
    red, blue = perceived_lab(BUY_COLOUR, blindness), perceived_lab(SELL_COLOUR, blindness)
    assert sum((a - b) ** 2 for a, b in zip(red, blue, strict=True)) ** 0.5 > 23
