"""Lock files that show which fetches are running; the system releases them when a process dies.

Standard library only.
"""

import os
import uuid
from pathlib import Path
from typing import Final

from kiwoom_async._io.file_lock import try_lock

# Another process may take a new file for a stale one, before it is locked, and remove it. That
# process is done when the next file is created, so a few attempts are enough.
_ATTEMPTS: Final = 20


class OwnerLock:
    """The lock file of one fetch; its `name` marks the walks and files that this fetch owns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for _ in range(_ATTEMPTS):
            self.name = uuid.uuid4().hex
            self._path = folder / self.name
            self._file = self._path.open("xb")
            if try_lock(self._file.fileno()) and self._still_on_disk():
                return
            self.close()
        raise OSError(f"{folder}: cannot lock a file; use a file system that supports locks")

    def _still_on_disk(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def is_alive(self, name: str) -> bool:
        """Return True if the fetch of that name is still running, in any process."""
        if name == self.name:
            return True
        try:
            with (self._folder / name).open("r+b") as file:
                return not try_lock(file.fileno())
        except FileNotFoundError:
            return False

    def remove_stale(self) -> list[str]:
        """Remove the lock files of fetches that have died; return their names."""
        others = [path for path in self._folder.iterdir() if path.name != self.name]
        return [path.name for path in others if _remove_if_stale(path)]

    def close(self) -> None:
        """Release the lock and remove its file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _remove_if_stale(path: Path) -> bool:
    """Remove a lock file unless it is in use; return True if it was removed."""
    try:
        with path.open("r+b") as file:
            if not try_lock(file.fileno()):
                return False
            # Removed while locked here; otherwise a new owner could lock it just before.
            path.unlink(missing_ok=True)
    except (FileNotFoundError, PermissionError):
        return False
    return True
