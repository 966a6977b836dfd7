"""Estimates of how many calls queries will take: from the walks seen, or the declaration."""

from collections.abc import Hashable
from typing import Any

from attrs import frozen

from .query import Query
from .results import Page


@frozen
class Estimate:
    """The cost of queries: their number, calls, and seconds at the present pace.

    The seconds are those of the rate limit alone; other work of the client comes on top.
    """

    queries: int
    calls: int
    seconds: float

    def __str__(self) -> str:
        queries = "1 query" if self.queries == 1 else f"{self.queries:,} queries"
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        return f"{queries}, {calls}, about {self.duration}"

    @property
    def duration(self) -> str:
        """The seconds as text, in a unit that suits."""
        units = ((48 * 3600, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"))
        for at_least, unit_seconds, name in units:
            if self.seconds >= at_least:
                return f"{self.seconds / unit_seconds:,.1f} {name}"
        return f"{self.seconds:.0f} s"


class PageCounts:
    """The pages that walks have had; of walks of similar size, the longest counts."""

    def __init__(self) -> None:
        self._complete: dict[Hashable, int] = {}
        self._announced: dict[Hashable, int] = {}

    def learn(self, page: Page[Any, Any]) -> None:
        """Take a page of any walk into account."""
        group = page.query.api_id, page.query.size_group()
        if page.next is not None:
            if page.number >= self._announced.get(group, 0):
                self._announced[group] = page.number + 1
        elif page.number > 1 or page.rows:
            # A holiday says nothing about the size of other days.
            self._complete[group] = max(page.number, self._complete.get(group, 0))

    def expected(self, query: Query[Any, Any]) -> int:
        """Return how many pages to expect of a walk."""
        group = query.api_id, query.size_group()
        complete, announced = self._complete.get(group, 0), self._announced.get(group, 0)
        # A walk that is longer than all before it: they were of a day that had hardly begun.
        if announced > complete or not complete:
            return max(announced, query.expected_pages())
        return complete
