"""All texts of a figure can be read: none is cut off, and no two overlap."""

import datetime
import itertools

import attrs
import pytest
from report.drawing import (
    DAY,
    FIGURES_OF_A_DAY,
    WIDTHS,
    assert_readable,
    bars,
    parse_xml,
    texts_and_boxes,
)

from kiwoom_async import Exchange, Market
from kiwoom_async.report import (
    DayFlow,
    buy_against_sell,
    day_flows,
    most_bought_and_sold,
    net_flow,
    stock_flow,
)
from kiwoom_async.report._canvas import render


@WIDTHS
@pytest.mark.parametrize("draw", FIGURES_OF_A_DAY)
def test_a_small_market_is_readable(rows, draw, width):
    assert_readable(draw(rows, width=width))


@WIDTHS
@pytest.mark.parametrize("draw", FIGURES_OF_A_DAY)
def test_a_full_day_is_readable(full_day, draw, width):
    assert_readable(draw(full_day, width=width))


@WIDTHS
@pytest.mark.parametrize("draw", FIGURES_OF_A_DAY)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_rows_are_readable(rows, draw, width, count):
    few = [row for row in rows if row.exchange is Exchange.KRX and row.buy_amount][:count]
    assert_readable(draw(few, width=width))


@WIDTHS
@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_flows_of_any_number_of_days_are_readable(many_days, width, count):
    last_days = set(sorted({row.date for row in many_days})[-count:])
    last_rows = [row for row in many_days if row.date in last_days]
    assert_readable(net_flow(day_flows(last_rows), width=width))
    assert_readable(stock_flow(last_rows, width=width))


@WIDTHS
def test_a_year_of_days_is_readable(width):
    dates = (DAY - datetime.timedelta(days=back) for back in range(350))
    weekdays = [date for date in dates if date.weekday() < 5]
    flows = [
        DayFlow(date=date, market=market, exchange=Exchange.KRX, buy_amount=n * 900, sell_amount=9)
        for n, date in enumerate(weekdays)
        for market in Market
    ]
    assert len({flow.date for flow in flows}) == 250
    assert_readable(net_flow(flows, width=width))


@WIDTHS
@pytest.mark.parametrize("largest", [12_345, 768_427, 2_000_000, 98_765_432])
def test_the_scale_of_the_ranking_is_readable_at_any_size(rows, width, largest):
    """Tick labels stay apart beside one very large net; labels that touch read as one number."""
    most_sold = max(rows, key=lambda row: row.sell_amount)
    larger = attrs.evolve(
        most_sold, net_buy_amount=-largest, sell_amount=most_sold.buy_amount + largest
    )
    rows_with_larger = [larger if row is most_sold else row for row in rows]
    figure = most_bought_and_sold(rows_with_larger, width=width)
    assert_readable(figure)
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        for left, right in itertools.pairwise(sorted(boxes, key=lambda box: box.x0)):
            assert right.x0 - left.x1 > 6


@WIDTHS
def test_scatter_labels_touch_neither_each_other_nor_the_points_they_name(full_day, width):
    figure = buy_against_sell(full_day, width=width)
    axes = figure.axes[0]
    labelled = [line for line in axes.lines if line.get_markeredgewidth() == 0.8]
    labels = [text.get_window_extent() for text in axes.texts]
    assert len(labels) >= (10 if width > 7 else 5)
    assert len(labelled) == len(labels)
    assert not any(label.overlaps(other) for label, other in itertools.combinations(labels, 2))
    points = [axes.transData.transform(line.get_xydata()[0]) for line in labelled]
    assert not any(label.contains(*point) for label in labels for point in points)


UNUSUAL_NAMES = [
    "$ 100$ _x^2", "R&D<b>", "a_b_c", "\\alpha", "%d {0}", "-->", "가" * 60, "한\n국", "\U0001fae8",
    "", "각" * 2,
]  # fmt: skip
UNDRAWABLE_NAMES = ("한\n국", "\U0001fae8", "")


@WIDTHS
def test_any_name_is_drawn_as_it_is_or_as_the_code(rows, width):
    consolidated = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    by_net = sorted(consolidated, key=lambda row: -row.net_buy_amount)
    most_bought = by_net[: len(UNUSUAL_NAMES)]
    new_names = dict(zip((row.symbol for row in most_bought), UNUSUAL_NAMES, strict=True))
    renamed = [
        attrs.evolve(row, stock_name=new_names.get(row.symbol, row.stock_name))
        for row in consolidated
    ]
    figure = most_bought_and_sold(renamed, width=width)
    assert_readable(figure)
    render(figure, "png")
    parse_xml(render(figure, "svg"))
    labels = figure.axes[0].get_yticklabels()
    for row, name, label in zip(most_bought, UNUSUAL_NAMES, labels, strict=False):
        assert label.get_parse_math() is False
        if name in UNDRAWABLE_NAMES:
            assert label.get_text() == row.stock_code
        elif len(name) < 20 and name.isascii():
            assert label.get_text() == name


@WIDTHS
@pytest.mark.parametrize("draw", [*FIGURES_OF_A_DAY, net_flow, stock_flow])
def test_a_figure_without_trades_says_so(rows, draw, width):
    untraded = [row for row in rows if not row.buy_amount and not row.sell_amount]
    assert untraded
    for argument in ([], day_flows(untraded) if draw is net_flow else untraded):
        figure = draw(argument, width=width)
        assert_readable(figure)
        assert any("no program trades" in text for text, _ in texts_and_boxes(figure))
        assert "no program trades" in figure.alt


def test_a_ranking_without_sold_stocks_has_an_empty_panel(rows):
    bought = [row for row in rows if row.net_buy_amount > 0]
    figure = most_bought_and_sold(bought)
    assert_readable(figure)
    assert bars(figure.axes[1]) == []
