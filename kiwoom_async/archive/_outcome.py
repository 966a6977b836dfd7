"""What a walk that has come to its end is in the archive."""

import datetime
import json
from collections.abc import Sequence
from typing import Any

import attrs

from kiwoom_async import ProgramTradeQuery, Walk

from ._entry import Entry, State
from ._holidays import holiday_name
from ._kept import TradePage, totals_json


def outcome(
    query: ProgramTradeQuery, pages: Sequence[TradePage], ended: datetime.datetime
) -> tuple[Walk[Any, Any, Any, Any], Entry]:
    """The walk of these pages, and its entry: complete, or without data."""
    if [page.number for page in pages] != [*range(1, len(pages) + 1)] or not _ends(pages):
        raise RuntimeError(f"{query}: the {len(pages)} pages that were kept are no whole walk")
    walk = Walk.of(query, pages)
    undecoded = [attrs.asdict(row) for page in pages for row in page.undecoded]
    has_data = bool(walk.rows or undecoded)
    return walk, Entry(
        query=query,
        state=State.COMPLETE if has_data else State.NO_DATA,
        rows=len(walk.rows),
        pages=len(pages),
        audit=str(walk.audit),
        findings=walk.audit.findings,
        totals=totals_json(walk.totals),
        undecoded=json.dumps(undecoded) if undecoded else "",
        holiday="" if has_data else holiday_name(query.date),
        ended=ended,
    )


def _ends(pages: Sequence[TradePage]) -> bool:
    return bool(pages) and pages[-1].next is None


def kept_in_spite(known: Entry, found: Entry) -> Entry:
    """The entry of a walk that had data before, and now came without."""
    # A blank answer is also how the server says that it did not like the question
    # (wire-facts.md, fact 6): no reason to throw away what is there.
    error = f"came without data at {found.ended:%Y-%m-%d %H:%M} UTC; the earlier walk was kept"
    return attrs.evolve(known, error=error, ended=found.ended, owner="")
