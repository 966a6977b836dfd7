"""What all program-trading requests promise alike: values, arguments, refusals, names."""

import datetime
import pickle
from decimal import Decimal

import attrs
import pytest
from support.family_queries import RECORDED, WHOLE, findings, page_of, recorded_rows, sent_rows

import kiwoom_async
from kiwoom_async import (
    Environment,
    Exchange,
    Market,
    ProgramAmountRankingQuery,
    ProgramArbitrageDailyQuery,
    ProgramMarketCumulativeQuery,
    ProgramMarketDailyQuery,
    ProgramMarketIntradayQuery,
    ProgramQuantityRankingQuery,
    ProgramStockDailyQuery,
    ProgramStockIntradayQuery,
    ProgramTradeQuery,
)
from kiwoom_async.catalog import REQUESTS

DAY = datetime.date(2026, 6, 30)
KOSPI = Market.KOSPI, Exchange.KRX
BY_SYMBOL = [ProgramStockIntradayQuery, ProgramStockDailyQuery]


KINDS = {
    "date": lambda text: datetime.date(int(text[:4]), int(text[4:6]), int(text[6:8])),
    "time": lambda text: datetime.time(int(text[:2]), int(text[2:4]), int(text[4:])),
    "price": lambda text: abs(int(text)),
    "move": {"2": "UP", "5": "DOWN"}.get,
    "exchange": {"KRX": "KRX", "통합": "CONSOLIDATED"}.get,
    **dict.fromkeys(["kospi200", "basis", "change_rate"], Decimal),
    **dict.fromkeys(
        ["symbol", "stock_name", "base_price_time", "lending_repaid_quantity", "balance_quantity"],
        str,
    ),
}


def expected_value(field, text):
    """Return what the text of a field stands for, read without the library."""
    return KINDS.get(field.name, int)(text.replace("--", "-"))


@pytest.mark.parametrize("name", WHOLE)
def test_every_value_of_every_recorded_row_is_decoded_to_the_digit(name):
    rows, compared = recorded_rows(name), 0
    for row, sent in zip(rows, sent_rows(name), strict=True):
        for field in attrs.fields(type(row)):
            if "wire" in field.metadata:
                expected = expected_value(field, sent.pop(field.metadata["wire"]))
                if field.name == "kospi200" and name.startswith("ka90005"):
                    expected /= 100
                assert getattr(row, field.name) == expected, field.name
                compared += 1
        assert sent == {}
    assert compared >= 11 * len(rows) or name.startswith(("ka90006", "ka90007"))


@pytest.mark.parametrize("name", WHOLE)
def test_an_unaltered_recording_has_no_finding(name):
    assert findings(name) == []


@pytest.mark.parametrize("name", WHOLE)
def test_a_blank_row_is_counted_and_is_no_row(name):
    blank = dict.fromkeys(sent_rows(name)[0], "")
    page = page_of(RECORDED[name], [blank])
    assert (page.rows, page.blank_rows) == ([], 1)
    assert page_of(RECORDED[name], []).rows == []


def test_the_unit_of_every_number_is_in_its_metadata():
    for query in REQUESTS.values():
        for field in attrs.fields(query.row_class):
            metadata = field.metadata
            if metadata and field.type in (int, Decimal, Decimal | None, int | None):
                assert metadata["unit"] or field.name == "rank", (query, field.name)
            assert not metadata or metadata["korean"]


@pytest.mark.parametrize("query_class", BY_SYMBOL)
@pytest.mark.parametrize(
    "symbol",
    ["", "삼성전자", "00593", "0059300", "005930_al", "005930_KR", "005930_", "0156t0", "A005930",
     "005930_AL_NX", " 005930", "005930\n", "００５９３０", None, 5930, b"005930"],
)  # fmt: skip
def test_what_is_no_symbol_is_refused_with_an_example(query_class, symbol):
    with pytest.raises(ValueError, match=r"^symbol: got .*; expected .* '005930' or '005930_AL'"):
        query_class(symbol)


@pytest.mark.parametrize("query_class", BY_SYMBOL)
@pytest.mark.parametrize("symbol", ["005930", "0156T0", "33626K_AL", "005930_NX"])
def test_a_symbol_may_hold_letters_and_a_suffix(query_class, symbol):
    assert query_class(symbol).symbol == symbol


WITH_A_DAY = {
    "until": [
        lambda day: ProgramArbitrageDailyQuery(day, Exchange.KRX),
        lambda day: ProgramMarketDailyQuery(day, *KOSPI),
        lambda day: ProgramStockDailyQuery("005930", day),
    ],
    "since": [lambda day: ProgramMarketCumulativeQuery(day, *KOSPI)],
    "date": [lambda day: ProgramTradeQuery(day, *KOSPI)],
}
DAYS = [(name, make) for name, makes in WITH_A_DAY.items() for make in makes]


@pytest.mark.parametrize(("name", "make"), DAYS)
def test_a_day_may_be_given_in_three_forms(name, make):
    assert {getattr(make(day), name) for day in (DAY, "2026-06-30", "20260630")} == {DAY}
    for wrong in ("2026-02-30", "30.06.2026", "today", 20260630, datetime.datetime(2026, 6, 30)):  # noqa: DTZ001
        with pytest.raises(ValueError, match=f"^{name}: "):
            make(wrong)


@pytest.mark.parametrize(("name", "make"), DAYS)
def test_a_day_that_has_not_come_is_refused(name, make):
    query, yesterday = make(DAY), DAY - datetime.timedelta(days=1)
    for environment in Environment:
        assert query.check(DAY, environment) is None
        with pytest.raises(ValueError, match=f"^{name}: 2026-06-30 has not come yet; today is "):
            query.check(yesterday, environment)


@pytest.mark.parametrize(
    "make",
    [
        ProgramAmountRankingQuery,
        ProgramQuantityRankingQuery,
        ProgramMarketIntradayQuery,
        lambda market, exchange: ProgramMarketCumulativeQuery(DAY, market, exchange),
        lambda market, exchange: ProgramMarketDailyQuery(DAY, market, exchange),
        lambda market, exchange: (market, ProgramArbitrageDailyQuery(DAY, exchange))[1],
    ],
    ids=["amount", "quantity", "intraday", "cumulative", "daily", "arbitrage"],
)
def test_markets_and_exchanges_are_checked_and_doubted_on_the_mock_host(make, request):
    if "arbitrage" not in request.node.name:
        for wrong in ("KOSPI", "P101_AL02", None, Exchange.KRX):
            with pytest.raises(ValueError, match=r"^market: got .*Market\.KOSPI, Market\.KOSDAQ"):
                make(wrong, Exchange.KRX)
    for wrong in ("KRX", "3", None, Market.KOSPI):
        with pytest.raises(ValueError, match=r"^exchange: got .*Exchange\.KRX, Exchange\.NXT"):
            make(Market.KOSPI, wrong)
    today = getattr(make(Market.KOSPI, Exchange.KRX), "date", DAY)
    for exchange in Exchange:
        query = make(Market.KOSDAQ, exchange)
        assert query.check(today, Environment.PRODUCTION) is None
        doubt = query.check(today, Environment.MOCK)
        assert (doubt is None) is (exchange is Exchange.KRX)
        assert doubt is None or f"not Exchange.{exchange.name};" in doubt


@pytest.mark.parametrize("query_class", BY_SYMBOL)
def test_the_suffix_of_a_symbol_is_doubted_on_the_mock_host(query_class):
    today = getattr(query_class("005930"), "date", DAY)
    assert query_class("005930").check(today, Environment.MOCK) is None
    for suffix, exchange in (("NX", "NXT"), ("AL", "CONSOLIDATED")):
        query = query_class(f"005930_{suffix}")
        assert f"not Exchange.{exchange};" in query.check(today, Environment.MOCK)
        assert query.check(today, Environment.PRODUCTION) is None


@pytest.mark.parametrize("query", RECORDED.values(), ids=RECORDED)
def test_a_query_is_frozen_equal_to_another_and_picklable(query):
    query = attrs.evolve(query)  # made today, however long ago this file was read
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        query.api_id = "ka90004"
    assert pickle.loads(pickle.dumps(query)) == query == attrs.evolve(query)
    assert len({query, attrs.evolve(query)}) == 1
    assert query.day() is None
    assert query.expected_pages() >= 1


def test_only_a_ranking_does_not_come_newest_first():
    not_newest_first = [name for name, query in REQUESTS.items() if not query.newest_first]
    assert not_newest_first == ["program-trades", "amount-ranking", "quantity-ranking"]


def test_the_catalogue_names_every_public_query():
    assert REQUESTS["stock-daily"] is ProgramStockDailyQuery
    assert REQUESTS["program-trades"] is ProgramTradeQuery
    queries = {name for name in kiwoom_async.__all__ if name.endswith("Query") and name != "Query"}
    assert {query.__name__ for query in REQUESTS.values()} == queries
    rows = {query.row_class.__name__ for query in REQUESTS.values()}
    assert rows == {name.removesuffix("Query") for name in queries}
    assert {query.api_id for query in REQUESTS.values()} == {
        "ka90003", "ka90004", "ka90005", "ka90006", "ka90007", "ka90008", "ka90010", "ka90013",
    }  # fmt: skip
    with pytest.raises(TypeError):
        REQUESTS["more"] = ProgramTradeQuery
