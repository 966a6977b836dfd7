"""ClientState: a client's event loop, its running calls, and its end."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.lowlevel import current_token


class ClientState:
    """Track running calls so that `close` can cancel them, in one event loop only."""

    def __init__(self) -> None:
        self._loop: object = _current_loop()
        # Made by the first `close`, set when no call is running any more.
        self._all_ended: anyio.Event | None = None
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def running(self, deadline: float = math.inf) -> Iterator[None]:
        """Wrap a call; RuntimeError when the client is or gets closed, or in another event loop.

        At the deadline, a moment of the event loop's clock, the block is left without an error.
        """
        if current_token() != self._loop:
            self.check_event_loop()
        if self._all_ended is not None:
            raise _closed_error()
        with anyio.CancelScope(deadline=deadline) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
                if self._all_ended is not None and not self._scopes:
                    self._all_ended.set()
        if scope.cancelled_caught and self._all_ended is not None:
            raise _closed_error() from None

    async def close(self) -> None:
        """Cancel the running calls, and return when all have ended."""
        self._all_ended = self._all_ended or anyio.Event()
        for scope in self._scopes:
            scope.cancel()
        if self._scopes:
            await self._all_ended.wait()

    def check_event_loop(self) -> None:
        """Raise RuntimeError in any event loop but the client's own."""
        # Locks and connections belong to the event loop in which they were made or first used.
        loop = current_token()
        if self._loop is None:
            self._loop = loop
        if self._loop != loop:
            raise RuntimeError(
                "this KiwoomClient belongs to another event loop, the one where it was made or "
                "first used; make a client in each (every asyncio.run and trio.run starts one)"
            )


def _current_loop() -> object:
    try:
        return current_token()
    except RuntimeError:  # no loop is running; the name of its class depends on anyio's version
        return None


def _closed_error() -> RuntimeError:
    return RuntimeError("this KiwoomClient is closed; make another one")
