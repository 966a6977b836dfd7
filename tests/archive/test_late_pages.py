"""Pages that arrive while or just after others were stored: real time."""

import json
import threading

import anyio
import httpx
import pytest
from anyio import from_thread
from sandbox_archive import KOSDAQ, KOSPI, client, collect_rows, fetch
from support.exchange import small_sandbox

from kiwoom_async import BlockedError, PageDelivered
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


class HoldsThirdPage(httpx.AsyncBaseTransport):
    """Answers the third page of a walk once it is released."""

    def __init__(self):
        self.released = anyio.Event()
        self._pages = 0
        self._sandbox = in_process(small_sandbox())

    async def handle_async_request(self, request):
        self._pages += request.headers.get("api-id") == "ka90004"
        if self._pages == 3:
            await self.released.wait()
        return await self._sandbox.handle_async_request(request)


async def test_a_page_is_stored_soon_even_if_the_next_one_is_late(archive):
    """A process that is killed meanwhile loses nothing that has come."""
    server = HoldsThirdPage()
    async with client(transport=server) as kiwoom, anyio.create_task_group() as group:
        group.start_soon(archive.fetch, kiwoom, [KOSPI])
        with anyio.fail_after(8):
            while not ((archive.path / "manifest.sqlite").exists() and kept_pages(archive) == 2):
                await anyio.sleep(0.05)
        (entry,) = archive.entries()
        assert entry.state is State.UNFINISHED
        server.released.set()
    assert archive.read(KOSPI) == await collect_rows(KOSPI)


def kept_pages(archive):
    """Return how many pages of unfinished walks are stored."""
    return sum(entry.kept_pages for entry in archive.entries())


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
    server, update, delivered = AnswersWhileAFailureIsStored(), Manifest.update, threading.Event()

    def update_slowly(self, entry):
        from_thread.run_sync(server.storing.set)
        assert delivered.wait(20)
        update(self, entry)

    def on_event(event):
        if isinstance(event, PageDelivered):
            delivered.set()

    monkeypatch.setattr(Manifest, "update", update_slowly)
    async with client(transport=server, on_event=on_event) as kiwoom:
        with pytest.raises(BlockedError):
            await archive.fetch(kiwoom, [KOSPI, KOSDAQ])
    kept = {entry.query: entry.kept_pages for entry in archive.entries()}
    assert kept[KOSPI] == 0
    assert kept[KOSDAQ] >= 1
