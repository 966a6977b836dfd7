"""The Parquet files of the data set: one for each complete walk.

Hive partitions, which pandas, polars, DuckDB and Spark read as one table.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from kiwoom_async import Query, Rows
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, schema, to_arrow

from ._data_set import DataSet, data_set_of, query_columns
from ._entry import Entry

with require_extra("archive", "pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet as pq

RowT = TypeVar("RowT")


@frozen
class FileDigest:
    """Size and SHA-256 of a file."""

    bytes: int
    checksum: str


class ParquetFiles:
    """The files of an archive's data sets, under `folder`; unfinished ones under `partial`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partial = folder / "partial"

    def path(self, entry: Entry) -> Path:
        """Return the path of a walk's file, which need not exist."""
        return self._folder / entry.file

    def write(self, entry: Entry, rows: Sequence[Any], owner: str) -> FileDigest:
        """Write a walk's file; after a crash the earlier file or this one is there, whole."""
        table = _table(entry.query, rows)
        target = self.path(entry)
        self._partial.mkdir(parents=True, exist_ok=True)
        path = self._partial / owner
        try:
            with path.open("wb") as file:
                pq.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            digest = digest_file(path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                # That of a full disk names no file.
                raise OSError(f"{target}: {error}") from error
            raise
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        folder = target.parent
        while folder != self._folder:
            _sync_folder(folder)
            folder = folder.parent
        return digest

    def read(self, query: Query[RowT, Any], entry: Entry) -> Rows[RowT]:
        """Return the rows of a walk, in the server's order."""
        with self.path(entry).open("rb") as file:
            table = pq.read_table(file)
        asked = query_columns([query])
        for field in schema(query.row_class):
            if field.name not in table.schema.names and field.name in asked.schema.names:
                column = pa.repeat(asked[field.name][0], table.num_rows)
                table = table.append_column(field.name, column)
        return Rows(rows_of(table, query.row_class), query.row_class)

    def all_paths(self, data_set: DataSet) -> list[Path]:
        """Return the path of every file of a data set, Parquet or not."""
        files = (self._folder / data_set.folder).rglob("*")
        return sorted(path for path in files if path.is_file())

    def is_path_of_walk(self, path: Path, data_set: DataSet) -> bool:
        """Return True if a walk of the data set may have its file at this path."""
        return data_set.is_path_of_walk(path.relative_to(self._folder / data_set.folder).parts)

    def remove_stale(self, is_alive: Callable[[str], bool]) -> None:
        """Remove the partial files of owners that have died."""
        for path in self._partial.glob("*"):
            if not is_alive(path.name):
                path.unlink(missing_ok=True)


def _table(query: Query[Any, Any], rows: Sequence[Any]) -> pa.Table:
    """Return the columns of a walk's file: those of its data set that are in no folder's name."""
    data_set = data_set_of(type(query))
    table, asked = to_arrow(rows, query.row_class), query_columns([query])
    # pandas refuses files that contain the partitions, too.
    fields = [field for field in data_set.columns if field.name not in data_set.partitions]
    columns = [
        table[field.name]
        if field.name in table.schema.names
        else pa.repeat(asked[field.name][0], len(rows))
        for field in fields
    ]
    return pa.table(columns, schema=pa.schema(fields))


def digest_file(path: Path) -> FileDigest:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest: Any = hashlib.file_digest(file, "sha256")
    return FileDigest(path.stat().st_size, digest.hexdigest())


def _sync_folder(folder: Path) -> None:
    # Makes the rename survive a power cut. Windows cannot sync folders.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
