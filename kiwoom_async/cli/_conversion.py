"""Parquet, Arrow and JSON files: pages are appended to a file beside, converted at the end.

A closed Parquet, Arrow or JSON file cannot be appended to, so only the file beside, an Arrow stream
or JSON lines, can be resumed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._formats import Format
from ._output import replacing

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a Parquet row group: some days of both markets, a few MB in memory.
_GROUP_ROWS: Final = 100_000


def require_pyarrow() -> None:
    """Raise ModuleNotFoundError, which names the extra, if pyarrow is missing."""
    import kiwoom_async.tables  # noqa: F401, PLC0415


def stream_path(output: Path) -> Path:
    """Return the path of the file that grows until all pages are there."""
    return output.with_name(f"{output.name}.part")


def stream_bytes(rows: Sequence[Any], row_class: type[Any], *, first: bool) -> bytes:
    """Return a page as the next part of an Arrow stream; the first begins with the schema."""
    from kiwoom_async.tables import to_arrow  # noqa: PLC0415 - an extra

    table = to_arrow(rows, row_class)
    pieces = [table.schema] if first else []
    pieces += table.combine_chunks().to_batches()
    return b"".join(piece.serialize().to_pybytes() for piece in pieces)


def convert_stream(output: Path, form: Format) -> None:
    """Write the file from the file beside, whole or not at all, and remove that one."""
    stream = stream_path(output)
    try:
        with replacing(output) as file:
            _convert(stream, file, form)
    except OSError as error:
        kind = "are JSON lines" if form is Format.JSON else "is an Arrow stream"
        raise OSError(f"{error}; every row is in {stream}, which {kind}") from error
    stream.unlink()


def _convert(stream: Path, file: Any, form: Format) -> None:
    if form is Format.JSON:
        _write_array(stream, file)
    else:
        _write_table(stream, file, form)


def _write_array(stream: Path, file: Any) -> None:
    """Write the lines as one JSON array, still a line for each row."""
    separator = b"["
    with stream.open("rb") as lines:
        for line in lines:
            file.write(separator + b"\n" + line.rstrip(b"\n"))
            separator = b","
    file.write(b"[]\n" if separator == b"[" else b"\n]\n")


def _write_table(stream: Path, file: Any, form: Format) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    with pa.OSFile(str(stream)) as source, pa.ipc.open_stream(source) as pages:
        if form is Format.ARROW:
            writer = pa.ipc.new_file(file, pages.schema)
        else:
            writer = parquet.ParquetWriter(file, pages.schema, compression="zstd")
        with writer:
            for table in _row_groups(pages):
                writer.write_table(table)


def _row_groups(pages: Any) -> Iterator["pa.Table"]:
    """Yield many pages as one table: a file of groups of fifty rows would be slow to read."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    pending: list[Any] = []
    for page in pages:
        pending.append(page)
        if sum(batch.num_rows for batch in pending) >= _GROUP_ROWS:
            yield pa.Table.from_batches(pending).combine_chunks()
            pending.clear()
    yield pa.Table.from_batches(pending, pages.schema).combine_chunks()
