"""The cost of a fetch, estimated before it begins."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from kiwoom_async import Estimate, KiwoomClient, Query

from ._damage import file_damage
from ._entry import Entry, State
from ._parquet import ParquetFiles
from ._queries import key_of

# Measured on days of the sandbox; used until the archive has complete walks of its own.
_DEFAULT_BYTES_PER_PAGE: Final = 1_000


@frozen
class Plan:
    """The work that remains of some queries: calls and time at the present pace, and disk.

    queries, done: the queries that remain, and how many do not.
    kept: for each interrupted walk, the number of pages already stored.
    bytes: estimated size on disk of what remains.
    damaged: those of `queries` that are complete but for their files, which are missing or damaged.
    outdated: those of `queries` that are whole, but whose answer may have changed since.
    collected_today: how many of the done have no day of their own, and were collected today.
    """

    queries: tuple[Any, ...]
    done: int
    kept: dict[Any, int]
    estimate: Estimate
    bytes: int
    damaged: tuple[Any, ...] = ()
    outdated: tuple[Any, ...] = ()
    collected_today: int = 0

    def __str__(self) -> str:
        today = f" ({self.collected_today:,} of them today; refresh collects those again)"
        again = [f"{self.estimate}, about {self.bytes / 1e3:,.0f} kB on disk"]
        if self.damaged:
            again.append(f"{len(self.damaged):,} of them again: files missing or damaged")
        if self.outdated:
            again.append(f"{len(self.outdated):,} of them again: the answers may have changed")
        done = f"{self.done:,} queries done{today if self.collected_today else ''}"
        return f"{done}; left: {', '.join(again)}"


def make_plan(
    kiwoom: KiwoomClient,
    queries: Sequence[Query[Any, Any]],
    entries: Sequence[Entry],
    files: ParquetFiles,
    *,
    today: datetime.date,
    refresh: bool,
) -> Plan:
    """Return the plan for these queries, given the entries of the archive and its files.

    today: the day in Korea.
    """
    by_key = {entry.key: entry for entry in entries}
    known = {query: by_key[key] for query in queries if (key := key_of(query)) in by_key}
    settled = {query for query, entry in known.items() if entry.is_settled(today, refresh)}
    damaged = [query for query in queries if query in settled and file_damage(known[query], files)]
    done = settled.difference(damaged)
    remaining = tuple(query for query in queries if query not in done)
    outdated = [query for query, entry in known.items() if entry.whole and query not in settled]
    kept = {query: entry.kept_pages for query, entry in known.items() if entry.kept_pages}
    kept_pages = sum(kept.get(query, 0) for query in remaining)
    estimate = _subtract_pages(kiwoom.estimate(remaining), kept_pages)
    return Plan(
        queries=remaining,
        done=len(done),
        kept=kept,
        estimate=estimate,
        bytes=round(estimate.calls * _bytes_per_page(entries)),
        damaged=tuple(damaged),
        outdated=tuple(outdated),
        collected_today=sum(not known[query].final for query in done),
    )


def _bytes_per_page(entries: Sequence[Entry]) -> float:
    complete = [entry for entry in entries if entry.state is State.COMPLETE]
    pages = sum(entry.pages for entry in complete)
    return sum(entry.bytes for entry in complete) / pages if pages else _DEFAULT_BYTES_PER_PAGE


def _subtract_pages(estimate: Estimate, pages: int) -> Estimate:
    """Return the estimate without the calls for these pages; at least one call a query stays."""
    calls = max(estimate.queries, estimate.calls - pages)
    share = calls / estimate.calls if estimate.calls else 0.0
    return Estimate(estimate.queries, calls, estimate.seconds * share)
