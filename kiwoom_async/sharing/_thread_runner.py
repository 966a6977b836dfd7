"""Calls of a blocking store from async code."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, current_time, sleep
from anyio.to_thread import run_sync

from kiwoom_async import SharingError

T = TypeVar("T")

_RETRY_SECONDS: Final = 0.25


class ThreadRunner:
    """Runs calls of a store in threads of its own, which other code cannot use up.

    A call that raises SharingError is repeated for `wait_seconds` before the error is raised.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._threads = CapacityLimiter(4)
        self._wait_seconds = wait_seconds

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Return what `call(*args)` returns; a cancelled caller does not wait for it."""
        give_up_at = current_time() + self._wait_seconds
        while True:
            try:
                # The queue treats the result of an abandoned call like that of a program that died.
                return await run_sync(call, *args, abandon_on_cancel=True, limiter=self._threads)
            except SharingError:
                if current_time() >= give_up_at:
                    raise
            await sleep(_RETRY_SECONDS)
