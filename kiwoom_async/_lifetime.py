"""The life of a client: in one event loop, and with one end. Knows nothing of Kiwoom."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.lowlevel import current_token


class Lifetime:
    """What is under way, so that it can be ended; and where that may be."""

    def __init__(self) -> None:
        self._loop: object = _loop_of_now()
        self._over: anyio.Event | None = None
        self._under_way: set[anyio.CancelScope] = set()

    @contextmanager
    def lived(self) -> Iterator[anyio.CancelScope]:
        """Work that the end cuts short; RuntimeError then, after the end, or in another loop.

        A deadline given to the scope cuts it short in silence.
        """
        self.at_home()
        if self._over is not None:
            raise _closed()
        with anyio.CancelScope() as scope:
            self._under_way.add(scope)
            try:
                yield scope
            finally:
                self._under_way.discard(scope)
                if self._over is not None and not self._under_way:
                    self._over.set()
        if scope.cancelled_caught and self._over is not None:
            raise _closed()

    async def end(self) -> None:
        """Cut short what is under way, and return when nothing is any more."""
        self._over = self._over or anyio.Event()
        for scope in self._under_way:
            scope.cancel()
        if self._under_way:
            await self._over.wait()

    def at_home(self) -> None:
        """Raise RuntimeError in any loop but the client's own."""
        # Locks and connections belong to the event loop in which they were made or first used.
        here = _loop_of_now()
        if self._loop is None:
            self._loop = here
        if self._loop != here:
            raise RuntimeError(
                "this KiwoomClient belongs to another event loop, the one where it was made or "
                "first used; make a client in each (every asyncio.run and trio.run starts one)"
            )


def _loop_of_now() -> object:
    try:
        return current_token()
    except RuntimeError:  # no loop is running; the name of its class depends on anyio's version
        return None


def _closed() -> RuntimeError:
    return RuntimeError("this KiwoomClient is closed; make another one")
