"""The rate limiter of a bucket that many programs share."""

import logging
import math
from collections import deque
from typing import Final
from uuid import uuid4

import anyio
from anyio import current_time

from kiwoom_async import Priority, SharingError
from kiwoom_async._io.rate_limit import LocalRateLimiter, spacing_seconds

from ._outage_policy import OutagePolicy
from ._program import program_id, program_name
from ._queue import BucketStore, SlotReply, SlotRequest
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


class SharedRateLimiter:
    """Slots granted by a bucket in a shared store.

    A program that is alone makes one request for each slot; if several wait, each makes one or two
    more to learn its position.
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
        self._next_request_at = -math.inf
        self._retry_store_at = -math.inf  # -inf while the store is in use

    @property
    def per_second(self) -> float:
        """The requests per second that all programs together may make."""
        return min(self._max_per_second, self._limit or math.inf)

    async def acquire(self, priority: Priority) -> None:
        """Return when a call may be sent; raise SharingError if the store cannot be used."""
        async with self._queue_locks[priority]:
            while not await self._try_acquire(priority):
                pass

    async def delay_next(self) -> None:
        """Space the next slot from now."""
        if self._local_limiter is not None:
            await self._local_limiter.delay_next()
        try:
            await self._pause_bucket(spacing_seconds(self.per_second), 0.0)
        except SharingError as error:
            # The running call is unaffected; the next acquire() raises the error.
            _logger.debug("sharing: %s", error)

    async def pause(self, seconds: float, limit: float) -> None:
        """Pause all programs, and lower the limit for all."""
        if self._local_limiter is not None:
            await self._local_limiter.pause(seconds, limit)
        self._limit = min(limit, self._limit or math.inf)
        started_at = current_time()
        try:
            await self._pause_bucket(seconds, limit if math.isfinite(limit) else 0.0)
        except SharingError as error:
            self._use_local_share(error, current_time() - started_at)

    async def _pause_bucket(self, seconds: float, limit: float) -> None:
        spacing_ms = 1000.0 * spacing_seconds(self._max_per_second)
        await self._runner.run(self._bucket.pause, spacing_ms, 1000.0 * seconds, limit)

    async def _try_acquire(self, priority: Priority) -> bool:
        """Make one request and wait as the reply says; return True if a slot begins now."""
        await anyio.sleep_until(self._next_request_at)
        if self._local_limiter is not None and current_time() < self._retry_store_at:
            await self._local_limiter.acquire(priority)
            return True
        asked_at = current_time()
        try:
            reply = await self._runner.run(self._bucket.request_slot, self._slot_request(priority))
        except SharingError as error:
            self._use_local_share(error, current_time() - asked_at)
            return False
        self._record(reply, asked_at)
        return await self._wait_for_slot(reply, (asked_at + current_time()) / 2)

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

    async def _wait_for_slot(self, reply: SlotReply, replied_at: float) -> bool:
        due_at = replied_at + reply.wait_ms / 1000.0
        if not reply.granted:
            await anyio.sleep_until(due_at - min(self._one_way_seconds))
            return False
        if not reply.others_waiting:
            # Alone, it can ask when the next slot is due; with others it joins the queue at once.
            next_slot_at = replied_at + reply.next_slot_in_ms / 1000.0
            self._next_request_at = next_slot_at - self._lead_seconds - min(self._one_way_seconds)
        await anyio.sleep_until(due_at)
        return current_time() <= due_at + _STALE_SECONDS

    def _slot_request(self, priority: Priority) -> SlotRequest:
        return SlotRequest(
            program_id=program_id(self._id),
            program_name=program_name(),
            bulk=priority is Priority.BULK,
            spacing_ms=1000.0 * spacing_seconds(self._max_per_second),
            window_ms=1000.0 * spacing_seconds(1.0),
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
