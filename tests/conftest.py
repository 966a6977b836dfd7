"""What every test stands on: both event loops, and time that costs nothing."""

import asyncio
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from trio.testing import MockClock
from typer.testing import CliRunner

from kiwoom_async import KiwoomClient, _msgspec
from kiwoom_async._transport import Transport
from kiwoom_async.cli._app import app
from kiwoom_async.cli._ending import errors
from kiwoom_async.sandbox import Fault, Sandbox
from kiwoom_async.speed import CompiledTransport

# A background job of a shell is born deaf to interrupts, and its children with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WIRE = Path(__file__).parent / "wire"


class _JumpingSelector(selectors.DefaultSelector):
    """Jumps over the time that nobody would spend but waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready or super().select(None if timeout is None else 0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock moves only when everything sleeps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--compiled`: the extra `speed` carries every call that has no transport of its own."""
    parser.addoption("--compiled", action="store_true")


@pytest.fixture(autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written for httpx's transport and for json judges the extra `speed`, or does not."""
    forget_msgspec()
    if not request.config.getoption("compiled"):
        monkeypatch.setitem(sys.modules, "msgspec", None)
        return
    made = Transport.__init__

    def with_compiled(self: Transport, base_url: str, *, transport: Any, **options: Any) -> None:
        made(self, base_url, transport=transport or CompiledTransport(), **options)

    monkeypatch.setattr(Transport, "__init__", with_compiled)


def forget_msgspec() -> None:
    """Whether it is installed is looked up anew."""
    for known in (_msgspec._library, _msgspec.page_reader, _msgspec.integers):
        known.cache_clear()


@pytest.fixture(params=["json", "msgspec"])
def each_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the package that reads pages where it is installed."""
    if request.param == "msgspec":
        monkeypatch.setitem(sys.modules, "msgspec", msgspec)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops in virtual time; tests with real sockets override this fixture."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def recorded(name: str) -> Any:
    """A body as recorded from the real server, or printed in its specification."""
    return json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))


@contextmanager
def on_a_port(app: Any) -> Iterator[str]:
    """The base URL at which an ASGI application is served, by a thread, on a real socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def small_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """An exchange without a limit, of three pages a market."""
    defaults: dict[str, Any] = {"requests_per_second": None}
    defaults |= {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line in this process, on a small sandbox or on one that the test chooses."""
    monkeypatch.setenv("COLUMNS", "200")
    # This one has read the variable already; a long path would be broken into lines.
    monkeypatch.setattr(errors, "width", 200)
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY", "KIWOOM_SHARING"):
        monkeypatch.delenv(name, raising=False)
    original = KiwoomClient.sandbox

    def run(*arguments: str, sandbox: Sandbox | None = None, make: Any = original) -> Any:
        simulated = sandbox or small_sandbox()

        def client_of(*_: object, **options: Any) -> KiwoomClient:
            client: KiwoomClient = make(simulated, **options)
            return client

        monkeypatch.setattr(KiwoomClient, "sandbox", client_of)
        return CliRunner().invoke(app, list(arguments))

    return run


class RedisServer:
    """A real server in a process of its own, that a test may stop and start."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder, self._options = folder, options
        self.start()

    def start(self) -> None:
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)
        raise AssertionError("redis-server does not come up")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


REDIS = shutil.which("redis-server") or shutil.which("valkey-server") or ""


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """One's own server; a visible skip where none is installed, a failure where one must be."""
    if not REDIS and os.environ.get("KIWOOM_TESTS_NEED_REDIS"):
        pytest.fail("redis-server is not installed")
    if not REDIS:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = RedisServer(folder, *options)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that tests share; each has keys of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url
