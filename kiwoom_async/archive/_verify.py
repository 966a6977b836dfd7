"""Checks of an archive: files against the manifest, rows against audits, missing weekdays."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
from attrs import frozen

from kiwoom_async import Audit, Page, Walk

from ._damage import file_damage
from ._data_set import DataSet
from ._entry import Entry, State
from ._holidays import holiday_name
from ._page_codec import decode_totals
from ._parquet import ParquetFiles

_SATURDAY = 5


@frozen
class Finding:
    """Something to look at: `what` it concerns, and a `text` that says what was found.

    what: a query, as text where its class has not been imported; or the path of a file.
    damaged: rows are missing or differ from what was collected; the text says if a fetch of the
    walk collects it again, and what to do otherwise. What is not damaged is a walk that is not
    final, or an odd answer of the server.
    """

    what: Any
    text: str
    damaged: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


def findings(
    entries: Sequence[Entry], data_sets: Iterable[DataSet], files: ParquetFiles
) -> Iterator[Finding]:
    """Yield the findings of each entry, then unknown files, then missing weekdays."""
    for entry in entries:
        yield from _entry_findings(entry, files)
    known = {files.path(entry) for entry in entries if entry.state is State.COMPLETE}
    final = {files.path(entry) for entry in entries if entry.final}
    for data_set in data_sets:
        for path in files.all_paths(data_set):
            if path not in known:
                replaced = path not in final and files.is_path_of_walk(path, data_set)
                cure = "fetch collects it again" if replaced else "remove it, as queries read it"
                yield Finding(path, f"is not in the manifest; {cure}", damaged=True)
    yield from _missing_weekdays(entries)


def _entry_findings(entry: Entry, files: ParquetFiles) -> Iterator[Finding]:
    if entry.state is State.COMPLETE:
        yield from _file_findings(entry, files)
    elif entry.state is State.UNFINISHED:
        yield Finding(entry.what, f"unfinished, {entry.kept_pages} pages kept; fetch it again")
    elif entry.state is State.NO_DATA and entry.final and not entry.holiday:
        yield Finding(entry.what, "no data, on a weekday that no calendar calls a holiday")
    yield from (Finding(entry.what, text) for text in entry.findings)
    if entry.error:
        yield Finding(entry.what, entry.error)
    if entry.provisional:
        yield Finding(entry.what, "provisional: collected before the day was over; fetch it again")


def _file_findings(entry: Entry, files: ParquetFiles) -> Iterator[Finding]:
    if damage := file_damage(entry, files):
        yield Finding(entry.what, f"{damage}; fetch collects it again", damaged=True)
        return
    if entry.query is None:
        return
    path = files.path(entry)
    try:
        found = _audit_file(entry, files).findings
    except ValueError as error:
        found = [str(error)]
    for text in found:
        # What the audit of the walk itself found was in the server's answer.
        if text not in entry.findings:
            # A fetch does not look this closely.
            cure = f"remove {path}, and fetch collects it again"
            yield Finding(entry.what, f"{text}; {cure}", damaged=True)


def _audit_file(entry: Entry, files: ParquetFiles) -> Audit:
    """Return the audit of the rows that the file has now."""
    page = Page(
        query=entry.query,
        number=1,
        rows=files.read(entry.query, entry),
        totals=decode_totals(entry.totals, entry.query.totals_class),
        next=None,
    )
    return Walk.from_pages(entry.query, [page]).audit


def _missing_weekdays(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Yield a finding for each trading day without an entry, between the first and the last."""
    groups: defaultdict[Any, dict[datetime.date, Any]] = defaultdict(dict)
    for entry in entries:
        if entry.query is not None and entry.day is not None:
            groups[_apart_from_day(entry)][entry.day] = entry.query
    for fetched in groups.values():
        first = min(fetched)
        for day in _date_range(first, max(fetched)):
            if day not in fetched and day.weekday() < _SATURDAY and not holiday_name(day):
                changes = dict.fromkeys(_day_fields(fetched[first]), day)
                missing = attrs.evolve(fetched[first], **changes)
                yield Finding(missing, "was never asked for, though days before and after were")


def _apart_from_day(entry: Entry) -> tuple[Any, ...]:
    """Return what two queries have in common that differ in their day only."""
    names = _day_fields(entry.query)
    fields = attrs.asdict(entry.query, recurse=False)
    return entry.data_set, *names, *(fields[name] for name in fields if name not in names)


def _day_fields(query: Any) -> list[str]:
    """Return the names of the fields that say which day the answer is about."""
    fields = attrs.asdict(query, recurse=False)
    return [name for name, value in fields.items() if value == query.day()]


def _date_range(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    """Yield the days from `first` to `last`, both included."""
    for days in range((last - first).days + 1):
        yield first + datetime.timedelta(days)
