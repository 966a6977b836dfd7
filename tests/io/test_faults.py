"""Every fault at every place, once and always: every row once, or exactly the expected error."""

import random
import time

import anyio
import pytest
from support.exchange import QUERY
from support.fault_proxy import FAULTS, FaultProxy

from kiwoom_async import (
    BlockedError,
    DecodeError,
    KiwoomClient,
    KiwoomError,
    TransportError,
    TransportTimeout,
)
from kiwoom_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

ATTEMPTS = 4
# Short where the timeout ends the call; elsewhere so long that a busy machine never reaches it.
TIMEOUTS_SECONDS = {"drip": 0.3, "stop for ever": 0.3}
LONG_SECONDS = 10.0
# A busy machine may exceed a deadline by this much.
GRACE_SECONDS = 1.5
PLACES = {"token": 0, "first page": 1, "a middle page": 2, "last page": 3}

HARMLESS, RAISED_AT_ONCE, RETRIED = 0, 1, ATTEMPTS
# By fault: the error if it persists, and the number of calls until then; 0 if it does no harm.
OUTCOMES = {
    "delay": (None, HARMLESS),
    "drip": (TransportTimeout, RETRIED),
    "stop for ever": (TransportTimeout, RETRIED),
    "reset before": (TransportError, RETRIED),
    "reset in the middle": (TransportError, RETRIED),
    "reset after": (None, HARMLESS),
    "close before": (TransportError, RETRIED),
    "cut chunk": (TransportError, RETRIED),
    "cut gzip": (DecodeError, RETRIED),
    "corrupt bytes": (DecodeError, RETRIED),
    "EUC-KR": (DecodeError, RETRIED),
    "broken UTF-8": (DecodeError, RETRIED),
    "HTML 200": (BlockedError, RAISED_AT_ONCE),
    "HTML 400": (BlockedError, RAISED_AT_ONCE),
    "HTML 503": (BlockedError, RETRIED),
    "giant header": (TransportError, RETRIED),
    "gzip bomb": (DecodeError, RAISED_AT_ONCE),
    "deep nesting": (DecodeError, RETRIED),
    "5,000 digits": (DecodeError, RETRIED),
    "5,000 digits in a field": (DecodeError, RAISED_AT_ONCE),
    "NaN in a field": (DecodeError, RETRIED),
    "NaN elsewhere": (DecodeError, RETRIED),
    "duplicate keys": (DecodeError, RETRIED),
    "length too long": (TransportError, RETRIED),
    "length too short": (DecodeError, RETRIED),
    "truncated JSON": (DecodeError, RETRIED),
    "JSON of another kind": (DecodeError, RETRIED),
    "204": (BlockedError, RAISED_AT_ONCE),
    "307 to another host": (BlockedError, RAISED_AT_ONCE),
    "302 to another host": (BlockedError, RAISED_AT_ONCE),
    "500": (BlockedError, RETRIED),
    "empty 200": (DecodeError, RETRIED),
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    """Wait the minimum between attempts."""
    monkeypatch.setattr(random, "uniform", lambda least, _: least)


def test_the_table_has_every_fault():
    assert set(OUTCOMES) == set(FAULTS) - {None}


async def check_outcome(fault, place, times):
    """Walk with a fault at a place; check the error, the calls, the time, and the resumed walk."""
    kind, attempts = OUTCOMES[fault]
    timeout = TIMEOUTS_SECONDS.get(fault, LONG_SECONDS)
    page = PLACES[place]
    sandbox = Sandbox(kospi_stocks=120, requests_per_second=None)
    truth = [row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")]

    def plan(request):
        most = 1 if times == "once" else 1000
        return fault if request.page == page and proxy.calls[page] <= most else None

    proxy = FaultProxy(sandbox, plan, seed=len(fault) * 100 + page)
    fails = kind is not None and (times == "always" or attempts == RAISED_AT_ONCE)
    rows, began = [], time.monotonic()
    with anyio.fail_after(30):
        async with (
            proxy.serving() as base_url,
            KiwoomClient("app-key", "secret-key", base_url=base_url, requests_per_second=2000,
                         attempts=ATTEMPTS, timeout=timeout) as kiwoom,
        ):  # fmt: skip
            error = await walk_into(kiwoom, rows, None)
            elapsed = time.monotonic() - began
            assert (type(error) if error else None) is (kind if fails else None)
            failed_calls = attempts if fails else min(attempts, 1)
            expected = dict.fromkeys(range(4), 1)
            expected[page] = failed_calls if fails else failed_calls + 1
            if fails:
                expected |= dict.fromkeys(range(page + 1, 4), 0)
            assert {number: proxy.calls[number] for number in range(4)} == expected
            if fault in TIMEOUTS_SECONDS:
                assert elapsed < failed_calls * timeout + GRACE_SECONDS
            if fails:
                assert error.page == max(0, page - 1)
                assert error.attempts == attempts
                proxy.plan = lambda _: None
                assert await walk_into(kiwoom, rows, error.cursor) is None
    assert rows == truth


async def walk_into(kiwoom, rows, start):
    """Walk from `start`, add the symbols to `rows`, and return the error that ended the walk."""
    try:
        async for page in kiwoom.pages(QUERY, start=start):
            rows += [row.symbol for row in page.rows]
    except KiwoomError as error:
        return error
    return None


@pytest.mark.parametrize("fault", [fault for fault in OUTCOMES if fault not in TIMEOUTS_SECONDS])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("times", ["once", "always"])
async def test_a_fault_has_its_stated_outcome(fault, place, times):
    await check_outcome(fault, place, times)


@pytest.mark.alone
@pytest.mark.parametrize("fault", TIMEOUTS_SECONDS)
@pytest.mark.parametrize("times", ["once", "always"])
async def test_a_fault_that_takes_time_has_its_stated_outcome_at_every_place(fault, times):
    """All places run concurrently, each with its own server and client, because they only wait."""
    async with anyio.create_task_group() as group:
        for place in PLACES:
            group.start_soon(check_outcome, fault, place, times)
