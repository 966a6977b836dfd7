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
