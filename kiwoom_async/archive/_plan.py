"""What a fetch will take, before it is begun."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from kiwoom_async import Estimate, KiwoomClient, ProgramTradeQuery

from ._entry import Entry, State

# Measured on days of the sandbox; an archive that has walks goes by its own.
_BYTES_PER_CALL: Final = 1_000


@frozen
class Plan:
    """What is left of the queries: calls and time at the present pace, and disk.

    `kept` is how many pages are there of the walks that go on.
    """

    queries: tuple[ProgramTradeQuery, ...]
    done: int
    kept: dict[ProgramTradeQuery, int]
    estimate: Estimate
    bytes: int

    def __str__(self) -> str:
        size = f"{self.bytes / 1e3:,.0f} kB"
        return f"{self.done:,} queries done; left: {self.estimate}, about {size} on disk"


def planned(
    kiwoom: KiwoomClient, queries: Sequence[ProgramTradeQuery], entries: Sequence[Entry]
) -> Plan:
    """The plan for these queries, given what the archive has."""
    final = {entry.query for entry in entries if entry.final}
    left = tuple(query for query in queries if query not in final)
    kept = {entry.query: entry.kept_pages for entry in entries if entry.kept_pages}
    estimate = _without(kiwoom.estimate(left), sum(kept.get(query, 0) for query in left))
    whole = [entry for entry in entries if entry.state is State.COMPLETE]
    pages = sum(entry.pages for entry in whole)
    each = sum(entry.bytes for entry in whole) / pages if pages else _BYTES_PER_CALL
    return Plan(left, len(queries) - len(left), kept, estimate, round(estimate.calls * each))


def _without(estimate: Estimate, kept_pages: int) -> Estimate:
    """The estimate, less the calls whose pages are kept."""
    calls = max(estimate.queries, estimate.calls - kept_pages)
    share = calls / estimate.calls if estimate.calls else 0.0
    return Estimate(estimate.queries, calls, estimate.seconds * share)
