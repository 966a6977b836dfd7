"""ka90006: arbitrage turnover by day."""

import datetime
import itertools

import pytest
from support.family_queries import RECORDED, findings, page_of, recorded_rows, sent_rows

from kiwoom_async import Exchange, ProgramArbitrageDaily, ProgramArbitrageDailyQuery
from kiwoom_async._protocol.encode import request_body

OFFICIAL = "ka90006_official_20260526"


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    assert rows[:2] == [
        ProgramArbitrageDaily(
            date=datetime.date(2026, 5, 26),
            arbitrage_buy_quantity=3_037,
            arbitrage_buy_amount=698_696,
            arbitrage_buy_amount_change=126_497,
            arbitrage_sell_quantity=2_918,
            arbitrage_sell_amount=610_485,
            arbitrage_sell_amount_change=117_483,
            exchange=Exchange.KRX,
        ),
        ProgramArbitrageDaily(
            date=datetime.date(2026, 5, 22),
            arbitrage_buy_quantity=2_690,
            arbitrage_buy_amount=572_200,
            arbitrage_buy_amount_change=-48_590,
            arbitrage_sell_quantity=2_295,
            arbitrage_sell_amount=493_001,
            arbitrage_sell_amount_change=11_554,
            exchange=Exchange.KRX,
        ),
    ]
    assert [row.date.day for row in rows] == [26, 22, 21, 20, 19]


def test_changes_and_units_agree_in_all_recorded_rows():
    rows = recorded_rows(OFFICIAL)
    for later, earlier in itertools.pairwise(rows):
        for side in ("buy", "sell"):
            change = getattr(later, f"arbitrage_{side}_amount_change")
            amounts = [getattr(row, f"arbitrage_{side}_amount") for row in (later, earlier)]
            assert abs(change - (amounts[0] - amounts[1])) <= 1
    for row in rows:
        # Million won over thousand shares is a price in thousands.
        assert 190 < row.arbitrage_buy_amount / row.arbitrage_buy_quantity < 235


@pytest.mark.parametrize(
    ("exchange", "digit"), [(Exchange.KRX, "1"), (Exchange.NXT, "2"), (Exchange.CONSOLIDATED, "3")]
)
def test_the_body_is_that_of_the_specification(exchange, digit):
    query = ProgramArbitrageDailyQuery("20260526", exchange)
    assert request_body(query) == {"date": "20260526", "stex_tp": digit}
    assert page_of(query, sent_rows(OFFICIAL)[:1]).rows[0].exchange is exchange


def test_the_audit_reports_a_day_that_comes_twice():
    assert findings(OFFICIAL) == []
    assert findings(OFFICIAL, 1, dt="20260526") == ["seen more than once: 2026-05-26"]
    assert RECORDED[OFFICIAL].newest_first
