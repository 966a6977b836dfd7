"""Recovery: waits, token renewals and retries after failed attempts, within a budget."""

import math
import random
from typing import Any, Final

import anyio
from anyio import current_time
from attrs import define

from kiwoom_async._protocol.messages import Request, Token
from kiwoom_async._protocol.retry import (
    Renew,
    RetryBudget,
    Wait,
    backoff_seconds,
    pause_seconds,
    recovery,
)
from kiwoom_async.errors import KiwoomError, RateLimited
from kiwoom_async.events import CallRetried, EventEmitter

from .call import Call
from .rate_limit import Priority

# A merge or a watch survives a router's restart; a person waits for an interactive call.
_PATIENCE_SECONDS: Final = 30.0


@define
class CallHistory:
    """The attempts, renewal and first failure of a call."""

    attempts: int = 0
    renewed: bool = False
    # A moment of the event loop's clock.
    first_failure_at: float = math.inf


class Recovery:
    """The recovery of all calls of a client."""

    def __init__(self, attempts: int, emitter: EventEmitter) -> None:
        self.answered_calls = 0
        self._attempts = attempts
        self._emitter = emitter
        self._budget = RetryBudget()
        # During an outage bulk calls wait one after the other, so that few of them are sent.
        self._outage = anyio.Lock()
        self._failures_in_a_row = 0
        self._answered_before_failures = 0

    async def recover(
        self, call: Call[Any], error: KiwoomError, request: Request | None, history: CallHistory
    ) -> None:
        """Wait or renew the token, so that another attempt is worth while, or raise the error.

        `request` is None if getting a token for it failed; that call has used up its own retries.
        """
        now = current_time()
        history.first_failure_at = min(history.first_failure_at, now)
        patient = (
            call.priority is Priority.BULK
            and self._attempts > 1
            and now - history.first_failure_at < _PATIENCE_SECONDS
        )
        if request is None and not patient:
            raise error
        token = None if request is None else request.token
        may_renew = not history.renewed and token is not None
        step = recovery(
            error,
            # A renewal is no retry of the request, so it is not counted as one.
            history.attempts - history.renewed,
            attempts=self._attempts,
            may_renew=may_renew,
            may_renew_in_doubt=may_renew and token is not call.account.tokens.renewed_in_doubt,
            patient=patient,
        )
        seconds = 0.0
        if isinstance(step, Wait):
            seconds = random.uniform(step.at_least_seconds, step.at_most_seconds)  # noqa: S311
        if isinstance(error, RateLimited):
            await call.limiter.pause(max(seconds, pause_seconds(error)), error.limit or math.inf)
        if isinstance(step, Renew) and token is not None:
            await self._renew(call, token, history, in_doubt=step.in_doubt)
            self._emit_retried(call, error, history, seconds)
        elif not isinstance(step, Wait):
            raise error
        elif isinstance(error, RateLimited):
            # The limiter waits out a 429, which costs no retry.
            self._emit_retried(call, error, history, seconds)
        # The retries of the token call were paid for as they were made.
        elif request is not None and not self._budget.spend(self.answered_calls):
            raise error
        elif patient:
            seconds = self._outage_seconds()
            self._emit_retried(call, error, history, seconds)
            await self._wait_in_outage(seconds)
        else:
            self._emit_retried(call, error, history, seconds)
            await anyio.sleep(seconds)

    async def _renew(
        self, call: Call[Any], token: Token, history: CallHistory, *, in_doubt: bool
    ) -> None:
        try:
            await call.account.tokens.renew(token, in_doubt=in_doubt)
        except KiwoomError as failed:
            await self.recover(call, failed, None, history)
        else:
            history.renewed = True

    def _emit_retried(
        self, call: Call[Any], error: KiwoomError, history: CallHistory, seconds: float
    ) -> None:
        retried = CallRetried(
            api_id=call.api_id,
            query=call.query,
            attempt=history.attempts,
            error=error,
            seconds=seconds,
        )
        self._emitter.emit(retried)

    async def _wait_in_outage(self, seconds: float) -> None:
        """Wait behind the other bulk calls; no longer than until one of them is answered."""
        answered_before = self.answered_calls
        async with self._outage:
            if self.answered_calls == answered_before:
                await anyio.sleep(seconds)

    def _outage_seconds(self) -> float:
        """Return how long a bulk call waits, by the failures of all calls since the last answer."""
        if self.answered_calls != self._answered_before_failures:
            self._answered_before_failures, self._failures_in_a_row = self.answered_calls, 0
        self._failures_in_a_row += 1
        longest = backoff_seconds(self._failures_in_a_row)
        return random.uniform(longest / 2, longest)  # noqa: S311
