"""The Parquet files of the data set: one for each complete walk.

Hive partitions, which pandas, polars, DuckDB and Spark read as one table.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from kiwoom_async import Exchange, Market, ProgramTrade, ProgramTradeQuery, Rows
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, schema, to_arrow

with require_extra("archive", "pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet as pq

SCHEMA: Final[pa.Schema] = schema(ProgramTrade)
# Only in the names of the folders: pandas refuses files that contain them, too.
PARTITION_COLUMNS: Final = ("date", "market", "exchange")
_FILE_NAME: Final = "walk.parquet"


@frozen
class FileDigest:
    """Size and SHA-256 of a file."""

    bytes: int
    checksum: str


class ParquetFiles:
    """The files of an archive's data set, under `folder`; unfinished ones under `partial`."""

    def __init__(self, folder: Path, partial: Path) -> None:
        self.folder = folder
        self._partial = partial

    def path(self, query: ProgramTradeQuery) -> Path:
        """Return the path of a walk's file, which need not exist."""
        values = (str(getattr(query, name)) for name in PARTITION_COLUMNS)
        partitions = (
            f"{name}={value}" for name, value in zip(PARTITION_COLUMNS, values, strict=True)
        )
        return self.folder.joinpath(*partitions, _FILE_NAME)

    def is_path_of_walk(self, path: Path) -> bool:
        """Return True if a walk would have its file at this path."""
        parts = (part.partition("=") for part in path.relative_to(self.folder).parts[:-1])
        values = {name: value for name, _, value in parts}
        try:
            query = ProgramTradeQuery(
                values["date"], Market(values["market"]), Exchange(values["exchange"])
            )
        except (KeyError, ValueError):
            return False
        return self.path(query) == path

    def write(
        self, query: ProgramTradeQuery, rows: Sequence[ProgramTrade], owner: str
    ) -> FileDigest:
        """Write a walk's file; after a crash the earlier file or this one is there, whole."""
        table = to_arrow(rows, ProgramTrade).drop_columns(list(PARTITION_COLUMNS))
        target = self.path(query)
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
        for folder in (target.parent, *target.parent.parents[:3]):
            _sync_folder(folder)
        return digest

    def read(self, query: ProgramTradeQuery) -> Rows[ProgramTrade]:
        """Return the rows of a walk, in the server's order."""
        with self.path(query).open("rb") as file:
            table = pq.read_table(file)
        for name in PARTITION_COLUMNS:
            field = SCHEMA.field(name)
            value = pa.scalar(getattr(query, name), field.type)
            table = table.append_column(field, pa.repeat(value, table.num_rows))
        return Rows(rows_of(table, ProgramTrade), ProgramTrade)

    def all_paths(self) -> list[Path]:
        """Return the path of every file under `folder`, Parquet or not."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def remove_stale(self, is_alive: Callable[[str], bool]) -> None:
        """Remove the partial files of owners that have died."""
        for path in self._partial.glob("*"):
            if not is_alive(path.name):
                path.unlink(missing_ok=True)


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
