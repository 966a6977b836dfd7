"""A small JSON file that many programs change, one after the other, each change whole.

Standard library only. Made for local disks: a network's file system may not keep its locks. The
clock is the monotonic one, which all processes of a system share and nobody can set.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kiwoom_async import SharingError
from kiwoom_async._io.file_lock import locked

from ._place import FORMAT, Step, T, checked_format

# A change takes a fraction of a millisecond; who keeps a file for so long has been stopped.
_LOCK_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.001


def _is_ours(descriptor: int) -> bool:
    # On Windows, what lies in a user's directory is the user's.
    return sys.platform == "win32" or os.fstat(descriptor).st_uid == os.geteuid()


class LockedFile:
    """The JSON object in `path`, which only this user can read."""

    def __init__(self, path: Path) -> None:
        self.where = f"{path}"
        self._path = path
        self._lock = path.with_suffix(".lock")

    def change(self, step: Step[T]) -> T:
        """Take the step. A file that cannot be read is like one that is not there."""
        try:
            with self._held():
                facts, result = step(self._read(), 1000.0 * time.monotonic())
                if facts is not None:
                    self._write({"format": FORMAT} | facts)
        except OSError as error:
            raise SharingError(f"{self._path} cannot be used: {error}") from error
        return result

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """The object as it stands, and the clock."""
        try:
            return self._read(), 1000.0 * time.monotonic()
        except OSError as error:
            raise SharingError(f"{self._path} cannot be read: {error}") from error

    @contextmanager
    def _held(self) -> Iterator[None]:
        folder = self._path.parent
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self._lock, flags, 0o600)
        try:
            if not _is_ours(descriptor):
                raise SharingError(f"{self._lock} belongs to another user; name another directory")
            self._wait_for_lock(descriptor)
            yield
        finally:
            # Which ends the lock, as the death of this process would.
            os.close(descriptor)

    def _wait_for_lock(self, descriptor: int) -> None:
        given_up_at = time.monotonic() + _LOCK_SECONDS
        while not locked(descriptor):
            if time.monotonic() > given_up_at:
                raise SharingError(
                    f"{self._lock} has been locked for {_LOCK_SECONDS:g} s: a program that shares "
                    "this app key was stopped in the middle of a step; continue it or end it"
                )
            time.sleep(_RETRY_SECONDS)

    def _read(self) -> dict[str, Any] | None:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            facts = json.loads(text)
        except ValueError:
            return None  # A machine that lost its power may leave half a file.
        return checked_format(facts, self.where)

    def _write(self, facts: dict[str, Any]) -> None:
        fresh = self._path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(fresh, flags, 0o600), "wb") as file:  # noqa: PTH123 - has a mode
            file.write(json.dumps(facts, separators=(",", ":")).encode())
        fresh.replace(self._path)
