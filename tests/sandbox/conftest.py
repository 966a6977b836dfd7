"""Sandboxes for tests: a small one under a clock moved by hand, and one of full size."""

from datetime import datetime, timedelta, timezone

import pytest

from kiwoom_async.sandbox import Sandbox, _app

_KST = timezone(timedelta(hours=9))
_SUNDAY = datetime(2026, 11, 22, 9, tzinfo=_KST)


class Clock:
    """The monotonic and the wall clock of a sandbox, moved by hand; sleeping is only recorded."""

    def __init__(self):
        self.seconds = 1000.0
        self.sleeps = []

    def wall_time(self):
        return _SUNDAY + timedelta(seconds=self.seconds - 1000)

    async def sleep(self, seconds):
        self.sleeps.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_app, "current_time", lambda: clock.seconds)
    monkeypatch.setattr(_app, "sleep", clock.sleep)
    return clock


@pytest.fixture
def make_sandbox(clock):
    """Return a function that makes a small sandbox without a rate limit; options replace these."""

    def make(**options):
        options = {"requests_per_second": None, "kospi_stocks": 130, "kosdaq_stocks": 80} | options
        return Sandbox(now=clock.wall_time, **options)

    return make


@pytest.fixture(scope="module")
def full_sandbox():
    """A sandbox with as many stocks as the real markets."""
    return Sandbox(now=lambda: _SUNDAY)
