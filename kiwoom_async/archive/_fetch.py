"""One fetch: claim walks, collect and store their pages, and write whole walks to files.

Long, because a walk that is claimed, kept, failed or whole is one state, which all of it reads.
"""

import datetime
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from threading import Lock
from typing import Any, Final, TypeAlias, TypeVar

import attrs
from anyio import CancelScope, Event, create_task_group, current_time, sleep, to_thread
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
    MergedPages,
    Query,
    RateLimited,
    SharingError,
    TransportError,
)

from . import _times
from ._damage import file_damage
from ._entry import Entry, State
from ._manifest import Manifest
from ._outcome import assemble_walk, keep_earlier
from ._owner_lock import OwnerLock
from ._page_codec import WalkPage
from ._parquet import ParquetFiles
from ._queries import key_of, new_entry
from ._times import korean_day

T = TypeVar("T")

# After so many in a row the server is taken for dead. Every page resets the count.
_MAX_CONSECUTIVE_FAILURES: Final = 4
# At five calls a second each page is stored as it arrives. Without a pace, storing several
# together saves most of the switches between threads.
_SAVE_INTERVAL_SECONDS: Final = 0.2
# While only other processes' walks remain.
_POLL_SECONDS: Final = 1.0

AnyQuery: TypeAlias = Query[Any, Any]


@define
class Fetch:
    """One call of `Archive.fetch`."""

    kiwoom: KiwoomClient
    manifest: Manifest
    files: ParquetFiles
    owner: OwnerLock
    queries: Sequence[AnyQuery]
    concurrency: int
    refresh: bool
    # Walks that are done, whether this fetch or another process finished them.
    settled: dict[AnyQuery, Entry] = field(factory=dict)
    failed: list[Entry] = field(factory=list)
    _began: datetime.datetime = field(init=False)
    _consecutive_failures: int = 0
    # Of the current round: where interrupted walks resumed, and how many walks were claimed.
    _resumed: Mapping[AnyQuery, Cursor] = field(factory=dict)
    _claim_count: int = 0
    # Received, but not stored yet; and the time (of the event loop) from which to store them.
    _pending: list[WalkPage | Failure] = field(factory=list)
    _save_at: float = 0.0
    # Set when pages were received and left pending.
    _unsaved: Event = field(factory=Event)
    # SQLite and files are used in worker threads, one at a time. A lock, because native
    # cancellation (Ctrl-C, `Task.cancel`) does not wait for a thread that is running.
    _storage_lock: Lock = field(factory=Lock)

    async def run(self) -> list[Entry]:
        """Collect all queries; return an entry for each, in order."""
        self._began = _times.utc_now()
        await self._in_thread(self._remove_stale)
        try:
            while remaining := await self._in_thread(self._find_remaining):
                if not await self._collect(remaining):
                    await sleep(_POLL_SECONDS)
        finally:
            await self._stop()
        return [self.settled[query] for query in self.queries]

    async def _stop(self) -> None:
        try:
            with CancelScope(shield=True):
                await self._in_thread(self._save_and_release)
        finally:
            # The caller closes the manifest next, which a thread may still be using.
            with self._storage_lock:
                pass

    def _save_and_release(self) -> None:
        self._save_pending()
        self.manifest.release(self.owner.name)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await to_thread.run_sync(self._with_storage_lock, work, *arguments)

    def _with_storage_lock(self, work: Callable[..., T], *arguments: Any) -> T:
        with self._storage_lock:
            return work(*arguments)

    def _remove_stale(self) -> None:
        self.owner.remove_stale()
        self.files.remove_stale(self.owner.is_alive)

    def _find_remaining(self) -> list[AnyQuery]:
        """Note the walks that are settled by now, by any process; return the others.

        Those that the archive lacks come first, so that a fetch which goes on day after day does
        not only bring earlier ones up to date.
        """
        entries = {entry.key: entry for entry in self.manifest.entries()}
        stored = {query: entries.get(key_of(query)) for query in self.queries}
        for query, entry in stored.items():
            if query not in self.settled and entry and self._is_settled(entry):
                self.settled[query] = attrs.evolve(entry, query=query)
        remaining = [query for query in self.queries if query not in self.settled]
        whole = {query for query in remaining if (entry := stored[query]) and entry.whole}
        return sorted(remaining, key=whole.__contains__)

    def _is_settled(self, entry: Entry) -> bool:
        # Where another process has collected it since this fetch began, it is recent enough.
        recent = entry.ended is not None and entry.ended > self._began
        settled = entry.is_settled(korean_day(_times.utc_now()), self.refresh) or (
            entry.whole and recent and not entry.owner
        )
        # A walk whose file is missing or damaged is collected again.
        return settled and not file_damage(entry, self.files)

    async def _collect(self, queries: Sequence[AnyQuery]) -> bool:
        """Collect every walk that no other process owns; return False if nothing was to be done."""
        settled_before = len(self.settled)
        self._resumed = await self._in_thread(self._claim_interrupted, queries)
        self._claim_count = len(self._resumed)
        merge = self.kiwoom.merge(
            self._claimed(queries),
            start=self._resumed,
            concurrency=self.concurrency,
            on_error="deliver",
        )
        with ExitStack() as after_merge:
            async with merge as items, _in_background(self._save_late_pages):
                # After an error, the other walks may deliver pages until they have ended.
                after_merge.callback(self._take_waiting, items)
                async for item in items:
                    await self._receive(item)
        await self._in_thread(self._save_pending)
        return self._claim_count > 0 or len(self.settled) > settled_before

    def _take_waiting(self, merged: MergedPages[WalkPage | Failure]) -> None:
        self._pending.extend(merged.take_waiting())

    async def _claimed(self, queries: Sequence[AnyQuery]) -> AsyncIterator[AnyQuery]:
        """Yield resumed walks, and others as soon as they are claimed."""
        for query in queries:
            if query in self._resumed:
                yield query
            elif query not in self.settled and await self._in_thread(self._claim_new, query):
                self._claim_count += 1
                yield query

    async def _receive(self, item: WalkPage | Failure) -> None:
        self._pending.append(item)
        if isinstance(item, Failure):
            await self._in_thread(self._save_pending)
            self._raise_if_hopeless(item.error)
            return
        self._consecutive_failures = 0
        if current_time() >= self._save_at:
            await self._in_thread(self._save_pending)
            self._save_at = current_time() + _SAVE_INTERVAL_SECONDS
        else:
            self._unsaved.set()

    async def _save_late_pages(self) -> None:
        """Store pages that arrived soon after others were stored, even if no other follows."""
        while True:
            await self._unsaved.wait()
            self._unsaved = Event()
            await sleep(_SAVE_INTERVAL_SECONDS)
            await self._in_thread(self._save_pending)

    def _raise_if_hopeless(self, error: KiwoomError) -> None:
        """Raise an error that the other walks would meet, too."""
        if isinstance(error, AuthError | BlockedError | SharingError):
            raise error
        if isinstance(error, TransportError | RateLimited):
            self._consecutive_failures += 1
            if self._consecutive_failures >= _MAX_CONSECUTIVE_FAILURES:
                raise error

    def _claim_interrupted(self, queries: Sequence[AnyQuery]) -> dict[AnyQuery, Cursor]:
        """Claim the walks that have stored pages; return the cursors of those that can go on."""
        interrupted = {entry.key for entry in self.manifest.entries() if entry.kept_pages}
        cursors: dict[AnyQuery, Cursor] = {}
        for query in queries:
            entry = self._try_claim(query) if key_of(query) in interrupted else None
            if entry is None:
                continue
            if not self._can_resume(entry):
                # Without its pages it is collected as a new walk.
                self.manifest.settle(_without_owner(entry))
            elif entry.cursor is None:
                self._finish(query)
            else:
                cursors[query] = entry.cursor
        return cursors

    def _can_resume(self, entry: Entry) -> bool:
        if not self.manifest.has_all_pages(entry.query, entry.kept_pages):
            return False
        # Pages of an unfinished day and of a later moment make no walk. Without a day, those of
        # one day do: the server sends what follows the last page.
        if entry.day is None:
            return self._first_day(entry.query) == korean_day(_times.utc_now())
        return not self._is_provisional(entry.query)

    def _claim_new(self, query: AnyQuery) -> bool:
        """Claim a walk that begins at its first page; return True if it is ours."""
        entry = self._try_claim(query)
        if entry is not None and entry.kept_pages:
            # Another process has just stopped in the middle of it: the next round resumes it.
            self.manifest.update(_without_owner(entry))
            return False
        return entry is not None

    def _try_claim(self, query: AnyQuery) -> Entry | None:
        """Claim a walk; return None if another process has it or has just settled it."""
        entry = self.manifest.claim(query, self.owner.name, self.owner.is_alive)
        if entry is not None and self._is_settled(_without_owner(entry)):
            self.manifest.update(_without_owner(entry))
            return None
        return entry

    def _is_provisional(self, query: AnyQuery) -> bool:
        """Return True if the first stored page arrived before the query's day was over."""
        first, day = self._first_day(query), query.day()
        return first is not None and day is not None and first <= day

    def _first_day(self, query: AnyQuery) -> datetime.date | None:
        """Return the day in Korea on which the first stored page arrived."""
        received = self.manifest.first_received(query)
        return None if received is None else korean_day(received)

    def _save_pending(self) -> None:
        while self._pending:
            item = self._pending[0]
            if isinstance(item, Failure):
                self._save_failure(item)
            elif item.query not in self.settled:
                self._save_page(item)
            # Removed only once saved, so that no later page is ever stored without this one.
            self._pending.pop(0)

    def _save_page(self, page: WalkPage) -> None:
        try:
            self.manifest.add_page(page, _times.utc_now())
        except (TypeError, ValueError) as error:
            # A value that no column can hold fails this walk, and no other.
            self._mark_failed(page.query, f"page {page.number} cannot be kept: {error}")
            return
        if page.next is None:
            self._finish(page.query)

    def _finish(self, query: AnyQuery) -> None:
        """Write the stored pages of a whole walk to its file, and its entry."""
        walk, entry = assemble_walk(query, self.manifest.pages(query), _times.utc_now())
        entry = attrs.evolve(
            entry,
            began=self.manifest.first_received(query),
            provisional=self._is_provisional(query),
        )
        earlier = self.manifest.entry(query)
        if entry.state is State.NO_DATA and earlier and earlier.state is State.COMPLETE:
            entry = keep_earlier(earlier, entry, file_damage(earlier, self.files))
            self.failed.append(entry)
        elif entry.state is State.COMPLETE:
            digest = self.files.write(entry, walk.rows, self.owner.name)
            entry = attrs.evolve(entry, bytes=digest.bytes, checksum=digest.checksum)
        self.manifest.settle(entry)
        self.settled[query] = entry

    def _save_failure(self, failure: Failure) -> None:
        entry = self.manifest.entry(failure.query)
        if entry is None:  # pragma: no cover - it was claimed
            raise RuntimeError(f"{failure.query} was walked without being claimed")
        resumed_here = self._resumed.get(failure.query) == failure.cursor
        if resumed_here and _may_reject_cursor(failure.error):
            # How long a key is accepted is unknown (wire-facts.md, section 5), so the walk begins
            # again in this fetch, at its first page.
            self.manifest.settle(_without_owner(entry))
        elif failure.query not in self.settled:
            self._mark_failed(failure.query, f"{type(failure.error).__name__}: {failure.error}")

    def _mark_failed(self, query: AnyQuery, error: str) -> None:
        """Write the error to the entry; rows of an earlier complete walk stay readable."""
        entry = self.manifest.entry(query) or new_entry(query)
        state = entry.state if entry.state is State.COMPLETE else State.FAILED
        failed = attrs.evolve(entry, state=state, error=error, ended=_times.utc_now(), owner="")
        self.manifest.update(failed)
        self.settled[query] = failed
        self.failed.append(failed)


@asynccontextmanager
async def _in_background(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `work` beside the block and cancel it after; the first exception comes out bare."""
    try:
        async with create_task_group() as group:
            group.start_soon(work)
            yield
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failed:
        first: BaseException = failed.exceptions[0]
    else:
        return
    raise first


def _without_owner(entry: Entry) -> Entry:
    return attrs.evolve(entry, owner="")


def _may_reject_cursor(error: KiwoomError) -> bool:
    """Return True if the server may have refused the continuation key."""
    refused = isinstance(error, ApiError) and not isinstance(error, AuthError | RateLimited)
    return refused or isinstance(error, ContinuationError | DecodeError)
