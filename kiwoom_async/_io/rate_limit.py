"""Pacing: spaced slots, one queue for each bucket. Knows nothing of Kiwoom.

A token bucket or a leaky bucket of "five a second" lets nine calls into one second; slots that
are spaced, and reserved by the head of the queue only, keep to any window.
"""

from enum import Enum
from typing import Final, Protocol, runtime_checkable

import anyio

# A server counts arrivals, and the network moves them by some milliseconds either way: as many
# slots as one second permits are spread over this much more than a second.
_JITTER_SECONDS: Final = 0.045
# Timers ring late by a millisecond or so; a slot given so late does not delay the next one.
_LATE_SECONDS: Final = 0.002


class Priority(Enum):
    """Whose call goes first: somebody waits for an interactive one, nobody for a bulk one."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@runtime_checkable
class RateLimiter(Protocol):
    """The slots of one bucket: the calls of one api-id with one app key, whoever makes them."""

    @property
    def per_second(self) -> float:
        """How many slots a second, as far as is known; a 429 may have lowered it."""
        ...

    async def acquire(self, priority: Priority) -> None:
        """Return when a call may be sent; cancelling takes no slot."""
        ...

    async def delay_next(self) -> None:
        """Space the next slot from now: a call had to open its connection, so it arrives late.

        Runs beside that call, and must not raise on account of what lies outside this process.
        """
        ...

    async def pause(self, pause_seconds: float, limit: float) -> None:
        """Give no slot for so long, and from then on at most `limit` a second, if that is less."""
        ...


class LocalRateLimiter:
    """The slots of a bucket that one client has for itself.

    They are `1.045 / per_second` seconds apart (95.7 % of the limit).
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._head = anyio.Lock(fast_acquire=True)
        # Waits a turn of the loop: what has come is handed over before more is asked for.
        self._bulk = anyio.Lock()
        self._free_at = float("-inf")

    async def acquire(self, priority: Priority = Priority.INTERACTIVE) -> None:
        """Return when a call may be sent; cancelling takes no slot.

        First come, first served, but bulk calls send one at a time into the queue: an interactive
        call finds at most one of them before it, and none is overtaken for ever.
        """
        if priority is Priority.INTERACTIVE:
            await self._take()
        else:
            async with self._bulk:
                await self._take()

    async def _take(self) -> None:
        async with self._head:
            # A pause may begin while the head sleeps, so it looks again.
            while (now := anyio.current_time()) < self._free_at:
                await anyio.sleep(self._free_at - now)
            given_at = self._free_at if now - self._free_at <= _LATE_SECONDS else now
            self._free_at = given_at + spacing_seconds(self.per_second)

    async def delay_next(self) -> None:
        """Space the next slot from now."""
        self._pause(spacing_seconds(self.per_second))

    async def pause(self, pause_seconds: float, limit: float) -> None:
        """Pause, and slow down to a limit that is lower; another one changes nothing."""
        self._pause(pause_seconds)
        if 0 < limit < self.per_second:
            self.per_second = limit

    def _pause(self, seconds: float) -> None:
        self._free_at = max(self._free_at, anyio.current_time() + seconds)


def spacing_seconds(per_second: float) -> float:
    """From one slot to the next, so that so many fit a second whatever the network does."""
    return (1.0 + _JITTER_SECONDS) / per_second
