"""A server that is down, refuses every token, or restarts a walk."""

import json
from collections import Counter

import anyio
import pytest
from anyio import current_time
from support.exchange import QUERY, limited_sandbox, token_calls
from support.recorded import recorded

from kiwoom_async import (
    AuthError,
    BlockedError,
    ContinuationError,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
)
from kiwoom_async._protocol.retry import RetryBudget
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("holding_a_token", [False, True])
async def test_a_hundred_walks_on_a_dead_server_make_a_bounded_number_of_calls(holding_a_token):
    """One first call each and the retries of the budget; without a token, one issue for all."""
    outage = [False]
    alive = limited_sandbox(requests_per_second=None)

    async def server(scope, receive, send):
        if not outage[0]:
            await alive(scope, receive, send)
            return
        calls.append(scope["path"])
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>down</html>"})

    server.requests_per_second = 1000
    calls, failed = [], []
    async with KiwoomClient.sandbox(server) as kiwoom:
        if holding_a_token:
            await kiwoom.page(QUERY)
        outage[0] = True

        async def walk():
            try:
                await kiwoom.collect(QUERY)
            except KiwoomError as error:
                failed.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(walk)
        assert len(failed) == 100
        assert all(error.cursor.page == 1 for error in failed)
        budget = int(RetryBudget.CAPACITY)
        if holding_a_token:
            assert calls == ["/api/dostk/stkinfo"] * len(calls)
            assert 100 < len(calls) <= 100 + budget
        else:
            # One task issued the token for all of them, with four attempts.
            assert calls == ["/oauth2/token"] * 4
            assert len({id(error) for error in failed}) == 100
        outage[0] = False
        began = current_time()
        assert len((await kiwoom.collect(QUERY)).rows) == 120
        assert current_time() - began < 0.1


async def test_a_failed_token_issue_is_shared_by_the_waiting_tasks_only():
    sandbox = limited_sandbox(
        Fault("code", api_id="au10001", code="8001", times=2), latency_seconds=0.1
    )
    errors = []

    async def page(kiwoom):
        with pytest.raises(AuthError) as caught:
            await kiwoom.page(QUERY)
        errors.append(caught.value)

    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(page, kiwoom)
        assert len(token_calls(sandbox)) == 1
        assert {error.code for error in errors} == {"8001"}
        assert len({id(error) for error in errors}) == 10
        await page(kiwoom)
        assert len((await kiwoom.page(QUERY)).rows) == 50
    assert len(token_calls(sandbox)) == 3


async def test_eight_refused_walks_renew_once_even_if_the_token_stays_the_same():
    """Issuing returns the valid token again (wire-facts.md, fact 7)."""
    calls = Counter()

    async def server(scope, _, send):
        path = scope["path"]
        calls[path] += 1
        if path == "/oauth2/token":
            await anyio.sleep(0.05)
            body = {"token": "always-the-same", "expires_dt": "29991231235959", "return_code": 0}
        elif calls[path] <= 8:
            await anyio.sleep(0.3)
            body = {"return_code": 3, "return_msg": "[8005:x]"}
        else:
            body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
        headers = [(b"cont-yn", b"N")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    server.requests_per_second = 1000
    days = [
        ProgramTradeQuery(f"2026-11-{day:02}", Market.KOSPI, Exchange.KRX) for day in range(2, 10)
    ]
    async with KiwoomClient.sandbox(server) as kiwoom, kiwoom.merge(days) as pages:
        assert len([page async for page in pages]) == 8
    assert calls["/oauth2/token"] == 2


async def test_a_resumed_walk_notices_a_restart_at_page_one():
    """An old key restarts at page one; the cursor of the first error knows the keys before it."""
    sandbox = limited_sandbox(kospi_stocks=240)
    counts = Counter()

    async def server(scope, receive, send):
        headers = dict(scope["headers"])
        if scope["path"] != "/oauth2/token":
            counts["calls"] += 1
            if counts["calls"] in (3, 5):
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b"<html>down</html>"})
                return
            if counts["calls"] == 4:
                old = dict.fromkeys((b"next-key", b"cont-yn"), b"")
                scope = scope | {"headers": [*(headers | old).items()]}
        await sandbox(scope, receive, send)

    server.requests_per_second = 1000
    rows = []
    async with KiwoomClient.sandbox(server, attempts=1) as kiwoom:

        async def walk(start):
            async for page in kiwoom.pages(QUERY, start=start):
                rows.extend(row.symbol for row in page.rows)

        with pytest.raises(BlockedError) as first:
            await walk(None)
        with pytest.raises(ContinuationError, match="came before in this walk"):
            await walk(first.value.cursor)
    assert len(rows) == len(set(rows)) == 100
