"""Rate limiting: spaced slots, one queue for each bucket.

A token bucket or a leaky bucket of "five a second" lets nine calls into one second. Slots that
are spaced, and reserved by the head of the queue only, keep to any window.
"""

from contextlib import nullcontext
from enum import Enum
from typing import Final, Protocol, runtime_checkable

import anyio

# A server counts arrivals, and network jitter moves them by some milliseconds either way: as many
# slots as one second permits are spread over this much more than a second.
_JITTER_SECONDS: Final = 0.045
# Timers fire late by a millisecond or so; a slot given so late does not delay the next one.
_LATE_SECONDS: Final = 0.002


class Priority(Enum):
    """The order of calls: interactive ones, whose result is waited for, go before bulk ones."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@runtime_checkable
class RateLimiter(Protocol):
    """The slots of one bucket: the calls of one api-id with one app key, in all programs."""

    @property
    def per_second(self) -> float:
        """The slots a second, as far as is known; a 429 may have lowered it."""
        ...

    async def acquire(self, priority: Priority) -> None:
        """Return when a call may be sent; cancelling takes no slot."""
        ...

    async def delay_next(self) -> None:
        """Space the next slot from now: a call had to open its connection, so it arrives late.

        Runs beside that call, and must not raise on account of what lies outside this process.
        """
        ...

    async def pause(self, seconds: float, limit: float) -> None:
        """Give no slot for so long, and from then on at most `limit` a second, if that is less."""
        ...


class LocalRateLimiter:
    """The slots of a bucket that one client has for itself.

    They are `1.045 / per_second` seconds apart (95.7 % of the limit).
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._spacing_seconds = spacing_seconds(per_second)
        self._head = anyio.Lock(fast_acquire=True)
        # Waits a turn of the loop, so that rows are consumed before the next page is asked for.
        self._bulk = anyio.Lock()
        self._free_at = float("-inf")

    async def acquire(self, priority: Priority = Priority.INTERACTIVE) -> None:
        """Return when a call may be sent; cancelling takes no slot.

        First come, first served, but bulk calls enter the queue one at a time: an interactive
        call finds at most one of them before it, and none is overtaken for ever.
        """
        async with self._bulk if priority is Priority.BULK else nullcontext(), self._head:
            # A pause may begin while the head sleeps, so it looks again.
            while (now := anyio.current_time()) < self._free_at:
                await anyio.sleep(self._free_at - now)
            given_at = self._free_at if now - self._free_at <= _LATE_SECONDS else now
            self._free_at = given_at + self._spacing_seconds

    async def delay_next(self) -> None:
        """Space the next slot from now."""
        self._delay(self._spacing_seconds)

    async def pause(self, seconds: float, limit: float) -> None:
        """Pause, and slow down to a limit that is lower; another one changes nothing."""
        self._delay(seconds)
        if 0 < limit < self.per_second:
            self.per_second = limit
            self._spacing_seconds = spacing_seconds(limit)

    def _delay(self, seconds: float) -> None:
        self._free_at = max(self._free_at, anyio.current_time() + seconds)


def spacing_seconds(per_second: float) -> float:
    """Return the seconds from one slot to the next that keep to the limit despite jitter."""
    return (1.0 + _JITTER_SECONDS) / per_second
