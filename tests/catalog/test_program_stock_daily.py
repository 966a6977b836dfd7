"""ka90013: one stock by day, in shares."""

import datetime
import itertools
from decimal import Decimal

import attrs
import pytest
from support.family_queries import RECORDED, findings, first_row, page_of, recorded_rows, sent_rows

from kiwoom_async import (
    Environment,
    Exchange,
    PriceMove,
    ProgramStockDaily,
    ProgramStockDailyQuery,
)
from kiwoom_async._protocol.encode import request_body

OFFICIAL = "ka90013_official_20260630"


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    unknown = {"base_price_time": "", "lending_repaid_quantity": "", "balance_quantity": ""}
    assert rows[:2] == [
        ProgramStockDaily(
            date=datetime.date(2026, 6, 30),
            price=334_000,
            move=PriceMove.UP,
            change=11_000,
            change_rate=Decimal("3.41"),
            volume=29_237_216,
            sell_amount=3_763_482,
            buy_amount=3_371_424,
            net_buy_amount=-392_058,
            net_buy_amount_change=2_338_427,
            sell_quantity=11_333_519,
            buy_quantity=10_139_040,
            net_buy_quantity=-1_194_479,
            net_buy_quantity_change=7_252_001,
            exchange=Exchange.KRX,
            symbol="005930",
            **unknown,
        ),
        ProgramStockDaily(
            date=datetime.date(2026, 6, 29),
            price=323_000,
            move=PriceMove.DOWN,
            change=-16_500,
            change_rate=Decimal("-4.86"),
            volume=35_436_521,
            sell_amount=5_472_790,
            buy_amount=2_742_305,
            net_buy_amount=-2_730_485,
            net_buy_amount_change=-1_007_128,
            sell_quantity=16_898_966,
            buy_quantity=8_452_486,
            net_buy_quantity=-8_446_480,
            net_buy_quantity_change=-3_331_579,
            exchange=Exchange.KRX,
            symbol="005930",
            **unknown,
        ),
    ]
    assert [row.net_buy_quantity for row in rows[2:]] == [-5_114_901, 1_103_511, -176_445]


def test_changes_nets_and_units_agree_in_all_recorded_rows():
    rows = recorded_rows(OFFICIAL)
    for later, earlier in itertools.pairwise(rows):
        assert later.net_buy_amount_change == later.net_buy_amount - earlier.net_buy_amount
        assert later.net_buy_quantity_change == later.net_buy_quantity - earlier.net_buy_quantity
        assert later.change == later.price - earlier.price
    for row in rows:
        assert row.net_buy_amount == row.buy_amount - row.sell_amount
        assert row.net_buy_quantity == row.buy_quantity - row.sell_quantity
        # Shares, where ka90004 has thousand shares under the same name.
        assert 0.96 < row.buy_amount * 1_000_000 / (row.buy_quantity * row.price) < 1.07
    assert attrs.fields(ProgramStockDaily).sell_quantity.metadata["unit"] == "shares"


@pytest.mark.parametrize(
    ("query", "symbol", "day"),
    [
        (ProgramStockDailyQuery("005930"), "005930", ""),
        (ProgramStockDailyQuery("005930", None), "005930", ""),
        (ProgramStockDailyQuery("0156T0_NX", "2026-06-30"), "0156T0_NX", "20260630"),
        (ProgramStockDailyQuery("33626K_AL", datetime.date(2026, 6, 30)), "33626K_AL", "20260630"),
    ],
)
def test_the_body_is_that_of_the_specification(query, symbol, day):
    assert request_body(query) == {"amt_qty_tp": "1", "stk_cd": symbol, "date": day}
    (row,) = page_of(query, sent_rows(OFFICIAL)[:1]).rows
    assert (row.symbol, row.stock_code) == (symbol, symbol[:6])


def test_a_day_without_trade_has_no_move():
    row = first_row(OFFICIAL, cur_prc="0", pre_sig="0", pred_pre="--6", flu_rt="0.00")
    assert (row.price, row.move, row.change, row.change_rate) == (0, None, -6, Decimal(0))


def test_the_newest_day_may_be_left_open():
    query = ProgramStockDailyQuery("005930")
    assert query.check(datetime.date(2026, 6, 30), Environment.MOCK) is None
    assert query.until is None


@pytest.mark.parametrize("name", ["prm_sell_amt", "prm_netprps_amt", "prm_buy_qty"])
def test_a_row_that_is_altered_by_one_is_found(name):
    sent = sent_rows(OFFICIAL)[1][name]
    altered = sent[:-1] + str((int(sent[-1]) + 1) % 10)
    assert findings(OFFICIAL, 1, **{name: altered}) == [
        "count of rows whose net is not buy minus sell is 1, expected 0 (2026-06-29)"
    ]


@pytest.mark.parametrize("word", ["통합", "NXT"])
def test_a_row_of_another_exchange_than_the_symbol_is_found(word):
    assert findings(OFFICIAL, 4, stex_tp=word) == [
        "count of rows of another exchange than the symbol's is 1, expected 0 (2026-06-24)"
    ]


def test_a_day_that_comes_twice_is_reported():
    assert findings(OFFICIAL, 1, dt="20260630") == ["seen more than once: 2026-06-30"]
    assert RECORDED[OFFICIAL].newest_first
