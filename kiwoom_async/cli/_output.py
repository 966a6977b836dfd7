"""Where rows go: standard output, or a file that holds whole pages only."""

import os
import stat
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self


class Output(Protocol):
    """Takes page by page; what `write` was given is out of this process when it returns."""

    def write(self, content: str | bytes) -> None:
        """Write all of it, or raise."""
        ...


class StandardOutput:
    """Standard output; `above` writes there while a progress line stands on the same terminal.

    A page that could not be written whole is taken back where that is possible; elsewhere
    `cut_bytes` says how much of it has gone out.
    """

    def __init__(self, above: Callable[[str], None] | None = None) -> None:
        self._above = above
        self.cut_bytes = 0

    def write(self, content: str | bytes) -> None:
        """Write text through; what is no text has no place here."""
        if isinstance(content, bytes):
            raise TypeError("standard output takes text only")
        text = content
        if sys.stdout is None:
            raise OSError("standard output is closed; name a file with --output")
        if self._above is not None:
            self._above(text)
        elif isinstance(sys.stdout, TextIOWrapper):
            self._write_whole(sys.stdout, text)
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def _write_whole(self, out: TextIOWrapper, text: str) -> None:
        # Without a buffer (PYTHONUNBUFFERED) a pipe may take part of what it is given, and
        # TextIOWrapper does not look.
        out.flush()
        whole = text.replace("\n", os.linesep).encode(out.encoding, out.errors or "strict")
        buffer: Any = out.buffer
        data = whole
        file = _regular_file(out)
        size = None if file is None else os.fstat(file).st_size
        try:
            while data:
                data = data[buffer.write(data) :]
            buffer.flush()
        except BaseException:
            if file is not None and size is not None:
                os.ftruncate(file, size)
                os.lseek(file, size, os.SEEK_SET)
            else:
                self.cut_bytes = len(whole) - len(data)
            raise


def _regular_file(out: TextIOWrapper) -> int | None:
    """The descriptor, where it is a file that can be cut."""
    try:
        file = out.fileno()
    except OSError:  # a stand-in without one
        return None
    return file if stat.S_ISREG(os.fstat(file).st_mode) else None


class PagedFile:
    """A new file, or one to go on with, that a failed write leaves as it was before.

    `size` is its length in bytes. An existing file must have `left_at` bytes, where that is
    known: a page written twice would be rows repeated.
    """

    def __init__(self, path: Path, *, new: bool, left_at: int | None = None) -> None:
        self._path = path
        self._new = new
        self._raw = path.open("xb" if new else "r+b", buffering=0)
        self._written = False
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
        if exc is not None and self._new and not self._written:
            # It failed before any page was written: the same command must work again.
            self._path.unlink()

    def write(self, content: str | bytes) -> None:
        """Append; after an error or an interrupt nothing of it remains."""
        data = memoryview(content.encode() if isinstance(content, str) else content)
        try:
            while data:
                data = data[self._raw.write(data) :]
        except BaseException:
            self._raw.truncate(self.size)
            raise
        self._written = True
        self.size = self._raw.tell()
