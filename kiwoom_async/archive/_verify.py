"""Checks of an archive: files against the manifest, rows against audits, missing weekdays."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from kiwoom_async import Audit, Page, ProgramTradeQuery, Walk

from ._damage import file_damage
from ._entry import Entry, State
from ._holidays import holiday_name
from ._page_codec import decode_totals
from ._parquet import ParquetFiles

_SATURDAY = 5


@frozen
class Finding:
    """Something to look at: `what` it concerns, and a `text` that says what was found.

    damaged: rows are missing or differ from what was collected; the text says if a fetch of the
    walk collects it again, and what to do otherwise. What is not damaged is a walk that is not
    final, or an odd answer of the server.
    """

    what: ProgramTradeQuery | Path
    text: str
    damaged: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


def findings(entries: Sequence[Entry], files: ParquetFiles) -> Iterator[Finding]:
    """Yield the findings of each entry, then unknown files, then missing weekdays."""
    for entry in entries:
        yield from _entry_findings(entry, files)
    known = {files.path(entry.query) for entry in entries if entry.state is State.COMPLETE}
    final = {files.path(entry.query) for entry in entries if entry.final}
    for path in files.all_paths():
        if path not in known:
            replaced = path not in final and files.is_path_of_walk(path)
            cure = "fetch collects it again" if replaced else "remove it, as queries read it"
            yield Finding(path, f"is not in the manifest; {cure}", damaged=True)
    yield from _missing_weekdays(entries)


def _entry_findings(entry: Entry, files: ParquetFiles) -> Iterator[Finding]:
    if entry.state is State.COMPLETE:
        yield from _file_findings(entry, files)
    elif entry.state is State.UNFINISHED:
        yield Finding(entry.query, f"unfinished, {entry.kept_pages} pages kept; fetch it again")
    elif entry.state is State.NO_DATA and not (entry.holiday or entry.provisional):
        yield Finding(entry.query, "no data, on a weekday that no calendar calls a holiday")
    yield from (Finding(entry.query, text) for text in entry.findings)
    if entry.error:
        yield Finding(entry.query, entry.error)
    if entry.provisional:
        yield Finding(entry.query, "provisional: collected before the day was over; fetch it again")


def _file_findings(entry: Entry, files: ParquetFiles) -> Iterator[Finding]:
    if damage := file_damage(entry, files):
        yield Finding(entry.query, f"{damage}; fetch collects it again", damaged=True)
        return
    path = files.path(entry.query)
    try:
        found = _audit_file(entry, files).findings
    except ValueError as error:
        found = [str(error)]
    for text in found:
        # What the audit of the walk itself found was in the server's answer.
        if text not in entry.findings:
            # A fetch does not look this closely.
            cure = f"remove {path}, and fetch collects it again"
            yield Finding(entry.query, f"{text}; {cure}", damaged=True)


def _audit_file(entry: Entry, files: ParquetFiles) -> Audit:
    """Return the audit of the rows that the file has now."""
    page = Page(
        query=entry.query,
        number=1,
        rows=files.read(entry.query),
        totals=decode_totals(entry.totals),
        next=None,
    )
    return Walk.from_pages(entry.query, [page]).audit


def _missing_weekdays(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Yield a finding for each trading day without an entry, between the first and the last."""
    days = defaultdict(set)
    for entry in entries:
        days[entry.query.market, entry.query.exchange].add(entry.query.date)
    for (market, exchange), fetched in days.items():
        for day in _date_range(min(fetched), max(fetched)):
            if day not in fetched and day.weekday() < _SATURDAY and not holiday_name(day):
                query = ProgramTradeQuery(day, market, exchange)
                yield Finding(query, "was never asked for, though days before and after were")


def _date_range(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    """Yield the days from `first` to `last`, both included."""
    for days in range((last - first).days + 1):
        yield first + datetime.timedelta(days)
