"""Estimates: from a day that was measured, then from earlier walks, at the current pace."""

from datetime import date, timedelta

import pytest

from kiwoom_async import Environment, Estimate, Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

DAY = date(2026, 11, 20)
KOSPI, KOSDAQ = (ProgramTradeQuery(DAY, market, Exchange.KRX) for market in Market)
EARLIER = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)


async def test_the_first_estimate_is_that_of_the_measured_day():
    """2,472 and 1,820 rows were 50 and 61 calls (wire-facts.md, fact 2)."""
    async with KiwoomClient.sandbox() as kiwoom:
        estimate = kiwoom.estimate([KOSPI, KOSDAQ])
    assert (estimate.queries, estimate.calls) == (2, 111)
    assert estimate.seconds == pytest.approx(111 * 1.045 / 5)
    assert str(estimate) == "2 queries, 111 calls, about 23 s"


async def test_the_mock_host_takes_five_times_as_long():
    async with KiwoomClient("a", "b", environment=Environment.MOCK) as kiwoom:
        assert kiwoom.estimate([KOSPI]).seconds == pytest.approx(50 * 1.045)


async def test_a_walk_updates_the_estimate_of_similar_queries():
    async with KiwoomClient.sandbox(Sandbox(kospi_stocks=120)) as kiwoom:
        await kiwoom.collect(KOSPI)
        assert [kiwoom.estimate([query]).calls for query in (KOSPI, EARLIER, KOSDAQ)] == [3, 3, 61]


async def test_an_empty_day_changes_no_estimate_and_a_weekend_is_one_call():
    sunday = ProgramTradeQuery("2026-11-15", Market.KOSPI, Exchange.KRX)
    sandbox = Sandbox(kospi_stocks=120, faults=[Fault("empty_list", call=4)])
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.collect(KOSPI)
        await kiwoom.page(sunday)
        assert kiwoom.estimate([EARLIER]).calls == 3
        assert kiwoom.estimate([sunday]).calls == 1


async def test_a_longer_walk_raises_the_estimate_while_it_runs():
    async with KiwoomClient.sandbox(Sandbox(kospi_stocks=3000)) as kiwoom:
        seen = [kiwoom.estimate([KOSPI]).calls async for _ in kiwoom.pages(KOSPI)]
    assert seen[0] == seen[48] == 50
    assert seen[49] == 51
    assert seen[-1] == 60


async def test_a_day_of_few_rows_does_not_replace_the_size_of_a_full_day():
    """First a day that has hardly begun, then a full one, whose pages are counted as they come."""
    few_rows, full_day = Sandbox(kospi_stocks=30), Sandbox(kospi_stocks=2472)
    exchange = [few_rows]

    async def either(scope, receive, send):
        await exchange[0](scope, receive, send)

    either.requests_per_second = 5
    async with KiwoomClient.sandbox(either) as kiwoom:
        await kiwoom.collect(EARLIER)
        assert kiwoom.estimate([KOSPI]).calls == 1
        exchange[0] = full_day
        seen = {kiwoom.estimate([KOSPI]).calls async for _ in kiwoom.pages(KOSPI)}
        assert seen == {50}
        exchange[0] = few_rows
        await kiwoom.collect(EARLIER)
        assert kiwoom.estimate([KOSPI]).calls == 50


async def test_an_estimate_uses_the_limit_named_by_a_429():
    sandbox = Sandbox(requests_per_second=2, kospi_stocks=120)
    async with KiwoomClient.sandbox(sandbox, requests_per_second=5) as kiwoom:
        await kiwoom.collect(KOSPI)
        assert kiwoom.estimate([KOSPI]).seconds == pytest.approx(3 * 1.045 / 2)


async def test_estimating_ten_years_sends_nothing():
    days = (DAY - timedelta(days=ago) for ago in range(3650))
    queries = (ProgramTradeQuery(day, m, e) for day in days for m in Market for e in Exchange)
    sandbox = Sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        estimate = kiwoom.estimate(queries)
    assert estimate.queries == 6 * 3650
    assert 800_000 < estimate.calls < 900_000
    assert str(estimate).endswith(" days")
    assert not sandbox.arrivals


async def test_no_queries_are_no_calls():
    async with KiwoomClient.sandbox() as kiwoom:
        assert kiwoom.estimate([]) == Estimate(0, 0, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (89.6, "90 s"),
        (90, "1.5 min"),
        (5399, "90.0 min"),
        (5400, "1.5 h"),
        (172800, "2.0 days"),
    ],
)
def test_a_duration_is_printed_in_a_suitable_unit(seconds, text):
    assert str(Estimate(1, 1, seconds)) == f"1 query, 1 call, about {text}"


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (KOSPI, "queries: got .*expected an iterable of queries"),
        ([KOSPI, KOSPI], "comes twice"),
        ([1], "no query"),
        ([ProgramTradeQuery("2126-01-04", Market.KOSPI, Exchange.KRX)], "has not come yet"),
    ],
)
async def test_invalid_queries_are_refused(queries, message):
    async with KiwoomClient.sandbox() as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.estimate(queries)
