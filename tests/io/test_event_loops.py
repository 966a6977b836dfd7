"""Event loops: a client belongs to the first loop that uses it, and works on each kind."""

import ast
import asyncio
import inspect
import sys

import anyio
import pytest
import trio
import trio.testing
from support.clock import VirtualTimeLoop
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox
from support.servers import on_a_port

from kiwoom_async import KiwoomClient, KiwoomError, TransportTimeout
from kiwoom_async.sandbox import Fault


def test_a_second_event_loop_is_refused():
    sandbox = limited_sandbox()
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
def test_another_loop_cannot_close_the_connections_of_the_first(second, how):
    """Over a real socket, from another thread, while the first loop runs."""
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

    with on_a_port(limited_sandbox(requests_per_second=None)) as base_url:
        assert len(asyncio.run(owner(base_url)).rows) == 50
    (problem,) = problems
    assert "belongs to another event loop" in problem


def test_a_client_made_in_a_loop_belongs_to_it():
    async def make():
        return KiwoomClient.sandbox(limited_sandbox())

    kiwoom = asyncio.run(make())
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        trio.run(kiwoom.page, QUERY)


def test_estimate_works_outside_and_inside_a_loop():
    kiwoom = KiwoomClient.sandbox(limited_sandbox())
    assert kiwoom.estimate([QUERY]).calls == 50

    async def use():
        async with kiwoom, anyio.create_task_group() as group:
            for query in SIX_QUERIES[:3]:
                group.start_soon(kiwoom.collect, query)
        return kiwoom.estimate([QUERY]).calls

    assert trio.run(use, clock=trio.testing.MockClock(autojump_threshold=0)) == 3


def test_a_client_can_be_made_before_its_loop_runs():
    kiwoom = KiwoomClient.sandbox(limited_sandbox())

    async def use():
        async with kiwoom:
            return await kiwoom.collect(QUERY)

    assert len(trio.run(use, clock=trio.testing.MockClock(autojump_threshold=0)).rows) == 120


def test_a_client_works_across_the_cells_of_a_notebook():
    """Each cell is a coroutine in the same loop, as in IPython and `python -m asyncio`."""
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
def test_a_client_works_on_uvloop():
    import uvloop

    async def use(base_url):
        options = {"base_url": base_url, "requests_per_second": 500}
        async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
            assert len((await kiwoom.collect(QUERY)).rows) == 120
            async with kiwoom.merge(SIX_QUERIES) as pages:
                count = sum([len(page.rows) async for page in pages])
            walk = asyncio.create_task(kiwoom.collect(QUERY))
            await asyncio.sleep(0.002)
            walk.cancel()
            with pytest.raises(asyncio.CancelledError):
                await walk
            assert len((await kiwoom.page(QUERY)).rows) == 50
            return count

    sandbox = limited_sandbox(requests_per_second=None)
    with on_a_port(sandbox) as base_url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
        assert run.run(use(base_url)) == 3 * (120 + 70)


def test_a_client_works_with_task_groups_and_timeouts_of_asyncio():
    async def use():
        sandbox = limited_sandbox(Fault("slow", call=8, seconds=60), requests_per_second=1)
        async with KiwoomClient.sandbox(sandbox, timeout=5, attempts=1) as kiwoom:
            async with asyncio.TaskGroup() as group:
                walks = [group.create_task(kiwoom.collect(query)) for query in SIX_QUERIES[:2]]
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
