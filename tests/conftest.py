"""The fixtures of every folder: both event loops in virtual time, and the engine under test."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A background job of a shell ignores SIGINT, and so would the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--engine fast`: FastEngine for every client made without an engine or a transport."""
    parser.addoption("--engine", choices=["httpx", "fast"], default="httpx")


@pytest.fixture(autouse=True)
def default_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the tests of the default engine on FastEngine."""
    if request.config.getoption("--engine") == "fast":
        if request.node.get_closest_marker("httpx_only"):
            pytest.skip("tests the default engine only")
        from support.engines import use_fast_engine

        use_fast_engine(monkeypatch)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Return an event loop in virtual time; tests with real sockets override this fixture."""
    if request.param == "asyncio":
        from support.clock import VirtualTimeLoop

        return "asyncio", {"loop_factory": VirtualTimeLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}
