"""Pages that arrive while or just after others were stored: real time."""

import json
import time

import anyio
import httpx
import pytest
from anyio import from_thread
from sandbox_archive import KOSDAQ, KOSPI, client, collect_rows, fetch
from support.exchange import small_sandbox

from kiwoom_async import BlockedError
from kiwoom_async._io.host import in_process
from kiwoom_async.archive import State
from kiwoom_async.archive._manifest import Manifest
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def slow_at_the_third_page(seconds):
    return small_sandbox(Fault("slow", call=3, seconds=seconds), latency_seconds=0.01)


async def test_a_page_is_stored_soon_even_if_the_next_one_is_late(archive):
    """A process that is killed meanwhile loses nothing that has come."""
    async with anyio.create_task_group() as group:
        group.start_soon(fetch, archive, [KOSPI], slow_at_the_third_page(3))
        await anyio.sleep(1.5)
        (entry,) = archive.entries()
        assert (entry.state, entry.kept_pages) == (State.UNFINISHED, 2)
    assert archive.read(KOSPI) == await collect_rows(KOSPI)


async def test_a_disk_that_is_full_when_a_late_page_is_stored_ends_the_fetch(archive, monkeypatch):
    add_page = Manifest.add_page

    def fail_second_page(self, page, received):
        if page.number == 2:
            raise OSError("no space left on device")
        add_page(self, page, received)

    slow = slow_at_the_third_page(1)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add_page", fail_second_page)
        with pytest.raises(OSError, match="no space"):
            await fetch(archive, [KOSPI], slow)
    await fetch(archive, [KOSPI])
    assert archive.read(KOSPI) == await collect_rows(KOSPI)


class AnswersWhileAFailureIsStored(httpx.AsyncBaseTransport):
    """Refuses KOSPI once KOSDAQ is asked for, which it answers while that failure is stored."""

    def __init__(self):
        self._asked, self.storing = anyio.Event(), anyio.Event()
        self._sandbox = in_process(small_sandbox())

    async def handle_async_request(self, request):
        body = json.loads(await request.aread())
        if body.get("mrkt_tp") == "P00101":
            await self._asked.wait()
            return httpx.Response(200, html="<p>시스템 점검</p>")
        if body.get("mrkt_tp") == "P10102":
            self._asked.set()
            await self.storing.wait()
        return await self._sandbox.handle_async_request(request)


async def test_a_page_that_comes_while_an_outage_is_stored_is_kept(archive, monkeypatch):
    server, update = AnswersWhileAFailureIsStored(), Manifest.update

    def update_slowly(self, entry):
        from_thread.run_sync(server.storing.set)
        time.sleep(0.3)
        update(self, entry)

    monkeypatch.setattr(Manifest, "update", update_slowly)
    async with client(transport=server) as kiwoom:
        with pytest.raises(BlockedError):
            await archive.fetch(kiwoom, [KOSPI, KOSDAQ])
    kept = {entry.query: entry.kept_pages for entry in archive.entries()}
    assert kept[KOSPI] == 0
    assert kept[KOSDAQ] >= 1
