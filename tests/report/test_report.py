"""Pictures of program trading: what they say is what the rows say, and all of it can be read."""

import base64
import datetime
import itertools
import re
import subprocess
import sys
import threading
from importlib.util import find_spec
from xml.etree import ElementTree

import anyio
import attrs
import matplotlib as mpl
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.report import (
    DayFlow,
    buy_against_sell,
    by_market_and_exchange,
    concentration,
    day_flows,
    most_bought_and_sold,
    net_flow,
    report_html,
    stock_flow,
)
from kiwoom_async.report import _fonts as fonts
from kiwoom_async.report._dates import gaps
from kiwoom_async.report._html import smaller
from kiwoom_async.report._ink import BOUGHT, SOLD, amount, signed
from kiwoom_async.report._paper import drawn
from kiwoom_async.report._placing import Box, Crowd, places, spread

DAY = datetime.date(2026, 8, 10)
WIDTHS = pytest.mark.parametrize("width", [11.0, 3.75])
OF_A_DAY = (most_bought_and_sold, buy_against_sell, concentration, by_market_and_exchange)


def parsed(document):
    """The elements of a document of ours; an error where it is not well-formed."""
    return ElementTree.fromstring(document)  # noqa: S314 - made a line before


def collected(days, exchanges, **sandbox):
    async def walk():
        async with KiwoomClient.sandbox(small_sandbox(**sandbox)) as kiwoom:
            queries = itertools.product(days, Market, exchanges)
            walks = [await kiwoom.collect(ProgramTradeQuery(*query)) for query in queries]
            return [row for walk in walks for row in walk.rows]

    return anyio.run(walk)


@pytest.fixture(scope="module")
def rows():
    """A day of both markets at all exchanges."""
    return collected([DAY], Exchange)


@pytest.fixture(scope="module")
def full_day():
    """A day of all stocks."""
    return collected([DAY], [Exchange.CONSOLIDATED], kospi_stocks=2472, kosdaq_stocks=1820)


@pytest.fixture(scope="module")
def many_days():
    weekdays = (DAY - datetime.timedelta(days=back) for back in range(84))
    days = [day for day in weekdays if day.weekday() < 5]
    return collected(days, [Exchange.CONSOLIDATED], kospi_stocks=60, kosdaq_stocks=30)


def texts(figure):
    """Every text that is drawn, with its box on the canvas."""
    # One that nothing was added to since it was laid out need not be laid out again.
    if figure.stale:
        figure.draw_without_rendering()
    seen = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text().strip()]
    shown = [each for each in seen if is_shown(each)]
    renderer = figure.canvas.get_renderer()
    return [(each.get_text(), each.get_window_extent(renderer)) for each in shown]


def is_shown(text):
    """A tick beyond the limits, or without labels, keeps a text that nobody draws."""
    axes = text.axes
    if axes is None:
        return True
    for axis in (axes.xaxis, axes.yaxis):
        for tick in axis.get_major_ticks():
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return low <= tick.get_loc() <= high
    return True


def assert_readable(figure):
    """Nothing is cut off, and no two texts overlap."""
    found = texts(figure)
    assert found
    canvas = figure.bbox
    for text, box in found:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= canvas.x1, text
        assert box.y1 <= canvas.y1, text
    for (one, box), (other, second) in itertools.combinations(found, 2):
        overlap_x = min(box.x1, second.x1) - max(box.x0, second.x0)
        overlap_y = min(box.y1, second.y1) - max(box.y0, second.y0)
        # Boxes include the room below a line that only "g" and "y" use.
        assert overlap_x <= 0.5 or overlap_y <= 3, (one, other)


# ---- all can be read


@WIDTHS
@pytest.mark.parametrize("draw", OF_A_DAY)
def test_a_small_market_is_readable(rows, draw, width):
    assert_readable(draw(rows, width=width))


@WIDTHS
@pytest.mark.parametrize("draw", OF_A_DAY)
def test_a_full_day_is_readable(full_day, draw, width):
    assert_readable(draw(full_day, width=width))


@WIDTHS
@pytest.mark.parametrize("draw", OF_A_DAY)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_rows_are_readable(rows, draw, width, count):
    few = [row for row in rows if row.exchange is Exchange.KRX and row.buy_amount][:count]
    assert_readable(draw(few, width=width))


@WIDTHS
@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_flows_of_any_number_of_days_are_readable(many_days, width, count):
    last = set(sorted({row.date for row in many_days})[-count:])
    some = [row for row in many_days if row.date in last]
    assert_readable(net_flow(day_flows(some), width=width))
    assert_readable(stock_flow(some, width=width))


@WIDTHS
def test_a_year_of_days_is_readable(width):
    weekdays = (DAY - datetime.timedelta(days=back) for back in range(350))
    days = [
        DayFlow(date=day, market=market, exchange=Exchange.KRX, buy_amount=at * 900, sell_amount=9)
        for at, day in enumerate(day for day in weekdays if day.weekday() < 5)
        for market in Market
    ]
    assert len({each.date for each in days}) == 250
    assert_readable(net_flow(days, width=width))


# ---- what is drawn is what the rows say


def bars_of(axes):
    return [(bar.get_width(), to_hex(bar.get_facecolor())) for bar in axes.patches]


@WIDTHS
def test_the_ranking_draws_the_largest_nets_red_and_blue(rows, width):
    of_all = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    nets = sorted(row.net_buy_amount for row in of_all)
    bought, sold = most_bought_and_sold(rows, count=7, width=width).axes
    assert bars_of(bought) == [(net / 100, BOUGHT) for net in nets[::-1][:7]]
    assert bars_of(sold) == [(net / 100, SOLD) for net in nets[:7]]
    names = [label.get_text() for label in bought.get_yticklabels()]
    first = max(of_all, key=lambda row: row.net_buy_amount)
    assert names[0] == first.stock_name
    assert signed(nets[-1]) in [text for text, _ in texts(bought.figure)]


@WIDTHS
@pytest.mark.parametrize("largest", [12_345, 768_427, 2_000_000, 98_765_432])
def test_the_scale_of_the_ranking_is_readable_at_any_size(rows, width, largest):
    """A giant beside the others, as on most days; ticks that touch read as one number."""
    giant = max(rows, key=lambda row: row.sell_amount)
    grown = attrs.evolve(giant, net_buy_amount=-largest, sell_amount=giant.buy_amount + largest)
    figure = most_bought_and_sold([grown if row is giant else row for row in rows], width=width)
    assert_readable(figure)
    for axes in figure.axes:
        shown = [label.get_window_extent() for label in axes.get_xticklabels()]
        for one, other in itertools.pairwise(sorted(shown, key=lambda box: box.x0)):
            assert other.x0 - one.x1 > 6


def test_one_exchange_is_drawn_and_the_caller_may_choose_it(rows):
    for exchange in Exchange:
        of_venue = [row.net_buy_amount for row in rows if row.exchange is exchange]
        bars = bars_of(most_bought_and_sold(rows, exchange=exchange).axes[0])
        assert bars[0][0] == max(of_venue) / 100
    without = [row for row in rows if row.exchange is not Exchange.CONSOLIDATED]
    bars = bars_of(most_bought_and_sold(without).axes[0])
    krx = [row.net_buy_amount for row in rows if row.exchange is Exchange.KRX]
    assert bars[0][0] == max(krx) / 100


def test_a_market_without_rows_of_the_exchange_is_named(rows):
    some = [
        row for row in rows
        if (row.market is Market.KOSPI) == (row.exchange is Exchange.CONSOLIDATED)
    ]  # fmt: skip
    said = " ".join(text for text, _ in texts(concentration(some)))
    assert "Not drawn: KOSDAQ, without rows of CONSOLIDATED." in said


def test_the_cloud_holds_every_stock_that_traded_by_colour_and_shape(rows):
    of_all = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    up, down, even, *_ = buy_against_sell(rows).axes[0].lines
    for line, colour, marker, side in (
        (up, BOUGHT, "^", [row for row in of_all if row.net_buy_amount > 0]),
        (down, SOLD, "v", [row for row in of_all if row.net_buy_amount < 0]),
    ):
        assert (line.get_color(), line.get_marker()) == (colour, marker)
        wanted = {(row.sell_amount / 100, row.buy_amount / 100) for row in side}
        assert set(zip(*line.get_data(), strict=True)) == wanted
    assert even.get_marker() == "o"


@WIDTHS
def test_labels_of_the_cloud_touch_neither_each_other_nor_the_points_they_name(full_day, width):
    figure = buy_against_sell(full_day, width=width)
    axes = figure.axes[0]
    named = [line for line in axes.lines if line.get_markeredgewidth() == 0.8]
    labels = [text.get_window_extent() for text in axes.texts]
    assert len(labels) >= (10 if width > 7 else 5)
    assert len(named) == len(labels)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))
    points = [axes.transData.transform(line.get_xydata()[0]) for line in named]
    assert not any(label.contains(*point) for label in labels for point in points)


def test_concentration_adds_up_the_shares_of_the_largest_stocks(rows):
    axes = concentration(rows, exchange=Exchange.KRX).axes[0]
    for line, market in zip(axes.lines, Market, strict=False):
        shares = [
            row.turnover_share for row in rows
            if (row.market, row.exchange) == (market, Exchange.KRX) and row.buy_amount
        ]  # fmt: skip
        ten = sum(sorted(shares, reverse=True)[:10])
        assert line.get_ydata()[9] == pytest.approx(float(ten))
        assert line.get_ydata()[-1] == pytest.approx(100)
        assert f"10 stocks: {ten:.0f} %" in [text.get_text() for text in axes.texts]


def test_markets_and_exchanges_stand_side_by_side_and_are_not_added(rows):
    figure = by_market_and_exchange(rows)
    for axes, market in zip(figure.axes, Market, strict=True):
        flows = {flow.exchange: flow for flow in day_flows(rows) if flow.market is market}
        order = [flows[each] for each in (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)]
        bars = bars_of(axes)
        assert bars[:3] == [(flow.buy_amount / 100, BOUGHT) for flow in order]
        assert bars[3:] == [(flow.sell_amount / 100, SOLD) for flow in order]
        for label, flow in zip(axes.get_yticklabels(), order, strict=True):
            assert f"net {signed(flow.net_buy_amount)}" in label.get_text()
    assert "Not to be added up" in " ".join(text for text, _ in texts(figure))


def test_flows_are_sums_of_rows_by_day_market_and_exchange(rows):
    flows = day_flows(rows)
    assert [(flow.market, flow.exchange) for flow in flows] == [
        *itertools.product(Market, Exchange)
    ]
    for flow in flows:
        of = [row for row in rows if (row.market, row.exchange) == (flow.market, flow.exchange)]
        assert flow.buy_amount == sum(row.buy_amount for row in of)
        assert flow.net_buy_amount == sum(row.net_buy_amount for row in of)
    assert day_flows([*rows, rows[0]]) == flows


def test_net_flow_draws_a_bar_a_day_and_their_sum(many_days):
    flows = day_flows(many_days)
    figure = net_flow(flows[::-1])
    for bars, line, market in zip(figure.axes[::2], figure.axes[1::2], Market, strict=True):
        nets = [flow.net_buy_amount for flow in flows if flow.market is market]
        heights = [(bar.get_height(), to_hex(bar.get_facecolor())) for bar in bars.patches]
        assert heights == [(net / 100, BOUGHT if net > 0 else SOLD) for net in nets]
        assert line.lines[0].get_ydata()[-1] == pytest.approx(sum(nets) / 100)


def test_days_that_nobody_collected_are_marked_and_holidays_are_not(many_days):
    flows = [flow for flow in day_flows(many_days) if flow.date.month != 7]
    assert "dotted line" in " ".join(text for text, _ in texts(net_flow(flows)))
    assert gaps([DAY, DAY + datetime.timedelta(days=11)]) == []
    assert gaps([DAY, DAY + datetime.timedelta(days=12)]) == [1]


def test_stock_flow_draws_the_largest_sums_or_the_stocks_asked_for(many_days):
    sums = {}
    for row in many_days:
        sums[row.stock_code] = sums.get(row.stock_code, 0) + row.net_buy_amount
    largest = sorted(sums, key=lambda code: -abs(sums[code]))[:6]
    lines = stock_flow(many_days).axes[0].lines
    ends = [line.get_ydata()[-1] for line in lines[:6]]
    assert ends == pytest.approx([sums[code] / 100 for code in largest])
    assert (
        len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines[:6]})
        == 6
    )
    (line, *_) = stock_flow(many_days, stocks=["005930"]).axes[0].lines
    assert line.get_ydata()[-1] == pytest.approx(sums["005930"] / 100)


def test_amounts_are_in_100_million_won_with_three_digits_at_least():
    found = [amount(each) for each in (0, 1, -99, 999, 1_000, 9_999, 10_000, -123_456_789)]
    assert found == ["0", "0.01", "−0.99", "9.99", "10.0", "100.0", "100", "−1,234,568"]
    assert (signed(100), signed(-100), signed(0)) == ("+1.00", "−1.00", "0")


# ---- colours


# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
BLINDNESS = {
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


def lab(colour, kind=None):
    rgb = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    if kind:
        rgb = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in BLINDNESS[kind]]
        rgb = [min(max(each, 0), 1) for each in rgb]
    r, g, b = rgb
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("kind", [None, *BLINDNESS])
def test_red_and_blue_stay_apart_for_the_colour_blind(kind):
    """CIE76: 2.3 can just be told apart; ten times as much is plain."""
    one, other = lab(BOUGHT, kind), lab(SOLD, kind)
    assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 23


# ---- fonts


def test_a_font_with_hangul_is_found_and_matplotlibs_settings_are_left_alone(rows):
    before = dict(mpl.rcParams)
    figure = most_bought_and_sold(rows)
    drawn(figure, "png")
    assert dict(mpl.rcParams) == before
    assert fonts.font().hangul
    for text, _ in texts(figure):
        assert fonts.font().draws(text.replace("\n", "")), text


def test_a_callers_settings_change_no_picture(rows):
    plain = drawn(most_bought_and_sold(rows), "svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "none"}):
        assert drawn(most_bought_and_sold(rows), "svg") == plain


@pytest.fixture
def no_font(monkeypatch):
    """A machine that has matplotlib's own fonts only, and no koreanize-matplotlib."""
    own = [each for each in font_manager.fontManager.ttflist if each.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "find_spec", lambda _: None)
    fonts.font.cache_clear()
    yield monkeypatch
    fonts.font.cache_clear()


@pytest.mark.usefixtures("no_font")
def test_without_a_font_codes_stand_for_names_and_one_warning_says_why(rows):
    with pytest.warns(UserWarning, match="apt install fonts-nanum") as seen:
        figures = [most_bought_and_sold(rows), buy_against_sell(rows)]
    assert len(seen) == 1
    for figure in figures:
        drawn(figure, "png")
        assert_readable(figure)
        assert not any(re.search("[가-힣]", text) for text, _ in texts(figure))
    first = max(rows, key=lambda row: (row.exchange is Exchange.CONSOLIDATED) * row.net_buy_amount)
    assert figures[0].axes[0].get_yticklabels()[0].get_text() == first.stock_code


def test_the_font_of_koreanize_matplotlib_is_used_without_importing_it(rows, no_font):
    own = {each.fname for each in font_manager.fontManager.ttflist}
    no_font.setattr(fonts, "find_spec", find_spec)
    assert fonts.font().families[0] == "NanumGothic"
    drawn(most_bought_and_sold(rows), "png")
    added = {str(each.fname) for each in font_manager.fontManager.ttflist} - own
    assert added
    assert all("koreanize_matplotlib" in name for name in added)
    assert "koreanize_matplotlib" not in sys.modules


def test_a_missing_matplotlib_is_named_with_its_extra():
    program = "import sys; sys.modules['matplotlib'] = None\nimport kiwoom_async.report"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    said = "ModuleNotFoundError: matplotlib is not installed: pip install 'kiwoom-async[plot]'"
    assert said in run.stderr


def test_pyplot_is_never_imported():
    program = (
        "import sys, kiwoom_async.report as report\n"
        "report.report_html([])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603


# ---- odd names


ODD_NAMES = [
    "$ 100$ _x^2", "R&D<b>", "a_b_c", "\\alpha", "%d {0}", "-->", "가" * 60, "한\n국", "\U0001fae8",
    "", "각" * 2,
]  # fmt: skip


@WIDTHS
def test_any_name_is_drawn_as_it_is_or_as_the_code(rows, width):
    of_venue = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    most_bought = sorted(of_venue, key=lambda row: -row.net_buy_amount)[: len(ODD_NAMES)]
    named = dict(zip((row.symbol for row in most_bought), ODD_NAMES, strict=True))
    odd = [attrs.evolve(row, stock_name=named.get(row.symbol, row.stock_name)) for row in of_venue]
    figure = most_bought_and_sold(odd, width=width)
    assert_readable(figure)
    drawn(figure, "png")
    parsed(drawn(figure, "svg"))
    labels = figure.axes[0].get_yticklabels()
    for row, name, label in zip(most_bought, ODD_NAMES, labels, strict=False):
        assert label.get_parse_math() is False
        if name in ("한\n국", "\U0001fae8", ""):
            assert label.get_text() == row.stock_code
        elif len(name) < 20 and name.isascii():
            assert label.get_text() == name


# ---- empty and wrong


@WIDTHS
@pytest.mark.parametrize("draw", [*OF_A_DAY, net_flow, stock_flow])
def test_nothing_to_draw_is_said_in_the_picture(rows, draw, width):
    untraded = [row for row in rows if not row.buy_amount and not row.sell_amount]
    assert untraded
    for given in ([], day_flows(untraded) if draw is net_flow else untraded):
        figure = draw(given, width=width)
        assert_readable(figure)
        assert any("no program trades" in text for text, _ in texts(figure))
        assert "no program trades" in figure.alt


def test_all_bought_leaves_the_other_panel_empty(rows):
    bought = [row for row in rows if row.net_buy_amount > 0]
    figure = most_bought_and_sold(bought)
    assert_readable(figure)
    assert bars_of(figure.axes[1]) == []


@pytest.mark.parametrize("draw", [*OF_A_DAY, stock_flow, day_flows, report_html])
def test_what_is_no_sequence_of_rows_is_refused(rows, draw):
    for wrong, said in (
        (None, "got None; expected a sequence of ProgramTrade"),
        ("rows", "got a str"),
        ([rows[0], 7], "item 1 is a int; expected only ProgramTrade"),
    ):
        with pytest.raises(ValueError, match=said):
            draw(wrong)


@pytest.mark.parametrize("draw", [*OF_A_DAY, report_html])
def test_rows_of_two_days_are_refused_with_advice(rows, draw):
    other = attrs.evolve(rows[0], date=datetime.date(2026, 8, 7))
    with pytest.raises(
        ValueError, match="2 days, 2026-08-07 to 2026-08-10; expected one day"
    ) as no:
        draw([*rows, other])
    assert "row.date == day" in str(no.value)


def test_wrong_options_are_refused(rows, many_days):
    krx = [row for row in rows if row.exchange is Exchange.KRX]
    flows = day_flows(many_days)
    for call, said in (
        (lambda: most_bought_and_sold(rows, count=0), "count: got 0; expected 1 to 50"),
        (lambda: most_bought_and_sold(rows, width=1), "width: got 1; expected inches, 3 to 30"),
        (lambda: concentration(krx, exchange=Exchange.NXT), "of Exchange.KRX only"),
        (lambda: concentration(krx, exchange="KRX"), "expected an Exchange"),
        (lambda: net_flow(many_days), "day_flows\\(rows\\) makes them"),
        (lambda: net_flow([*flows, flows[0]]), "came twice"),
        (lambda: stock_flow(many_days, stocks=["999999"]), "no row of 999999"),
        (lambda: stock_flow(many_days, stocks="005930"), "stocks: got a str"),
        (lambda: stock_flow(many_days, stocks=[]), "got 0; expected 1 to 8"),
        (lambda: report_html(rows, remarks="fine"), "remarks: got a str"),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_a_walk_is_not_its_rows():
    async def walk():
        async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
            return await kiwoom.collect(ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX))

    with pytest.raises(ValueError, match=r"got a Walk; expected .*; pass walk\.rows"):
        most_bought_and_sold(anyio.run(walk))


# ---- where labels go


def test_labels_find_free_places_or_none():
    room = Box(0, 0, 300, 100)
    crowd = Crowd(room, [(150, 50), (152, 50), (150, 52)], [(150, 50), (152, 50), (150, 52)])
    found = places([(60, 12)] * 3, crowd)
    assert all(box and box.within(room) for box in found)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(found, 2))
    assert places([(400, 12)], Crowd(room, [(150, 50)], [])) == [None]


def test_ends_of_lines_are_spread_around_where_they_want_to_be():
    assert spread([10, 50, 90], 12, 0, 100) == [10, 50, 90]
    assert spread([50, 50, 50], 12, 0, 100) == [38, 50, 62]
    assert spread([52, 50, 51], 12, 0, 100) == pytest.approx([63, 39, 51])
    assert spread([99, 98], 12, 0, 100) == pytest.approx([94, 82])
    assert spread([1, 2], 12, 0, 100) == pytest.approx([6, 18])


# ---- notebooks, threads


def test_a_notebook_shows_a_figure_without_a_backend(rows):
    assert most_bought_and_sold(rows)._repr_png_().startswith(b"\x89PNG")


def test_figures_may_be_drawn_in_threads(rows):
    plain = drawn(concentration(rows), "svg")
    before = dict(mpl.rcParams)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(drawn(concentration(rows), "svg")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [plain] * 4
    assert dict(mpl.rcParams) == before


# ---- the page


@pytest.fixture(scope="module")
def page(rows, many_days):
    remarks = ["KOSPI: 3 pages, everything adds up", "<script>alert('&')</script>"]
    return report_html(
        rows, days=day_flows(many_days), stock_rows=many_days, remarks=remarks, simulated=True
    )


@pytest.fixture(scope="module")
def day_page(rows):
    """A page of one day, of real numbers."""
    return report_html(rows)


def pictures(page):
    return [base64.b64decode(data) for data in re.findall(r"svg\+xml;base64,([^\"]+)", page)]


def test_the_page_is_well_formed_and_needs_nothing_but_itself(page):
    tree = parsed(page.removeprefix("<!DOCTYPE html>"))
    assert tree.attrib == {"lang": "en"}
    assert tree.find(".//script") is None
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    addresses = [
        each.get("src") or each.get("srcset")
        for each in tree.iter()
        if each.tag in ("img", "source")
    ]
    assert len(addresses) == 12
    assert all(each.startswith("data:image/svg+xml;base64,") for each in addresses)
    assert [each.get("media") for each in tree.iter("source")] == ["(max-width: 720px)"] * 6
    assert len(page.encode()) < 3_000_000


def test_its_pictures_are_paths_without_text_date_or_address(page):
    for picture in pictures(page):
        parsed(picture)
        assert b"<text" not in picture
        assert b"<dc:" not in picture
        without_names = re.sub(rb"xmlns(:\w+)?=\"[^\"]+\"", b"", picture)
        assert b"http" not in without_names


def test_a_smaller_picture_is_the_same_picture(rows):
    """All elements, and all that they say but the last digits."""

    def told(svg):
        tree = parsed(svg)
        numbers = re.compile(r"-?\d+\.?\d*")
        for metadata in tree.findall("{*}metadata"):
            tree.remove(metadata)
        return [
            (
                each.tag,
                [
                    (key, [round(float(n), 1) for n in numbers.findall(value)])
                    for key, value in each.items()
                ],
            )
            for each in tree.iter()
        ]

    whole = drawn(buy_against_sell(rows), "svg")
    less = smaller(whole)
    assert len(less) < 0.9 * len(whole)
    for (tag, values), (same_tag, same) in zip(told(whole), told(less), strict=True):
        assert tag == same_tag
        for (key, numbers), (same_key, others) in zip(values, same, strict=True):
            assert key == same_key
            assert numbers == pytest.approx(others, abs=0.11)


def test_the_page_says_the_numbers_in_words_and_in_tables(page, rows):
    of_all = [row for row in rows if row.exchange is Exchange.CONSOLIDATED]
    first = max(of_all, key=lambda row: row.net_buy_amount)
    tree = parsed(page.removeprefix("<!DOCTYPE html>"))
    alts = [image.get("alt") for image in tree.iter("img")]
    assert f"Most bought: {first.stock_name} {signed(first.net_buy_amount)}" in alts[0]
    assert all(len(alt) > 60 for alt in alts)
    line = tree.find(".//tbody/tr")
    cells = ["".join(cell.itertext()) for cell in line]
    assert cells == [
        first.stock_name,
        first.stock_code,
        f"{first.price:,}",
        signed(first.net_buy_amount),
        f"{first.turnover_share:.2f}",
    ]
    assert len(tree.findall(".//table")) == 2


def test_the_page_escapes_what_comes_from_outside(page, rows):
    assert "<script>" not in page
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
    odd = [attrs.evolve(row, stock_name='R&D<b>"') for row in rows if row.buy_amount][:3]
    made = report_html(odd)
    assert "R&D<b>" not in made
    assert "R&amp;D&lt;b&gt;&quot;" in made
    parsed(made.removeprefix("<!DOCTYPE html>"))


def test_the_same_rows_give_the_same_bytes(rows, day_page):
    assert report_html(list(rows)) == day_page


def test_invented_numbers_are_called_so_and_real_ones_are_not(page, day_page):
    assert "Simulated exchange: the numbers are invented." in page
    assert "invented" not in day_page


def test_flows_need_two_days(rows):
    some = rows[:3]
    assert len(pictures(report_html(some, days=day_flows(some), stock_rows=some))) == 8


def test_a_page_of_nothing_says_so():
    page = report_html([])
    parsed(page.removeprefix("<!DOCTYPE html>"))
    assert "no program trades" in page
    assert "<table" not in page


def test_a_letter_without_a_glyph_would_be_seen(rows):
    """The tests above run with warnings as errors, and this would be one."""
    figure = most_bought_and_sold(rows)
    figure.text(0.1, 0.1, "\U0001fae8")
    with pytest.warns(UserWarning, match="missing from"):
        drawn(figure, "png")
