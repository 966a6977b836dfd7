"""Queries of ka90004: checked when they are made, and again before they are sent."""

import datetime
import pickle

import attrs
import pytest

from kiwoom_async import Environment, Exchange, Market, ProgramTradeQuery
from kiwoom_async._protocol.encode import request_body

DAY = datetime.date(2026, 8, 10)
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.CONSOLIDATED)


@pytest.mark.parametrize("value", [DAY, "2026-08-10", "20260810"])
def test_a_day_may_be_a_date_or_text_in_two_formats(value):
    query = ProgramTradeQuery(value, Market.KOSDAQ, Exchange.KRX)
    assert query.date == DAY
    assert query == ProgramTradeQuery(DAY, Market.KOSDAQ, Exchange.KRX)
    assert str(query) == "2026-08-10 KOSDAQ KRX"


@pytest.mark.parametrize(
    "value",
    ["2026-02-30", "20261301", "2026-8-10", "2026-0810", "10.08.2026", "2026-W33-1", "", "today",
     "２０２６０８１０", None, 20260810, datetime.datetime(2026, 8, 10, tzinfo=datetime.UTC)],
)  # fmt: skip
def test_an_invalid_day_is_refused_with_the_name_of_the_argument(value):
    with pytest.raises(ValueError, match=r"^date: "):
        ProgramTradeQuery(value, Market.KOSPI, Exchange.KRX)


@pytest.mark.parametrize("value", ["000", "0", "P00101", "KOSPI", None, 1, Exchange.KRX])
def test_an_unknown_market_is_refused_with_the_allowed_values(value):
    with pytest.raises(ValueError, match=r"^market: got .*Market\.KOSPI, Market\.KOSDAQ"):
        ProgramTradeQuery(DAY, value, Exchange.KRX)


@pytest.mark.parametrize("value", ["1", "KRX", None, 3, Market.KOSPI])
def test_an_unknown_exchange_is_refused_with_the_allowed_values(value):
    with pytest.raises(ValueError, match=r"^exchange: got .*Exchange\.KRX, Exchange\.NXT"):
        ProgramTradeQuery(DAY, Market.KOSPI, value)


def test_a_query_is_frozen_hashable_and_picklable():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        QUERY.date = DAY
    assert pickle.loads(pickle.dumps(QUERY)) == QUERY
    assert len({QUERY, ProgramTradeQuery("20260810", Market.KOSPI, Exchange.CONSOLIDATED)}) == 1


@pytest.mark.parametrize(
    ("market", "exchange", "codes"),
    [
        (Market.KOSPI, Exchange.KRX, ("P00101", "1")),
        (Market.KOSDAQ, Exchange.NXT, ("P10102", "2")),
        (Market.KOSPI, Exchange.CONSOLIDATED, ("P00101", "3")),
    ],
)
def test_the_body_is_that_of_the_specification(market, exchange, codes):
    body = request_body(ProgramTradeQuery("2026-11-20", market, exchange))
    assert body == {"dt": "20261120", "mrkt_tp": codes[0], "stex_tp": codes[1]}


def test_a_future_day_is_refused():
    with pytest.raises(ValueError, match="2026-08-10 has not come yet; today is 2026-08-09"):
        QUERY.check(datetime.date(2026, 8, 9), Environment.PRODUCTION)
    assert QUERY.check(DAY, Environment.PRODUCTION) is None


def test_check_warns_about_other_exchanges_than_krx_on_the_mock_host():
    krx = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
    assert krx.check(DAY, Environment.MOCK) is None
    warning = QUERY.check(DAY, Environment.MOCK)
    assert warning is not None
    assert "Exchange.CONSOLIDATED" in warning
