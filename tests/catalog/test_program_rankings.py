"""ka90003: rankings by amount and by quantity, whose fields share names and not units."""

from decimal import Decimal

import attrs
import pytest
from support.family_queries import findings, first_row, page_of, recorded_rows, sent_rows

from kiwoom_async import (
    Exchange,
    Market,
    PriceMove,
    ProgramAmountRanking,
    ProgramAmountRankingQuery,
    ProgramQuantityRanking,
    ProgramQuantityRankingQuery,
    Side,
    Walk,
)
from kiwoom_async._protocol.encode import request_body

SELLING, BUYING = "ka90003_official_20260701", "ka90003_chunsam_20260710_kospi_net_buy_amount"


def test_the_recorded_rankings_are_decoded_exactly():
    hyundai, kb, daeduck, hoosung, doosan = recorded_rows(SELLING)
    assert hyundai == ProgramAmountRanking(
        rank=3,
        symbol="005380",
        stock_name="현대차",
        price=484_500,
        move=PriceMove.DOWN,
        change=-10_500,
        change_rate=Decimal("-2.12"),
        volume=774_911,
        sell_amount=157_711,
        buy_amount=93_326,
        net_buy_amount=-64_385,
        market=Market.KOSPI,
        exchange=Exchange.KRX,
    )
    assert [row.rank for row in (kb, daeduck, hoosung, doosan)] == [4, 6, 7, 15]
    assert (daeduck.price, daeduck.change, daeduck.move) == (154_100, 500, PriceMove.UP)
    samsung, sdi = recorded_rows(BUYING)
    assert samsung == ProgramAmountRanking(
        rank=1,
        symbol="005930",
        stock_name="삼성전자",
        price=288_500,
        move=PriceMove.UP,
        change=10_500,
        change_rate=Decimal("3.78"),
        volume=896_099,
        sell_amount=69_927,
        buy_amount=170_163,
        net_buy_amount=100_236,
        market=Market.KOSPI,
        exchange=Exchange.KRX,
    )
    # Each figure is rounded by itself.
    assert (sdi.net_buy_amount, sdi.buy_amount - sdi.sell_amount) == (3_610, 3_611)


def test_in_quantity_mode_the_fields_of_amounts_hold_shares():
    query = ProgramQuantityRankingQuery(Market.KOSDAQ, Exchange.CONSOLIDATED)
    sent = sent_rows(BUYING)[0] | {
        "stk_cd": "109610_AL",
        "prm_sell_amt": "53243",
        "prm_buy_amt": "184503",
        "prm_netprps_amt": "+131260",
    }
    (row,) = page_of(query, [sent]).rows
    assert isinstance(row, ProgramQuantityRanking)
    assert (row.sell_quantity, row.buy_quantity) == (53_243, 184_503)
    assert row.net_buy_quantity == 131_260
    assert row.stock_code == "109610"
    assert (row.market, row.exchange) == (Market.KOSDAQ, Exchange.CONSOLIDATED)
    columns = (ProgramAmountRanking, "buy_amount"), (ProgramQuantityRanking, "buy_quantity")
    units = [attrs.fields_dict(row)[name].metadata["unit"] for row, name in columns]
    assert units == ["million won", "shares"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (
            ProgramAmountRankingQuery(Market.KOSPI, Exchange.KRX),
            {"trde_upper_tp": "2", "amt_qty_tp": "1", "mrkt_tp": "P00101", "stex_tp": "1"},
        ),
        (
            ProgramQuantityRankingQuery(Market.KOSDAQ, Exchange.CONSOLIDATED, Side.SELL),
            {"trde_upper_tp": "1", "amt_qty_tp": "2", "mrkt_tp": "P10102", "stex_tp": "3"},
        ),
        (
            ProgramAmountRankingQuery(Market.KOSDAQ, Exchange.NXT, side=Side.SELL),
            {"trde_upper_tp": "1", "amt_qty_tp": "1", "mrkt_tp": "P10102", "stex_tp": "2"},
        ),
    ],
)
def test_the_body_is_that_of_the_specification(query, body):
    assert request_body(query) == body


@pytest.mark.parametrize("side", ["BUY", "2", None, Market.KOSPI])
def test_an_unknown_side_is_refused_with_the_allowed_values(side):
    for query in (ProgramAmountRankingQuery, ProgramQuantityRankingQuery):
        with pytest.raises(ValueError, match=r"^side: got .*; allowed are Side\.BUY, Side\.SELL"):
            query(Market.KOSPI, Exchange.KRX, side)


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"cur_prc": "0"}, "price", 0),
        ({"cur_prc": ""}, "price", None),
        ({"flu_sig": "0"}, "move", None),
        ({"flu_sig": ""}, "move", None),
        ({"flu_sig": "4"}, "move", PriceMove.LOWER_LIMIT),
        ({"pred_pre": "0"}, "change", 0),
        ({"flu_rt": "0.00"}, "change_rate", Decimal("0.00")),
        ({"stk_cd": "33626K_AL"}, "stock_code", "33626K"),
    ],
)
def test_a_special_value_is_read_as_expected(changes, attribute, expected):
    assert getattr(first_row(SELLING, **changes), attribute) == expected


@pytest.mark.parametrize("net", ["-64384", "-64386"])
def test_a_net_may_be_off_by_rounding_only(net):
    assert findings(SELLING, prm_netprps_amt=net) == []
    further = str(int(net) + (1 if net == "-64384" else -1))
    assert findings(SELLING, prm_netprps_amt=further) == [
        "count of rows whose net is not buy minus sell is 1, expected 0 (005380)"
    ]


def test_the_audit_compares_nets_by_quantity_too():
    query = ProgramQuantityRankingQuery(Market.KOSPI, Exchange.KRX)
    rows = sent_rows(BUYING)
    assert Walk.from_pages(query, [page_of(query, rows)]).audit.findings == []
    rows[1]["prm_netprps_amt"] = "+3609"
    assert Walk.from_pages(query, [page_of(query, rows)]).audit.findings == [
        "count of rows whose net is not buy minus sell is 1, expected 0 (006400)"
    ]


def test_a_stock_that_comes_twice_is_reported():
    query = ProgramAmountRankingQuery(Market.KOSPI, Exchange.KRX)
    rows = sent_rows(BUYING)
    rows.append(rows[0] | {"rank": "3", "prm_sell_amt": "0", "prm_buy_amt": "0",
                           "prm_netprps_amt": "0"})  # fmt: skip
    audit = Walk.from_pages(query, [page_of(query, rows)]).audit
    assert audit.findings == ["seen more than once: 005930"]
