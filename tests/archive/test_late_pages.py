"""Pages that arrive just after others were stored, before a long wait for the next: real time."""

import anyio
import pytest
from sandbox_archive import KOSPI, collect_rows, fetch
from support.exchange import small_sandbox

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
