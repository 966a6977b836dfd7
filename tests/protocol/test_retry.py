"""What is tried again, renewed, or raised at once (wire-facts.md, sections 3 and 4)."""

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


def step(error, attempt=1, attempts=4, may_renew=True):
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
def test_a_passing_fault_is_tried_again_with_growing_full_jitter(error):
    assert [step(error, attempt) for attempt in (1, 2, 3, 4)] == [
        Wait(0.0, 0.2),
        Wait(0.0, 0.4),
        Wait(0.0, 0.8),
        GiveUp(),
    ]
    assert step(error, 9, attempts=10) == Wait(0.0, 5.0)
    assert step(error, 1, attempts=1) == GiveUp()


NEVER = ["8001", "8002", "8011", "8012", "8020", "8030", "8031", "8040", "8050", "8104", "8200"]


@pytest.mark.parametrize(
    "error",
    [
        *(AuthError("no", code=code) for code in NEVER),
        *(ApiError("no", code=str(code)) for code in (*range(1501, 1518), 1634, 1687, 1901, 1903)),
        AuthError("the code knows better than the status", code="8050", status=500),
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
def test_what_cannot_get_better_is_raised_at_once(error):
    assert step(error) == GiveUp()


@pytest.mark.parametrize("code", ["8003", "8005", "8010", "8103"])
def test_a_refused_token_is_renewed_once_whatever_the_attempts(code):
    error = AuthError("token", code=code)
    assert step(error) == Renew()
    assert step(error, 1, attempts=1) == Renew()
    assert step(error, 2, may_renew=False) == GiveUp()


def test_a_wait_after_a_429_has_a_floor_and_jitter_above_it():
    error = RateLimited("slower")
    assert [step(error, attempt) for attempt in (1, 2, 3, 4)] == [
        Wait(1.0, 1.3),
        Wait(1.0, 1.6),
        Wait(1.0, 2.2),
        GiveUp(),
    ]


@pytest.mark.parametrize(("asked", "floor"), [(0.2, 1.0), (3.0, 3.0), (60.0, 60.0)])
def test_a_retry_after_raises_the_floor(asked, floor):
    error = RateLimited("slower")
    error.retry_after = asked
    assert step(error) == Wait(floor, floor + 0.3)


def test_a_retry_after_of_hours_is_the_caller_s_to_wait_for():
    error = RateLimited("tomorrow")
    error.retry_after = 61.0
    assert step(error) == GiveUp()


def test_the_budget_bounds_a_storm_and_refills_with_success():
    budget = RetryBudget()
    assert [budget.spend(0) for _ in range(25)] == [True] * 20 + [False] * 5
    assert [budget.spend(answered_calls=5) for _ in range(2)] == [True, False]
    assert [budget.spend(answered_calls=1_005) for _ in range(21)] == [True] * 20 + [False]
