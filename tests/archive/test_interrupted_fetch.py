"""A fetch that is cancelled or fails midway: what is stored, and where the next one resumes."""

import asyncio
import math
import sqlite3
import time

import anyio
import pytest
from sandbox_archive import (
    ALL_QUERIES,
    KOSDAQ,
    KOSPI,
    NEXT_DAY,
    client,
    collect_rows,
    fetch,
    page_requests,
    read_files,
    set_korean_time,
)
from support.exchange import small_sandbox

from kiwoom_async import BlockedError
from kiwoom_async.archive import Archive, State
from kiwoom_async.archive._manifest import Manifest
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("calls", range(1, 10))
async def test_an_interrupted_fetch_resumes_at_the_next_page(archive, calls, tmp_path):
    outage = small_sandbox(Fault("maintenance_html", call=calls, times=math.inf))
    with pytest.raises(BlockedError):
        await fetch(archive, sandbox=outage)
    pages = [arrival for arrival in outage.arrivals if arrival.api_id == "ka90004"]
    answered = [page for page in pages if not page.fault]
    assert len(answered) == calls - 1
    sandbox = small_sandbox()
    entries = await fetch(archive, sandbox=sandbox)
    assert [entry.state for entry in entries] == [State.COMPLETE] * 3 + [State.NO_DATA]
    # The two fetches together receive each of the ten pages once.
    assert sum(page_requests(sandbox).values()) == 10 - len(answered)
    undisturbed = Archive(tmp_path / "undisturbed")
    await fetch(undisturbed)
    assert read_files(archive) == read_files(undisturbed)
    assert archive.verify() == []


@pytest.mark.parametrize("pages", range(8))
async def test_a_cancelled_fetch_keeps_the_pages_received(archive, pages):
    sandbox = small_sandbox()
    with anyio.CancelScope() as scope:
        count = 0

        def cancel_after_pages(event):
            nonlocal count
            count += type(event).__name__ == "PageDelivered"
            if count > pages:
                scope.cancel()

        async with client(sandbox, on_event=cancel_after_pages) as kiwoom:
            await archive.fetch(kiwoom, ALL_QUERIES)
    assert scope.cancelled_caught
    assert not any(entry.owner for entry in archive.entries())
    assert sum(entry.kept_pages + entry.pages for entry in archive.entries()) == count
    second_sandbox = small_sandbox()
    await fetch(archive, sandbox=second_sandbox)
    repeated = page_requests(sandbox) & page_requests(second_sandbox)
    # Each of the four walks may have a call under way.
    assert sum(repeated.values()) <= 4
    assert archive.read(NEXT_DAY) == await collect_rows(NEXT_DAY)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("page", [1, 2, 3, 5, 9])
async def test_a_native_cancellation_waits_for_the_page_being_stored(
    archive, monkeypatch, page, times
):
    """Ctrl-C cancels the task itself, which by default does not wait for its worker thread."""
    calls, add_page, storing = [], Manifest.add_page, asyncio.Event()
    loop = asyncio.get_running_loop()

    def add_page_slowly(self, *arguments):
        calls.append(arguments)
        if len(calls) == page:
            loop.call_soon_threadsafe(storing.set)
            time.sleep(0.1)
        add_page(self, *arguments)

    monkeypatch.setattr(Manifest, "add_page", add_page_slowly)
    task = asyncio.create_task(fetch(archive))
    await storing.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    entries = archive.entries()
    assert sum(entry.kept_pages + entry.pages for entry in entries) >= page
    await fetch(archive)
    assert archive.verify() == []
    assert not list((archive.path / "partial").iterdir())


async def test_a_walk_with_all_pages_stored_needs_no_request(archive, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kiwoom_async.archive._parquet.ParquetFiles.write", fail)
        with pytest.raises(OSError, match="no space"):
            await fetch(archive, [KOSPI])
    (entry,) = archive.entries()
    assert (entry.state, entry.kept_pages, entry.cursor) == (State.UNFINISHED, 3, None)
    sandbox = small_sandbox()
    await fetch(archive, [KOSPI], sandbox)
    assert not sandbox.arrivals
    assert archive.read(KOSPI) == await collect_rows(KOSPI)


async def test_no_page_is_stored_after_a_page_that_was_not(archive, monkeypatch):
    add_page, calls = Manifest.add_page, []

    def fail_second_page(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no space left on device")
        add_page(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add_page", fail_second_page)
        with pytest.raises(OSError, match="no space"):
            await fetch(archive, [KOSPI])
    await fetch(archive, [KOSPI, KOSDAQ])
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
    assert archive.verify() == []


async def test_stored_pages_with_a_gap_are_collected_again(archive):
    with pytest.raises(BlockedError):
        await fetch(archive, [KOSPI], small_sandbox(Fault("maintenance_html", call=3, times=9)))
    db = sqlite3.connect(archive.path / "manifest.sqlite", isolation_level=None)
    db.execute("DELETE FROM pages WHERE number = 1")
    db.close()
    await fetch(archive, [KOSPI, KOSDAQ])
    assert archive.read(KOSPI) == await collect_rows(KOSPI)


async def test_a_full_disk_leaves_the_earlier_file(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 14:00")
    await fetch(archive, [KOSPI])
    before = read_files(archive)

    def write_part_of_file(_, file, **__):
        file.write(b"PAR1 and then no more")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kiwoom_async.archive._parquet.pq.write_table", write_part_of_file)
        with pytest.raises(OSError, match=r"walk\.parquet: no space"):
            await fetch(archive, [KOSPI])
    assert read_files(archive) == before
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
    await fetch(archive, [KOSPI])
    assert not list((archive.path / "partial").iterdir())


async def test_a_rejected_continuation_key_restarts_the_walk(archive):
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetch(archive, [KOSPI], outage)
    refusing = small_sandbox(Fault("code", code="1517"))
    (entry,) = await fetch(archive, [KOSPI], refusing)
    assert (entry.state, entry.error) == (State.COMPLETE, "")
    pages = [arrival for arrival in refusing.arrivals if arrival.api_id == "ka90004"]
    assert [page.next_key != "" for page in pages] == [True, False, True, True]
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
