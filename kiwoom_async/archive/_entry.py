"""Values: the state of one walk in an archive, and the error for walks that failed."""

import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from kiwoom_async import Cursor, KiwoomError, ProgramTradeQuery


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

    query: ProgramTradeQuery
    state: State
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
    def final(self) -> bool:
        """True if another fetch would leave the walk alone."""
        return self.state in {State.COMPLETE, State.NO_DATA} and not self.provisional

    def __str__(self) -> str:
        facts = [str(self.state) + (", provisional" if self.provisional else "")]
        if self.state is State.COMPLETE:
            facts.append(f"{self.rows:,} rows, {self.pages} pages")
        if self.kept_pages:
            facts.append(f"{self.kept_pages} pages kept")
        facts += [*self.findings, *filter(None, (self.holiday, self.error))]
        return f"{self.query}: {'; '.join(facts)}"


class IncompleteArchive(KiwoomError):
    """Some walks of a fetch failed: `entries`. All others are in the archive."""

    def __init__(self, entries: list[Entry], asked: int) -> None:
        first = f"{entries[0].query}: {entries[0].error}"
        super().__init__(
            f"{len(entries)} of {asked} walks failed, the others are in the archive; the first "
            f"was {first}"
        )
        self.entries = entries
        self._asked = asked

    def __reduce__(self) -> Any:
        return type(self), (self.entries, self._asked)
