"""Damage to the file of a complete walk, as far as it shows without decoding the rows."""

from kiwoom_async.errors import require_extra

from ._entry import Entry, State
from ._parquet import ParquetFiles, digest_file

with require_extra("archive", "pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet as pq


def file_damage(entry: Entry, files: ParquetFiles) -> str:
    """Return what is wrong with the walk's file, "" for nothing and for a walk without a file.

    A fetch collects such a walk again. Takes about a millisecond.
    """
    if entry.state is not State.COMPLETE:
        return ""
    path = files.path(entry)
    if not path.is_file():
        return "its file is missing"
    try:
        digest = digest_file(path)
        if (digest.bytes, digest.checksum) != (entry.bytes, entry.checksum):
            return "its file is not what was written"
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as error:
        return f"its file cannot be read: {error}"
    return "" if rows == entry.rows else f"its file has {rows:,} rows, the manifest {entry.rows:,}"
