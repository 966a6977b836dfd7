"""A small JSON file as a shared store, locked for each change.

Standard library only. For local disks: a network file system may not support its locks. The clock
is the monotonic one, which all processes of a system share and which cannot be set.
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
from kiwoom_async._io.file_lock import try_lock

from ._store import FORMAT, Change, T, check_format

# A change takes a fraction of a millisecond: a process that holds the lock this long was stopped.
_LOCK_TIMEOUT_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.001
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


class LockedFile:
    """The JSON object in `path`, which only this user can read."""

    def __init__(self, path: Path) -> None:
        self.name = f"{path}"
        self._path = path
        self._lock_path = path.with_suffix(".lock")

    def update(self, change: Change[T]) -> T:
        """Apply the change; damaged JSON counts as no object."""
        try:
            with self._locked():
                data, result = change(self._read(), 1000.0 * time.monotonic())
                if data is not None:
                    self._write({"format": FORMAT} | data)
        except OSError as error:
            raise SharingError(f"{self._path} cannot be used: {error}") from error
        return result

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """Return the stored object and the clock in milliseconds."""
        try:
            return self._read(), 1000.0 * time.monotonic()
        except OSError as error:
            raise SharingError(f"{self._path} cannot be read: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._path.parent
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            if not _is_owned_by_user(descriptor):
                raise SharingError(
                    f"{self._lock_path} belongs to another user; name another directory"
                )
            self._wait_for_lock(descriptor)
            yield
        finally:
            # Closing releases the lock, as the end of the process would.
            os.close(descriptor)

    def _wait_for_lock(self, descriptor: int) -> None:
        give_up_at = time.monotonic() + _LOCK_TIMEOUT_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > give_up_at:
                raise SharingError(
                    f"{self._lock_path} has been locked for {_LOCK_TIMEOUT_SECONDS:g} s: a program "
                    "that shares this app key was stopped in the middle of a change; resume it or "
                    "end it"
                )
            time.sleep(_RETRY_SECONDS)

    def _read(self) -> dict[str, Any] | None:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            data = json.loads(text)
        except ValueError:
            return None  # A power failure may truncate the file.
        return check_format(data, self.name)

    def _write(self, data: dict[str, Any]) -> None:
        new_path = self._path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW
        with open(os.open(new_path, flags, 0o600), "wb") as file:  # noqa: PTH123 - has a mode
            file.write(json.dumps(data, separators=(",", ":")).encode())
        new_path.replace(self._path)


def _is_owned_by_user(descriptor: int) -> bool:
    # On Windows the user's directory holds the user's own files only.
    return sys.platform == "win32" or os.fstat(descriptor).st_uid == os.geteuid()
