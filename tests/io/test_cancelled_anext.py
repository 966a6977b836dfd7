"""A timeout around `anext` loses nothing: the next `anext` goes on."""

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest
from support.canned import CannedPages, row
from support.exchange import small_sandbox

from kiwoom_async import (
    Change,
    Exchange,
    KiwoomClient,
    Market,
    PageDelivered,
    ProgramTradeQuery,
    WalkFinished,
)
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)


async def patiently(walk, seconds):
    """Return every item of a walk, each waited for `seconds` at a time, and the timeouts."""
    items, timeouts = [], 0
    while True:
        with anyio.move_on_after(seconds) as scope:
            try:
                items.append(await anext(walk))
            except StopAsyncIteration:
                return items, timeouts
        timeouts += scope.cancelled_caught


@pytest.mark.parametrize("call", [1, 2, 3])
async def test_rows_and_pages_go_on_after_a_timeout(call):
    sandbox = small_sandbox(Fault("slow", call=call, seconds=1.3))
    truth = [row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")]
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        rows, timeouts = await patiently(kiwoom.rows(QUERY), 0.5)
        assert timeouts >= 1
        assert [trade.symbol for trade in rows] == truth
    sandbox = small_sandbox(Fault("slow", call=call, seconds=1.3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        pages, timeouts = await patiently(kiwoom.pages(QUERY), 0.5)
        assert timeouts >= 1
        assert [trade.symbol for page in pages for trade in page.rows] == truth


@pytest.mark.parametrize("call", [2, 3, 4])
async def test_a_merge_and_a_watch_go_on_after_a_timeout(call):
    queries = [QUERY, ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)]

    def exchange():
        return small_sandbox(Fault("slow", call=call, seconds=1.3))

    async with KiwoomClient.sandbox(exchange()) as kiwoom, kiwoom.merge(queries) as pages:
        rows, timeouts = await patiently(pages.rows(), 0.5)
    assert timeouts >= 1
    assert len({(trade.date, trade.symbol) for trade in rows}) == len(rows) == 240
    async with KiwoomClient.sandbox(exchange()) as kiwoom:
        watch, changes, timeouts = kiwoom.watch(queries), [], 0
        while len(changes) < 240:
            with anyio.move_on_after(0.5) as scope:
                item = await anext(watch)
                changes += [item] if isinstance(item, Change) else []
            timeouts += scope.cancelled_caught
    assert timeouts >= 1
    assert len({(item.later.date, item.later.symbol) for item in changes}) == 240


async def test_walks_say_where_they_stand():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        pages = kiwoom.pages(QUERY)
        assert pages.cursor.page == 1
        first = await anext(pages)
        assert pages.cursor == first.next
        rows = kiwoom.rows(QUERY)
        for number in range(51):
            await anext(rows)
            # The page of the row that came last: what is behind it on that page is not lost.
            assert rows.cursor.page == (1 if number < 50 else 2)
        again = [trade async for trade in kiwoom.rows(QUERY, start=rows.cursor)]
        assert len(again) == 70
        assert [page async for page in pages][-1].next is None
        assert pages.cursor is None


async def test_walks_are_async_generators_to_every_consumer():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        for make in (kiwoom.rows, kiwoom.pages):
            assert isinstance(make(QUERY), AsyncGenerator)
            async with aclosing(make(QUERY)) as walk:
                await walk.asend(None)
            with pytest.raises(StopAsyncIteration):
                await anext(walk)
            thrown = make(QUERY)
            await anext(thrown)
            with pytest.raises(KeyError):
                await thrown.athrow(KeyError("mine"))
            with pytest.raises(StopAsyncIteration):
                await anext(thrown)
            unbegun = make(QUERY)
            await unbegun.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(unbegun)


async def test_a_walk_left_by_a_break_warns_of_nothing_and_is_reported():
    events = []
    async with KiwoomClient.sandbox(small_sandbox(), on_event=events.append) as kiwoom:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async for _ in kiwoom.rows(QUERY):
                break
            gc.collect()
            await anyio.lowlevel.checkpoint()
    (finished,) = [event for event in events if isinstance(event, WalkFinished)]
    assert (finished.pages, finished.complete, finished.error) == (1, False, None)


async def test_only_one_task_waits_for_a_walk_at_a_time():
    async with KiwoomClient.sandbox(small_sandbox(Fault("slow", seconds=1.0))) as kiwoom:
        walk = kiwoom.pages(QUERY)
        async with anyio.create_task_group() as group:
            group.start_soon(anext, walk)
            await anyio.sleep(0.1)
            with pytest.raises(RuntimeError, match="another task is waiting"):
                await anext(walk)


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
@pytest.mark.parametrize("page", range(1, 7))
@pytest.mark.parametrize("turns", range(1, 5))
async def test_a_merge_loses_nothing_to_a_task_that_is_cancelled(page, turns):
    """Between the hand-over of a page and the moment its reader wakes up, too."""

    class Slow(CannedPages):
        async def handle_async_request(self, request):
            await anyio.sleep(0.02)
            return await super().handle_async_request(request)

    def cancel(left):
        if left:
            asyncio.get_running_loop().call_soon(cancel, left - 1)
        else:
            waiting.cancel()

    def on_event(event):
        if isinstance(event, PageDelivered) and event.number == page:
            cancel(turns)

    chain = {"": ([row(1)], "K1"), **{f"K{n}": ([row(n + 1)], f"K{n + 1}") for n in range(1, 6)}}
    transport = Slow(chain | {"K5": ([row(6)], "")})
    async with (
        KiwoomClient(
            "app-key", "secret-key", transport=transport, requests_per_second=1000,
            on_event=on_event,
        ) as kiwoom,
        kiwoom.merge([QUERY]) as pages,
    ):  # fmt: skip
        rows, came = pages.rows(), []
        while True:
            waiting = asyncio.ensure_future(anext(rows))
            try:
                came.append((await waiting).symbol)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                break
    assert came == [f"{number:06}" for number in range(1, 7)]
