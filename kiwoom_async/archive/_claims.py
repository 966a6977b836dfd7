"""Which process is at work on which walk: a lock file for each that the system releases at death.

Standard library only. Knows no walk and no database.
"""

import os
import uuid
from pathlib import Path
from typing import Final

from kiwoom_async._io.file_lock import locked


def _buried(path: Path) -> bool:
    """Remove a dead one's file, under its lock: one that is being born must not lose its own."""
    try:
        with path.open("r+b") as file:
            if not locked(file.fileno()):
                return False
            path.unlink(missing_ok=True)
    except (FileNotFoundError, PermissionError):
        return False
    return True


# Somebody who takes the file for a dead one's, between its birth and its locking, is gone when
# the next one is born.
_ATTEMPTS: Final = 20


class Claimant:
    """One fetch, alive as long as its lock file is locked; `name` goes into what it claims."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for _ in range(_ATTEMPTS):
            self.name = uuid.uuid4().hex
            self._path = folder / self.name
            self._file = self._path.open("xb")
            if locked(self._file.fileno()) and self._in_place():
                return
            self.close()
        raise OSError(f"no file in {folder} can be locked; does the file system know locks?")

    def _in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def is_alive(self, name: str) -> bool:
        """Whether the fetch of that name is still at work, in whatever process."""
        if name == self.name:
            return True
        try:
            with (self._folder / name).open("r+b") as file:
                return not locked(file.fileno())
        except FileNotFoundError:
            return False

    def bury(self) -> list[str]:
        """Remove the lock files of the dead; their names."""
        others = [path for path in self._folder.iterdir() if path.name != self.name]
        return [path.name for path in others if _buried(path)]

    def close(self) -> None:
        """Be dead."""
        self._file.close()
        self._path.unlink(missing_ok=True)
