"""ThreadRunner: cancelled callers, and threads of its own."""

import threading

import anyio
import pytest
from support.limiters import make_call

from kiwoom_async import Priority
from kiwoom_async.sharing import SharedFiles
from kiwoom_async.sharing._thread_runner import ThreadRunner

pytestmark = pytest.mark.anyio
BULK = Priority.BULK


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: threads cannot use a virtual clock."""
    return request.param


async def test_a_cancelled_caller_does_not_wait_for_its_thread():
    began, released = anyio.current_time(), threading.Event()
    with anyio.move_on_after(0.1):
        await ThreadRunner(0.0).run(released.wait, 30.0)
    assert anyio.current_time() - began < 15.0
    released.set()


async def test_slots_are_granted_while_all_default_threads_are_busy(tmp_path, account):
    limiter = SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0)
    await make_call(limiter, BULK)  # a new bucket grants no slot for a second
    default_threads = anyio.to_thread.current_default_thread_limiter()
    default_threads.total_tokens, before = 1, default_threads.total_tokens
    released = threading.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, released.wait, 30.0)
        await anyio.sleep(0.1)
        with anyio.fail_after(15.0):
            await make_call(limiter, BULK)
        released.set()
    default_threads.total_tokens = before
