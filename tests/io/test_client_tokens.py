"""The token of a client: shared by its tasks, renewed in time, revoked on request only."""

from datetime import datetime, timedelta

import anyio
import pytest
from support.exchange import QUERY, five_page_sandbox, page_calls, stock_codes, token_calls
from support.walks import walked_symbols

from kiwoom_async import KiwoomClient
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_tasks_share_one_token_and_its_renewal():
    sandbox = five_page_sandbox(Fault("token_dies", call=7))
    found = []

    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def walk():
            found.append(await walked_symbols(kiwoom))

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(walk)
    assert found == [stock_codes(sandbox)] * 6
    assert len(token_calls(sandbox)) == 2


async def test_waiting_calls_send_the_renewed_token():
    """Calls that waited for a slot during the renewal do not send the token that was refused."""
    sandbox = five_page_sandbox(Fault("token_dies", call=3), requests_per_second=1)
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(kiwoom.page, QUERY)
    assert [arrival.code for arrival in page_calls(sandbox)].count("8005") == 1


async def test_a_token_that_expires_during_a_walk_is_renewed_before_it_is_refused():
    clock = [datetime.now().astimezone()]
    sandbox = five_page_sandbox(token_lifetime=timedelta(seconds=65), now=lambda: clock[0])
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        next(iter(kiwoom._calls.accounts)).tokens._now = lambda: clock[0]
        found = []
        async for page in kiwoom.pages(QUERY):
            found += [row.symbol for row in page.rows]
            clock[0] += timedelta(seconds=30)
    assert found == stock_codes(sandbox)
    assert 2 <= len(token_calls(sandbox)) <= 5
    # The server refused none of them.
    assert not [arrival for arrival in page_calls(sandbox) if arrival.code]


async def test_the_call_after_revoke_token_issues_another_token():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.revoke_token()
        assert not sandbox.arrivals
        await kiwoom.page(QUERY)
        await kiwoom.revoke_token()
        await kiwoom.revoke_token()
        await kiwoom.page(QUERY)
    assert [arrival.api_id for arrival in sandbox.arrivals] == [
        "au10001", "ka90004", "au10002", "au10001", "ka90004",
    ]  # fmt: skip
    assert {arrival.status for arrival in sandbox.arrivals} == {200}
    assert not [arrival for arrival in sandbox.arrivals if arrival.code]


async def test_closing_does_not_revoke_the_token():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(QUERY)
    assert {arrival.api_id for arrival in sandbox.arrivals} == {"au10001", "ka90004"}
