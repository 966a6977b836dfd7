"""The pace of a client: the whole limit is used, it is never exceeded, and a 429 slows it down."""

import anyio
import pytest
from support.exchange import QUERY, five_page_sandbox, page_calls, stock_codes
from support.walks import walked_symbols

from kiwoom_async import Environment, Exchange, KiwoomClient, Market, ProgramTradeQuery, RateLimited
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("latency_seconds", [0.005, 0.046, 0.15])
async def test_a_full_day_uses_the_limit_and_never_exceeds_it(latency_seconds):
    """111 calls take at most 1.06 times the ideal time, without a 429 of the sliding window."""
    sandbox = Sandbox(latency_seconds=latency_seconds)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for market in Market:
            walk = await kiwoom.collect(ProgramTradeQuery("2026-11-20", market, Exchange.KRX))
            assert walk.audit.findings == []
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert len(times) == 50 + 61
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * 110 / 5


async def test_tasks_share_one_rate_limit():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(kiwoom.page, QUERY)
    assert len(page_calls(sandbox)) == 10
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]


@pytest.mark.parametrize(
    ("options", "per_second"),
    [
        ({}, 5),
        ({"environment": Environment.MOCK}, 1),
        ({"environment": Environment.MOCK, "requests_per_second": 2.5}, 2.5),
    ],
)
async def test_the_environment_sets_the_pace(options, per_second):
    sandbox = Sandbox(requests_per_second=None, kospi_stocks=1050)
    options = {"requests_per_second": None} | options
    async with KiwoomClient.sandbox(sandbox, **options) as kiwoom:
        await walked_symbols(kiwoom)
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert times[20] - times[0] == pytest.approx(20 / per_second, rel=0.01)


async def test_requests_per_second_sets_the_pace_on_the_sandbox():
    for options, calls_a_second in [({}, 5), ({"requests_per_second": 50}, 50)]:
        async with KiwoomClient.sandbox(**options) as kiwoom:
            began = anyio.current_time()
            walk = await kiwoom.collect(QUERY)
            # The last ones are sent with the permits of the last window.
            windows = 49 // calls_a_second
            assert anyio.current_time() - began == pytest.approx(windows, rel=0.01, abs=0.01)
        assert len(walk.rows) == 2472


async def test_a_limit_named_by_a_429_is_adopted():
    sandbox = five_page_sandbox(requests_per_second=2)
    async with KiwoomClient.sandbox(sandbox, requests_per_second=5) as kiwoom:
        assert await walked_symbols(kiwoom) == stock_codes(sandbox)
        before = len([arrival for arrival in sandbox.arrivals if arrival.status == 429])
        assert await walked_symbols(kiwoom) == stock_codes(sandbox)
    assert before == 1
    assert len([arrival for arrival in sandbox.arrivals if arrival.status == 429]) == before


@pytest.mark.parametrize("seconds", [0, 3])
async def test_a_429_pauses_every_task(seconds):
    sandbox = five_page_sandbox(Fault("rate_limit", call=4, seconds=seconds))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(kiwoom.page, QUERY)
    times = [arrival.time for arrival in page_calls(sandbox)]
    # The fifth was on its way already.
    assert times[5] - times[3] >= max(1.0, seconds)
    assert len(times) == 9


async def test_the_first_five_pages_of_a_walk_take_five_round_trips():
    sandbox = five_page_sandbox(latency_seconds=0.1)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        began = anyio.current_time()
        assert len((await kiwoom.collect(QUERY)).rows) == 230
    # And one for the token.
    assert anyio.current_time() - began == pytest.approx(6 * 0.1)


async def test_a_429_that_is_not_retried_still_pauses_the_next_call():
    sandbox = five_page_sandbox(Fault("rate_limit"))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        with pytest.raises(RateLimited):
            await kiwoom.page(QUERY)
        await kiwoom.page(QUERY)
    first, second = page_calls(sandbox)
    assert second.time - first.time >= 1.0


async def test_retry_after_is_waited_for():
    sandbox = five_page_sandbox(Fault("rate_limit", call=3, seconds=3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await walked_symbols(kiwoom)
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert 3.0 <= times[3] - times[2] <= 3.4


async def test_a_long_retry_after_ends_the_call_and_pauses_the_next_for_a_minute():
    sandbox = five_page_sandbox(Fault("rate_limit", call=1, seconds=120))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(RateLimited) as caught:
            await kiwoom.page(QUERY)
        await kiwoom.page(QUERY)
    assert caught.value.retry_after == 120
    first, second = page_calls(sandbox)
    assert second.time - first.time == pytest.approx(60, abs=0.1)


async def test_a_429_at_every_second_call_slows_a_walk_and_does_not_end_it():
    """60 retries are more than the budget, and never two of the same call."""
    faults = [Fault("rate_limit", call=call) for call in range(2, 400, 2)]
    sandbox = Sandbox(faults=faults)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(ProgramTradeQuery("2026-11-20", Market.KOSDAQ, Exchange.KRX))
    assert len(walk.rows) == 1820
    assert sum(arrival.status == 429 for arrival in sandbox.arrivals) == 60
