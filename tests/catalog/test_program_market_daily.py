"""ka90010: a market by day; the fields of ka90005, with an index that is sent as it is."""

import datetime
from decimal import Decimal

import pytest
from support.family_queries import RECORDED, findings, first_row, page_of, recorded_rows, sent_rows

from kiwoom_async import (
    DecodeError,
    Exchange,
    Market,
    ProgramMarketDaily,
    ProgramMarketDailyQuery,
)
from kiwoom_async._protocol.encode import request_body

OFFICIAL, TEST_HOST = "ka90010_official_20240625", "ka90010_official_20241121"


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    assert rows[0] == ProgramMarketDaily(
        date=datetime.date(2024, 6, 27),
        arbitrage_sell_amount=294_123,
        arbitrage_buy_amount=10_942,
        arbitrage_net_buy_amount=-283_182,
        non_arbitrage_sell_amount=2_478_906,
        non_arbitrage_buy_amount=2_429_750,
        non_arbitrage_net_buy_amount=-49_156,
        arbitrage_sell_quantity=4_426,
        arbitrage_buy_quantity=163,
        arbitrage_net_buy_quantity=-4_263,
        non_arbitrage_sell_quantity=71_727,
        non_arbitrage_buy_quantity=64_595,
        non_arbitrage_net_buy_quantity=-7_131,
        total_sell_amount=2_773_029,
        total_buy_amount=2_440_692,
        total_net_buy_amount=-332_337,
        kospi200=Decimal("382.27"),
        basis=Decimal("1.53"),
        market=Market.KOSPI,
        exchange=Exchange.KRX,
    )
    # The total's net has no plus; the index has one although it fell.
    assert [row.total_net_buy_amount for row in rows] == [-332_337, 300_727, 564_540]
    assert [row.kospi200 for row in rows] == [*map(Decimal, ("382.27", "383.01", "379.85"))]


def test_zeros_with_any_sign_are_zeros():
    rows = recorded_rows(TEST_HOST)
    assert rows[3] == ProgramMarketDaily(
        date=datetime.date(2024, 11, 18),
        arbitrage_sell_amount=0,
        arbitrage_buy_amount=6,
        arbitrage_net_buy_amount=6,
        non_arbitrage_sell_amount=20,
        non_arbitrage_buy_amount=3,
        non_arbitrage_net_buy_amount=-18,
        arbitrage_sell_quantity=0,
        arbitrage_buy_quantity=0,
        arbitrage_net_buy_quantity=0,
        non_arbitrage_sell_quantity=0,
        non_arbitrage_buy_quantity=0,
        non_arbitrage_net_buy_quantity=0,
        total_sell_amount=20,
        total_buy_amount=8,
        total_net_buy_amount=-12,
        kospi200=Decimal("329.08"),
        basis=Decimal("-1.43"),
        market=Market.KOSPI,
        exchange=Exchange.KRX,
    )
    assert [row.basis for row in rows] == [
        *map(Decimal, ("-33.68", "-31.00", "-16.44", "-1.43", "-10.61"))
    ]


def test_rows_recorded_in_part_are_decoded_exactly():
    name = "ka90010_hogaops_20260805_subset"
    zeros = dict.fromkeys(sent_rows(OFFICIAL)[0], "0")
    rows = page_of(RECORDED[name], [zeros | {"basis": ""} | row for row in sent_rows(name)]).rows
    assert [row.date for row in rows] == [datetime.date(2026, 8, day) for day in (5, 4, 3)]
    assert [row.arbitrage_net_buy_amount for row in rows] == [20_885, -321_620, -505_745]
    assert [row.non_arbitrage_net_buy_amount for row in rows] == [328_785, -636_224, -3_211_478]
    assert [row.total_net_buy_amount for row in rows] == [349_669, -957_844, -3_717_224]
    assert [row.kospi200 for row in rows] == [*map(Decimal, ("1037.95", "1000.03", "986.72"))]
    assert [row.basis for row in rows] == [None] * 3


@pytest.mark.parametrize(
    ("market", "exchange", "code", "digit"),
    [
        (Market.KOSPI, Exchange.KRX, "P00101", "1"),
        (Market.KOSPI, Exchange.NXT, "P001_NX01", "2"),
        (Market.KOSPI, Exchange.CONSOLIDATED, "P001_AL01", "3"),
        (Market.KOSDAQ, Exchange.KRX, "P10102", "1"),
        (Market.KOSDAQ, Exchange.NXT, "P101_NX02", "2"),
        (Market.KOSDAQ, Exchange.CONSOLIDATED, "P101_AL02", "3"),
    ],
)
def test_the_market_code_depends_on_the_exchange(market, exchange, code, digit):
    query = ProgramMarketDailyQuery("2024-06-27", market, exchange)
    assert request_body(query) == {
        "date": "20240627", "amt_qty_tp": "1", "mrkt_tp": code, "min_tic_tp": "1",
        "stex_tp": digit,
    }  # fmt: skip


def test_the_pages_go_back_to_2016():
    pages = [
        ProgramMarketDailyQuery(day, Market.KOSPI, Exchange.KRX).expected_pages()
        for day in ("2015-06-01", "2016-06-01", "2026-08-05")
    ]
    assert pages == [1, 1, 25]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("20240627", "'20240627' is not a day of the form yyyyMMdd000000"),
        ("20240627093000", "'20240627093000' is not a day of the form yyyyMMdd000000"),
        ("20240230000000", "'20240230' is not a date, yyyyMMdd"),
        ("144900000000", "'144900' is not a date, yyyyMMdd"),
    ],
)
def test_a_day_of_another_form_is_an_error(sent, problem):
    with pytest.raises(DecodeError, match=rf"{problem} @ rows\[0\]\.date \(cntr_tm\)"):
        first_row(OFFICIAL, cntr_tm=sent)


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"kospi200": "0.00"}, "kospi200", None),
        ({"kospi200": ""}, "kospi200", None),
        ({"basis": ""}, "basis", None),
    ],
)
def test_a_special_value_is_read_as_expected(changes, attribute, expected):
    assert getattr(first_row(OFFICIAL, **changes), attribute) is expected


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"dfrt_trde_buy_qty": "165"}, "whose net is not buy minus sell"),
        ({"all_buy": "2440690", "all_netprps": "-332339"},
         "whose total is not arbitrage plus non-arbitrage"),
    ],
)  # fmt: skip
def test_a_figure_that_is_off_by_more_than_rounding_is_found(changes, found):
    assert findings(OFFICIAL, **changes) == [f"count of rows {found} is 1, expected 0 (2024-06-27)"]


def test_a_day_that_comes_twice_is_reported():
    assert findings(OFFICIAL, 1, cntr_tm="20240627000000") == ["seen more than once: 2024-06-27"]
