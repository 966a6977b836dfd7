"""Where rows go: standard output, or a file that holds whole pages only."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class Output(Protocol):
    """Takes text page by page; what `write` was given is out of this process when it returns."""

    def write(self, text: str) -> None:
        """Write all of it, or raise."""
        ...


class StandardOutput:
    """Standard output, as it is at each write: a progress line takes it over on a terminal."""

    def write(self, text: str) -> None:
        """Write through."""
        if sys.stdout is None:
            raise OSError("standard output is closed; name a file with --output")
        sys.stdout.write(text)
        sys.stdout.flush()


class PagedFile:
    """A new file, or one to go on with, that a failed write leaves as it was before.

    `size` is its length in bytes. An existing file must have `left_at` bytes, where that is
    known: a page written twice would be rows repeated.
    """

    def __init__(self, path: Path, *, new: bool, left_at: int | None = None) -> None:
        self._path = path
        self._new = new
        self._raw = path.open("xb" if new else "r+b", buffering=0)
        self.size = self._raw.seek(0, 2)
        if left_at not in (None, self.size):
            self._raw.close()
            raise ValueError(
                f"--resume: {path} has {self.size:,} bytes, but {left_at:,} when that walk was "
                "left; was it resumed already?"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._raw.close()
        if exc is not None and self._new and self.size == 0:
            # It failed before anything was written: the same command must work again.
            self._path.unlink()

    def write(self, text: str) -> None:
        """Append; after an error or an interrupt nothing of this text remains."""
        data = memoryview(text.encode())
        try:
            while data:
                data = data[self._raw.write(data) :]
        except BaseException:
            self._raw.truncate(self.size)
            raise
        self.size = self._raw.tell()
