"""Wrong arguments are refused with a ValueError that says what was expected."""

import datetime

import anyio
import attrs
import pytest
from report.drawing import DAY, FIGURES_OF_A_DAY
from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.report import (
    concentration,
    day_flows,
    most_bought_and_sold,
    net_flow,
    report_html,
    stock_flow,
)


@pytest.mark.parametrize("draw", [*FIGURES_OF_A_DAY, stock_flow, day_flows, report_html])
def test_anything_but_a_sequence_of_rows_is_refused(rows, draw):
    for argument, message in (
        (None, "got None; expected a sequence of ProgramTrade"),
        ("rows", "got a str"),
        ([rows[0], 7], "item 1 is a int; expected only ProgramTrade"),
    ):
        with pytest.raises(ValueError, match=message):
            draw(argument)


@pytest.mark.parametrize("draw", [*FIGURES_OF_A_DAY, report_html])
def test_rows_of_two_days_are_refused_with_advice(rows, draw):
    row_of_other_day = attrs.evolve(rows[0], date=datetime.date(2026, 8, 7))
    with pytest.raises(
        ValueError, match="2 days, 2026-08-07 to 2026-08-10; expected one day"
    ) as caught:
        draw([*rows, row_of_other_day])
    assert "row.date == day" in str(caught.value)


def test_wrong_options_are_refused(rows, many_days):
    krx = [row for row in rows if row.exchange is Exchange.KRX]
    flows = day_flows(many_days)
    for call, message in (
        (lambda: most_bought_and_sold(rows, count=0), "count: got 0; expected 1 to 50"),
        (lambda: most_bought_and_sold(rows, width=1), "width: got 1; expected inches, 3 to 30"),
        (lambda: concentration(krx, exchange=Exchange.NXT), "of Exchange.KRX only"),
        (lambda: concentration(krx, exchange="KRX"), "expected an Exchange"),
        (lambda: net_flow(many_days), "day_flows\\(rows\\) makes them"),
        (
            lambda: net_flow([*flows, flows[0]]),
            "KOSPI CONSOLIDATED twice; expected one DayFlow for each: pass all rows to day_flows",
        ),
        (lambda: stock_flow(many_days, stocks=["999999"]), "no row of 999999"),
        (lambda: stock_flow(many_days, stocks="005930"), "stocks: got a str"),
        (lambda: stock_flow(many_days, stocks=[]), "got 0; expected 1 to 8"),
        (lambda: report_html(rows, remarks="fine"), "remarks: got a str"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_walk_is_refused_with_the_advice_to_pass_its_rows():
    async def collect_walk():
        async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
            return await kiwoom.collect(ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX))

    with pytest.raises(ValueError, match=r"got a Walk; expected .*; pass walk\.rows"):
        most_bought_and_sold(anyio.run(collect_walk))
