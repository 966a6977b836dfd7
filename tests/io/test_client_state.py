"""Closing a client: running calls end with one error, and connections are closed."""

import gc

import anyio
import httpx
import pytest
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox
from support.servers import on_a_port

from kiwoom_async import KiwoomClient
from kiwoom_async.sandbox import Fault

CLOSED = "this KiwoomClient is closed; make another one"


async def collect(kiwoom):
    await kiwoom.collect(QUERY)


async def rows(kiwoom):
    async for _ in kiwoom.rows(QUERY):
        pass


async def merge(kiwoom, **options):
    async with kiwoom.merge(SIX_QUERIES, **options) as pages:
        async for _ in pages:
            pass


async def deliver(kiwoom):
    await merge(kiwoom, on_error="deliver")


async def watch(kiwoom):
    async for _ in kiwoom.watch(SIX_QUERIES):
        pass


WALKS = {"collect": collect, "rows": rows, "merge": merge, "deliver": deliver, "watch": watch}


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
async def test_closing_ends_running_calls_at_once_with_one_error(fault, work):
    sandbox = limited_sandbox(fault) if fault else limited_sandbox(requests_per_second=1)
    ended = []

    async def run(kiwoom):
        try:
            await WALKS[work](kiwoom)
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


@pytest.mark.anyio
async def test_closing_ends_a_hundred_tasks_at_once():
    sandbox = limited_sandbox(latency_seconds=0.5)
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
async def test_leaving_the_block_of_a_client_closes_it():
    async with (
        anyio.create_task_group() as group,
        KiwoomClient.sandbox(limited_sandbox(requests_per_second=1)) as kiwoom,
    ):

        async def walk():
            with pytest.raises(RuntimeError, match=CLOSED):
                await collect(kiwoom)

        group.start_soon(walk)
        await anyio.sleep(0.3)


@pytest.mark.anyio
async def test_a_client_is_closed_when_its_block_is_cancelled():
    kiwoom = KiwoomClient.sandbox(limited_sandbox())
    with anyio.move_on_after(0.3):
        async with kiwoom:
            await collect(kiwoom)
    with pytest.raises(RuntimeError, match=CLOSED):
        await kiwoom.page(QUERY)


@pytest.mark.anyio
async def test_a_page_received_before_closing_stays_valid():
    sandbox = limited_sandbox()
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

    with on_a_port(limited_sandbox(requests_per_second=None, latency_seconds=0.25)) as base_url:
        anyio.run(use, base_url, backend=backend)
    assert len(ended) == 20


@pytest.mark.anyio
async def test_a_custom_transport_is_closed_when_the_block_is_cancelled():
    closed = []

    class Slow(httpx.ASGITransport):
        async def aclose(self):
            await anyio.sleep(0.1)
            closed.append("completely")

    transport = Slow(app=limited_sandbox())
    with anyio.move_on_after(0.3):
        options = {"base_url": "http://localhost", "transport": transport}
        async with KiwoomClient("a", "b", **options) as kiwoom:
            await collect(kiwoom)
    assert closed == ["completely"]
