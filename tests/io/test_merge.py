"""Fan-out: many queries under one pace, in order within each, bare errors, nothing left behind."""

import asyncio
import math
import operator
from collections import Counter
from datetime import date, timedelta

import anyio
import pytest
import trio

from kiwoom_async import (
    BlockedError,
    ContinuationError,
    Cursor,
    Exchange,
    Failure,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
)
from kiwoom_async._protocol.convert import request_body
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

DAY = date(2026, 11, 20)
SIX = [ProgramTradeQuery(DAY, market, venue) for market in Market for venue in Exchange]


def small(*faults, **options):
    """Six queries are 3 pages each."""
    defaults = {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))


def truth(sandbox, query):
    body = request_body(query)
    return [row["stk_cd"] for row in sandbox.rows(*body.values())]


def days(how_many):
    """So many queries, one for each weekday back from DAY."""
    day, found = DAY, 0
    while found < how_many:
        if day.weekday() < 5:
            found += 1
            yield ProgramTradeQuery(day, Market.KOSPI, Exchange.KRX)
        day -= timedelta(days=1)


def tasks_alive():
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living


def data_calls(sandbox):
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "ka90004"]


async def test_six_queries_bring_every_row_once_in_order():
    sandbox = small()
    found = {query: [] for query in SIX}
    numbers = {query: [] for query in SIX}
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX) as pages:
        async for page in pages:
            found[page.query] += [row.symbol for row in page.rows]
            numbers[page.query].append(page.number)
    assert found == {query: truth(sandbox, query) for query in SIX}
    assert set(map(tuple, numbers.values())) == {(1, 2, 3)}


async def test_rows_of_a_merge_say_whose_they_are():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX) as pages:
        rows = [row async for row in pages.rows()]
    for query in SIX:
        mine = [
            row.symbol
            for row in rows
            if (row.market, row.exchange) == (query.market, query.exchange)
        ]
        assert mine == truth(sandbox, query)


async def test_a_merge_keeps_the_pace_and_is_fair():
    """Judged by the sliding window of the server: no 429, 1.06 times the ideal at the most."""
    sandbox = Sandbox(latency_seconds=0.046)
    progress, shares = Counter(), []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX) as pages:
        async for page in pages:
            progress[page.query] += 1
            # While all are running: the shortest walks have 50 pages.
            if len(progress) == 6 and max(progress.values()) < 50:
                shares.append((min(progress.values()), max(progress.values())))
    times = [arrival.time for arrival in data_calls(sandbox)]
    assert len(times) == 3 * (50 + 61)
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * (len(times) - 1) / 5
    assert all(most - least <= 1 for least, most in shares)


async def test_ten_thousand_queries_start_a_handful_of_tasks():
    sandbox = small()
    before = tasks_alive()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        began = anyio.current_time()
        async with kiwoom.merge(days(10_000)) as pages:
            page = await anext(pages)
            assert anyio.current_time() - began < 1.0
            assert tasks_alive() - before < 20
            async for page in pages:
                if page.number == 3:
                    break
    assert len(data_calls(sandbox)) < 40


async def test_a_slow_consumer_bounds_what_is_fetched():
    sandbox = small()
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(days(100), concurrency=4) as pages,
    ):
        await anext(pages)
        await anyio.sleep(60)
        # One given, one in the buffer, one in the hands of each walk.
        assert len(data_calls(sandbox)) == 1 + 1 + 4


async def test_queries_may_be_an_async_iterable_and_its_errors_are_bare():
    async def some():
        for query in days(2):
            await anyio.sleep(0.5)
            yield query
        raise LookupError("the caller's")

    sandbox = small()
    numbers = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(LookupError, match="the caller's"):  # noqa: PT012
            async with kiwoom.merge(some()) as pages:
                async for page in pages:
                    numbers.append(page.number)  # noqa: PERF401
    assert numbers


# ---- failing


async def test_the_first_failing_query_ends_a_merge_with_its_bare_error():
    sandbox = small(Fault("firewall", call=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(BlockedError) as caught:  # noqa: PT012
            async with kiwoom.merge(SIX) as pages:
                async for _ in pages:
                    pass
        assert caught.value.query in SIX
        assert isinstance(caught.value.cursor, Cursor)
        assert len(data_calls(sandbox)) < 12
        await kiwoom.page(SIX[0])


async def test_failures_may_be_delivered_and_resumed():
    sandbox = small(Fault("firewall", call=5), Fault("code", code="1634", call=9))
    found = {query: [] for query in SIX}
    failures = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(SIX, on_error="deliver") as items:
            async for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    found[item.query] += [row.symbol for row in item.rows]
        assert len(failures) == 2
        assert all(isinstance(failure.error, KiwoomError) for failure in failures)
        for failure in failures:
            async for page in kiwoom.pages(failure.query, start=failure.cursor):
                found[page.query] += [row.symbol for row in page.rows]
    assert found == {query: truth(sandbox, query) for query in SIX}


async def test_failures_come_among_the_rows_too():
    sandbox = small(Fault("firewall", call=2))
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(SIX[:2], on_error="deliver") as items,
    ):
        kinds = Counter([type(item).__name__ async for item in items.rows()])
    assert kinds["Failure"] == 1
    assert kinds["ProgramTrade"] >= 120


@pytest.mark.parametrize("how", ["break", "raise", "timeout"])
async def test_leaving_a_merge_leaves_nothing_behind(how):
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        before = tasks_alive()
        if how == "break":
            async with kiwoom.merge(SIX) as pages:
                async for _ in pages:
                    break
        elif how == "raise":
            with pytest.raises(KeyError, match="mine") as caught:  # noqa: PT012
                async with kiwoom.merge(SIX) as pages:
                    async for _ in pages:
                        raise KeyError("mine")
            assert caught.value.__context__ is None
        else:
            with pytest.raises(TimeoutError):  # noqa: PT012
                with anyio.fail_after(1.0):
                    async with kiwoom.merge(SIX) as pages:
                        async for _ in pages:
                            pass
        assert tasks_alive() == before
        calls = len(sandbox.arrivals)
        await anyio.sleep(10)
        assert len(sandbox.arrivals) == calls
        await kiwoom.page(SIX[0])


async def test_a_group_that_the_caller_raises_stays_the_caller_s():
    async with KiwoomClient.sandbox(small()) as kiwoom:
        mine = ExceptionGroup("mine", [KeyError("a"), ValueError("b")])
        with pytest.raises(ExceptionGroup) as caught:
            async with kiwoom.merge(SIX):
                raise mine
        # trio hands on a copy of the group, with the very same members.
        assert caught.value.message == "mine"
        assert all(map(operator.is_, caught.value.exceptions, mine.exceptions))


async def _merge_all(kiwoom):
    async with kiwoom.merge(SIX, concurrency=3) as pages:
        async for _ in pages:
            pass


@pytest.mark.parametrize("step", range(40))
async def test_cancelling_at_any_moment_leaves_the_client_whole(step, anyio_backend):
    """By scope on both loops and natively on asyncio; in steps that hit slots, sends, waits."""
    sandbox = small(latency_seconds=0.046)
    after = 0.009 * step
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        before = tasks_alive()
        with anyio.move_on_after(after):
            await _merge_all(kiwoom)
        if anyio_backend[0] == "asyncio":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_merge_all(kiwoom), after + 0.001)
            task = asyncio.ensure_future(_merge_all(kiwoom))
            for _ in range(step):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert tasks_alive() == before
        began = anyio.current_time()
        pages = [page async for page in kiwoom.pages(SIX[0])]
        # No slot was lost: three calls take two intervals and what the last slot left.
        assert anyio.current_time() - began < 4 * 0.209 + 3 * 0.046
    assert [page.number for page in pages] == [1, 2, 3]
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_queries_that_fail_do_not_end_the_loop_normally(concurrency):
    """The walks are done and wait for more queries: their iterable fails just then."""

    async def some():
        yield SIX[0]
        await anyio.sleep(30)
        raise OSError("the database is gone")

    reached = []
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(OSError, match="database is gone"):  # noqa: PT012
            async with kiwoom.merge(some(), concurrency=concurrency) as pages:
                async for _ in pages:
                    pass
                reached.append("the end")
    assert reached == []


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_many_errors_at_once_come_out_as_the_first_of_them(concurrency):
    future = [
        ProgramTradeQuery(date(2999, 1, day), Market.KOSPI, Exchange.KRX) for day in (1, 2, 3)
    ]
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):  # noqa: PT012
            async with kiwoom.merge(iter([*future, *SIX]), concurrency=concurrency) as pages:
                async for _ in pages:
                    pass


@pytest.mark.parametrize("how", ["left", "failed"])
async def test_a_reader_in_another_task_does_not_take_the_end_for_completion(how):
    sandbox = small(*[Fault("firewall", call=4)] if how == "failed" else [])
    ended = []

    async def read(pages):
        try:
            async for _ in pages:
                pass
        except (RuntimeError, BlockedError) as error:
            ended.append(error)

    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        anyio.create_task_group() as group,
        kiwoom.merge(SIX) as pages,
    ):
        group.start_soon(read, pages)
        await anyio.sleep(1)
    assert [type(error) for error in ended] == [BlockedError if how == "failed" else RuntimeError]


async def test_a_merge_that_is_over_says_so():
    async with KiwoomClient.sandbox(small()) as kiwoom:
        async with kiwoom.merge(SIX) as pages:
            await anext(pages)
        with pytest.raises(RuntimeError, match="ended before its walks were complete"):
            await anext(pages)


async def test_a_generator_of_queries_is_closed_with_the_merge():
    closed = []

    async def some():
        try:
            for query in days(100):
                yield query
        finally:
            closed.append(True)

    async with KiwoomClient.sandbox(small()) as kiwoom, kiwoom.merge(some()) as pages:
        await anext(pages)
    assert closed == [True]


# ---- priority


async def test_an_interactive_call_waits_for_two_slots_at_the_most():
    sandbox = Sandbox(latency_seconds=0.046)
    waits = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(days(100)) as pages:

        async def bulk():
            async for _ in pages:
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(bulk)
            await anyio.sleep(3)
            for number in range(12):
                await anyio.sleep(1 + number * 0.017)
                began = anyio.current_time()
                await kiwoom.page(SIX[1])
                waits.append(anyio.current_time() - began)
            group.cancel_scope.cancel()
    assert max(waits) <= 2 * 0.209 + 0.046 + 0.001


async def test_interactive_calls_do_not_starve_a_merge():
    sandbox = Sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(days(20)) as pages:

        async def insist():
            while True:
                await kiwoom.page(SIX[1])

        brought = 0
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(insist)
            with anyio.move_on_after(20):
                async for _ in pages:
                    brought += 1
            group.cancel_scope.cancel()
    # Some 95 slots among three callers and one merge.
    assert brought >= 15


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency: got 0; expected a whole number from 1"),
        ({"concurrency": math.inf}, "concurrency: got inf"),
        ({"on_error": "ignore"}, "on_error: got 'ignore'; allowed are 'raise', 'deliver'"),
    ],
)
async def test_bad_options_are_refused(options, message):
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.merge(SIX, **options)


async def test_a_query_that_comes_twice_is_refused():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="queries: 2026-11-20 KOSPI KRX comes twice"):
            kiwoom.merge([*SIX, SIX[0]])
        assert not sandbox.arrivals
        with pytest.raises(ValueError, match="comes twice"):  # noqa: PT012
            async with kiwoom.merge(iter([SIX[0], SIX[0]])) as pages:
                async for _ in pages:
                    pass


@pytest.mark.parametrize("queries", [SIX[0], "ab", None, [SIX[0], None], ["x"]])
async def test_what_is_no_query_is_refused_at_once(queries):
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="queries: got"):
            kiwoom.merge(queries)
    assert not sandbox.arrivals


async def test_a_day_that_has_not_come_is_refused_at_once():
    future = ProgramTradeQuery("2999-12-31", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):
            kiwoom.merge([SIX[0], future], on_error="deliver")


async def test_no_queries_are_an_empty_merge():
    async with KiwoomClient.sandbox(small()) as kiwoom, kiwoom.merge([]) as pages:
        assert [page async for page in pages] == []


@pytest.mark.parametrize("body", ["inner call", "own error", "after closing"])
async def test_one_error_comes_out_bare_whatever_else_fails_at_the_same_time(body):
    """The caller's own goes first, and names the other in a note."""
    kiwoom = KiwoomClient.sandbox(small(latency_seconds=0.05))

    async def closer():
        await anyio.sleep(0.22)
        await kiwoom.aclose()

    async def work():
        async with kiwoom.merge(SIX) as pages:
            async for page in pages:
                if body == "after closing":
                    await kiwoom.aclose()
                    raise KeyError("mine")
                try:
                    await kiwoom.page(page.query)
                except RuntimeError:
                    if body == "own error":
                        raise KeyError("mine") from None
                    raise

    expected = RuntimeError if body == "inner call" else KeyError
    async with anyio.create_task_group() as group:
        if body != "after closing":
            group.start_soon(closer)
        with pytest.raises(expected):
            await work()


async def test_a_merge_goes_on_where_walks_were_left():
    sandbox = small(Fault("firewall", call=3), Fault("firewall", call=8))
    found = Counter()
    failures = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(SIX, on_error="deliver") as pages:
            async for item in pages:
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    found.update((item.query, row.symbol) for row in item.rows)
        assert len(failures) == 2
        start = {failure.query: failure.cursor for failure in failures}
        async with kiwoom.merge(start, start=start) as pages:
            async for page in pages:
                found.update((page.query, row.symbol) for row in page.rows)
    assert set(found.values()) == {1}
    assert len(found) == 3 * (120 + 70)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (None, "start: got None; expected a mapping"),
        ([SIX[0]], "expected a mapping of queries to cursors"),
        ({"x": first_cursor(SIX[0])}, "which is no query"),
        ({SIX[0]: "k1.abc"}, "cursor: got 'k1.abc'"),
        ({SIX[0]: first_cursor(SIX[0])}, "is not among the queries"),
    ],
)
async def test_a_bad_start_is_refused_at_once(start, message):
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.merge(SIX[1:], start=start)


async def test_a_start_of_another_query_is_refused_at_once():
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.raises(ContinuationError, match="belongs to another query"):
            kiwoom.merge(SIX, start={SIX[0]: first_cursor(SIX[1])})


async def test_a_start_that_a_lazy_iterable_never_brings_ends_the_merge():
    async with KiwoomClient.sandbox(small()) as kiwoom:

        async def walk():
            async with kiwoom.merge(iter(SIX[1:]), start={SIX[0]: first_cursor(SIX[0])}) as pages:
                async for _ in pages:
                    pass

        with pytest.raises(ValueError, match="is not among the queries"):
            await walk()
