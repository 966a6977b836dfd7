"""Both event loops, in virtual time, and the choice of engine; folders add what they need."""

import signal
import sys
from typing import Any

import pytest

# A background job of a shell is born deaf to interrupts, and its children with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--compiled`: the extra `speed` carries every call that has no transport of its own."""
    parser.addoption("--compiled", action="store_true")


@pytest.fixture(autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written for httpx's transport and for json judges the extra `speed`, or does not."""
    from support.msgspec import forget_msgspec

    forget_msgspec()
    if not request.config.getoption("compiled"):
        monkeypatch.setitem(sys.modules, "msgspec", None)
        return
    from kiwoom_async._io.http import Transport
    from kiwoom_async.speed import CompiledTransport

    made = Transport.__init__

    def with_compiled(self: Transport, base_url: str, *, transport: Any, **options: Any) -> None:
        made(self, base_url, transport=transport or CompiledTransport(), **options)

    monkeypatch.setattr(Transport, "__init__", with_compiled)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops in virtual time; tests with real sockets override this fixture."""
    if request.param == "asyncio":
        from support.clock import VirtualTimeLoop

        return "asyncio", {"loop_factory": VirtualTimeLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(params=["json", "msgspec"])
def each_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the package that reads pages where it is installed."""
    if request.param == "msgspec":
        monkeypatch.delitem(sys.modules, "msgspec", raising=False)
