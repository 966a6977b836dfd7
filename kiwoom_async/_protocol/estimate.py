"""How many calls queries will take: from the walks seen so far, or what was once measured.

Pure. Knows no pace; its figures are guesses, for plans and progress only.
"""

from collections.abc import Hashable
from typing import Any

from attrs import frozen

from .query import Page, Query


@frozen
class Estimate:
    """What queries will cost: how many they are, calls, and seconds at the present pace.

    The seconds are what the pace alone takes, whatever else the client is doing.
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
        """The seconds in a unit for eyes."""
        units = ((48 * 3600, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"))
        for at_least, unit_seconds, name in units:
            if self.seconds >= at_least:
                return f"{self.seconds / unit_seconds:,.1f} {name}"
        return f"{self.seconds:.0f} s"


class PageCounts:
    """How many pages walks have had; of walks that are alike, the longest counts."""

    def __init__(self) -> None:
        self._complete: dict[Hashable, int] = {}
        self._announced: dict[Hashable, int] = {}

    def learn(self, page: Page[Any, Any, Any]) -> None:
        """Take a page of any walk into account."""
        alike = _alike(page.query)
        if page.next is not None:
            if page.number >= self._announced.get(alike, 0):
                self._announced[alike] = page.number + 1
        elif page.number > 1 or page.rows:
            # A holiday says nothing about the size of other days.
            self._complete[alike] = max(page.number, self._complete.get(alike, 0))

    def pages(self, query: Query[Any, Any, Any, Any]) -> int:
        """How many pages to expect of a walk."""
        alike = _alike(query)
        complete, announced = self._complete.get(alike, 0), self._announced.get(alike, 0)
        # A walk that is longer than all before it: they were of a day that had hardly begun.
        if announced > complete or not complete:
            return max(announced, query.endpoint.usual_pages(query))
        return complete


def _alike(query: Any) -> Hashable:
    return query.endpoint.api_id, query.endpoint.alike(query)
