"""Collecting: walks into the archive, page by page, so that whatever ends it loses one at most.

Knows the order of things; what a page, a file or a manifest is, others know.
"""

import datetime
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

import attrs
from anyio import CancelScope, current_time, sleep, to_thread
from attrs import define, field

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    Cursor,
    DecodeError,
    Failure,
    KiwoomClient,
    KiwoomError,
    ProgramTradeQuery,
    RateLimited,
    SharingError,
    TransportError,
)

from ._claims import Claimant
from ._entry import Entry, State
from ._files import Files
from ._kept import TradePage
from ._manifest import Manifest
from ._outcome import kept_in_spite, outcome

T = TypeVar("T")

_KST: Final = datetime.timezone(datetime.timedelta(hours=9), "KST")
# Errors of the server or the way to it, which the next query would meet as well: after so many
# without a page between them the job ends.
_MOST_IN_A_ROW: Final = 4
# At the permitted pace every page is kept as it comes; where there is no pace, several at once
# save most of the way into another thread and back.
_KEEP_EVERY_SECONDS: Final = 0.2
# How often to look whether another process has done what is left.
_LOOK_AGAIN_SECONDS: Final = 1.0


def now() -> datetime.datetime:
    """This moment, UTC."""
    return datetime.datetime.now(datetime.UTC)


@define
class Fetch:
    """One call of `Archive.fetch`."""

    kiwoom: KiwoomClient
    manifest: Manifest
    files: Files
    claimant: Claimant
    queries: Sequence[ProgramTradeQuery]
    concurrency: int
    # What has come to an end, by this fetch or by others, and which of it by an error.
    settled: dict[ProgramTradeQuery, Entry] = field(factory=dict)
    failed: list[Entry] = field(factory=list)
    _began: datetime.datetime = field(factory=now)
    _in_a_row: int = 0
    # Where walks went on, in the present round.
    _start: Mapping[ProgramTradeQuery, Cursor] = field(factory=dict)
    # What has come and is not kept yet, and the moment of the event loop's clock to do so.
    _came: list[TradePage | Failure[ProgramTradeQuery]] = field(factory=list)
    _keep_at: float = 0.0
    # SQLite and files are used by one thread at a time, and never by the event loop's. A lock: a
    # native cancellation (Ctrl-C, `Task.cancel`) does not wait for the thread that is at work.
    _busy: Lock = field(factory=Lock)

    async def run(self) -> list[Entry]:
        """What has become of each query, once all have been tried."""
        await self._in_thread(self._clean_up)
        try:
            while left := await self._in_thread(self._left):
                if not await self._collect(left):
                    await sleep(_LOOK_AGAIN_SECONDS)
        finally:
            try:
                with CancelScope(shield=True):
                    await self._in_thread(self._let_go)
            finally:
                # The manifest is closed next, under nobody's hands.
                with self._busy:
                    pass
        return [self.settled[query] for query in self.queries]

    def _let_go(self) -> None:
        self._keep()
        self.manifest.release(self.claimant.name)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        def alone() -> T:
            with self._busy:
                return work(*arguments)

        return await to_thread.run_sync(alone)

    def _clean_up(self) -> None:
        self.claimant.bury()
        self.files.clear(self.claimant.is_alive)

    def _left(self) -> list[ProgramTradeQuery]:
        """What neither this fetch nor anybody before or beside it has brought to an end."""
        known = {entry.query: entry for entry in self.manifest.entries()}
        for query in self.queries:
            if query not in self.settled and query in known and self._is_settled(known[query]):
                self.settled[query] = known[query]
        return [query for query in self.queries if query not in self.settled]

    def _is_settled(self, entry: Entry) -> bool:
        # What another process has collected provisionally in the meantime is as good as ours.
        fresh = entry.ended is not None and entry.ended >= self._began
        there = entry.state is not State.COMPLETE or self.files.path(entry.query).exists()
        return there and (entry.final or (entry.provisional and fresh and not entry.owner))

    async def _collect(self, queries: Sequence[ProgramTradeQuery]) -> bool:
        """Walk those that are nobody else's; whether there was any."""
        settled_before = len(self.settled)
        self._start = start = await self._in_thread(self._taken_up, queries)
        claimed = len(start)

        async def ours() -> AsyncIterator[ProgramTradeQuery]:
            nonlocal claimed
            for query in queries:
                if query in start:
                    yield query
                elif query not in self.settled and await self._in_thread(self._claim, query):
                    claimed += 1
                    yield query

        async with self.kiwoom.merge(
            ours(), start=start, concurrency=self.concurrency, on_error="deliver"
        ) as pages:
            async for item in pages:
                self._came.append(item)
                if isinstance(item, Failure):
                    await self._in_thread(self._keep)
                    self._end_if_hopeless(item.error)
                else:
                    self._in_a_row = 0
                    if current_time() >= self._keep_at:
                        await self._in_thread(self._keep)
                        self._keep_at = current_time() + _KEEP_EVERY_SECONDS
        await self._in_thread(self._keep)
        return claimed > 0 or len(self.settled) > settled_before

    def _taken_up(self, queries: Sequence[ProgramTradeQuery]) -> dict[ProgramTradeQuery, Cursor]:
        """Where the walks go on that were left half-way and are nobody's."""
        kept = {entry.query for entry in self.manifest.entries() if entry.kept_pages}
        start: dict[ProgramTradeQuery, Cursor] = {}
        for query in queries:
            known = self._claimed(query) if query in kept else None
            if known is None:
                continue
            if not self.manifest.holds_all_up_to(query, known.kept_pages) or (
                self._is_provisional(query)
            ):
                # There is nothing to go on from, or it is of another moment: a walk like others.
                self.manifest.settle(attrs.evolve(known, owner=""))
            elif known.cursor is None:
                self._finish(query)
            else:
                start[query] = known.cursor
        return start

    def _claim(self, query: ProgramTradeQuery) -> bool:
        """Make a walk ours that begins at its first page."""
        known = self._claimed(query)
        if known is not None and known.kept_pages:
            # Somebody else was at it a moment ago: the next round takes it up.
            self.manifest.update(attrs.evolve(known, owner=""))
            return False
        return known is not None

    def _claimed(self, query: ProgramTradeQuery) -> Entry | None:
        """A walk that is ours now; None for another's, and one that another has just finished."""
        known = self.manifest.claim(query, self.claimant.name, self.claimant.is_alive)
        if known is not None and self._is_settled(attrs.evolve(known, owner="")):
            self.manifest.update(attrs.evolve(known, owner=""))
            return None
        return known

    def _is_provisional(self, query: ProgramTradeQuery) -> bool:
        """Whether the kept pages began to come when the day was not over in Korea."""
        began = self.manifest.began(query)
        return began is not None and began.astimezone(_KST).date() <= query.date

    def _keep(self) -> None:
        """Put away what has come."""
        while self._came:
            item = self._came[0]
            if isinstance(item, Failure):
                self._fail(item)
            elif item.query not in self.settled:
                self._keep_page(item)
            # Not before it is put away: a later page must never be kept without this one.
            self._came.pop(0)

    def _keep_page(self, page: TradePage) -> None:
        try:
            self.manifest.add(page, now())
        except ValueError as error:
            # A number that no column can hold is this walk's failure, and nobody else's.
            self._give_up(page.query, f"page {page.number} cannot be kept: {error}")
            return
        if page.next is None:
            self._finish(page.query)

    def _finish(self, query: ProgramTradeQuery) -> None:
        """Turn the kept pages into a file, and say what the walk has come to."""
        walk, found = outcome(query, self.manifest.pages(query), now())
        found = attrs.evolve(found, began=self.manifest.began(query))
        found = attrs.evolve(found, provisional=self._is_provisional(query))
        known = self.manifest.entry(query)
        if found.state is State.NO_DATA and known is not None and known.state is State.COMPLETE:
            found = kept_in_spite(known, found)
            self.failed.append(found)
        elif found.state is State.COMPLETE:
            written = self.files.write(query, walk.rows, self.claimant.name)
            found = attrs.evolve(found, bytes=written.bytes, checksum=written.checksum)
        self.manifest.settle(found)
        self.settled[query] = found

    def _fail(self, failure: Failure[ProgramTradeQuery]) -> None:
        known = self.manifest.entry(failure.query)
        if known is None:  # pragma: no cover - it was claimed
            raise RuntimeError(f"{failure.query} was walked without being claimed")
        if self._start.get(failure.query) == failure.cursor and _is_of_the_key(failure.error):
            # How long a key is honoured is unknown: the same fetch begins again without it.
            self.manifest.settle(attrs.evolve(known, owner=""))
            return
        if failure.query not in self.settled:
            self._give_up(failure.query, f"{type(failure.error).__name__}: {failure.error}")

    def _give_up(self, query: ProgramTradeQuery, error: str) -> None:
        known = self.manifest.entry(query) or Entry(query=query, state=State.UNFINISHED)
        state = known.state if known.state is State.COMPLETE else State.FAILED
        failed = attrs.evolve(known, state=state, error=error, ended=now(), owner="")
        self.manifest.update(failed)
        self.settled[query] = failed
        self.failed.append(failed)

    def _end_if_hopeless(self, error: KiwoomError) -> None:
        if isinstance(error, AuthError | BlockedError | SharingError):
            raise error
        if isinstance(error, TransportError | RateLimited):
            self._in_a_row += 1
            if self._in_a_row >= _MOST_IN_A_ROW:
                raise error


def _is_of_the_key(error: KiwoomError) -> bool:
    """Whether the server may have meant the continuation key, and not us or the moment."""
    refused = isinstance(error, ApiError) and not isinstance(error, AuthError | RateLimited)
    return refused or isinstance(error, ContinuationError | DecodeError)
