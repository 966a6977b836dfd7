"""Virtual time in which worker threads get their turn, and an archive to fill."""

import pytest
from support.clock import VirtualTimeLoop
from trio.testing import MockClock

from kiwoom_async.archive import Archive


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Both event loops in virtual time; trio's clock waits a moment for worker threads."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0.0005)}


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")
