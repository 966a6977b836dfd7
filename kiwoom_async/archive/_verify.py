"""Looking over an archive: files against manifest, rows against audits, days that lack."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from kiwoom_async import Page, ProgramTradeAudit, ProgramTradeQuery, Walk

from ._entry import Entry, State
from ._files import Files, measured
from ._holidays import holiday_name
from ._kept import totals_of

_SATURDAY = 5


@frozen
class Finding:
    """Something to look at: `what` it is about, and what was found.

    damaged: rows are missing or not what was collected; otherwise something is open, or strange
    in what the server said.
    """

    what: ProgramTradeQuery | Path
    text: str
    damaged: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


def findings(entries: Sequence[Entry], files: Files) -> Iterator[Finding]:
    """Everything that does not add up, or is not there."""
    for entry in entries:
        yield from _of_entry(entry, files)
    known = {files.path(entry.query) for entry in entries if entry.state is State.COMPLETE}
    for path in files.found():
        if path not in known:
            yield Finding(path, "is no file that the manifest knows", damaged=True)
    yield from _gaps(entries)


def _of_entry(entry: Entry, files: Files) -> Iterator[Finding]:
    if entry.state is State.COMPLETE:
        yield from _of_file(entry, files)
        yield from (Finding(entry.query, text) for text in entry.findings)
    elif entry.state is State.UNFINISHED:
        yield Finding(entry.query, f"unfinished, {entry.kept_pages} pages kept; fetch it again")
    elif entry.state is State.NO_DATA and not (entry.holiday or entry.provisional):
        yield Finding(entry.query, "no data, on a weekday that no calendar calls a holiday")
    if entry.error:
        yield Finding(entry.query, entry.error)
    if entry.provisional:
        yield Finding(entry.query, "provisional: of a day that was not over; fetch it again")


def _of_file(entry: Entry, files: Files) -> Iterator[Finding]:
    path = files.path(entry.query)
    if not path.is_file():
        yield Finding(entry.query, "its file is missing", damaged=True)
        return
    found = measured(path)
    if (found.bytes, found.checksum) != (entry.bytes, entry.checksum):
        yield Finding(entry.query, "its file is not what was written", damaged=True)
        return
    audit = _audit(entry, files)
    if audit.rows != entry.rows:
        text = f"its file has {audit.rows:,} rows, the manifest {entry.rows:,}"
        yield Finding(entry.query, text, damaged=True)
    said = set(entry.findings)
    yield from (
        Finding(entry.query, text, damaged=True) for text in audit.findings if text not in said
    )


def _audit(entry: Entry, files: Files) -> ProgramTradeAudit:
    """The audit of the rows as they are in the file."""
    page = Page(
        query=entry.query,
        number=1,
        rows=files.read(entry.query),
        totals=totals_of(entry.totals),
        next=None,
    )
    return Walk.of(entry.query, [page]).audit


def _gaps(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Weekdays between the first and the last that were never asked for."""
    days = defaultdict(set)
    for entry in entries:
        days[entry.query.market, entry.query.exchange].add(entry.query.date)
    for (market, exchange), asked in days.items():
        for day in _days_between(min(asked), max(asked)):
            if day not in asked and day.weekday() < _SATURDAY and not holiday_name(day):
                query = ProgramTradeQuery(day, market, exchange)
                yield Finding(query, "was never asked for, though days before and after were")


def _days_between(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    for more in range((last - first).days + 1):
        yield first + datetime.timedelta(days=more)
