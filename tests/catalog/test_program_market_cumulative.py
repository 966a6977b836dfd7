"""ka90007: a market's net buying by day, with its sum since a day."""

import datetime
import itertools
from decimal import Decimal

import pytest
from support.family_queries import RECORDED, findings, first_row, page_of, recorded_rows, sent_rows

from kiwoom_async import (
    Environment,
    Exchange,
    Market,
    ProgramMarketCumulative,
    ProgramMarketCumulativeQuery,
)
from kiwoom_async._protocol.encode import request_body

OFFICIAL = "ka90007_official_20260604"
PARTS = ("arbitrage", "non_arbitrage", "total")


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    from_query = {
        "since": datetime.date(2026, 5, 28), "market": Market.KOSPI, "exchange": Exchange.KRX,
    }  # fmt: skip
    assert rows[0] == ProgramMarketCumulative(
        date=datetime.date(2026, 6, 4),
        kospi200=Decimal("1379.56"),
        basis=Decimal("1.84"),
        arbitrage_net_buy_amount=136_797,
        arbitrage_cumulative_net_buy_amount=572_547,
        non_arbitrage_net_buy_amount=-3_924_862,
        non_arbitrage_cumulative_net_buy_amount=-12_797_943,
        total_net_buy_amount=-3_788_065,
        total_cumulative_net_buy_amount=-12_225_395,
        **from_query,
    )
    assert rows[-1] == ProgramMarketCumulative(
        date=datetime.date(2026, 5, 28),
        kospi200=Decimal("1292.57"),
        basis=Decimal("1.68"),
        arbitrage_net_buy_amount=-8_377,
        arbitrage_cumulative_net_buy_amount=-8_377,
        non_arbitrage_net_buy_amount=-2_404_938,
        non_arbitrage_cumulative_net_buy_amount=-2_404_938,
        total_net_buy_amount=-2_413_315,
        total_cumulative_net_buy_amount=-2_413_315,
        **from_query,
    )


def test_sums_agree_in_all_recorded_rows():
    rows = recorded_rows(OFFICIAL)
    for later, earlier in itertools.pairwise(rows):
        for part in PARTS:
            before = getattr(earlier, f"{part}_cumulative_net_buy_amount")
            of_day = getattr(later, f"{part}_net_buy_amount")
            assert getattr(later, f"{part}_cumulative_net_buy_amount") == before + of_day
    for row in rows:
        parts = row.arbitrage_net_buy_amount + row.non_arbitrage_net_buy_amount
        assert abs(row.total_net_buy_amount - parts) <= 1


@pytest.mark.parametrize(("market", "digit"), [(Market.KOSPI, "0"), (Market.KOSDAQ, "1")])
def test_the_market_is_a_digit_of_this_request_alone(market, digit):
    query = ProgramMarketCumulativeQuery("2026-05-28", market, Exchange.CONSOLIDATED)
    assert request_body(query) == {
        "date": "20260528", "amt_qty_tp": "1", "mrkt_tp": digit, "stex_tp": "3",
    }  # fmt: skip
    (row,) = page_of(query, sent_rows(OFFICIAL)[:1]).rows
    assert (row.market, row.exchange) == (market, Exchange.CONSOLIDATED)


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"kospi200": "0.00"}, "kospi200", None),
        ({"kospi200": ""}, "kospi200", None),
        ({"basis": ""}, "basis", None),
        ({"basis": "-1.20"}, "basis", Decimal("-1.20")),
        ({"dfrt_trde_tdy": "0"}, "arbitrage_net_buy_amount", 0),
    ],
)
def test_a_special_value_is_read_as_expected(changes, attribute, expected):
    assert getattr(first_row(OFFICIAL, **changes), attribute) == expected


@pytest.mark.parametrize(
    ("today", "doubted"), [("2026-05-28", False), ("2027-05-29", False), ("2027-05-30", True)]
)
def test_a_sum_over_more_than_a_year_is_doubted(today, doubted):
    """The specification allows one year; what a longer sum gives has not been recorded."""
    doubt = RECORDED[OFFICIAL].check(datetime.date.fromisoformat(today), Environment.PRODUCTION)
    assert ("more than a year ago" in (doubt or "")) is doubted


@pytest.mark.parametrize(("number", "total"), [(0, "--3788066"), (3, "+951350")])
def test_a_total_may_be_off_its_parts_by_rounding_only(number, total):
    assert findings(OFFICIAL, number, all_tdy=total) == []
    day = recorded_rows(OFFICIAL)[number].date
    further = total[:-1] + str(int(total[-1]) + 1)
    assert findings(OFFICIAL, number, all_tdy=further) == [
        f"count of rows whose total is not arbitrage plus non-arbitrage is 1, expected 0 ({day})"
    ]


def test_a_day_that_comes_twice_is_reported():
    assert findings(OFFICIAL, 1, dt="20260604") == ["seen more than once: 2026-06-04"]
