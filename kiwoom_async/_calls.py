"""The one loop that repeats a failed call: slot, token, send, decode, recovery.

Knows pace, budget and transport; does not know what a call is about, nor how a token is got.
"""

import math
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

import anyio

from ._errors import KiwoomError, RateLimited
from ._pace import Pace, Priority
from ._policy import RATE_FLOOR_SECONDS, GiveUp, Renew, RetryBudget, Wait, recovery
from ._protocol import Request, Response, Token, cleaned
from ._transport import Transport

T = TypeVar("T")


class Calls:
    """Everything that the calls of one client share."""

    def __init__(
        self,
        transport: Transport,
        *,
        requests_per_second: float,
        attempts: int,
        renew: Callable[[Token], Awaitable[None]],
        secrets: tuple[str, ...],
    ) -> None:
        self._transport = transport
        self._requests_per_second = requests_per_second
        self._attempts = attempts
        self._renew = renew
        self._secrets = secrets
        self._budget = RetryBudget()
        # The limit is for each (app key, api-id) (wire-facts.md, fact 1); a client has one key.
        self._paces: dict[str, Pace] = {}

    async def call(
        self,
        api_id: str,
        prepare: Callable[[], Awaitable[Request]],
        decode: Callable[[Response], T],
        priority: Priority,
    ) -> T:
        """What `decode` makes of the answer; every attempt has its own slot.

        `prepare` makes the request, with the token of that moment. Raises the error of the last
        attempt, with the number of `attempts` in it.
        """
        pace = self._pace(api_id)
        renewed = False
        for attempt in count(1):
            # A token issued between slot and sending would delay this call's arrival, and the
            # server would see it too close to the next ones. So it is issued before.
            await prepare()
            await pace.slot(priority)
            request = await prepare()
            try:
                response = await self._transport.send(request, pace.connected)
                answer = decode(cleaned(response, self._secrets))
            except KiwoomError as error:
                error.attempts = attempt
                # A renewal is no retry of the request, so it is not counted as one.
                tried = attempt - renewed
                may_renew = not renewed and request.token is not None
                step = recovery(error, tried, attempts=self._attempts, may_renew=may_renew)
                renewed |= await self._recover(error, step, request.token, pace)
            else:
                self._budget.earn()
                return answer
        raise AssertionError("unreachable: count() does not end")

    def _pace(self, api_id: str) -> Pace:
        if api_id not in self._paces:
            self._paces[api_id] = Pace(self._requests_per_second)
        return self._paces[api_id]

    async def _recover(
        self, error: KiwoomError, step: Wait | Renew | GiveUp, token: Token | None, pace: Pace
    ) -> bool:
        """Make the next attempt worth while, or raise; true when the token has been renewed."""
        if isinstance(error, RateLimited):
            pace.pause(RATE_FLOOR_SECONDS)
            pace.adopt(error.limit or math.inf)
        if isinstance(step, Renew) and token is not None:
            await self._renew(token)
            return True
        if not isinstance(step, Wait):
            raise error
        wait_seconds = random.uniform(step.at_least_seconds, step.at_most_seconds)  # noqa: S311
        if isinstance(error, RateLimited):
            pace.pause(wait_seconds)
        elif self._budget.spend():
            await anyio.sleep(wait_seconds)
        else:
            raise error
        return False
