"""An archive of whole walks on disk: a Parquet data set for each request.

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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from kiwoom_async import KiwoomClient, ProgramTradeQuery, Query, Rows
from kiwoom_async._protocol.declaration import check_hashable
from kiwoom_async.errors import require_extra

with require_extra("archive", "pyarrow", "duckdb", "holidays"):
    import duckdb  # noqa: F401 - this folder's modules need all three
    import holidays  # noqa: F401
    import pyarrow  # noqa: F401

from . import _times
from ._data_set import DataSet, data_set_of
from ._entry import Entry, IncompleteArchive, State
from ._fetch import Fetch
from ._manifest import Manifest
from ._owner_lock import OwnerLock
from ._parquet import ParquetFiles
from ._plan import Plan, make_plan
from ._queries import check_places, new_entries, with_queries
from ._sql import run_sql
from ._verify import Finding, findings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Archive", "DataSet", "Entry", "Finding", "IncompleteArchive", "Plan", "State"]

RowT = TypeVar("RowT")

_MAX_NAMED: Final = 5
# One name for every port, because the sandbox sends the same numbers on each.
_SANDBOX: Final = "the sandbox"
_TRADES: Final = data_set_of(ProgramTradeQuery)


class Archive:
    """The answers to many queries, of any declared requests, under `path`; whole walks only.

    Each request has a folder of Parquet files, a `DataSet`, which contains nothing else: read it
    with `pandas.read_parquet`, `polars.read_parquet`, DuckDB or Spark. That of ka90004 is
    `path/data`, others are called like their table: `path/ka10081_candle`. The manifest beside
    them records the state of every walk and holds the pages of unfinished ones.

    The first `fetch` creates the folders. Until then only `plan` works; everything else that
    reads the archive raises FileNotFoundError.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Final = Path(path)
        self._files = ParquetFiles(self.path)

    def __repr__(self) -> str:
        return f"<Archive {str(self.path)!r}>"

    @property
    def dataset(self) -> Path:
        """The folder of ka90004's Parquet files, partitioned by date, market and exchange."""
        return self.path / _TRADES.folder

    def data_sets(self) -> list[DataSet]:
        """Return the data sets of the archive, by name: tables of `query`, folders in `path`."""
        with self._open_manifest() as manifest:
            return [*manifest.data_sets().values()]

    async def fetch(
        self,
        kiwoom: KiwoomClient,
        queries: Iterable[Query[Any, Any]],
        *,
        concurrency: int = 4,
        refresh: bool = False,
    ) -> list[Entry]:
        """Collect what the archive lacks of these queries; return an entry for each, in order.

        Complete walks are left alone, and interrupted ones go on at their next page. Failed walks
        are tried again, and so are those whose files are missing or damaged. An entry's `findings`
        say what does not add up in the server's answer: asking again would not mend it.
        `concurrency` walks run at a time, at bulk priority.

        Of a query that has a day (`Query.day`), a walk that was begun later (Korean time) is final;
        one begun on that day is provisional, and each fetch collects it again. Of a query without,
        such as prices up to a date or the trades since this morning, nothing says that the answer
        is final: a walk is good for the day on which it was collected, and a fetch on a later day
        collects it again, as `refresh` does on the same day. The new rows replace the earlier ones
        once all have come, so that answers about today which do not say so, such as an intraday
        list's, need an archive for each day. An interrupted walk goes on on the day of its pages.

        A cancelled fetch loses at most the pages under way; a killed one may also lose those that
        arrived in its last fifth of a second. Walks that another process is collecting into the
        same archive are waited for, and taken over if that process dies.

        Raises IncompleteArchive if walks failed, once all were tried. Errors that every walk
        would meet (refused keys, the firewall, a dead server) end the fetch and are raised as
        they are. Raises ValueError, before anything is sent or made, if earlier walks came from
        another server, as simulated and real numbers must not mix; and for a query that has no
        place: no table can hold its rows, or its file would be another's.
        """
        accepted = _validated(kiwoom, queries)
        # Refuses a concurrency that cannot be used; nothing is walked before `async with`.
        kiwoom.merge(accepted, concurrency=concurrency)
        if self._manifest_path.exists():
            with self._open_manifest() as manifest:
                manifest.check_source(_source_name(kiwoom))
        self._check_places(accepted)
        data_sets = {data_set_of(type(query)) for query in accepted}
        self._make_folders(data_sets)
        with (
            closing(OwnerLock(self.path / "processes")) as owner,
            self._open_manifest(create=True) as manifest,
        ):
            manifest.set_source(_source_name(kiwoom))
            manifest.add_data_sets(data_sets)
            fetch = Fetch(kiwoom, manifest, self._files, owner, accepted, concurrency, refresh)
            entries = await fetch.run()
        if fetch.failed:
            raise IncompleteArchive(fetch.failed, len(accepted))
        return entries

    def plan(
        self, kiwoom: KiwoomClient, queries: Iterable[Query[Any, Any]], *, refresh: bool = False
    ) -> Plan:
        """Return the calls, time and disk that a fetch would take; send and create nothing.

        Walks with missing or damaged files are among those that remain. Raises what a fetch would
        raise before its first call.
        """
        accepted = _validated(kiwoom, queries)
        entries = self._check_places(accepted)
        today = _times.korean_day(_times.utc_now())
        return make_plan(kiwoom, accepted, entries, self._files, today=today, refresh=refresh)

    def _check_places(self, queries: Sequence[Query[Any, Any]]) -> Sequence[Entry]:
        """Raise ValueError for a query that cannot be archived; return the present entries."""
        entries: Sequence[Entry] = ()
        data_sets: dict[str, DataSet] = {}
        if self._manifest_path.exists():
            with self._open_manifest() as manifest:
                entries, data_sets = manifest.entries(), manifest.data_sets()
        check_places(new_entries(queries), entries, data_sets)
        return entries

    def _make_folders(self, data_sets: Iterable[DataSet]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        for data_set in data_sets:
            folder = self.path / data_set.folder
            folder.mkdir(exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"{folder}: nothing can be written there")

    @property
    def simulated(self) -> bool:
        """True if the walks came from a server on this machine, such as the sandbox."""
        with self._open_manifest() as manifest:
            return manifest.source == _SANDBOX

    def entries(self) -> list[Entry]:
        """Return an entry for every walk, by data set and request, as by day and market.

        An entry's `query` is None if its class has not been imported.
        """
        with self._open_manifest() as manifest:
            return with_queries(manifest.entries())

    def read(self, query: Query[RowT, Any]) -> Rows[RowT]:
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
        if not self._files.path(entry).exists():
            raise FileNotFoundError(f"{query}: its file is missing; fetch collects it again")
        return self._files.read(query, entry)

    def verify(self) -> list[Finding]:
        """Check the whole archive; return all findings. Takes about 50 ms a walk.

        A fetch collects the walks again whose files are missing or damaged; the findings say so.

        Compares files with their checksums and rows with their audits, and reports walks that are
        not whole or provisional and weekdays that are missing. Audits need the class of a query:
        where it has not been imported, rows are counted only.
        """
        first = self._findings()
        if not any(finding.damaged for finding in first):
            return first
        # A running fetch replaces a file before it updates the manifest. Damage that only the
        # first look saw was such a moment.
        second = set(map(str, self._findings()))
        return [finding for finding in first if not finding.damaged or str(finding) in second]

    def _findings(self) -> list[Finding]:
        return [*findings(self.entries(), self.data_sets(), self._files)]

    def missing_files(self) -> list[Any]:
        """Return the queries of complete walks whose files are missing; a fetch repairs them.

        As text, where a query's class has not been imported.
        """
        return [entry.what for entry in self._without_file(self.entries())]

    def _without_file(self, entries: Sequence[Entry]) -> list[Entry]:
        complete = [entry for entry in entries if entry.state is State.COMPLETE]
        return [entry for entry in complete if not self._files.path(entry).exists()]

    def query(self, sql: str) -> "pa.Table":
        """Run SQL in DuckDB: a table for each data set, `trades` for ka90004; `walks`: the entries.

        Warns of complete walks whose files are missing, as the tables lack their rows.
        """
        with self._open_manifest() as manifest:
            entries, data_sets = manifest.entries(), manifest.data_sets()
        self._warn_of_missing_files(entries)
        tables = {_TRADES.name: _TRADES} | data_sets
        return run_sql(sql, self.path, tables.values(), entries)

    def _warn_of_missing_files(self, entries: Sequence[Entry]) -> None:
        if missing := [entry.label for entry in self._without_file(entries)]:
            complete = [entry for entry in entries if entry.state is State.COMPLETE]
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


def _validated(kiwoom: KiwoomClient, queries: Iterable[Query[Any, Any]]) -> list[Query[Any, Any]]:
    """Return the queries as a list; raise ValueError for any that the client would refuse."""
    listed = list(queries) if isinstance(queries, Iterable) else queries
    if isinstance(listed, list):
        for query in listed:
            check_hashable(query)
    kiwoom.estimate(listed)
    return listed
