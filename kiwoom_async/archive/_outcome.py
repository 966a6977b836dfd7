"""The entry of a walk whose last page has been stored."""

import datetime
import json
from collections.abc import Sequence
from typing import Any

import attrs

from kiwoom_async import Query, Walk

from ._entry import Entry, State
from ._holidays import holiday_name
from ._page_codec import WalkPage, encode_totals
from ._queries import new_entry


def assemble_walk(
    query: Query[Any, Any], pages: Sequence[WalkPage], ended: datetime.datetime
) -> tuple[Walk[Any, Any], Entry]:
    """Return the walk of these pages and its entry, which is complete or without data."""
    if not _is_whole(pages):
        raise RuntimeError(f"{query}: the {len(pages)} stored pages are not a whole walk")
    walk = Walk.from_pages(query, pages)
    undecoded = [attrs.asdict(row) for page in pages for row in page.undecoded]
    has_data = bool(walk.rows or undecoded)
    day = query.day()
    return walk, attrs.evolve(
        new_entry(query),
        state=State.COMPLETE if has_data else State.NO_DATA,
        rows=len(walk.rows),
        pages=len(pages),
        audit=str(walk.audit),
        findings=walk.audit.findings,
        totals=encode_totals(walk.totals),
        undecoded=json.dumps(undecoded) if undecoded else "",
        holiday="" if has_data or day is None else holiday_name(day),
        ended=ended,
    )


def _is_whole(pages: Sequence[WalkPage]) -> bool:
    numbers = [page.number for page in pages]
    return bool(pages) and numbers == [*range(1, len(pages) + 1)] and pages[-1].next is None


def keep_earlier(earlier: Entry, later: Entry, damage: str) -> Entry:
    """Return the entry of a complete walk that was collected again, this time without data.

    damage: what is wrong with the earlier walk's file, "" for nothing.
    """
    # The server also answers blank to a request that it does not accept (wire-facts.md, fact 6),
    # so this is no reason to discard rows.
    outcome = damage or "the earlier walk was kept"
    error = f"no data at {later.ended:%Y-%m-%d %H:%M} UTC; {outcome}"
    return attrs.evolve(earlier, error=error, ended=later.ended, owner="")
