"""A real Redis server for tests of sharing."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_EXECUTABLE = shutil.which("redis-server") or shutil.which("valkey-server") or ""


class RedisServer:
    """A Redis server in its own process, which a test may stop and start again."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            self.port = unused.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder, self._options = folder, options
        self.start()

    def start(self) -> None:
        """Start the process and wait until it accepts connections."""
        command = [_EXECUTABLE, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)
        raise AssertionError("redis-server accepted no connection within 5 s")

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a Redis server; skip the test if none is installed.

    Fails instead of skipping if the environment variable KIWOOM_TESTS_NEED_REDIS is set.
    """
    if not _EXECUTABLE and os.environ.get("KIWOOM_TESTS_NEED_REDIS"):
        pytest.fail("redis-server is not installed")
    if not _EXECUTABLE:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = RedisServer(folder, *options)
    try:
        yield server
    finally:
        server.stop()
