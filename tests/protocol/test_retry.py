"""Recovery from an error: retry, renew the token, or give up (wire-facts.md, sections 3 and 4)."""

import pytest

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    DecodeError,
    KiwoomError,
    RateLimited,
    TransportError,
    TransportTimeout,
)
from kiwoom_async._protocol.retry import GiveUp, Renew, RetryBudget, Wait, recovery


def recovery_of(error, attempt=1, attempts=4, may_renew=True):
    """Return what to do after an error of this attempt."""
    return recovery(error, attempt, attempts=attempts, may_renew=may_renew)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("reset"),
        TransportTimeout("slow"),
        DecodeError("cut", problems=[], damaged=True),
        BlockedError("gateway", status=502),
        ApiError("broken", status=500),
        ApiError("unexpected", code="1999"),
        AuthError("issue failed", code="8006"),
        AuthError("issue failed", code="8009"),
    ],
)
def test_a_temporary_error_is_retried_with_growing_full_jitter(error):
    assert [recovery_of(error, attempt) for attempt in (1, 2, 3, 4)] == [
        Wait(0.0, 0.2),
        Wait(0.0, 0.4),
        Wait(0.0, 0.8),
        GiveUp(),
    ]
    assert recovery_of(error, 9, attempts=10) == Wait(0.0, 5.0)
    assert recovery_of(error, 1, attempts=1) == GiveUp()


PERMANENT_CODES = ["8001", "8002", "8011", "8012", "8020", "8030", "8031", "8040", "8050", "8104",
                   "8200"]  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        *(AuthError("no", code=code) for code in PERMANENT_CODES),
        *(ApiError("no", code=str(code)) for code in (*range(1501, 1518), 1634, 1687, 1901, 1903)),
        AuthError("the code takes precedence over the status", code="8050", status=500),
        AuthError("category 3 alone must not renew", return_code=3),
        ApiError("no code", return_code=7),
        BlockedError("firewall", status=400),
        BlockedError("maintenance", status=200),
        BlockedError("redirect", status=307),
        DecodeError("bad row", problems=["x @ y"]),
        ContinuationError("circle"),
        TransportTimeout("pool", local=True),
        KiwoomError("anything else"),
    ],
)
def test_a_permanent_error_is_not_retried(error):
    assert recovery_of(error) == GiveUp()


@pytest.mark.parametrize("code", ["8003", "8005", "8010", "8103"])
def test_a_refused_token_is_renewed_once_regardless_of_attempts(code):
    error = AuthError("token", code=code)
    assert recovery_of(error) == Renew()
    assert recovery_of(error, 1, attempts=1) == Renew()
    assert recovery_of(error, 2, may_renew=False) == GiveUp()


def test_the_wait_after_a_429_has_a_minimum_and_jitter_above_it():
    error = RateLimited("slower")
    assert [recovery_of(error, attempt) for attempt in (1, 2, 3, 4)] == [
        Wait(1.0, 1.3),
        Wait(1.0, 1.6),
        Wait(1.0, 2.2),
        GiveUp(),
    ]


@pytest.mark.parametrize(("retry_after", "minimum"), [(0.2, 1.0), (3.0, 3.0), (60.0, 60.0)])
def test_retry_after_raises_the_minimum_wait(retry_after, minimum):
    error = RateLimited("slower")
    error.retry_after = retry_after
    assert recovery_of(error) == Wait(minimum, minimum + 0.3)


def test_a_retry_after_of_more_than_a_minute_is_not_waited_for():
    error = RateLimited("tomorrow")
    error.retry_after = 61.0
    assert recovery_of(error) == GiveUp()


def test_the_retry_budget_is_limited_and_refilled_by_answered_calls():
    budget = RetryBudget()
    assert [budget.spend(0) for _ in range(25)] == [True] * 20 + [False] * 5
    assert [budget.spend(answered_calls=5) for _ in range(2)] == [True, False]
    assert [budget.spend(answered_calls=1_005) for _ in range(21)] == [True] * 20 + [False]
