"""The Parquet data set: one file a walk, whole or not there.

Partitioned as Hive does it, which pandas, polars, DuckDB and Spark read as one table.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from kiwoom_async import ProgramTrade, ProgramTradeQuery, Rows
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, schema, to_arrow

with require_extra("archive", "pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet as pq

SCHEMA: Final[pa.Schema] = schema(ProgramTrade)
# They stand in the folders' names. pandas refuses a file that holds them as well.
PARTITIONS: Final = ("date", "market", "exchange")
_FILE_NAME: Final = "walk.parquet"


@frozen
class Written:
    """What is known of a file."""

    bytes: int
    checksum: str


class Files:
    """The files under `folder`, which holds nothing else."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder
        self._temporary = temporary

    def path(self, query: ProgramTradeQuery) -> Path:
        """Where the walk of a query stands."""
        day, market, exchange = str(query.date), str(query.market), str(query.exchange)
        return (
            self.folder / f"date={day}" / f"market={market}" / f"exchange={exchange}" / _FILE_NAME
        )

    def write(self, query: ProgramTradeQuery, rows: Sequence[ProgramTrade], owner: str) -> Written:
        """Put the whole walk in its place, over an older one; a crash leaves the old or the new."""
        table = to_arrow(rows, ProgramTrade).drop_columns(list(PARTITIONS))
        self._temporary.mkdir(parents=True, exist_ok=True)
        path = self._temporary / owner
        try:
            with path.open("wb") as file:
                pq.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            written = measured(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        target = self.path(query)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        for folder in (target.parent, *target.parent.parents[:3]):
            _sync(folder)
        return written

    def read(self, query: ProgramTradeQuery) -> Rows[ProgramTrade]:
        """The rows of a walk, in the server's order."""
        with self.path(query).open("rb") as file:
            table = pq.read_table(file)
        for name in PARTITIONS:
            field = SCHEMA.field(name)
            value = pa.scalar(getattr(query, name), field.type)
            table = table.append_column(field, pa.repeat(value, table.num_rows))
        return Rows(rows_of(table, ProgramTrade), ProgramTrade)

    def found(self) -> list[Path]:
        """Every file that is there."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def clear(self, is_alive: Callable[[str], bool]) -> None:
        """Remove what the dead left half-written."""
        for path in self._temporary.glob("*"):
            if not is_alive(path.name):
                path.unlink(missing_ok=True)


def measured(path: Path) -> Written:
    """Length and SHA-256 of a file."""
    with path.open("rb") as file:
        digest: Any = hashlib.file_digest(file, "sha256")
    return Written(path.stat().st_size, digest.hexdigest())


def _sync(folder: Path) -> None:
    # The rename itself must survive a power cut. Windows has no such call for folders.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
