"""Rows in Parquet and Arrow files: a stream of pages while they come, a file when all are there.

Neither format can be gone on with once it is closed; a stream can.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kiwoom_async import ProgramTrade

from ._formats import Format

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a Parquet row group: some days of both markets, a few MB in memory.
_GROUP_ROWS: Final = 100_000


def import_columnar() -> None:
    """Find out at once whether the extra is there; ModuleNotFoundError names it."""
    import kiwoom_async.tables  # noqa: F401, PLC0415


def stream_path(output: Path) -> Path:
    """Where the pages are kept until all have come."""
    return output.with_name(f"{output.name}.part")


def stream_bytes(rows: list[ProgramTrade], *, first: bool) -> bytes:
    """A page as the next piece of an Arrow stream; the first one begins with the schema."""
    from kiwoom_async.tables import to_arrow  # noqa: PLC0415 - an extra

    table = to_arrow(rows, ProgramTrade)
    pieces = [table.schema] if first else []
    pieces += table.combine_chunks().to_batches()
    return b"".join(piece.serialize().to_pybytes() for piece in pieces)


def finish(output: Path, form: Format) -> None:
    """Make the file of the stream, whole or not at all, and remove the stream."""
    stream = stream_path(output)
    made = output.with_name(f"{output.name}.new")
    try:
        with made.open("wb") as file:
            _convert(stream, file, form)
            file.flush()
            os.fsync(file.fileno())
        made.replace(output)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise OSError(f"{error}; every row is in {stream}, which is an Arrow stream") from error
    stream.unlink()


def _convert(stream: Path, file: Any, form: Format) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    with pa.OSFile(str(stream)) as source, pa.ipc.open_stream(source) as pages:
        if form is Format.ARROW:
            writer = pa.ipc.new_file(file, pages.schema)
        else:
            writer = parquet.ParquetWriter(file, pages.schema, compression="zstd")
        with writer:
            for table in _groups(pages):
                writer.write_table(table)


def _groups(pages: Any) -> Iterator["pa.Table"]:
    """Many pages at a time: groups of fifty rows would be read slowly ever after."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    held: list[Any] = []
    for page in pages:
        held.append(page)
        if sum(one.num_rows for one in held) >= _GROUP_ROWS:
            yield pa.Table.from_batches(held).combine_chunks()
            held.clear()
    yield pa.Table.from_batches(held, pages.schema).combine_chunks()
