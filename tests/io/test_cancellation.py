"""Cancelled walks: the client keeps working, and no slot or task is lost."""

import asyncio
import math
import random
from contextlib import suppress

import anyio
import pytest
from anyio import current_time
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox
from support.tasks import count_tasks

from kiwoom_async import KiwoomClient, WalkComplete
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def _pages(kiwoom):
    async for _ in kiwoom.pages(QUERY):
        pass


async def _rows(kiwoom):
    async for _ in kiwoom.rows(QUERY):
        pass


async def _watch(kiwoom):
    async for item in kiwoom.watch([QUERY]):
        if isinstance(item, WalkComplete):
            return


async def _merge(kiwoom, **options):
    async with kiwoom.merge(SIX_QUERIES[:3], concurrency=2, **options) as pages:
        async for _ in pages:
            pass


async def _merged_rows(kiwoom):
    async with kiwoom.merge(iter(SIX_QUERIES[:2]), on_error="deliver") as pages:
        async for _ in pages.rows():
            pass


WALKS = {
    "page": lambda kiwoom: kiwoom.page(QUERY),
    "pages": _pages,
    "rows": _rows,
    "collect": lambda kiwoom: kiwoom.collect(QUERY),
    "watch": _watch,
    "merge": _merge,
    "rows of a merge": _merged_rows,
}


async def cancel_after(ticks, how, work):
    """Cancel the work after so many turns of the loop; return False if it was already done."""
    if how == "natively":
        task = asyncio.ensure_future(work)
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return task.cancelled()
    done = False

    async def run():
        nonlocal done
        await work
        done = True

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    return not done


@pytest.mark.parametrize("how", ["natively", "by scope"])
@pytest.mark.parametrize("walk", WALKS)
async def test_a_client_works_after_cancellation_at_any_checkpoint(
    walk, how, anyio_backend, monkeypatch
):
    """The next walk is complete, no task is left, and nothing warns."""
    # No waits between attempts: `ticks` counts turns of the loop, during which time stands still.
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    if how == "natively" and anyio_backend[0] == "trio":
        pytest.skip("trio has no native Task.cancel")
    faults = Fault("server_error", call=2), Fault("token_dies", call=4)
    before, ticks = count_tasks(), 0
    while True:
        sandbox = limited_sandbox(*faults, requests_per_second=None)
        async with KiwoomClient.sandbox(sandbox, requests_per_second=math.inf) as kiwoom:
            was_cancelled = await cancel_after(ticks, how, WALKS[walk](kiwoom))
            assert count_tasks() == before
            assert len((await kiwoom.collect(QUERY)).rows) == 120
        if not was_cancelled:
            break
        assert ticks < 2000
        ticks += 1 if ticks < 60 else 7
    assert ticks > 6  # a token and a page need at least as many


async def test_a_call_that_is_cancelled_while_it_waits_takes_no_permit():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        began = current_time()
        for _ in range(5):
            await kiwoom.page(QUERY)
        for _ in range(20):
            with anyio.move_on_after(0.01) as scope:
                await kiwoom.page(QUERY)
            assert scope.cancelled_caught
        for _ in range(5):
            await kiwoom.page(QUERY)
        assert current_time() - began == pytest.approx(1.0, abs=0.01)
