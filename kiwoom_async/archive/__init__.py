"""An archive of program trades: days x markets x exchanges as one Parquet data set on disk.

    archive = Archive("program-trades")
    async with KiwoomClient(app_key, secret_key) as kiwoom:
        await archive.fetch(kiwoom, queries)
    archive.query("select date, market, sum(net_buy_amount) from trades group by all")

Extra: archive (pyarrow, duckdb, holidays).
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kiwoom_async import KiwoomClient, ProgramTrade, ProgramTradeQuery, Rows
from kiwoom_async.errors import require_extra

with require_extra("archive", "pyarrow", "duckdb", "holidays"):
    import duckdb  # noqa: F401 - the rooms below need them
    import holidays  # noqa: F401
    import pyarrow  # noqa: F401

from ._claims import Claimant
from ._entry import Entry, IncompleteArchive, State
from ._fetch import Fetch
from ._files import Files
from ._manifest import Manifest
from ._plan import Plan, planned
from ._query import answer
from ._verify import Finding, findings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Archive", "Entry", "Finding", "IncompleteArchive", "Plan", "State"]


# Whatever the port: the sandbox's numbers are the same everywhere.
_THIS_MACHINE: Final = "the sandbox"


class Archive:
    """Program trades of many days under `path`, whole walks only.

    `path/data` is the data set and holds nothing else: read it with `pandas.read_parquet`,
    `polars.read_parquet`, DuckDB or Spark. Beside it stand the manifest, which knows the state of
    every walk, and the pages of those that are not whole yet.

    Nothing is made before the first `fetch`; everything else raises FileNotFoundError until then.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Final = Path(path)
        self._files = Files(self.dataset, self.path / "partial")

    def __repr__(self) -> str:
        return f"<Archive {str(self.path)!r}>"

    @property
    def dataset(self) -> Path:
        """The folder of the Parquet files, by date, market and exchange."""
        return self.path / "data"

    async def fetch(
        self, kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery], *, concurrency: int = 4
    ) -> list[Entry]:
        """Collect what the archive lacks of these queries; an entry for each, in their order.

        What is complete is left alone, what was broken off goes on at the next page, what failed
        is tried again, and so is what was collected on its own day (Korean time). A walk that
        fails does not keep others from being collected: IncompleteArchive names it when all have
        been tried. An error of the keys, the firewall or a dead server ends the fetch as it is.

        ValueError for a client of another server than the one that all before came from: what the
        sandbox invents must not stand among real numbers.

        Killed at any moment, it loses the page that was coming, and the next fetch goes on. Walks
        that another process is collecting into the same archive are waited for, and taken over if
        that process dies. `concurrency` walks are under way at a time, as bulk work.
        """
        asked = _checked(kiwoom, queries)
        self.path.mkdir(parents=True, exist_ok=True)
        self.dataset.mkdir(exist_ok=True)
        with (
            closing(Claimant(self.path / "processes")) as claimant,
            self._opened(new=True) as manifest,
        ):
            manifest.take_from(_source(kiwoom))
            fetch = Fetch(kiwoom, manifest, self._files, claimant, asked, concurrency)
            entries = await fetch.run()
        if fetch.failed:
            raise IncompleteArchive(fetch.failed, len(asked))
        return entries

    def plan(self, kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery]) -> Plan:
        """What a fetch of these queries would take; nothing is sent or made."""
        entries = self.entries() if self._manifest.exists() else []
        return planned(kiwoom, _checked(kiwoom, queries), entries)

    @property
    def simulated(self) -> bool:
        """Whether the walks are from a server on this machine, such as the sandbox."""
        with self._opened() as manifest:
            return manifest.source == _THIS_MACHINE

    def entries(self) -> list[Entry]:
        """What is known of every walk, by day, market and exchange."""
        with self._opened() as manifest:
            return manifest.entries()

    def read(self, query: ProgramTradeQuery) -> Rows[ProgramTrade]:
        """The rows of a complete walk, in the server's order; LookupError for any other."""
        with self._opened() as manifest:
            entry = manifest.entry(query)
        if entry is None or entry.state is not State.COMPLETE:
            state = "was never fetched" if entry is None else f"is {entry.state}"
            raise LookupError(f"{query} {state}")
        return self._files.read(query)

    def verify(self) -> list[Finding]:
        """Everything that is not as it should be; takes about 50 ms a walk.

        Files against their checksums, rows against the audits, walks that are not whole, and
        weekdays that were left out.
        """
        found = list(findings(self.entries(), self._files))
        if not any(one.damaged for one in found):
            return found
        # A fetch beside this may have put a file in its place between two looks.
        again = set(map(str, findings(self.entries(), self._files)))
        return [one for one in found if not one.damaged or str(one) in again]

    def query(self, sql: str) -> "pa.Table":
        """What DuckDB answers: `trades` are all rows, `walks` the manifest."""
        return answer(sql, self.dataset, self.entries())

    @contextmanager
    def _opened(self, *, new: bool = False) -> Iterator[Manifest]:
        try:
            with Manifest(self._manifest, new=new) as manifest:
                yield manifest
        except sqlite3.Error as error:
            raise OSError(f"{self._manifest}: {error}") from error

    @property
    def _manifest(self) -> Path:
        return self.path / "manifest.sqlite"


def _source(kiwoom: KiwoomClient) -> str:
    host = urlsplit(kiwoom.base_url).hostname or ""
    return _THIS_MACHINE if host in {"localhost", "127.0.0.1", "::1"} else host


def _checked(kiwoom: KiwoomClient, queries: Iterable[ProgramTradeQuery]) -> list[ProgramTradeQuery]:
    """The queries; ValueError for what cannot be asked, before anything is made."""
    asked = list(queries) if isinstance(queries, Iterable) else queries
    kiwoom.estimate(asked)
    return asked
