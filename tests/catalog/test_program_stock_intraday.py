"""ka90008: one stock within the day, in shares; its rows carry no day and no code."""

import datetime
import itertools
from decimal import Decimal

import attrs
import pytest
from support.family_queries import RECORDED, findings, first_row, page_of, recorded_rows, sent_rows

from kiwoom_async import (
    DecodeError,
    Environment,
    Exchange,
    PriceMove,
    ProgramStockIntraday,
    ProgramStockIntradayQuery,
)
from kiwoom_async._protocol.encode import request_body

OFFICIAL, CONSOLIDATED = "ka90008_official_20260701", "ka90008_chunsam_20260807_005930_AL"


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    assert rows[0] == ProgramStockIntraday(
        time=datetime.time(14, 52, 58),
        price=315_500,
        move=PriceMove.DOWN,
        change=-18_500,
        change_rate=Decimal("-5.54"),
        volume=20_521_071,
        sell_amount=2_199_728,
        buy_amount=1_090_079,
        net_buy_amount=-1_109_649,
        net_buy_amount_change=-47,
        sell_quantity=6_817_367,
        buy_quantity=3_371_489,
        net_buy_quantity=-3_445_878,
        net_buy_quantity_change=-145,
        base_price_time="",
        lending_repaid_quantity="",
        balance_quantity="",
        exchange=Exchange.KRX,
        symbol="005930",
    )
    assert [row.net_buy_amount_change for row in rows] == [-47, -48, -425, -603, 460]
    assert "date" not in rows[0].to_dict()
    assert recorded_rows(CONSOLIDATED)[1] == ProgramStockIntraday(
        time=datetime.time(19, 59, 53),
        price=234_500,
        move=PriceMove.UP,
        change=4_000,
        change_rate=Decimal("1.74"),
        volume=34_131_080,
        sell_amount=2_134_888,
        buy_amount=2_070_379,
        net_buy_amount=-64_509,
        net_buy_amount_change=-210,
        sell_quantity=9_175_980,
        buy_quantity=8_867_152,
        net_buy_quantity=-308_828,
        net_buy_quantity_change=-893,
        base_price_time="",
        lending_repaid_quantity="",
        balance_quantity="",
        exchange=Exchange.CONSOLIDATED,
        symbol="005930_AL",
    )
    (hynix,) = recorded_rows("ka90008_chunsam_20260807_000660_AL")
    assert (hynix.symbol, hynix.stock_code, hynix.price) == ("000660_AL", "000660", 1_467_000)
    assert (hynix.net_buy_amount, hynix.net_buy_quantity) == (-188_926, -140_088)


def test_steps_nets_and_units_agree_in_all_recorded_rows():
    rows = recorded_rows(OFFICIAL)
    for later, earlier in itertools.pairwise(rows):
        assert later.net_buy_amount_change == later.net_buy_amount - earlier.net_buy_amount
        assert later.net_buy_quantity_change == later.net_buy_quantity - earlier.net_buy_quantity
    for row in [*rows, *recorded_rows(CONSOLIDATED)]:
        assert row.net_buy_amount == row.buy_amount - row.sell_amount
        assert row.net_buy_quantity == row.buy_quantity - row.sell_quantity
        # Shares, not thousand shares: amount / quantity is the price in million won.
        assert 0.98 < row.sell_amount * 1_000_000 / (row.sell_quantity * row.price) < 1.03
    quantity = attrs.fields(ProgramStockIntraday).buy_quantity
    assert quantity.metadata["unit"] == "shares"


def test_the_body_is_that_of_the_specification_with_the_day_of_today():
    """Any day gives the latest trading day, so that no other can be asked for."""
    korea = datetime.timezone(datetime.timedelta(hours=9))
    before = datetime.datetime.now(korea).date()
    query = ProgramStockIntradayQuery("005930_AL")
    assert query.date in (before, datetime.datetime.now(korea).date())
    assert request_body(query) == {
        "amt_qty_tp": "1", "stk_cd": "005930_AL", "date": f"{query.date:%Y%m%d}",
    }  # fmt: skip
    assert attrs.evolve(query, symbol="005930") == ProgramStockIntradayQuery("005930")
    assert query.day() is None
    with pytest.raises(TypeError, match="date"):
        ProgramStockIntradayQuery("005930", date=before)


def test_a_query_made_on_another_day_is_doubted():
    query = ProgramStockIntradayQuery("005930")
    assert query.check(query.date, Environment.MOCK) is None
    tomorrow = query.date + datetime.timedelta(days=1)
    assert "make a new query each day" in query.check(tomorrow, Environment.MOCK)


def test_a_busy_day_has_more_pages_where_trading_is_longer():
    assert ProgramStockIntradayQuery("005930").expected_pages() == 18
    assert ProgramStockIntradayQuery("005930_AL").expected_pages() == 33


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"cur_prc": ""}, "price", None),
        ({"cur_prc": "0"}, "price", 0),
        ({"pre_sig": "0"}, "move", None),
        ({"prm_netprps_qty": "0"}, "net_buy_quantity", 0),
        ({"base_pric_tm": "090000"}, "base_price_time", "090000"),
        ({"remn_rcvord_sum": "7"}, "balance_quantity", "7"),
        ({"stex_tp": "NXT"}, "exchange", Exchange.NXT),
    ],
)
def test_a_special_value_is_read_as_expected(changes, attribute, expected):
    assert getattr(first_row(OFFICIAL, **changes), attribute) == expected


@pytest.mark.parametrize("sent", ["", "1", "nxt"])
def test_an_unknown_exchange_is_an_error(sent):
    with pytest.raises(DecodeError, match=r"is not one of KRX, NXT, 통합 @ rows\[0\]\.exchange"):
        first_row(OFFICIAL, stex_tp=sent)


@pytest.mark.parametrize("name", ["prm_buy_amt", "prm_sell_qty", "prm_netprps_qty"])
def test_a_row_that_is_altered_by_one_is_found(name):
    sent = sent_rows(OFFICIAL)[2][name]
    altered = sent[:-1] + str((int(sent[-1]) + 1) % 10)
    assert findings(OFFICIAL, 2, **{name: altered}) == [
        "count of rows whose net is not buy minus sell is 1, expected 0 (14:52:45)"
    ]


@pytest.mark.parametrize(
    ("name", "word"), [(OFFICIAL, "통합"), (OFFICIAL, "NXT"), (CONSOLIDATED, "KRX")]
)
def test_a_row_of_another_exchange_than_the_symbol_is_found(name, word):
    time = recorded_rows(name)[1].time
    assert findings(name, 1, stex_tp=word) == [
        f"count of rows of another exchange than the symbol's is 1, expected 0 ({time})"
    ]


def test_two_rows_of_one_second_are_two_rows():
    assert findings(OFFICIAL, 1, tm="145258") == []
    rows = sent_rows(OFFICIAL)
    page = page_of(RECORDED[OFFICIAL], [*rows, rows[0]])
    assert len(page.rows) == 6
