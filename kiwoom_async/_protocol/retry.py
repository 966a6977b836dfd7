"""Recovery: the step after a failed attempt (wait, renew the token, give up), and the budget."""

from typing import Final

from attrs import frozen

from kiwoom_async.errors import (
    ApiError,
    AuthError,
    BlockedError,
    DecodeError,
    KiwoomError,
    RateLimited,
    TransportError,
)

# wire-facts.md, section 3: worth one renewal and a retry.
_RENEWABLE: Final = frozenset({"8003", "8005", "8010", "8103"})
# Published refusals of keys, tokens and machines that another token cannot cure, and of the token
# calls themselves. An authentication failure in other words may be the token's.
_NOT_THE_TOKEN: Final = frozenset(
    {"8001", "8002", "8006", "8009", "8011", "8012", "8015", "8016", "8020", "8030", "8031", "8040",
     "8050", "8104", "8200"}
)  # fmt: skip
# Unexpected error; token issue failed. Every other code says the request itself is wrong.
_TRANSIENT: Final = frozenset({"1999", "8006", "8009"})

# Waiting 1.0 to 1.3 s clears a 429 (wire-facts.md, section 4).
_RATE_FLOOR_SECONDS: Final = 1.0
_RATE_JITTER_SECONDS: Final = 0.3
# A longer Retry-After is the caller's to wait for, not a call's.
_MAX_RETRY_AFTER_SECONDS: Final = 60.0
_FIRST_BACKOFF_SECONDS: Final = 0.2
_MAX_BACKOFF_SECONDS: Final = 5.0


@frozen
class Wait:
    """Try again after a random time within these bounds."""

    at_least_seconds: float
    at_most_seconds: float


@frozen
class Renew:
    """Get another token, then try again at once; in doubt whether the token was the reason."""

    in_doubt: bool = False


@frozen
class GiveUp:
    """Raise the error."""


def recovery(
    error: KiwoomError,
    attempt: int,
    *,
    attempts: int,
    may_renew: bool,
    may_renew_in_doubt: bool = False,
    patient: bool = False,
) -> Wait | Renew | GiveUp:
    """Return the step after `attempt` (from 1) of `attempts` failed with `error`.

    A renewal is no retry: it is offered after any attempt, once for a call; for a refusal in
    words that no code names, if it `may_renew_in_doubt`. A patient call waits for a dead
    connection beyond its attempts.
    """
    if isinstance(error, AuthError) and error.code in _RENEWABLE:
        return Renew() if may_renew else GiveUp()
    if may_renew_in_doubt and _may_mean_the_token(error):
        return Renew(in_doubt=True)
    unreachable = isinstance(error, TransportError) and not error.local
    if attempt >= attempts and not (patient and unreachable):
        return GiveUp()
    if isinstance(error, RateLimited):
        return _after_rate_limit(error, attempt)
    if _is_transient(error):
        return Wait(0.0, backoff_seconds(attempt))
    return GiveUp()


def backoff_seconds(failures: int) -> float:
    """Return the longest wait after so many failures in a row."""
    return min(_MAX_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))


def _may_mean_the_token(error: KiwoomError) -> bool:
    if isinstance(error, BlockedError):
        return error.status == 401
    return isinstance(error, AuthError) and error.code not in _NOT_THE_TOKEN


def pause_seconds(error: RateLimited) -> float:
    """Return how long to pause after a 429: at least the floor, at most a minute."""
    asked = max(_RATE_FLOOR_SECONDS, error.retry_after or 0.0)
    return min(_MAX_RETRY_AFTER_SECONDS, asked)


def _after_rate_limit(error: RateLimited, attempt: int) -> Wait | GiveUp:
    if (error.retry_after or 0.0) > _MAX_RETRY_AFTER_SECONDS:
        return GiveUp()
    floor = pause_seconds(error)
    return Wait(floor, floor + _RATE_JITTER_SECONDS * 2 ** (attempt - 1))


def _is_transient(error: KiwoomError) -> bool:
    """Return True if the same request may well succeed a moment later."""
    match error:
        case TransportError():
            return not error.local
        case DecodeError():
            return error.damaged
        case ApiError():
            # A code says more than the status.
            return error.code in _TRANSIENT or (error.code is None and error.status >= 500)
        case BlockedError():
            return error.status >= 500
    return False


class RetryBudget:
    """The retries that a client may still make, so that an outage meets no storm of them.

    A retry costs one, an answered call earns a fifth, up to the capacity. Waiting out a 429 costs
    nothing: the rate limiter holds those calls back, and another program may be the reason.
    """

    # One walk of 60 pages survives this many faults in a row of calls; a hundred walks on a dead
    # server make no more than this many calls beyond their first.
    CAPACITY: Final = 20.0
    EARNED: Final = 0.2

    def __init__(self) -> None:
        self._left = self.CAPACITY
        self._answered_calls = 0

    def spend(self, answered_calls: int) -> bool:
        """Take one retry; return False if none is left after so many answered calls in all."""
        earned = self.EARNED * (answered_calls - self._answered_calls)
        self._left = min(self.CAPACITY, self._left + earned)
        self._answered_calls = answered_calls
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
