"""The life of a client: in one event loop, and with one end. Knows nothing of Kiwoom."""

import math
from contextlib import AbstractContextManager
from types import TracebackType

import anyio
from anyio.lowlevel import current_token


class Lifetime:
    """What is under way, so that it can be ended; and where that may be."""

    def __init__(self) -> None:
        self._loop: object = _loop_of_now()
        self._over: anyio.Event | None = None
        self._under_way: set[anyio.CancelScope] = set()

    def lived(self, until: float = math.inf) -> AbstractContextManager[None, bool]:
        """Work that the end cuts short; RuntimeError then, after the end, or in another loop.

        The deadline cuts it short in silence.
        """
        return _Work(self, until)

    def begin(self, scope: anyio.CancelScope) -> None:
        """Count the scope as under way, or raise RuntimeError."""
        self.at_home()
        if self._over is not None:
            raise _closed()
        self._under_way.add(scope)

    def finish(self, scope: anyio.CancelScope) -> None:
        """Count it no more."""
        self._under_way.discard(scope)
        if self._over is not None and not self._under_way:
            self._over.set()

    @property
    def over(self) -> bool:
        """Whether the end has come."""
        return self._over is not None

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


class _Work(AbstractContextManager[None, bool]):
    """Written out: every call has one, and a generator takes twice the time."""

    def __init__(self, lifetime: Lifetime, until: float) -> None:
        self._lifetime = lifetime
        self._scope = anyio.CancelScope(deadline=until)

    def __enter__(self) -> None:
        self._lifetime.begin(self._scope)
        self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._lifetime.finish(self._scope)
        caught = bool(self._scope.__exit__(exc_type, exc, traceback))
        if self._scope.cancelled_caught and self._lifetime.over:
            raise _closed() from None
        return caught


def _loop_of_now() -> object:
    try:
        return current_token()
    except RuntimeError:  # no loop is running; the name of its class depends on anyio's version
        return None


def _closed() -> RuntimeError:
    return RuntimeError("this KiwoomClient is closed; make another one")
