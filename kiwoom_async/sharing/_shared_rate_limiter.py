"""The rate limiter of a bucket that many programs share."""

import logging
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import uuid4

import anyio
from anyio import current_time
from attrs import frozen

from kiwoom_async import Priority, SharingError
from kiwoom_async._io.rate_limit import LocalRateLimiter, RoundTrips, permits_and_window

from ._outage_policy import OutagePolicy
from ._program import program_id, program_name
from ._queue import MARGIN_SECONDS, BucketStore, SlotReply, SlotRequest
from ._thread_runner import ThreadRunner

_logger: Final = logging.getLogger("kiwoom_async")

# A slot that is used so much later would be too close to the following ones: it is given up.
_STALE_SECONDS: Final = 0.020
# A request is early by the longest of the last one-way times plus the minimum, at most by the
# maximum.
_MIN_LEAD_SECONDS: Final = 0.010
_MAX_LEAD_SECONDS: Final = 0.100
_ONE_WAY_SAMPLES: Final = 8
# How long to use the local share before the store is tried again.
_RETRY_STORE_SECONDS: Final = 1.0
# Each of several programs has a part of the calls only, to learn the line by.
_ENOUGH_ROUND_TRIPS: Final = 50
# A word on a late answer that takes longer comes when the permit is back in use.
_HOLD_SECONDS: Final = 1.0


@frozen
class Slot:
    """A granted slot: its number in the bucket, and when it begins."""

    number: int
    begins_at: float


class SharedRateLimiter:
    """Slots granted by a bucket in a shared store.

    A program that is alone makes one request for each slot; if several wait, each makes one or two
    more to learn its position. A call that may have arrived late makes another one at its end.
    """

    def __init__(self, bucket: BucketStore, per_second: float, policy: OutagePolicy) -> None:
        policy.check_pace(per_second)
        self._bucket = bucket
        self._reserved = policy.reserved
        self._max_per_second = per_second - policy.reserved
        self._limit = 0.0  # named by a 429; 0 for none
        share = policy.local_share
        self._local_limiter = None if share is None else LocalRateLimiter(share)
        self._runner = ThreadRunner(policy.wait_seconds)
        self._id = uuid4().hex
        # One call of each priority stands in the queue, so that an interactive call need not wait
        # for this program's bulk calls.
        self._queue_locks = {priority: anyio.Lock() for priority in Priority}
        # Half the round-trip times of the last requests to the store.
        self._one_way_seconds = deque[float](maxlen=_ONE_WAY_SAMPLES)
        self._next_request_at = dict.fromkeys(Priority, -math.inf)
        self._round_trips = RoundTrips(enough=_ENOUGH_ROUND_TRIPS)
        self._retry_store_at = -math.inf  # -inf while the store is in use

    @property
    def per_second(self) -> float:
        """The requests per second that all programs together may make."""
        return min(self._max_per_second, self._limit or math.inf)

    @asynccontextmanager
    async def acquire(self, priority: Priority) -> AsyncIterator[None]:
        """Wait for a slot; raise SharingError if the store cannot be used."""
        async with self._queue_locks[priority]:
            slot = None
            while slot is None and not self._uses_local_share():
                slot = await self._try_acquire(priority)
        if slot is None:
            assert self._local_limiter is not None  # noqa: S101 - _uses_local_share
            async with self._local_limiter.acquire(priority):
                yield
            return
        begun_at, answered = current_time(), False
        try:
            yield
            answered = True
        finally:
            ended_at = current_time()
            if answered:
                self._round_trips.append((ended_at, ended_at - begun_at))
            else:
                ended_at = self._round_trips.end_without_answer(begun_at, ended_at)
            await self._hold_if_late(slot, ended_at)

    async def pause(self, seconds: float, limit: float) -> None:
        """Pause all programs, and lower the limit for all."""
        if self._local_limiter is not None:
            await self._local_limiter.pause(seconds, limit)
        self._limit = min(limit, self._limit or math.inf)
        started_at = current_time()
        try:
            named = limit if math.isfinite(limit) else 0.0
            await self._runner.run(self._bucket.pause, self._window_ms, 1000.0 * seconds, named)
        except SharingError as error:
            self._use_local_share(error, current_time() - started_at)

    async def _hold_if_late(self, slot: Slot, ended_at: float) -> None:
        """Hold the permit of a call that may have arrived later than its slot's margin allows."""
        arrived_at = ended_at - self._round_trips.certain_seconds()
        if arrived_at - slot.begins_at <= MARGIN_SECONDS:
            return
        _, window_seconds = permits_and_window(self.per_second)
        hold_ms = 1000.0 * (arrived_at + window_seconds - current_time())
        with anyio.move_on_after(_HOLD_SECONDS, shield=True), suppress(SharingError):
            await self._runner.run(self._bucket.hold, self._window_ms, slot.number, hold_ms)

    @property
    def _window_ms(self) -> float:
        return 1000.0 * permits_and_window(self._max_per_second)[1]

    def _uses_local_share(self) -> bool:
        return self._local_limiter is not None and current_time() < self._retry_store_at

    async def _try_acquire(self, priority: Priority) -> Slot | None:
        """Make one request and wait as the reply says; return the slot that begins now, or None."""
        await anyio.sleep_until(self._next_request_at[priority])
        asked_at = current_time()
        try:
            reply = await self._runner.run(self._bucket.request_slot, self._slot_request(priority))
        except SharingError as error:
            self._use_local_share(error, current_time() - asked_at)
            return None
        self._record(reply, asked_at)
        return await self._wait_for_slot(reply, priority, (asked_at + current_time()) / 2)

    def _record(self, reply: SlotReply, asked_at: float) -> None:
        if reply.conflicting_program:
            raise SharingError(
                f"reserved: got {self._reserved}; {reply.conflicting_program} shares this app key "
                "with another value; give all programs the same"
            )
        if self._retry_store_at > -math.inf:
            self._retry_store_at = -math.inf
            _logger.warning("sharing: the shared store can be used again")
        self._one_way_seconds.append((current_time() - asked_at) / 2)
        self._limit = reply.limit

    async def _wait_for_slot(
        self, reply: SlotReply, priority: Priority, replied_at: float
    ) -> Slot | None:
        due_at = replied_at + reply.wait_ms / 1000.0
        if not reply.granted:
            await anyio.sleep_until(due_at - min(self._one_way_seconds))
            return None
        if not reply.others_waiting:
            # Alone, it can ask when the next slot is due; with others it joins the queue at once.
            next_slot_at = replied_at + reply.next_slot_in_ms / 1000.0
            early_seconds = self._lead_seconds + min(self._one_way_seconds)
            self._next_request_at[priority] = next_slot_at - early_seconds
        await anyio.sleep_until(due_at)
        return Slot(reply.slot, due_at) if current_time() <= due_at + _STALE_SECONDS else None

    def _slot_request(self, priority: Priority) -> SlotRequest:
        return SlotRequest(
            program_id=program_id(self._id),
            program_name=program_name(),
            bulk=priority is Priority.BULK,
            per_second=self._max_per_second,
            lead_ms=1000.0 * self._lead_seconds,
            reserved=self._reserved,
        )

    @property
    def _lead_seconds(self) -> float:
        """The seconds by which to ask early, so that the reply is here when the slot begins."""
        lead_seconds = max(self._one_way_seconds, default=0.0) + _MIN_LEAD_SECONDS
        return min(lead_seconds, _MAX_LEAD_SECONDS)

    def _use_local_share(self, error: SharingError, failed_after_seconds: float) -> None:
        """Use the local share for a while; raise the error if there is none."""
        if self._local_limiter is None:
            raise error
        if self._retry_store_at == -math.inf:
            share = self._local_limiter.per_second
            _logger.warning("sharing: %s; %g requests/s until it can be used again", error, share)
        # A call waits while the store is tried, so a store that fails slowly is tried less often.
        wait_seconds = max(_RETRY_STORE_SECONDS, 5 * failed_after_seconds)
        self._retry_store_at = current_time() + wait_seconds
