"""Rounds of a watch: their pace, failures, warnings, and their end."""

from contextlib import aclosing
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from anyio import current_time
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox, page_calls
from support.walks import watch_rounds

from kiwoom_async import (
    Change,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    WalkComplete,
    WalkFinished,
)
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


async def test_a_failed_walk_is_reported_and_the_others_continue():
    sandbox = limited_sandbox(Fault("code", code="1999", call=5, times=1))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watch_rounds(kiwoom, SIX_QUERIES, rounds=2)
    outcomes = [item for item in items if not isinstance(item, Change)]
    (failure,) = (outcome for outcome in outcomes if isinstance(outcome, Failure))
    assert outcomes.index(failure) == 1
    assert (failure.query, failure.cursor.page, failure.error.page) == (SIX_QUERIES[1], 2, 1)
    assert [outcome.query for outcome in outcomes] == SIX_QUERIES * 2


async def test_rounds_back_off_during_an_outage_and_resume_after_it():
    outage = 12
    sandbox = limited_sandbox(Fault("server_error", times=outage))
    failed_at = []
    async with (
        KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom,
        aclosing(kiwoom.watch([QUERY])) as watch,
    ):
        async for item in watch:
            if isinstance(item, Failure):
                failed_at.append(current_time())
            if isinstance(item, WalkComplete):
                break
        complete_at = current_time()
    pauses = [round(after - before) for before, after in pairwise(failed_at)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]
    assert complete_at - failed_at[-1] < 31


async def test_hours_of_maintenance_do_not_end_a_watch():
    """1,200 failed rounds take about ten hours."""
    sandbox = limited_sandbox(Fault("maintenance_html", times=1200))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watch_rounds(kiwoom, [QUERY], rounds=1201)
    assert isinstance(items[-1], WalkComplete)
    assert current_time() > 8 * 3600


async def test_rounds_begin_at_intervals_of_every():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await watch_rounds(kiwoom, [QUERY], rounds=4, every=30)
    firsts = [arrival.time for arrival in page_calls(sandbox) if not arrival.next_key]
    assert [round(after - before) for before, after in pairwise(firsts)] == [30, 30, 30]


async def test_an_every_that_is_too_short_is_warned_about_once():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.warns(
            UserWarning, match=r"every: 2 s is shorter .*18 calls, about 4 s"
        ) as warned:
            await watch_rounds(kiwoom, SIX_QUERIES, rounds=4, every=2)
    assert len(warned) == 1
    # The warning names the file that iterates the watch.
    assert warned[0].filename == watch_rounds.__code__.co_filename


async def test_an_every_that_becomes_too_short_later_is_warned_about():
    sandbox = limited_sandbox(Fault("rate_limit", call=4), kospi_stocks=120)
    sandbox.requests_per_second = 1
    with pytest.warns(UserWarning, match="every: 2 s is shorter .*3 calls, about 3 s") as warned:
        async with KiwoomClient.sandbox(sandbox, requests_per_second=5) as kiwoom:
            await watch_rounds(kiwoom, [QUERY], rounds=4, every=2)
    assert len(warned) == 1


async def test_an_every_that_is_too_short_is_warned_about_even_if_a_query_fails():
    sandbox = limited_sandbox(
        *(Fault("code", code="1999", call=call) for call in range(7, 300, 16))
    )
    with pytest.warns(UserWarning, match="every: 2 s is shorter") as warned:
        async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
            items = await watch_rounds(kiwoom, SIX_QUERIES, rounds=3, every=2)
    assert any(isinstance(item, Failure) for item in items)
    assert len(warned) == 1


async def test_a_watch_uses_the_limit_and_never_exceeds_it():
    sandbox = Sandbox(latency_seconds=0.046)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await watch_rounds(kiwoom, SIX_QUERIES[::3], rounds=3)
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert len(times) == 3 * 111
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * (len(times) - 1) / 5


async def test_an_interactive_call_waits_for_two_slots_at_most():
    sandbox = limited_sandbox()
    waited = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        group.start_soon(watch_rounds, kiwoom, SIX_QUERIES, 1000)
        for _ in range(20):
            await anyio.sleep(0.7)
            began = current_time()
            await kiwoom.page(QUERY)
            waited.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waited) <= 2 * 1.045 / 5 + 0.001


async def test_anext_with_a_timeout_loses_no_item():
    """The rounds are the same as without timeouts."""
    sandbox = limited_sandbox(latency_seconds=0.046, trades_per_second=20)
    items, timeouts = [], 0
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        watch = kiwoom.watch([QUERY], every=2)
        while len([item for item in items if isinstance(item, WalkComplete)]) < 4:
            with anyio.move_on_after(0.06) as scope:
                items.append(await anext(watch))
            timeouts += scope.cancelled_caught
    assert timeouts > 50
    last = {}
    for item in items:
        if isinstance(item, Change):
            assert item.earlier == last.get(item.later.symbol)
            last[item.later.symbol] = item.later
    assert len(last) == 120
    assert [item.number for item in items if isinstance(item, WalkComplete)] == [1, 2, 3, 4]


async def test_a_second_task_cannot_wait_for_the_same_watch():
    slow = limited_sandbox(latency_seconds=0.05)
    async with KiwoomClient.sandbox(slow) as kiwoom, anyio.create_task_group() as group:
        watch = kiwoom.watch([QUERY])
        group.start_soon(anext, watch)
        await anyio.sleep(0.01)
        with pytest.raises(RuntimeError, match="another task is waiting"):
            await anext(watch)


async def test_a_closed_watch_finishes_its_walk_and_yields_nothing_more():
    events = []
    async with KiwoomClient.sandbox(limited_sandbox(), on_event=events.append) as kiwoom:
        async for _ in kiwoom.watch([QUERY]):
            break
        watch = kiwoom.watch([QUERY])
        async for _ in watch:
            break
        await watch.aclose()
        await watch.aclose()
        assert [item async for item in watch] == []
        await kiwoom.page(QUERY)
    (finished,) = (event for event in events if isinstance(event, WalkFinished))
    assert (finished.complete, finished.error, finished.pages) == (False, None, 1)


async def test_closing_the_client_ends_a_watch_between_two_rounds():
    kiwoom = KiwoomClient.sandbox(
        limited_sandbox(requests_per_second=None), requests_per_second=1000
    )
    async with anyio.create_task_group() as group:

        async def bot():
            with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
                async for _ in kiwoom.watch([QUERY], every=3600):
                    pass

        group.start_soon(bot)
        await anyio.sleep(60)
        await kiwoom.aclose()
        assert current_time() < 61


async def test_closing_the_client_ends_a_watch():
    kiwoom = KiwoomClient.sandbox(limited_sandbox())
    watch = kiwoom.watch([QUERY])
    assert isinstance(await anext(watch), Change)
    await kiwoom.aclose()

    async def consume():
        async for _ in watch:
            pass

    with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
        await consume()


@pytest.mark.parametrize(
    ("queries", "options", "message"),
    [
        ([], {}, "queries: got none"),
        (QUERY, {}, "expected an iterable of queries"),
        ([QUERY, QUERY], {}, "comes twice"),
        (["005930"], {}, "no query"),
        ([ProgramTradeQuery("2126-01-04", Market.KOSPI, Exchange.KRX)], {}, "has not come yet"),
        ([QUERY], {"every": -1}, "every: got -1"),
        ([QUERY], {"every": "30"}, "every: got '30'"),
        ([QUERY], {"every": True}, "every: got True"),
        ([QUERY], {"every": None}, "every: got None"),
    ],
)
async def test_invalid_arguments_are_refused(queries, options, message):
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.watch(queries, **options)
    assert not sandbox.arrivals
