"""Several fetches of one archive: they share the walks, and take over those of the dead."""

import anyio
import pytest
from sandbox_archive import KOSDAQ, KOSPI, client, fetch, month, page_requests
from support.exchange import small_sandbox

from kiwoom_async.archive import Archive, State
from kiwoom_async.archive._manifest import Manifest
from kiwoom_async.archive._owner_lock import OwnerLock

pytestmark = pytest.mark.anyio


async def test_two_fetches_of_one_archive_share_the_walks(archive):
    sandbox = small_sandbox(latency_seconds=0.05)
    queries = month("2026-11", 5)
    results = []

    async def fetch_all():
        async with client(sandbox) as kiwoom:
            results.append(await Archive(archive.path).fetch(kiwoom, queries, concurrency=2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch_all)
        tasks.start_soon(fetch_all)
    assert results[0] == results[1]
    assert all(entry.final for entry in results[0])
    assert set(page_requests(sandbox).values()) == {1}
    assert archive.verify() == []


async def test_the_claims_of_a_dead_process_are_taken_over(archive):
    await fetch(archive, [KOSPI])
    dead = OwnerLock(archive.path / "processes")
    with Manifest(archive.path / "manifest.sqlite") as manifest:
        assert manifest.claim(KOSDAQ, dead.name, dead.is_alive) is not None
    (archive.path / "partial" / dead.name).write_bytes(b"half of a file")
    entries = []

    async def fetch_claimed():
        entries.extend(await fetch(archive, [KOSDAQ]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch_claimed)
        await anyio.sleep(5)
        assert entries == []
        # A dying process releases the lock and leaves its file.
        dead._file.close()
    assert entries[0].state is State.COMPLETE
    await fetch(archive, [KOSPI])
    assert not list((archive.path / "partial").iterdir())
    assert not list((archive.path / "processes").iterdir())


def test_an_owner_lock_is_alive_until_its_file_is_closed(tmp_path):
    lock, other = OwnerLock(tmp_path), OwnerLock(tmp_path)
    assert lock.is_alive(other.name)
    assert lock.is_alive(lock.name)
    assert lock.remove_stale() == []
    other._file.close()
    assert not lock.is_alive(other.name)
    assert lock.remove_stale() == [other.name]
    assert not lock.is_alive("never created")
    lock.close()
    assert list(tmp_path.iterdir()) == []
