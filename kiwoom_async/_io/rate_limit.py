"""Rate limiting: permits that answers give back, one queue for each bucket.

A call takes a permit, and gives it back a window after it has certainly arrived: the shortest of
the last round trips before its answer came. So a window has no more arrivals than the limit,
however late a request or an answer is; calls spaced by a margin would have to guess how late.
"""

import math
from collections import deque
from contextlib import AbstractAsyncContextManager, nullcontext
from enum import Enum
from typing import Final, Protocol, runtime_checkable

import anyio
from attrs import define, field

# On a line with 20 ms of jitter either way, calls are so much further apart than they might be.
_USUAL_LOSS: Final = 0.045
# Above this, windows are shorter than a second.
_MAX_PERMITS: Final = 1_000
# Fewer may all be of calls that had to open a connection first, and so arrived late.
_MIN_ROUND_TRIPS: Final = 10
_KEPT_ROUND_TRIPS: Final = 200
# The shortest of fewer is known less well.
_ENOUGH_ROUND_TRIPS: Final = 100
# After so long without an answer the line may have changed, and connections are closed.
_IDLE_SECONDS: Final = 5.0
# The next round trip may be shorter than the shortest, by a fraction of what half are longer.
_SPREAD_FRACTION: Final = 0.3
# Clocks and timers are wrong by a millisecond or so, so windows are taken for so much longer.
_CLOCK_FRACTION: Final = 0.002
# A loop fires a timer that is due within its clock's resolution of another one.
_TIMER_SECONDS: Final = 1e-8


class Priority(Enum):
    """The order of calls: interactive ones, whose result is waited for, go before bulk ones."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@runtime_checkable
class RateLimiter(Protocol):
    """The permits of one bucket: the calls of one api-id with one app key, in all programs."""

    @property
    def per_second(self) -> float:
        """The calls a second, as far as is known; a 429 may have lowered it."""
        ...

    def acquire(self, priority: Priority) -> AbstractAsyncContextManager[None]:
        """Return a context that waits until a call may be sent, and ends with its answer.

        An exception ends it, too: the request may then have been sent or not.
        """
        ...

    async def pause(self, seconds: float, limit: float) -> None:
        """Let no call begin for so long, and from then on at most `limit` a second, if less."""
        ...


class RoundTrips(deque[tuple[float, float]]):
    """The last round trips: when each ended, and the seconds that it took.

    enough: of fewer, the shortest is taken for a chance, in proportion.
    """

    def __init__(self, enough: int = _ENOUGH_ROUND_TRIPS) -> None:
        super().__init__(maxlen=_KEPT_ROUND_TRIPS)
        self._enough = enough

    def certain_seconds(self) -> float:
        """Return how long before its answer any call has arrived or been sent, at the least.

        0 if too little is known. The next round trip may be a little shorter than all of these.
        """
        seconds = self._recent()
        if len(seconds) < _MIN_ROUND_TRIPS:
            return 0.0
        seconds.sort()
        shortest, median = seconds[0], seconds[len(seconds) // 2]
        fraction = _SPREAD_FRACTION * max(1.0, self._enough / len(seconds))
        return max(0.0, shortest - fraction * (median - shortest))

    def end_without_answer(self, begun_at: float, ended_at: float) -> float:
        """Return when the answer to the latest possible arrival of a failed call would have come.

        Its request may still be on its way, for as long as most calls take.
        """
        seconds = sorted(self._recent()) or [0.0]
        return max(ended_at, begun_at + seconds[len(seconds) // 2]) + seconds[0]

    def _recent(self) -> list[float]:
        """Return the seconds of those since the last idle time, newest first."""
        recent: list[float] = []
        next_end = self[-1][0] if self else 0.0
        for end, seconds in reversed(self):
            if next_end - end > _IDLE_SECONDS:
                break
            recent.append(seconds)
            next_end = end
        return recent


class LocalRateLimiter:
    """The permits of a bucket that one client has for itself."""

    def __init__(self, per_second: float) -> None:
        self.queue = anyio.Semaphore(1, fast_acquire=True)
        self.bulk_queue = anyio.Semaphore(1, fast_acquire=True)
        self.next_bulk_at = self.paused_until = -math.inf
        # The permits in use: of running calls, and of those that ended at these times.
        self.running = 0
        self.ends: list[float] = []
        self.end = anyio.Event()
        self.round_trips = RoundTrips()
        self._set_limit(per_second)

    def _set_limit(self, per_second: float) -> None:
        self.per_second = per_second
        self.permits, self.window_seconds = permits_and_window(per_second)

    def acquire(self, priority: Priority = Priority.INTERACTIVE) -> "Permit":
        """Return a context that waits for a permit, and holds it until its call is a window old.

        First come, first served. Bulk calls are spaced, and enter the queue one at a time: an
        interactive call finds at most one of them before it, and none is overtaken for ever.
        """
        return Permit(self, priority)

    async def pause(self, seconds: float, limit: float) -> None:
        """Pause, and slow down to a limit that is lower; another one changes nothing."""
        self.paused_until = max(self.paused_until, anyio.current_time() + seconds)
        if 0 < limit < self.per_second:
            self._set_limit(limit)

    async def wait(self) -> None:
        """Drop the permits that are free again; if none is free, wait until one may be."""
        now = anyio.current_time()
        held_seconds = self.window_seconds - self.round_trips.certain_seconds()
        self.ends = [end for end in self.ends if end + held_seconds > now]
        free_at = self.paused_until
        if self.running + len(self.ends) >= self.permits:
            free_at = max(free_at, min(self.ends, default=math.inf) + held_seconds)
        if free_at > now:
            self.end = anyio.Event()
            # A pause or a shorter round trip may come meanwhile, so the caller looks again.
            with anyio.CancelScope(deadline=free_at + _TIMER_SECONDS):
                await self.end.wait()


@define(eq=False)
class Permit(AbstractAsyncContextManager[None]):
    """A permit of a local rate limiter, and the call that has it.

    No async generator: asyncio registers each of them, which takes longer than all of this.
    """

    limiter: LocalRateLimiter
    priority: Priority
    begun_at: float = field(init=False)

    async def __aenter__(self) -> None:
        limiter, bulk = self.limiter, self.priority is Priority.BULK
        async with limiter.bulk_queue if bulk else nullcontext():
            if bulk:
                # A turn of the loop at least, so that rows are consumed before the next page is
                # asked for.
                await anyio.sleep_until(limiter.next_bulk_at)
            async with limiter.queue:
                while (
                    limiter.running + len(limiter.ends) >= limiter.permits
                    or (begun_at := anyio.current_time()) < limiter.paused_until
                ):
                    await limiter.wait()
                limiter.running += 1
            if bulk:
                limiter.next_bulk_at = begun_at + limiter.window_seconds / limiter.permits
        self.begun_at = begun_at

    async def __aexit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        limiter, ended_at = self.limiter, anyio.current_time()
        limiter.running -= 1
        if error_type is None:
            limiter.round_trips.append((ended_at, ended_at - self.begun_at))
        else:
            ended_at = limiter.round_trips.end_without_answer(self.begun_at, ended_at)
        limiter.ends.append(ended_at)
        limiter.end.set()


def permits_and_window(per_second: float) -> tuple[int, float]:
    """Return the calls that a window may have, and its seconds: one, more if that is below 1."""
    permits = max(1, math.floor(min(per_second, _MAX_PERMITS)))
    return permits, (1.0 + _CLOCK_FRACTION) * permits / per_second


def spacing_seconds(per_second: float) -> float:
    """Return the seconds from one call to the next on a line with the usual jitter."""
    return (1.0 + _USUAL_LOSS) / per_second
