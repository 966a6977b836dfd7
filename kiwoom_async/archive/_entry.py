"""Values: the state of one walk in an archive, and the error for walks that failed."""

import datetime
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import Factory, field, frozen

from kiwoom_async import Cursor, KiwoomError

from ._times import korean_day

# The api-id, and the body as JSON.
Key = tuple[str, str]


def key_of_body(api_id: str, body: Mapping[str, str]) -> Key:
    """Return the key of a request."""
    return api_id, json.dumps(body, ensure_ascii=False, sort_keys=True)


class State(StrEnum):
    """The state of a walk.

    COMPLETE: every row is in the data set. NO_DATA: the server said that there are none, as it
    does for a holiday. FAILED: the last attempt ended with an error, which the entry holds.
    UNFINISHED: the walk is running, or was interrupted.
    """

    COMPLETE = "complete"
    NO_DATA = "no data"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@frozen(kw_only=True)
class Entry:
    """One walk in the archive.

    query: the query; None if its class has not been imported. The next six say what it was.
    api_id, body: the request, as sent; no two walks of an archive have both in common.
    fields: the query's fields by name, as JSON has them: text, numbers, booleans, None.
    label: the query as text. day: the day that the query's answer is about, if there is one.
    data_set: the name of the SQL table. file: the path of the rows in the archive's folder.
    provisional: the walk began on its own day (Korean time), when values still moved; the next
        fetch collects it again.
    rows, pages, bytes, checksum: of its file; `checksum` is SHA-256.
    kept_pages, cursor: of a walk that is not whole: the number of pages stored, and where it
        resumes.
    audit, findings: the result of the walk's audit; `totals` are the server's, as JSON.
    undecoded: rows that could not be read, as received, as JSON; only from a client with
        `on_undecoded="deliver"`.
    error: the error of the last attempt, "" if it succeeded.
    holiday: the name of the day in the `holidays` package, for a day without data.
    began, ended: the times of the first page and of the last change, UTC.
    """

    query: Any
    state: State
    api_id: str = ""
    body: dict[str, str] = field(factory=dict[str, str])
    fields: dict[str, Any] = field(factory=dict[str, Any])
    label: str = field(default=Factory(lambda self: str(self.query), takes_self=True))
    day: datetime.date | None = None
    data_set: str = ""
    file: str = ""
    provisional: bool = False
    rows: int = 0
    pages: int = 0
    bytes: int = 0
    checksum: str = ""
    audit: str = ""
    findings: list[str] = field(factory=list[str])
    totals: str = ""
    undecoded: str = ""
    error: str = ""
    holiday: str = ""
    began: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    kept_pages: int = 0
    cursor: Cursor | None = None
    # The `OwnerLock.name` of the fetch that is collecting the walk; "" for none.
    owner: str = ""

    @property
    def key(self) -> Key:
        """The request as it is sent, by which an archive tells its walks apart."""
        return key_of_body(self.api_id, self.body)

    @property
    def what(self) -> Any:
        """The query, or its text if its class has not been imported."""
        return self.label if self.query is None else self.query

    @property
    def whole(self) -> bool:
        """True if the walk came to its end."""
        return self.state in {State.COMPLETE, State.NO_DATA}

    @property
    def final(self) -> bool:
        """True if the answer is not expected to change: it is about a day that was over."""
        return self.whole and self.day is not None and not self.provisional

    def is_settled(self, today: datetime.date, refresh: bool) -> bool:
        """Return True if a fetch on this day (Korean time) leaves the walk alone.

        A final walk, and unless `refresh` one without a day of its own that was collected today.
        """
        collected = None if self.began is None else korean_day(self.began)
        return self.final or (
            self.whole and self.day is None and collected == today and not refresh
        )

    def __str__(self) -> str:
        facts = [str(self.state) + (", provisional" if self.provisional else "")]
        if self.state is State.COMPLETE:
            facts.append(f"{self.rows:,} rows, {self.pages} pages")
        if self.kept_pages:
            facts.append(f"{self.kept_pages} pages kept")
        facts += [*self.findings, *filter(None, (self.holiday, self.error))]
        return f"{self.label}: {'; '.join(facts)}"


class IncompleteArchive(KiwoomError):
    """Some walks of a fetch failed: `entries`. All others are in the archive."""

    def __init__(self, entries: list[Entry], asked: int) -> None:
        first = f"{entries[0].label}: {entries[0].error}"
        super().__init__(
            f"{len(entries)} of {asked} walks failed, the others are in the archive; the first "
            f"was {first}"
        )
        self.entries = entries
        self._asked = asked

    def __reduce__(self) -> Any:
        return type(self), (self.entries, self._asked)
