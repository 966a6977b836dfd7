"""How a merge ends early: by errors, by leaving it, by cancellation."""

import asyncio
import operator
from collections import Counter
from datetime import date

import anyio
import pytest
from support.exchange import SIX_QUERIES, limited_sandbox, page_calls, stock_codes, weekday_queries
from support.tasks import count_tasks

from kiwoom_async import (
    BlockedError,
    Cursor,
    Exchange,
    Failure,
    KiwoomClient,
    KiwoomError,
    Market,
    PageDelivered,
    ProgramTradeQuery,
)
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_the_first_failing_query_ends_a_merge_with_its_error():
    sandbox = limited_sandbox(Fault("firewall", call=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(BlockedError) as caught:  # noqa: PT012
            async with kiwoom.merge(SIX_QUERIES) as pages:
                async for _ in pages:
                    pass
        assert caught.value.query in SIX_QUERIES
        assert isinstance(caught.value.cursor, Cursor)
        assert len(page_calls(sandbox)) < 12
        await kiwoom.page(SIX_QUERIES[0])


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_the_first_of_several_errors_is_raised(concurrency):
    future = [
        ProgramTradeQuery(date(2999, 1, day), Market.KOSPI, Exchange.KRX) for day in (1, 2, 3)
    ]
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):  # noqa: PT012
            async with kiwoom.merge(
                iter([*future, *SIX_QUERIES]), concurrency=concurrency
            ) as pages:
                async for _ in pages:
                    pass


@pytest.mark.parametrize("body", ["inner call", "own error", "after closing"])
async def test_one_error_is_raised_when_several_happen_at_the_same_time(body):
    """The caller's own error comes first, and names the other in a note."""
    kiwoom = KiwoomClient.sandbox(limited_sandbox(latency_seconds=0.05, requests_per_second=1))

    async def close_later():
        await anyio.sleep(0.22)
        await kiwoom.aclose()

    async def work():
        async with kiwoom.merge(SIX_QUERIES) as pages:
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
            group.start_soon(close_later)
        with pytest.raises(expected):
            await work()


async def test_delivered_failures_resume_exactly():
    sandbox = limited_sandbox(Fault("firewall", call=5), Fault("code", code="1634", call=9))
    found = {query: [] for query in SIX_QUERIES}
    failures = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(SIX_QUERIES, on_error="deliver") as items:
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
    assert found == {query: stock_codes(sandbox, query) for query in SIX_QUERIES}


async def test_failures_are_delivered_among_rows_too():
    sandbox = limited_sandbox(Fault("firewall", call=2))
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(SIX_QUERIES[:2], on_error="deliver") as items,
    ):
        kinds = Counter([type(item).__name__ async for item in items.rows()])
    assert kinds["Failure"] == 1
    assert kinds["ProgramTrade"] >= 120


async def test_a_merge_resumes_failed_walks():
    sandbox = limited_sandbox(Fault("firewall", call=3), Fault("firewall", call=8))
    found = Counter()
    failures = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(SIX_QUERIES, on_error="deliver") as pages:
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


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_an_error_of_the_iterable_is_raised_after_the_walks_have_ended(concurrency):
    """The iterable fails while the walks have ended and wait for more queries."""

    async def queries():
        yield SIX_QUERIES[0]
        await anyio.sleep(30)
        raise OSError("the database is gone")

    reached = []
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(OSError, match="database is gone"):  # noqa: PT012
            async with kiwoom.merge(queries(), concurrency=concurrency) as pages:
                async for _ in pages:
                    pass
                reached.append("the end")
    assert reached == []


async def test_an_exception_group_of_the_caller_is_not_unwrapped():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        mine = ExceptionGroup("mine", [KeyError("a"), ValueError("b")])
        with pytest.raises(ExceptionGroup) as caught:
            async with kiwoom.merge(SIX_QUERIES):
                raise mine
        # trio raises a copy of the group, with the same members.
        assert caught.value.message == "mine"
        assert all(map(operator.is_, caught.value.exceptions, mine.exceptions))


@pytest.mark.parametrize("how", ["break", "raise", "timeout"])
async def test_leaving_a_merge_ends_its_tasks_and_calls(how):
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        before = count_tasks()
        if how == "break":
            async with kiwoom.merge(SIX_QUERIES) as pages:
                async for _ in pages:
                    break
        elif how == "raise":
            with pytest.raises(KeyError, match="mine") as caught:  # noqa: PT012
                async with kiwoom.merge(SIX_QUERIES) as pages:
                    async for _ in pages:
                        raise KeyError("mine")
            assert caught.value.__context__ is None
        else:
            with pytest.raises(TimeoutError):  # noqa: PT012
                with anyio.fail_after(1.0):
                    async with kiwoom.merge(SIX_QUERIES) as pages:
                        async for _ in pages:
                            pass
        assert count_tasks() == before
        calls = len(sandbox.arrivals)
        await anyio.sleep(10)
        assert len(sandbox.arrivals) == calls
        await kiwoom.page(SIX_QUERIES[0])


async def merge_six_queries(kiwoom):
    async with kiwoom.merge(SIX_QUERIES, concurrency=3) as pages:
        async for _ in pages:
            pass


@pytest.mark.parametrize("step", range(40))
async def test_a_client_works_after_a_merge_was_cancelled_at_any_moment(step, anyio_backend):
    """By a scope on both loops and by Task.cancel on asyncio, during slots, requests and waits."""
    sandbox = limited_sandbox(latency_seconds=0.046)
    after = 0.009 * step
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        before = count_tasks()
        with anyio.move_on_after(after):
            await merge_six_queries(kiwoom)
        if anyio_backend[0] == "asyncio":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(merge_six_queries(kiwoom), after + 0.001)
            task = asyncio.ensure_future(merge_six_queries(kiwoom))
            for _ in range(step):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert count_tasks() == before
        began = anyio.current_time()
        pages = [page async for page in kiwoom.pages(SIX_QUERIES[0])]
        # No slot was lost: three calls wait for two intervals and the rest of the last slot.
        assert anyio.current_time() - began < 4 * 0.209 + 3 * 0.046
    assert [page.number for page in pages] == [1, 2, 3]
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]


@pytest.mark.parametrize("how", ["left", "failed"])
async def test_a_reader_in_another_task_gets_an_error_when_the_merge_ends_early(how):
    sandbox = limited_sandbox(*[Fault("firewall", call=4)] if how == "failed" else [])
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
        kiwoom.merge(SIX_QUERIES) as pages,
    ):
        group.start_soon(read, pages)
        await anyio.sleep(1)
    assert [type(error) for error in ended] == [BlockedError if how == "failed" else RuntimeError]


async def test_anext_raises_after_an_incomplete_merge_has_ended():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        async with kiwoom.merge(SIX_QUERIES) as pages:
            await anext(pages)
        with pytest.raises(RuntimeError, match="ended before its walks were complete"):
            await anext(pages)


async def test_pages_that_wait_are_taken_at_once_and_not_given_again():
    sandbox = limited_sandbox()
    found = {query: [] for query in SIX_QUERIES}
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(SIX_QUERIES, concurrency=4) as pages,
    ):
        assert pages.take_waiting() == []
        first = await anext(pages)
        await anyio.sleep(60)
        # One beside those of the four walks, which go on now.
        waiting = pages.take_waiting()
        assert len(waiting) == 5
        assert pages.take_waiting() == []
        for page in [first, *waiting, *[page async for page in pages]]:
            found[page.query] += [row.symbol for row in page.rows]
    assert found == {query: stock_codes(sandbox, query) for query in SIX_QUERIES}
    assert pages.take_waiting() == []


@pytest.mark.parametrize("on_error", ["raise", "deliver"])
async def test_all_of_a_merge_may_be_taken_without_waiting(on_error):
    """The second page of one of three walks is refused."""
    sandbox = limited_sandbox(Fault("firewall", call=4))
    taken = []
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(SIX_QUERIES[:3], on_error=on_error) as items,
    ):
        for _ in range(9):
            await anyio.sleep(10)
            taken += items.take_waiting()
        failures = [item for item in taken if isinstance(item, Failure)]
        with pytest.raises(BlockedError if on_error == "raise" else StopAsyncIteration):
            await anext(items)
    assert len(failures) == (on_error == "deliver")
    numbers = Counter(item.query for item in taken if not isinstance(item, Failure))
    assert sorted(numbers.values()) == [1, 3, 3]


async def test_a_merge_whose_last_page_is_taken_after_its_block_is_complete():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        async with kiwoom.merge(SIX_QUERIES[:1]) as pages:
            given = [await anext(pages), await anext(pages)]
            await anyio.sleep(10)
        with pytest.raises(RuntimeError, match="ended before its walks were complete"):
            await anext(pages)
        given += pages.take_waiting()
        with pytest.raises(StopAsyncIteration):
            await anext(pages)
    assert [page.number for page in given] == [1, 2, 3]


async def test_a_failure_is_raised_by_every_reader_of_a_merge():
    ended = []

    async def read(pages):
        try:
            async for _ in pages:
                pass
        except BlockedError as error:
            ended.append(error)

    sandbox = limited_sandbox(Fault("firewall", call=3))
    async with (
        KiwoomClient.sandbox(sandbox) as kiwoom,
        kiwoom.merge(SIX_QUERIES[:2]) as pages,
        anyio.create_task_group() as group,
    ):
        for _ in range(5):
            group.start_soon(read, pages)
    assert len(ended) == 5
    assert len(set(map(id, ended))) == 1


async def test_every_page_that_came_is_taken_when_a_merge_is_cancelled():
    delivered, taken = [], []

    def on_event(event):
        if isinstance(event, PageDelivered):
            delivered.append((event.query, event.number))
            if len(delivered) == 5:
                scope.cancel()

    async with KiwoomClient.sandbox(limited_sandbox(), on_event=on_event) as kiwoom:
        with anyio.CancelScope() as scope:
            async with kiwoom.merge(SIX_QUERIES) as pages:
                async for page in pages:
                    taken.append((page.query, page.number))  # noqa: PERF401
        taken += [(page.query, page.number) for page in pages.take_waiting()]
        with pytest.raises(RuntimeError, match="ended before its walks were complete"):
            await anext(pages)
    assert len(taken) >= 5
    assert Counter(taken) == Counter(delivered)


async def test_a_generator_of_queries_is_closed_with_the_merge():
    closed = []

    async def queries():
        try:
            for query in weekday_queries(100):
                yield query
        finally:
            closed.append(True)

    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom, kiwoom.merge(queries()) as pages:
        await anext(pages)
    assert closed == [True]
