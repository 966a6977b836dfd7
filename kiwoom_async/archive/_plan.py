"""The cost of a fetch, estimated before it begins."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from kiwoom_async import Estimate, KiwoomClient, ProgramTradeQuery

from ._damage import file_damage
from ._entry import Entry, State
from ._parquet import ParquetFiles

# Measured on days of the sandbox; used until the archive has complete walks of its own.
_DEFAULT_BYTES_PER_PAGE: Final = 1_000


@frozen
class Plan:
    """The work that remains of some queries: calls and time at the present pace, and disk.

    queries, done: the queries that remain, and how many do not.
    kept: for each interrupted walk, the number of pages already stored.
    bytes: estimated size on disk of what remains.
    damaged: those of `queries` that are complete but for their files, which are missing or damaged.
    """

    queries: tuple[ProgramTradeQuery, ...]
    done: int
    kept: dict[ProgramTradeQuery, int]
    estimate: Estimate
    bytes: int
    damaged: tuple[ProgramTradeQuery, ...] = ()

    def __str__(self) -> str:
        size = f"{self.bytes / 1e3:,.0f} kB"
        again = f", {len(self.damaged):,} of them again: files missing or damaged"
        left = f"{self.estimate}, about {size} on disk{again if self.damaged else ''}"
        return f"{self.done:,} queries done; left: {left}"


def make_plan(
    kiwoom: KiwoomClient,
    queries: Sequence[ProgramTradeQuery],
    entries: Sequence[Entry],
    files: ParquetFiles,
) -> Plan:
    """Return the plan for these queries, given the entries of the archive and its files."""
    final = {entry.query: entry for entry in entries if entry.final}
    damaged = tuple(
        query for query in queries if query in final and file_damage(final[query], files)
    )
    again = set(damaged)
    remaining = tuple(query for query in queries if query not in final or query in again)
    kept = {entry.query: entry.kept_pages for entry in entries if entry.kept_pages}
    kept_pages = sum(kept.get(query, 0) for query in remaining)
    estimate = _subtract_pages(kiwoom.estimate(remaining), kept_pages)
    size = round(estimate.calls * _bytes_per_page(entries))
    return Plan(remaining, len(queries) - len(remaining), kept, estimate, size, damaged)


def _bytes_per_page(entries: Sequence[Entry]) -> float:
    complete = [entry for entry in entries if entry.state is State.COMPLETE]
    pages = sum(entry.pages for entry in complete)
    return sum(entry.bytes for entry in complete) / pages if pages else _DEFAULT_BYTES_PER_PAGE


def _subtract_pages(estimate: Estimate, pages: int) -> Estimate:
    """Return the estimate without the calls for these pages; at least one call a query stays."""
    calls = max(estimate.queries, estimate.calls - pages)
    share = calls / estimate.calls if estimate.calls else 0.0
    return Estimate(estimate.queries, calls, estimate.seconds * share)
