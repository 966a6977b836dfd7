"""Where and how long a client lives: notebooks, other loops, other task libraries, its end."""

import ast
import asyncio
import gc
import inspect
import sys

import anyio
import httpx
import pytest
import trio
from support.clock import VirtualTimeLoop
from support.servers import on_a_port

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    TransportTimeout,
)
from kiwoom_async.sandbox import Fault, Sandbox

DAY = "2026-11-20"
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
SIX = [ProgramTradeQuery(DAY, market, venue) for market in Market for venue in Exchange]
CLOSED = "this KiwoomClient is closed; make another one"


def small(*faults, **options):
    """KOSPI is 3 pages of 120 rows."""
    return Sandbox(faults=faults, kospi_stocks=120, kosdaq_stocks=70, **options)


# ---- its end


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fault",
    [
        None,  # waiting for a slot
        Fault("slow", call=2, seconds=10),  # waiting for an answer
        Fault("rate_limit", call=2, seconds=30),  # paused
        Fault("slow", api_id="au10001", seconds=10),  # waiting for the token
    ],
    ids=["slot", "answer", "pause", "token"],
)
@pytest.mark.parametrize("work", ["collect", "rows", "merge", "deliver", "watch"])
async def test_closing_ends_what_is_under_way_with_one_clear_error_at_once(fault, work):
    sandbox = small(*([fault] if fault else []))
    ended = []

    async def run(kiwoom):
        try:
            await WORK[work](kiwoom)
        except RuntimeError as error:
            ended.append((str(error), anyio.current_time()))

    async with anyio.create_task_group() as group:
        kiwoom = KiwoomClient.sandbox(sandbox)
        group.start_soon(run, kiwoom)
        await anyio.sleep(0.25)
        assert not ended
        await kiwoom.aclose()
        sent = len(sandbox.arrivals)
    assert ended == [(CLOSED, 0.25)]
    assert len(sandbox.arrivals) == sent


async def collect(kiwoom):
    await kiwoom.collect(QUERY)


async def rows(kiwoom):
    async for _ in kiwoom.rows(QUERY):
        pass


async def merge(kiwoom, **options):
    async with kiwoom.merge(SIX, **options) as pages:
        async for _ in pages:
            pass


async def deliver(kiwoom):
    await merge(kiwoom, on_error="deliver")


async def watch(kiwoom):
    async for _ in kiwoom.watch(SIX):
        pass


WORK = {"collect": collect, "rows": rows, "merge": merge, "deliver": deliver, "watch": watch}


@pytest.mark.anyio
async def test_a_hundred_tasks_all_hear_of_the_end():
    sandbox = small(latency_seconds=0.5)
    ended = []

    async def walk(kiwoom):
        with pytest.raises(RuntimeError, match=CLOSED):
            await collect(kiwoom)
        ended.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        kiwoom = KiwoomClient.sandbox(sandbox)
        for _ in range(100):
            group.start_soon(walk, kiwoom)
        await anyio.sleep(3)
        await kiwoom.aclose()
    assert ended == [3] * 100


@pytest.mark.anyio
async def test_leaving_the_client_s_block_is_closing_it():
    async with anyio.create_task_group() as group, KiwoomClient.sandbox(small()) as kiwoom:

        async def walk():
            with pytest.raises(RuntimeError, match=CLOSED):
                await collect(kiwoom)

        group.start_soon(walk)
        await anyio.sleep(0.3)


@pytest.mark.anyio
async def test_a_cancelled_program_still_closes_its_client():
    kiwoom = KiwoomClient.sandbox(small())
    with anyio.move_on_after(0.3):
        async with kiwoom:
            await collect(kiwoom)
    with pytest.raises(RuntimeError, match=CLOSED):
        await kiwoom.page(QUERY)


@pytest.mark.anyio
async def test_a_call_that_is_answered_at_the_moment_of_closing_keeps_its_answer():
    sandbox = small()
    pages = []
    kiwoom = KiwoomClient.sandbox(sandbox)
    pages.append(await kiwoom.page(QUERY))
    await kiwoom.aclose()
    assert [page.number for page in pages] == [1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_over_a_real_socket_leaves_no_connection_and_no_warning(backend):
    ended = []

    async def use(base_url):
        options = {"base_url": base_url, "requests_per_second": 1000}
        async with anyio.create_task_group() as group:
            kiwoom = KiwoomClient("app-key", "secret-key", **options)

            async def walk():
                with pytest.raises(RuntimeError, match=CLOSED):
                    await collect(kiwoom)
                ended.append(1)

            for _ in range(20):
                group.start_soon(walk)
            await anyio.sleep(0.6)
            await kiwoom.aclose()
        gc.collect()

    with on_a_port(small(requests_per_second=None, latency_seconds=0.25)) as base_url:
        anyio.run(use, base_url, backend=backend)
    assert len(ended) == 20


@pytest.mark.anyio
async def test_a_custom_transport_is_closed_in_a_cancelled_program():
    closed = []

    class Slow(httpx.ASGITransport):
        async def aclose(self):
            await anyio.sleep(0.1)
            closed.append("whole")

    transport = Slow(app=small())
    with anyio.move_on_after(0.3):
        async with KiwoomClient("a", "b", base_url="http://localhost", transport=transport) as one:
            await collect(one)
    assert closed == ["whole"]


# ---- where it lives


def test_a_second_event_loop_is_told_to_make_its_own_client():
    sandbox = small()
    kiwoom = KiwoomClient.sandbox(sandbox)

    async def use():
        return await kiwoom.page(QUERY)

    assert len(asyncio.run(use()).rows) == 50
    sent = len(sandbox.arrivals)
    for run in (lambda: asyncio.run(use()), lambda: trio.run(use)):
        with pytest.raises(RuntimeError, match=r"another event loop.* a client in each"):
            run()
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        asyncio.run(kiwoom.aclose())
    assert len(sandbox.arrivals) == sent


@pytest.mark.parametrize("second", ["asyncio", "trio"])
@pytest.mark.parametrize("how", ["aclose", "block"])
def test_a_stranger_s_loop_cannot_close_the_connections_of_the_first(second, how):
    """Over a real socket, in another thread, while the first loop is at work."""
    problems = []

    async def misuse(kiwoom):
        if how == "aclose":
            await kiwoom.aclose()
        else:
            async with kiwoom:
                await kiwoom.page(QUERY)

    def in_a_thread(kiwoom):
        try:
            anyio.run(misuse, kiwoom, backend=second)
        except RuntimeError as error:
            problems.append(str(error))

    async def owner(base_url):
        async with KiwoomClient("a", "b", base_url=base_url) as kiwoom:
            await kiwoom.page(QUERY)
            await asyncio.to_thread(in_a_thread, kiwoom)
            return await kiwoom.page(QUERY)

    with on_a_port(small(requests_per_second=None)) as base_url:
        assert len(asyncio.run(owner(base_url)).rows) == 50
    (problem,) = problems
    assert "belongs to another event loop" in problem


def test_a_client_made_in_a_loop_belongs_to_it():
    async def make():
        return KiwoomClient.sandbox(small())

    kiwoom = asyncio.run(make())
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        trio.run(kiwoom.page, QUERY)


def test_an_estimate_may_be_asked_for_anywhere():
    kiwoom = KiwoomClient.sandbox(small())
    assert kiwoom.estimate([QUERY]).calls == 50

    async def use():
        async with kiwoom, anyio.create_task_group() as group:
            for query in SIX[:3]:
                group.start_soon(kiwoom.collect, query)
        return kiwoom.estimate([QUERY]).calls

    assert trio.run(use, clock=trio.testing.MockClock(autojump_threshold=0)) == 3


def test_a_client_may_be_made_before_its_loop():
    kiwoom = KiwoomClient.sandbox(small())

    async def use():
        async with kiwoom:
            return await kiwoom.collect(QUERY)

    assert len(trio.run(use, clock=trio.testing.MockClock(autojump_threshold=0)).rows) == 120


def test_a_notebook_awaits_at_the_top_of_its_cells():
    """As IPython and `python -m asyncio` do: each cell a coroutine, all in one loop."""
    cells = [
        "from kiwoom_async import KiwoomClient, ProgramTradeQuery, Market, Exchange",
        "kiwoom = KiwoomClient.sandbox()",
        "query = ProgramTradeQuery('2026-11-20', Market.KOSPI, Exchange.KRX)",
        "walk = await kiwoom.collect(query)",
        "async for item in kiwoom.watch([query]):\n    break",
        "async with kiwoom.merge([query]) as pages:\n    first = await anext(pages)",
        "found = (len(walk.rows), first.number, type(item).__name__)",
        "await kiwoom.aclose()",
    ]
    names = {}

    async def notebook():
        for cell in cells:
            code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)  # noqa: S307
            if inspect.isawaitable(running):
                await running

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(notebook())
    assert names["found"] == (2472, 1, "Change")


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no Windows")
def test_uvloop_over_a_real_socket():
    import uvloop

    async def use(base_url):
        options = {"base_url": base_url, "requests_per_second": 500}
        async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
            assert len((await kiwoom.collect(QUERY)).rows) == 120
            async with kiwoom.merge(SIX) as pages:
                count = sum([len(page.rows) async for page in pages])
            walk = asyncio.create_task(kiwoom.collect(QUERY))
            await asyncio.sleep(0.002)
            walk.cancel()
            with pytest.raises(asyncio.CancelledError):
                await walk
            assert len((await kiwoom.page(QUERY)).rows) == 50
            return count

    sandbox = small(requests_per_second=None)
    with on_a_port(sandbox) as base_url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
        assert run.run(use(base_url)) == 3 * (120 + 70)


def test_asyncio_s_own_task_group_and_timeouts():
    async def use():
        sandbox = small(Fault("slow", call=8, seconds=60))
        async with KiwoomClient.sandbox(sandbox, timeout=5, attempts=1) as kiwoom:
            async with asyncio.TaskGroup() as group:
                walks = [group.create_task(kiwoom.collect(query)) for query in SIX[:2]]
            assert [len(walk.result().rows) for walk in walks] == [120, 120]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(kiwoom.collect(QUERY), 0.3)
            with pytest.raises(KiwoomError) as caught:
                await kiwoom.collect(QUERY)
            assert isinstance(caught.value, TransportTimeout)
            async with asyncio.timeout(10):
                assert len((await kiwoom.collect(QUERY)).rows) == 120

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(use())
