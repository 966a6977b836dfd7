"""Cancelled requests: the pool keeps its connections, and no cancellation is lost."""

import asyncio
import random
from contextlib import suppress

import anyio
import anyio.lowlevel
import httpx
import pytest
from support.exchange import QUERY
from support.http import http
from support.sender import send, sender_to

from kiwoom_async import KiwoomClient, KiwoomError, TransportError
from kiwoom_async._io import http as http_module
from kiwoom_async._io.http import RoundTrip
from kiwoom_async._protocol.messages import Request

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


async def cancel_by_scope(sender, ticks):
    """Send, and cancel the scope around it after so many turns of the loop."""
    async with anyio.create_task_group() as group:

        async def call():
            with suppress(KiwoomError):
                await send(sender)

        group.start_soon(call)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


async def cancel_by_task(sender, ticks):
    """Send in a task of asyncio, and cancel it after so many turns of the loop."""
    task = asyncio.ensure_future(send(sender))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError, KiwoomError):
        await task


@pytest.mark.parametrize("cancelled", [cancel_by_scope, cancel_by_task])
async def test_the_pool_still_serves_after_a_thousand_cancelled_requests(
    cancelled, monkeypatch, anyio_backend
):
    """httpcore alone loses slots of its pool for good (docs/architecture.md, decision 4)."""
    if cancelled is cancel_by_task and anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")
    monkeypatch.setattr(http_module, "CONNECTION_LIMIT", 4)
    rng = random.Random(20261120)

    async def answer_and_close(stream):
        # Slots are lost where a request opens a connection: every request opens one.
        await anyio.sleep(rng.random() * 0.002)
        await stream.send(http(b"{}", "connection: close"))
        await stream.aclose()

    async with sender_to(answer_and_close) as sender:

        async def send_and_cancel():
            for _ in range(125):
                await cancelled(sender, rng.randrange(25))

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(send_and_cancel)
        with anyio.fail_after(10):
            for _ in range(8):
                assert (await send(sender)).status == 200


async def test_cancellation_is_not_swallowed():
    async def silence(_):
        await anyio.sleep(60)

    async with sender_to(silence) as sender:
        with anyio.move_on_after(0.05) as scope:
            await send(sender)
    assert scope.cancelled_caught


async def test_task_cancel_is_not_lost_when_the_attempt_fails_at_the_same_time(
    anyio_backend,
):
    """An error in a task group would replace the cancellation, and the call would be retried."""
    if anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")
    calls = []

    class Failing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            calls.append(request)
            task.cancel()
            raise httpx.ReadError("reset")

    async with KiwoomClient("app-key", "secret-key", transport=Failing()) as kiwoom:
        task = asyncio.ensure_future(kiwoom.page(QUERY))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(calls) == 1


@pytest.mark.parametrize("seconds", [-1e-10, 0, 1e-10], ids=["before", "at", "after"])
@pytest.mark.parametrize("in_this_task", [True, False], ids=["in this task", "in a child task"])
async def test_task_cancel_is_not_lost_at_the_deadline(in_this_task, seconds, anyio_backend):
    """Both happen in one turn of the loop, and the tasks of a request need more turns to end."""
    if anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")

    class Silent(RoundTrip):
        async def _exchange(self):
            assert (asyncio.current_task() is task) == in_this_task
            moment = anyio.current_effective_deadline() + seconds
            asyncio.get_running_loop().call_at(moment, task.cancel)
            async with anyio.create_task_group() as connecting:
                connecting.start_soon(self._linger)
                await anyio.sleep(60)

        async def _linger(self):
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.1)

    async def work():
        request = Request("ka90004", "https://a.example", {}, b"{}", ())
        silent = Silent(request, 0.05)
        await (silent.run() if in_this_task else silent.run_in_child_task())

    task = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_error_raised_by_a_transport_is_a_transport_error(anyio_backend):
    if anyio_backend == "trio":
        pytest.skip("trio has no cancellation outside a scope")

    class CancellingTransport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            raise asyncio.CancelledError

    async with KiwoomClient("a", "b", transport=CancellingTransport(), attempts=1) as kiwoom:
        with pytest.raises(TransportError, match="cancelled itself"):
            await kiwoom.page(QUERY)
