"""Merges: many queries under one pace, in order within each query, with bounded memory."""

from collections import Counter

import anyio
import pytest
from support.exchange import SIX_QUERIES, limited_sandbox, page_calls, stock_codes, weekday_queries
from support.tasks import count_tasks

from kiwoom_async import KiwoomClient
from kiwoom_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_a_merge_yields_every_row_once_in_the_order_of_its_query():
    sandbox = limited_sandbox()
    found = {query: [] for query in SIX_QUERIES}
    numbers = {query: [] for query in SIX_QUERIES}
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX_QUERIES) as pages:
        async for page in pages:
            found[page.query] += [row.symbol for row in page.rows]
            numbers[page.query].append(page.number)
    assert found == {query: stock_codes(sandbox, query) for query in SIX_QUERIES}
    assert set(map(tuple, numbers.values())) == {(1, 2, 3)}


async def test_rows_of_a_merge_carry_their_market_and_exchange():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX_QUERIES) as pages:
        rows = [row async for row in pages.rows()]
    for query in SIX_QUERIES:
        mine = [
            row.symbol
            for row in rows
            if (row.market, row.exchange) == (query.market, query.exchange)
        ]
        assert mine == stock_codes(sandbox, query)


async def test_a_merge_uses_the_limit_and_is_fair():
    """No 429 of the sliding window, and at most 1.06 times the ideal time."""
    sandbox = Sandbox(latency_seconds=0.046)
    progress, shares = Counter(), []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX_QUERIES) as pages:
        async for page in pages:
            progress[page.query] += 1
            # While all walks are running; the shortest have 50 pages.
            if len(progress) == 6 and max(progress.values()) < 50:
                shares.append((min(progress.values()), max(progress.values())))
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert len(times) == 3 * (50 + 61)
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * (len(times) - 1) / 5
    assert all(most - least <= 1 for least, most in shares)


async def test_ten_thousand_queries_start_few_tasks():
    sandbox = limited_sandbox()
    before = count_tasks()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        began = anyio.current_time()
        async with kiwoom.merge(weekday_queries(10_000)) as pages:
            page = await anext(pages)
            assert anyio.current_time() - began < 1.0
            assert count_tasks() - before < 20
            async for page in pages:
                if page.number == 3:
                    break
    assert len(page_calls(sandbox)) < 40


async def test_a_slow_consumer_bounds_what_is_fetched():
    sandbox = limited_sandbox()
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(weekday_queries(100), concurrency=4) as pages,
    ):
        await anext(pages)
        await anyio.sleep(60)
        # One page delivered, one buffered, and one held by each of the four walks.
        assert len(page_calls(sandbox)) == 1 + 1 + 4


async def test_queries_may_be_an_async_iterable_whose_errors_propagate():
    async def queries():
        for query in weekday_queries(2):
            await anyio.sleep(0.5)
            yield query
        raise LookupError("the caller's")

    sandbox = limited_sandbox()
    numbers = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(LookupError, match="the caller's"):  # noqa: PT012
            async with kiwoom.merge(queries()) as pages:
                async for page in pages:
                    numbers.append(page.number)  # noqa: PERF401
    assert numbers


async def test_an_interactive_call_waits_for_two_slots_at_most():
    sandbox = Sandbox(latency_seconds=0.046)
    waits = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(weekday_queries(100)) as pages:

        async def consume():
            async for _ in pages:
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await anyio.sleep(3)
            for number in range(12):
                await anyio.sleep(1 + number * 0.017)
                began = anyio.current_time()
                await kiwoom.page(SIX_QUERIES[1])
                waits.append(anyio.current_time() - began)
            group.cancel_scope.cancel()
    assert max(waits) <= 2 * 0.209 + 0.046 + 0.001


async def test_interactive_calls_do_not_starve_a_merge():
    sandbox = Sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(weekday_queries(20)) as pages:

        async def request_repeatedly():
            while True:
                await kiwoom.page(SIX_QUERIES[1])

        delivered = 0
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(request_repeatedly)
            with anyio.move_on_after(20):
                async for _ in pages:
                    delivered += 1
            group.cancel_scope.cancel()
    # About 95 slots are shared by three callers and one merge.
    assert delivered >= 15
