"""TokenLeases: the token, the lease to issue the next one, and the clock. A store in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from kiwoom_async import Token
from kiwoom_async.sharing._token_leases import Lease, LeaseHeld, TokenLeases


class MemoryStore:
    """A store in memory, with a clock that the test moves; counts writes."""

    def __init__(self):
        self.data, self.now_ms, self.name, self.writes = None, 1000.0, "a store", 0

    def update(self, change):
        data, result = change(self.data, self.now_ms)
        if data is not None:
            self.data, self.writes = data, self.writes + 1
        return result

    def read(self):
        return self.data, self.now_ms


def test_the_lease_of_a_program_that_dies_expires_after_ten_seconds():
    store = MemoryStore()
    leases = TokenLeases(store)
    assert leases.take("dead", "") == Lease("")
    assert leases.take("alive", "") == LeaseHeld(10.0)
    store.now_ms += 9_999.0
    assert isinstance(leases.take("alive", ""), LeaseHeld)
    store.now_ms += 1.0
    assert leases.take("alive", "") == Lease("")


def test_a_token_that_is_issued_too_late_does_not_replace_a_newer_one():
    store, expires = MemoryStore(), datetime.now(UTC) + timedelta(hours=20)
    leases = TokenLeases(store)
    slow = leases.take("slow", "")
    store.now_ms += 10_000.0
    quick = leases.take("quick", "")
    assert isinstance(slow, Lease)
    assert isinstance(quick, Lease)
    leases.put("quick", quick, Token("quick", expires, "2"), "quick")
    leases.put("slow", slow, Token("slow", expires, "1"), "slow")
    assert leases.take("third", "") == Token("quick", expires, "2")


def test_a_program_cannot_end_the_lease_of_another():
    store, expires = MemoryStore(), datetime.now(UTC) + timedelta(hours=20)
    leases = TokenLeases(store)
    assert isinstance(leases.take("first", ""), Lease)
    leases.release("second")
    assert isinstance(leases.take("third", ""), LeaseHeld)
    leases.put("second", Lease("another"), Token("late", expires, "2"), "second")
    assert isinstance(leases.take("third", ""), LeaseHeld)


def test_a_token_that_expires_within_a_minute_is_renewed():
    store, expires = MemoryStore(), datetime.now(UTC) + timedelta(seconds=50)
    leases = TokenLeases(store)
    lease = leases.take("first", "")
    assert isinstance(lease, Lease)
    leases.put("first", lease, Token("brief", expires, "1"), "first")
    assert isinstance(leases.take("second", ""), Token)
    store.now_ms += 10_001.0
    assert leases.take("second", "") == Lease("1")


def test_a_program_that_waits_for_the_lease_writes_nothing():
    """A hundred waiting programs must not slow down the one that issues."""
    store = MemoryStore()
    leases = TokenLeases(store)
    leases.take("first", "")
    store.writes = 0
    assert isinstance(leases.take("second", ""), LeaseHeld)
    assert store.writes == 0


def test_a_lease_expires_after_ten_seconds_even_if_the_clock_restarts():
    store = MemoryStore()
    store.now_ms = 1_000_000.0
    leases = TokenLeases(store)
    leases.take("dead", "")
    store.now_ms = 50.0
    assert leases.take("alive", "").seconds == pytest.approx(10.0)
