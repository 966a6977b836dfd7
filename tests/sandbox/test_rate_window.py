"""The rate limit: a sliding window for each (app key, api-id)."""

import pytest
from support.bare_client import KOSDAQ, BareClient, logged_in


@pytest.mark.anyio
async def test_the_window_slides_and_counts_accepted_requests_only(make_sandbox, clock):
    client = await logged_in(make_sandbox(requests_per_second=5))
    statuses = []
    for seconds in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99, 1.0, 1.1, 1.2, 1.3):
        clock.seconds = 2000 + seconds
        statuses.append((await client.request_page()).status_code)
    assert statuses == [200] * 5 + [429, 429, 200, 429, 200, 429]


@pytest.mark.anyio
async def test_a_429_is_worded_as_recorded_and_sent_without_latency(make_sandbox, clock):
    sandbox = make_sandbox(requests_per_second=1, latency_seconds=0.05)
    client = await logged_in(sandbox)
    await client.request_page()
    clock.sleeps.clear()
    reply = await client.request_page()
    assert reply.status_code == 429
    assert reply.json() == {
        "return_msg": "허용된 요청 개수를 초과하였습니다"
        "[1700:허용된 API 요청 개수를 초과하였습니다. 유량=1, API ID=ka90004]",
        "return_code": 5,
    }
    assert "retry-after" not in reply.headers
    assert clock.sleeps == [0.0]
    clock.seconds += 1
    await client.request_page()
    assert clock.sleeps == [0.0, 0.05]


@pytest.mark.anyio
async def test_each_app_key_and_api_id_has_its_own_window(make_sandbox):
    sandbox = make_sandbox(requests_per_second=1)
    first, second = BareClient(sandbox), BareClient(sandbox)
    await first.log_in()
    await second.log_in(appkey="APP-KEY-2")
    assert (await first.log_in()).status_code == 429
    first.token = sandbox._access._latest["APP-KEY-1"].token
    clients = (first, second, first, second)
    statuses = [(await client.request_page()).status_code for client in clients]
    assert statuses == [200, 200, 429, 429]
    assert [arrival.caller for arrival in sandbox.arrivals] == [1, 2, 1, 1, 2, 1, 2]


@pytest.mark.anyio
async def test_both_markets_share_one_window(make_sandbox):
    client = await logged_in(make_sandbox(requests_per_second=1))
    assert (await client.request_page()).status_code == 200
    assert (await client.request_page({"mrkt_tp": KOSDAQ})).status_code == 429


@pytest.mark.anyio
async def test_a_clock_that_jumps_back_does_not_lock_the_window(make_sandbox, clock):
    """A second event loop has a clock of its own, which may be behind."""
    client = await logged_in(make_sandbox(requests_per_second=1))
    assert (await client.request_page()).status_code == 200
    clock.seconds -= 500
    assert (await client.request_page()).status_code == 200
