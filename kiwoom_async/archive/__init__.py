"""An archive of program trades: days x markets x exchanges in one Parquet data set on disk.

    archive = Archive("program-trades")
    async with KiwoomClient(app_key, secret_key) as kiwoom:
        await archive.fetch(kiwoom, queries)
    archive.query("select date, market, sum(net_buy_amount) from trades group by all")

An entry's `findings` say what does not add up in what the server sent, as the walk's audit does;
on the command line `archive fetch` names them and ends with 3. `verify` looks at the files, too.

Extra: archive (pyarrow, duckdb, holidays).
"""

import os
import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kiwoom_async import KiwoomClient, ProgramTrade, ProgramTradeQuery, Rows
from kiwoom_async.errors import require_extra

with require_extra("archive", "pyarrow", "duckdb", "holidays"):
    import duckdb  # noqa: F401 - this folder's modules need all three
    import holidays  # noqa: F401
    import pyarrow  # noqa: F401

from ._entry import Entry, IncompleteArchive, State
from ._fetch import Fetch
from ._manifest import Manifest
from ._owner_lock import OwnerLock
from ._parquet import ParquetFiles
from ._plan import Plan, make_plan
from ._sql import run_sql
from ._verify import Finding, findings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Archive", "Entry", "Finding", "IncompleteArchive", "Plan", "State"]


_MAX_NAMED: Final = 5
# One name for every port, because the sandbox sends the same numbers on each.
_SANDBOX: Final = "the sandbox"


class Archive:
    """Program trades of many days under `path`; only whole walks are in the data set.

    `path/data` contains the Parquet files and nothing else: read it with `pandas.read_parquet`,
    `polars.read_parquet`, DuckDB or Spark. The manifest beside it records the state of every walk
    and holds the pages of unfinished ones.

    The first `fetch` creates the folders. Until then only `plan` works; everything else that
    reads the archive raises FileNotFoundError.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Final = Path(path)
        self._files = ParquetFiles(self.dataset, self.path / "partial")

    def __repr__(self) -> str:
        return f"<Archive {str(self.path)!r}>"

    @property
    def dataset(self) -> Path:
        """The folder of the Parquet files, partitioned by date, market and exchange."""
        return self.path / "data"

    async def fetch(
        self, kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery], *, concurrency: int = 4
    ) -> list[Entry]:
        """Collect what the archive lacks of these queries; return an entry for each, in order.

        Complete walks are left alone, and interrupted ones go on at their next page. Failed walks
        are tried again, and so are provisional ones, collected on their own day (Korean time), and
        those whose files are missing or damaged. An entry's `findings` say what does not add up in
        the server's answer: asking again would not mend it.
        `concurrency` walks run at a time, at bulk priority.

        A cancelled fetch loses at most the pages under way; a killed one may also lose those that
        arrived in its last fifth of a second. Walks that another process is collecting into the
        same archive are waited for, and taken over if that process dies.

        Raises IncompleteArchive if walks failed, once all were tried. Errors that every walk
        would meet (refused keys, the firewall, a dead server) end the fetch and are raised as
        they are. Raises ValueError if earlier walks came from another server: simulated and real
        numbers must not mix.
        """
        accepted = _validated(kiwoom, queries)
        # Refuses a concurrency that cannot be used; nothing is walked before `async with`.
        kiwoom.merge(accepted, concurrency=concurrency)
        if self._manifest_path.exists():
            with self._open_manifest() as manifest:
                manifest.check_source(_source_name(kiwoom))
        self.path.mkdir(parents=True, exist_ok=True)
        self.dataset.mkdir(exist_ok=True)
        if not os.access(self.dataset, os.W_OK):
            raise PermissionError(f"{self.dataset}: nothing can be written there")
        with (
            closing(OwnerLock(self.path / "processes")) as owner,
            self._open_manifest(create=True) as manifest,
        ):
            manifest.set_source(_source_name(kiwoom))
            fetch = Fetch(kiwoom, manifest, self._files, owner, accepted, concurrency)
            entries = await fetch.run()
        if fetch.failed:
            raise IncompleteArchive(fetch.failed, len(accepted))
        return entries

    def plan(self, kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery]) -> Plan:
        """Return the calls, time and disk that a fetch would take; send and create nothing.

        Walks with missing or damaged files are among those that remain.
        """
        entries = self.entries() if self._manifest_path.exists() else []
        return make_plan(kiwoom, _validated(kiwoom, queries), entries, self._files)

    @property
    def simulated(self) -> bool:
        """True if the walks came from a server on this machine, such as the sandbox."""
        with self._open_manifest() as manifest:
            return manifest.source == _SANDBOX

    def entries(self) -> list[Entry]:
        """Return an entry for every walk, by day, market and exchange."""
        with self._open_manifest() as manifest:
            return manifest.entries()

    def read(self, query: ProgramTradeQuery) -> Rows[ProgramTrade]:
        """Return the rows of a complete walk, in the server's order.

        Raises LookupError if the walk is not complete, and FileNotFoundError if its file is
        missing: fetch it again.
        """
        with self._open_manifest() as manifest:
            entry = manifest.entry(query)
        if entry is None:
            raise LookupError(f"{query}: not in the archive; fetch it first")
        if entry.state is not State.COMPLETE:
            raise LookupError(f"{query}: got state {str(entry.state)!r}; expected 'complete'")
        if not self._files.path(query).exists():
            raise FileNotFoundError(f"{query}: its file is missing; fetch collects it again")
        return self._files.read(query)

    def verify(self) -> list[Finding]:
        """Check the whole archive; return all findings. Takes about 50 ms a walk.

        A fetch collects the walks again whose files are missing or damaged; the findings say so.

        Compares files with their checksums and rows with their audits, and reports walks that are
        not final and weekdays that are missing.
        """
        first = list(findings(self.entries(), self._files))
        if not any(finding.damaged for finding in first):
            return first
        # A running fetch replaces a file before it updates the manifest. Damage that only the
        # first look saw was such a moment.
        second = set(map(str, findings(self.entries(), self._files)))
        return [finding for finding in first if not finding.damaged or str(finding) in second]

    def missing_files(self) -> list[ProgramTradeQuery]:
        """Return the complete walks whose files are missing; a fetch collects them again."""
        return self._missing_files(self.entries())

    def _missing_files(self, entries: list[Entry]) -> list[ProgramTradeQuery]:
        complete = [entry.query for entry in entries if entry.state is State.COMPLETE]
        return [query for query in complete if not self._files.path(query).exists()]

    def query(self, sql: str) -> "pa.Table":
        """Run SQL in DuckDB: the table `trades` has all rows, `walks` has the entries.

        Warns of complete walks whose files are missing, as `trades` lacks their rows.
        """
        entries = self.entries()
        self._warn_of_missing_files(entries)
        return run_sql(sql, self.dataset, entries)

    def _warn_of_missing_files(self, entries: list[Entry]) -> None:
        complete = [entry for entry in entries if entry.state is State.COMPLETE]
        missing = [str(query) for query in self._missing_files(complete)]
        if missing:
            more = f" and {len(missing) - _MAX_NAMED:,} more" if len(missing) > _MAX_NAMED else ""
            names = ", ".join(missing[:_MAX_NAMED]) + more
            warnings.warn(
                f"{self.path}: rows are missing, as the files of {len(missing):,} of "
                f"{len(complete):,} complete walks are: {names}; fetch collects them again",
                stacklevel=3,
            )

    @contextmanager
    def _open_manifest(self, *, create: bool = False) -> Iterator[Manifest]:
        try:
            with Manifest(self._manifest_path, create=create) as manifest:
                yield manifest
        except sqlite3.Error as error:
            raise OSError(f"{self._manifest_path}: {error}") from error

    @property
    def _manifest_path(self) -> Path:
        return self.path / "manifest.sqlite"


def _source_name(kiwoom: KiwoomClient) -> str:
    host = urlsplit(kiwoom.base_url).hostname or ""
    return _SANDBOX if host in {"localhost", "127.0.0.1", "::1"} else host


def _validated(
    kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery]
) -> list[ProgramTradeQuery]:
    """Return the queries as a list; raise ValueError for any that the client would refuse."""
    listed = list(queries) if isinstance(queries, Iterable) else queries
    kiwoom.estimate(listed)
    return listed
