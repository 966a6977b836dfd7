"""ClientState: a client's event loop, its running calls, and its end."""

import math
from types import TracebackType

import anyio
from anyio.lowlevel import current_token
from attrs import define, field


class ClientState:
    """Track running calls so that `close` can cancel them, in one event loop only."""

    def __init__(self) -> None:
        self.loop: object = _current_loop()
        # Made by the first `close`, set when no call is running any more.
        self.all_ended: anyio.Event | None = None
        self.scopes: set[anyio.CancelScope] = set()

    async def close(self) -> None:
        """Cancel the running calls, and return when all have ended."""
        self.all_ended = self.all_ended or anyio.Event()
        for scope in self.scopes:
            scope.cancel()
        if self.scopes:
            await self.all_ended.wait()

    def check_event_loop(self) -> None:
        """Raise RuntimeError in any event loop but the client's own."""
        # Locks and connections belong to the event loop in which they were made or first used.
        loop = current_token()
        if self.loop is None:
            self.loop = loop
        if self.loop != loop:
            raise RuntimeError(
                "this KiwoomClient belongs to another event loop, the one where it was made or "
                "first used; make a client in each (every asyncio.run and trio.run starts one)"
            )


@define(eq=False)
class RunningCall:
    """A call while it runs; RuntimeError when the client is or gets closed, or in another loop.

    At the deadline, a moment of the event loop's clock, the block is left without an error.
    """

    state: ClientState
    deadline: float = math.inf
    _scope: anyio.CancelScope = field(init=False)

    def __enter__(self) -> None:
        state = self.state
        if current_token() != state.loop:
            state.check_event_loop()
        if state.all_ended is not None:
            raise _closed_error()
        self._scope = anyio.CancelScope(deadline=self.deadline)
        state.scopes.add(self._scope)
        self._scope.__enter__()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        state, scope = self.state, self._scope
        state.scopes.discard(scope)
        if state.all_ended is not None and not state.scopes:
            state.all_ended.set()
        left_early = scope.__exit__(error_type, error, traceback)
        if scope.cancelled_caught and state.all_ended is not None:
            raise _closed_error() from None
        return left_early


def _current_loop() -> object:
    try:
        return current_token()
    except RuntimeError:  # no loop is running; the name of its class depends on anyio's version
        return None


def _closed_error() -> RuntimeError:
    return RuntimeError("this KiwoomClient is closed; make another one")
