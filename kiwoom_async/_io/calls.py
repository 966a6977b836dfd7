"""The one loop that repeats a failed call: slot, token, send, decode, recovery.

Knows accounts, budget and transport; does not know what a call is about, nor how a token is got.
"""

import math
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio import current_time
from attrs import frozen

from kiwoom_async._protocol.messages import Request, Response, Token
from kiwoom_async._protocol.redaction import redact
from kiwoom_async._protocol.retry import GiveUp, Renew, RetryBudget, Wait, pause_seconds, recovery
from kiwoom_async.errors import KiwoomError, RateLimited, TransportTimeout
from kiwoom_async.events import CallEnded, CallRetried, CallSent, Event, EventEmitter, SlotWaited

from .accounts import Account
from .client_state import Lifetime
from .http import Transport
from .rate_limit import Priority, RateLimiter

T = TypeVar("T")


@frozen
class Call(Generic[T]):
    """What is asked: how to make the request with the token of the moment, how to read the answer.

    `ready` is awaited before each attempt gets its slot. `query` is for events only.
    """

    api_id: str
    account: Account
    prepare: Callable[[], Awaitable[Request]]
    decode: Callable[[Response], T]
    priority: Priority
    query: object = None
    ready: Callable[[], Awaitable[object]] = anyio.lowlevel.checkpoint

    @property
    def pace(self) -> RateLimiter:
        """Where its slots come from."""
        return self.account.rate_limiter(self.api_id)


class Calls:
    """Everything that the calls of one client share."""

    def __init__(
        self,
        transport: Transport,
        *,
        attempts: int,
        secrets: tuple[str, ...],
        tell: EventEmitter,
    ) -> None:
        self._transport = transport
        self._attempts = attempts
        self._secrets = secrets
        self._tell = tell
        self._budget = RetryBudget()
        self._lifetime = Lifetime()

    async def aclose(self) -> None:
        """End what is under way, then close the connections; calls raise RuntimeError from now."""
        # Connections of another loop are its own to close.
        self.at_home()
        try:
            await self._lifetime.end()
        finally:
            await self._transport.aclose()

    def at_home(self) -> None:
        """Raise RuntimeError in any event loop but the client's own."""
        self._lifetime.at_home()

    def lived(self) -> AbstractContextManager[None]:
        """Work that ends with RuntimeError as soon as the client is closed."""
        return self._lifetime.lived()

    async def rest(self, until: float) -> None:
        """Sleep until then; RuntimeError as soon as the client is closed."""
        with self.lived():
            await anyio.sleep_until(until)

    async def answer(self, call: Call[T], until: float = math.inf) -> T:
        """What `call.decode` makes of the answer; every attempt has its own slot.

        Raises the error of the last attempt, with the number of `attempts` in it; TransportTimeout
        when there is no answer `until` then.
        """
        with self._lifetime.lived(until):
            return await self._repeated(call)
        raise TransportTimeout(f"{call.api_id}: the deadline of the walk has passed")

    async def _repeated(self, call: Call[T]) -> T:
        renewed = False
        for attempt in count(1):
            # A token issued between slot and sending would delay this call's arrival, and the
            # server would see it too close to the next ones. So it is issued before.
            await call.ready()
            queued_at = self._moment()
            await call.pace.acquire(call.priority)
            if queued_at is not None:
                self._say(SlotWaited, call, seconds=current_time() - queued_at)
            request = await call.prepare()
            try:
                answer = await self._attempt(call, request, attempt)
            except KiwoomError as error:
                # A renewal is no retry of the request, so it is not counted as one.
                tried = attempt - renewed
                may_renew = not renewed and request.token is not None
                step = recovery(error, tried, attempts=self._attempts, may_renew=may_renew)
                await self._recover(call, error, step, request.token)
                renewed |= isinstance(step, Renew)
            else:
                self._budget.earn()
                return answer
        raise AssertionError("unreachable: count() does not end")

    async def _attempt(self, call: Call[T], request: Request, attempt: int) -> T:
        if (sent_at := self._moment()) is not None:
            self._say(CallSent, call, attempt=attempt)
        response = None
        try:
            response = await self._transport.send(request, call.pace.delay_next)
            answer = call.decode(redact(response, self._secrets))
        except KiwoomError as error:
            error.attempts = attempt
            self._say_ended(call, attempt, sent_at, response, error)
            raise
        self._say_ended(call, attempt, sent_at, response)
        return answer

    async def _recover(
        self, call: Call[Any], error: KiwoomError, step: Wait | Renew | GiveUp, token: Token | None
    ) -> None:
        """Make the next attempt worth while, or raise."""
        seconds = 0.0
        if isinstance(step, Wait):
            seconds = random.uniform(step.at_least_seconds, step.at_most_seconds)  # noqa: S311
        limited = isinstance(error, RateLimited)
        if isinstance(error, RateLimited):
            pause = max(seconds, pause_seconds(error))
            await call.pace.pause(pause, error.limit or math.inf)
        if isinstance(step, Renew) and token is not None:
            await call.account.tokens.renew(token)
            self._say(CallRetried, call, attempt=error.attempts, error=error, seconds=0.0)
            return
        if not isinstance(step, Wait) or not (limited or self._budget.spend()):
            raise error
        self._say(CallRetried, call, attempt=error.attempts, error=error, seconds=seconds)
        if not limited:
            await anyio.sleep(seconds)

    def _moment(self) -> float | None:
        """By the clock; None where nobody hears what happens at every call, now or at its end."""
        return current_time() if self._tell.heard else None

    def _say_ended(
        self,
        call: Call[Any],
        attempt: int,
        sent_at: float | None,
        response: Response | None,
        error: KiwoomError | None = None,
    ) -> None:
        if sent_at is None:
            return
        self._say(
            CallEnded,
            call,
            attempt=attempt,
            seconds=current_time() - sent_at,
            error=error,
            server_time=None if response is None else response.server_time,
        )

    def _say(self, event: Callable[..., Event], call: Call[Any], **facts: Any) -> None:
        self._tell(event(api_id=call.api_id, query=call.query, **facts))
