"""What an archive knows of one walk: values only."""

import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from kiwoom_async import Cursor, KiwoomError, ProgramTradeQuery


class State(StrEnum):
    """How far a walk has come; the four are never mixed up.

    COMPLETE: every row is in the data set. NO_DATA: the server said that there are none, as it
    does for a holiday. FAILED: it ended with an error, which the entry holds. UNFINISHED: it was
    broken off, or is under way.
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
    kept_pages, cursor: of a walk that is not whole: the pages kept, and where it goes on.
    audit, findings: what the walk's audit said; `totals` are the server's, as JSON.
    undecoded: rows that could not be read, as they came, as JSON; only from a client that was
        told to deliver them.
    error: why the last attempt failed, if it did.
    holiday: what the `holidays` package calls this day, where there was no data.
    began, ended: first page and last change, UTC.
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
    # Whoever is collecting it.
    owner: str = ""

    @property
    def final(self) -> bool:
        """Whether another fetch would leave it alone."""
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
    """Some walks of a fetch failed; all others are in the archive. `entries` are those."""

    def __init__(self, entries: list[Entry], asked: int) -> None:
        first = f"{entries[0].query}: {entries[0].error}"
        super().__init__(
            f"{len(entries)} of {asked} walks failed, the others are in the archive; the first "
            f"was {first}"
        )
        self.entries = entries

    def __reduce__(self) -> Any:
        return type(self), (self.entries, 0)
