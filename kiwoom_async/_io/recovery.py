"""Recovery: waits, token renewals and retries after failed attempts, within a budget."""

import math
import random
from typing import Any, Final

import anyio
from anyio import current_time
from attrs import define

from kiwoom_async._protocol.messages import Request
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

# Bulk work outlives a restart of the network; an interactive call is waited for.
_PATIENCE_SECONDS: Final = 30.0


@define
class CallHistory:
    """What has become of a call so far."""

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
        self, call: Call[Any], error: KiwoomError, request: Request, history: CallHistory
    ) -> None:
        """Wait or renew the token, so that another attempt is worth while, or raise the error."""
        now, tokens = current_time(), call.account.tokens
        history.first_failure_at = min(history.first_failure_at, now)
        may_renew = not history.renewed and request.token is not None
        patient = (
            call.priority is Priority.BULK
            and self._attempts > 1
            and now - history.first_failure_at < _PATIENCE_SECONDS
        )
        step = recovery(
            error,
            # A renewal is no retry of the request, so it is not counted as one.
            history.attempts - history.renewed,
            attempts=self._attempts,
            may_renew=may_renew,
            may_renew_in_doubt=may_renew and request.token is not tokens.renewed_in_doubt,
            patient=patient,
        )
        seconds = 0.0
        if isinstance(step, Wait):
            seconds = random.uniform(step.at_least_seconds, step.at_most_seconds)  # noqa: S311
        if isinstance(error, RateLimited):
            await call.limiter.pause(max(seconds, pause_seconds(error)), error.limit or math.inf)
        if isinstance(step, Renew) and request.token is not None:
            await tokens.renew(request.token, in_doubt=step.in_doubt)
            history.renewed = True
        elif not isinstance(step, Wait):
            raise error
        elif not isinstance(error, RateLimited):
            # The limiter waits out a 429, which costs no retry.
            if not self._budget.spend(self.answered_calls):
                raise error
            if patient:
                seconds = self._outage_seconds()
        retried = CallRetried(
            api_id=call.api_id,
            query=call.query,
            attempt=history.attempts,
            error=error,
            seconds=seconds,
        )
        self._emitter.emit(retried)
        if isinstance(step, Renew) or isinstance(error, RateLimited):
            return
        if patient:
            async with self._outage:
                await anyio.sleep(seconds)
        else:
            await anyio.sleep(seconds)

    def _outage_seconds(self) -> float:
        """Return how long a bulk call waits, by the failures of all calls since the last answer."""
        if self.answered_calls != self._answered_before_failures:
            self._answered_before_failures, self._failures_in_a_row = self.answered_calls, 0
        self._failures_in_a_row += 1
        longest = backoff_seconds(self._failures_in_a_row)
        return random.uniform(longest / 2, longest)  # noqa: S311
