"""The matrix: each fault at each place, once and always: every row once, or exactly which error."""

import random
import time

import anyio
import pytest
from support.fault_proxy import FAULTS, FaultProxy

from kiwoom_async import (
    BlockedError,
    DecodeError,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    TransportError,
    TransportTimeout,
)
from kiwoom_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
ATTEMPTS = 4
# Short where it is what ends the call; elsewhere a busy machine must not come near it.
TIMEOUTS_SECONDS = {"drip": 0.3, "stop for ever": 0.3}
LONG_SECONDS = 10.0
# What a deadline may be overrun by, on a machine that is busy.
GRACE_SECONDS = 1.5
PLACES = {"token": 0, "first page": 1, "a middle page": 2, "last page": 3}

HARMLESS, FATAL, PASSING = 0, 1, ATTEMPTS
# Fault: the error when it stays, and how many calls are made of it: 0 for an answer that is good
# all the same, 1 for one that is believed at once, 4 for one that may pass.
OUTCOMES = {
    "delay": (None, HARMLESS),
    "drip": (TransportTimeout, PASSING),
    "stop for ever": (TransportTimeout, PASSING),
    "reset before": (TransportError, PASSING),
    "reset in the middle": (TransportError, PASSING),
    "reset after": (None, HARMLESS),
    "close before": (TransportError, PASSING),
    "cut chunk": (TransportError, PASSING),
    "cut gzip": (DecodeError, PASSING),
    "corrupt bytes": (DecodeError, PASSING),
    "EUC-KR": (DecodeError, PASSING),
    "broken UTF-8": (DecodeError, PASSING),
    "HTML 200": (BlockedError, FATAL),
    "HTML 400": (BlockedError, FATAL),
    "HTML 503": (BlockedError, PASSING),
    "giant header": (TransportError, PASSING),
    "gzip bomb": (DecodeError, FATAL),
    "deep nesting": (DecodeError, PASSING),
    "5,000 digits": (DecodeError, PASSING),
    "5,000 digits in a field": (DecodeError, FATAL),
    "NaN in a field": (DecodeError, PASSING),
    "NaN elsewhere": (DecodeError, PASSING),
    "duplicate keys": (DecodeError, PASSING),
    "length too long": (TransportError, PASSING),
    "length too short": (DecodeError, PASSING),
    "truncated JSON": (DecodeError, PASSING),
    "JSON of another kind": (DecodeError, PASSING),
    "204": (BlockedError, FATAL),
    "307 to another host": (BlockedError, FATAL),
    "302 to another host": (BlockedError, FATAL),
    "500": (BlockedError, PASSING),
    "empty 200": (DecodeError, PASSING),
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real sockets need real time."""
    return request.param


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    """The waits between attempts are other tests' affair."""
    monkeypatch.setattr(random, "uniform", lambda least, _: least)


def test_every_fault_has_its_row():
    assert set(OUTCOMES) == set(FAULTS) - {None}


@pytest.mark.parametrize("fault", [fault for fault in OUTCOMES if fault not in TIMEOUTS_SECONDS])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("times", ["once", "always"])
async def test_a_fault_has_exactly_this_outcome(fault, place, times):
    await has_exactly_its_outcome(fault, place, times)


@pytest.mark.alone
@pytest.mark.parametrize("fault", TIMEOUTS_SECONDS)
@pytest.mark.parametrize("times", ["once", "always"])
async def test_a_fault_that_lasts_has_exactly_this_outcome_at_every_place(fault, times):
    """All places at once, each with a server and a client of its own: they do nothing but wait."""
    async with anyio.create_task_group() as group:
        for place in PLACES:
            group.start_soon(has_exactly_its_outcome, fault, place, times)


async def has_exactly_its_outcome(fault, place, times):
    kind, tries = OUTCOMES[fault]
    timeout = TIMEOUTS_SECONDS.get(fault, LONG_SECONDS)
    page = PLACES[place]
    sandbox = Sandbox(kospi_stocks=120, requests_per_second=None)
    truth = [row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")]

    def plan(request):
        most = 1 if times == "once" else 1000
        return fault if request.page == page and proxy.calls[page] <= most else None

    proxy = FaultProxy(sandbox, plan, seed=len(fault) * 100 + page)
    fails = kind is not None and (times == "always" or tries == FATAL)
    rows, began = [], time.monotonic()
    with anyio.fail_after(30):
        async with (
            proxy.serving() as base_url,
            KiwoomClient("app-key", "secret-key", base_url=base_url, requests_per_second=2000,
                         attempts=ATTEMPTS, timeout=timeout) as kiwoom,
        ):  # fmt: skip
            error = await walked(kiwoom, rows, None)
            elapsed = time.monotonic() - began
            assert (type(error) if error else None) is (kind if fails else None)
            failed_calls = tries if fails else min(tries, 1)
            expected = dict.fromkeys(range(4), 1)
            expected[page] = failed_calls if fails else failed_calls + 1
            if fails:
                expected |= dict.fromkeys(range(page + 1, 4), 0)
            assert {number: proxy.calls[number] for number in range(4)} == expected
            if fault in TIMEOUTS_SECONDS:
                assert elapsed < failed_calls * timeout + GRACE_SECONDS
            if fails:
                assert error.page == max(0, page - 1)
                assert error.attempts == tries
                proxy.plan = lambda _: None
                assert await walked(kiwoom, rows, error.cursor) is None
    assert rows == truth


async def walked(kiwoom, rows, start):
    """The error that ended the walk, if one did; its rows are added."""
    try:
        async for page in kiwoom.pages(QUERY, start=start):
            rows += [row.symbol for row in page.rows]
    except KiwoomError as error:
        return error
    return None
