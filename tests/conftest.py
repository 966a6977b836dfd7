"""Both event loops, in virtual time, and the choice of engine; folders add what they need."""

import signal
from typing import Any

import pytest

# A background job of a shell is born deaf to interrupts, and its children with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--engine fast`: FastEngine for every client that names neither engine nor transport."""
    parser.addoption("--engine", choices=["httpx", "fast"], default="httpx")


@pytest.fixture(autouse=True)
def default_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge FastEngine by the tests that were written for the default engine."""
    if request.config.getoption("--engine") == "fast":
        if request.node.get_closest_marker("httpx_only"):
            pytest.skip("a promise of the default engine alone")
        from support.engines import use_fast_engine

        use_fast_engine(monkeypatch)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops in virtual time; tests with real sockets override this fixture."""
    if request.param == "asyncio":
        from support.clock import VirtualTimeLoop

        return "asyncio", {"loop_factory": VirtualTimeLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}
