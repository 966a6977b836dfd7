"""The pace of a bucket that many programs share. Knows no place but by its steps."""

import logging
import math
from collections import deque
from typing import Final
from uuid import uuid4

import anyio
from anyio import current_time

from kiwoom_async import Priority, SharingError
from kiwoom_async._io.rate_limit import LocalRateLimiter, spacing_seconds

from ._declared import WhenAway
from ._place import Errands, program_id, program_name
from ._queue import Answer, Asked, BucketPlace

_logger: Final = logging.getLogger("kiwoom_async")

# A slot that is used so much later has come too close to the ones behind it.
_STALE_SECONDS: Final = 0.020
# How early to ask, at least, and at most.
_LEAST_LEAD_SECONDS: Final = 0.010
_MOST_LEAD_SECONDS: Final = 0.100
_WAYS: Final = 8
# While the place is away it is tried again so often.
_AGAIN_SECONDS: Final = 1.0


class SharedPace:
    """Slots that are given at a place which many programs ask.

    A program that is alone asks once a slot; where several wait, each looks once or twice more
    where it stands.
    """

    def __init__(self, place: BucketPlace, per_second: float, when_away: WhenAway) -> None:
        when_away.check_room(per_second)
        self._place = place
        self._reserved = when_away.reserved
        self._most = per_second - when_away.reserved
        self._limit = 0.0
        share = when_away.local_share
        self._own = None if share is None else LocalRateLimiter(share)
        self._errands = Errands(when_away.wait_seconds)
        self._id = uuid4().hex
        self._heads = {priority: anyio.Lock() for priority in Priority}
        # How long a question has been on its way to the place, and an answer back.
        self._ways = deque[float](maxlen=_WAYS)
        self._ask_at = self._try_at = -math.inf

    @property
    def per_second(self) -> float:
        """What all programs have together."""
        return min(self._most, self._limit or math.inf)

    async def acquire(self, priority: Priority) -> None:
        """Return when a call may be sent; SharingError when the place is away."""
        # One of this program's calls stands in the queue for each priority, so that an
        # interactive one need not wait for a bulk one that others keep waiting.
        async with self._heads[priority]:
            while not await self._given(priority):
                pass

    async def delay_next(self) -> None:
        """Space the next slot from now."""
        if self._own is not None:
            await self._own.delay_next()
        try:
            await self._hold(spacing_seconds(self.per_second), 0.0)
        except SharingError as error:
            # The call is under way and well; whoever wants the next slot will be told.
            _logger.debug("sharing: %s", error)

    async def pause(self, pause_seconds: float, limit: float) -> None:
        """Pause for all programs, and lower the limit for all."""
        if self._own is not None:
            await self._own.pause(pause_seconds, limit)
        self._limit = min(limit, self._limit or math.inf)
        asked_at = current_time()
        try:
            await self._hold(pause_seconds, limit if math.isfinite(limit) else 0.0)
        except SharingError as error:
            self._go_alone(error, current_time() - asked_at)

    async def _hold(self, seconds: float, limit: float) -> None:
        spacing_ms = 1000.0 * spacing_seconds(self._most)
        await self._errands.run(self._place.hold, spacing_ms, 1000.0 * seconds, limit)

    async def _given(self, priority: Priority) -> bool:
        """Ask once, and wait as told; whether a slot begins now."""
        await anyio.sleep_until(self._ask_at)
        if self._own is not None and current_time() < self._try_at:
            await self._own.acquire(priority)
            return True
        asked_at = current_time()
        try:
            answer = await self._errands.run(self._place.ask, self._asked(priority))
        except SharingError as error:
            self._go_alone(error, current_time() - asked_at)
            return False
        return await self._followed(answer, asked_at)

    async def _followed(self, answer: Answer, asked_at: float) -> bool:
        if answer.stranger:
            raise SharingError(
                f"{answer.stranger} shares this app key with another `reserved` than this "
                f"program's {self._reserved}: give all programs the same"
            )
        if self._try_at > -math.inf:
            self._try_at = -math.inf
            _logger.warning("sharing: the place is back")
        self._ways.append((current_time() - asked_at) / 2)
        self._limit = answer.limit
        answered_at = (asked_at + current_time()) / 2
        due_at = answered_at + answer.wait_ms / 1000.0
        if not answer.granted:
            await anyio.sleep_until(due_at - min(self._ways))
            return False
        if not answer.others:
            # Nobody can have come before the next slot, so there is nothing to ask until then.
            begins_at = answered_at + answer.next_ms / 1000.0
            self._ask_at = begins_at - self._lead_seconds - min(self._ways)
        await anyio.sleep_until(due_at)
        return current_time() <= due_at + _STALE_SECONDS

    def _asked(self, priority: Priority) -> Asked:
        return Asked(
            program=program_id(self._id),
            name=program_name(),
            bulk=priority is Priority.BULK,
            spacing_ms=1000.0 * spacing_seconds(self._most),
            window_ms=1000.0 * spacing_seconds(1.0),
            lead_ms=1000.0 * self._lead_seconds,
            reserved=self._reserved,
        )

    @property
    def _lead_seconds(self) -> float:
        """How early to be there, so that the answer is here when the slot begins."""
        lead_seconds = max(self._ways, default=0.0) + _LEAST_LEAD_SECONDS
        return min(lead_seconds, _MOST_LEAD_SECONDS)

    def _go_alone(self, error: SharingError, took_seconds: float) -> None:
        """Live on the local share for a while, or raise where there is none."""
        if self._own is None:
            raise error
        if self._try_at == -math.inf:
            share = self._own.per_second
            _logger.warning("sharing: %s; %g requests/s until it is back", error, share)
        # A call waits while it is tried: seldom, where it takes long to fail.
        self._try_at = current_time() + max(_AGAIN_SECONDS, 5 * took_seconds)
