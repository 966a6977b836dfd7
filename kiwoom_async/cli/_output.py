"""Destinations of rows: standard output, and a file that never contains part of a page."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self


def require_writable(folder: Path, file: Path | None = None) -> None:
    """Raise ValueError, before any work, if no file can be created there, or this one not changed.

    Asks by trying: permissions do not tell of file systems that are read-only.
    """
    if not folder.is_dir():
        raise ValueError(f"--output: there is no directory {folder}")
    try:
        with TemporaryFile(dir=folder):
            pass
        if file is not None:
            file.open("r+b").close()
    except OSError as error:
        what = folder if error.filename != str(file) else file
        raise ValueError(
            f"--output: nothing can be written to {what}: {error.strerror or error}; name another"
        ) from error


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Name the file in an OSError that names none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise OSError(f"{what}: {error}") from error
        if error.filename is None:
            error.filename = str(what)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` at the end of the block, whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    try:
        with naming(path), temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def stdout_is_terminal() -> bool:
    """Return True on a terminal; asks the stream, as rich believes FORCE_COLOR instead."""
    return sys.stdout is not None and sys.stdout.isatty()


class StandardOutput:
    """Standard output; `write_above` writes there while progress lines are on the same terminal.

    A page that was written in part is removed again if standard output is a regular file;
    otherwise `partial_bytes` is the length of the part.
    """

    def __init__(self, write_above: Callable[[str], None] | None = None) -> None:
        self._write_above = write_above
        self.partial_bytes = 0

    def write(self, content: str | bytes) -> None:
        """Write and flush text; raises TypeError for bytes, OSError if the stream is closed."""
        if isinstance(content, bytes):
            raise TypeError("standard output takes text only")
        if sys.stdout is None:
            raise OSError("standard output is closed; name a file with --output")
        if self._write_above is not None:
            self._write_above(content)
        elif isinstance(sys.stdout, TextIOWrapper):
            self._write_whole(sys.stdout, content)
        else:
            sys.stdout.write(content)
            sys.stdout.flush()

    def _write_whole(self, stream: TextIOWrapper, text: str) -> None:
        stream.flush()
        data = text.replace("\n", os.linesep).encode(stream.encoding, stream.errors or "strict")
        with naming("standard output"):
            self._write_bytes(stream, data)

    def _write_bytes(self, stream: TextIOWrapper, data: bytes) -> None:
        # Without a buffer (PYTHONUNBUFFERED) a pipe may take part of what it is given, and
        # TextIOWrapper ignores the count.
        buffer: Any = stream.buffer
        unwritten = data
        descriptor = _regular_file(stream)
        size_before = None if descriptor is None else os.fstat(descriptor).st_size
        try:
            while unwritten:
                unwritten = unwritten[buffer.write(unwritten) :]
            buffer.flush()
        except BaseException:
            if descriptor is not None and size_before is not None:
                os.ftruncate(descriptor, size_before)
                os.lseek(descriptor, size_before, os.SEEK_SET)
            else:
                self.partial_bytes = len(data) - len(unwritten)
            raise


def _regular_file(stream: TextIOWrapper) -> int | None:
    """Return the stream's descriptor if it is a regular file, which can be truncated."""
    try:
        descriptor = stream.fileno()
    except OSError:  # a replaced sys.stdout may have no descriptor
        return None
    return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


class PagedFile:
    """A new or a continued file that a failed write leaves as it was before.

    `size` is its length in bytes. If `expected_size` is given, a continued file must have that
    length: otherwise pages could be written twice.
    """

    def __init__(self, path: Path, *, new: bool, expected_size: int | None = None) -> None:
        self._path = path
        self._new = new
        self._raw = path.open("xb" if new else "r+b", buffering=0)
        self._page_written = False
        self.size = self._raw.seek(0, 2)
        if expected_size not in (None, self.size):
            self._raw.close()
            raise ValueError(
                f"--resume: {path} has {self.size:,} bytes, but {expected_size:,} when that walk "
                "stopped; was it resumed already?"
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
        if exc is not None and self._new and not self._page_written:
            # The same command must work again, and it refuses a file that exists.
            self._path.unlink()

    def write(self, content: str | bytes) -> None:
        """Append; after an error or an interrupt nothing of the content remains."""
        unwritten = memoryview(content.encode() if isinstance(content, str) else content)
        try:
            with naming(self._path):
                while unwritten:
                    unwritten = unwritten[self._raw.write(unwritten) :]
        except BaseException:
            self._raw.truncate(self.size)
            raise
        self._page_written = True
        self.size = self._raw.tell()
