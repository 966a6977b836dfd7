"""The local rate limiter: permits by answers, in order, none lost to a cancelled or failed call."""

import math
import random
from itertools import pairwise

import anyio
import pytest

from kiwoom_async._io.rate_limit import LocalRateLimiter, Priority

pytestmark = pytest.mark.anyio

WINDOW = 1.002


async def call(limiter, sent, count=1, priority=Priority.INTERACTIVE, *, seconds=0.0):
    """Make so many calls, each answered after so long; add the times at which they are sent."""
    for _ in range(count):
        async with limiter.acquire(priority):
            sent.append(anyio.current_time())
            await anyio.sleep(seconds)


async def calls_at_once(limiter, count, **options):
    """Make so many calls at once; return when each is sent, counted from now."""
    sent, began = [], anyio.current_time()
    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(lambda: call(limiter, sent, **options))
    return [moment - began for moment in sent]


async def learn(limiter, seconds, count=100):
    """Make calls with this round trip, so that the limiter knows the line; then be idle."""
    await calls_at_once(limiter, count, seconds=seconds)
    await anyio.sleep(2)


def most_in_a_second(arrivals):
    """Return how many arrivals are in any second at most."""
    arrivals = sorted(arrivals)
    return max(
        sum(first <= arrival < first + 1.0 for arrival in arrivals[at : at + 20])
        for at, first in enumerate(arrivals)
    )


async def test_five_interactive_calls_are_sent_at_once_and_five_more_in_the_next_window():
    limiter = LocalRateLimiter(5)
    assert await calls_at_once(limiter, 11) == pytest.approx([0] * 5 + [WINDOW] * 5 + [2 * WINDOW])
    await anyio.sleep(60)  # saves no permits
    assert await calls_at_once(limiter, 6) == pytest.approx([0] * 5 + [WINDOW])


async def test_bulk_calls_are_spaced_and_use_the_whole_pace():
    limiter, sent = LocalRateLimiter(5), []
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(call, limiter, sent, 10, Priority.BULK)
    assert len(sent) == 100
    assert min(later - earlier for earlier, later in pairwise(sent)) == pytest.approx(WINDOW / 5)
    assert 0.99 * 5 <= 99 / (sent[-1] - sent[0]) <= 5


LINES = {
    "20 ms": lambda: 0.023 + random.uniform(-0.02, 0.02),
    "100 ms": lambda: 0.15 + random.uniform(-0.1, 0.1),
    "lognormal": lambda: 0.023 * math.exp(random.gauss(0, 0.8)),
    "late by 2.5 s": lambda: 0.023 + 2.5 * (random.random() < 0.01),
}


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("line", LINES)
async def test_no_second_has_six_arrivals_on_a_restless_line(line, priority):
    """Two in a thousand may be too close, as the shortest round trip is a sample."""
    limiter, arrivals = LocalRateLimiter(5), []
    one_way = LINES[line]

    async def work():
        for _ in range(50):
            async with limiter.acquire(priority):
                await anyio.sleep(one_way())
                arrivals.append(anyio.current_time())
                await anyio.sleep(one_way())

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(work)
    arrivals.sort()
    too_close = sum(arrivals[at + 5] - arrivals[at] < 1.0 for at in range(595))
    assert too_close <= 4
    assert 599 / (arrivals[-1] - arrivals[0]) >= 0.75 * 5


async def test_a_permit_comes_back_a_window_after_the_arrival_that_the_answer_proves():
    limiter = LocalRateLimiter(5)
    await learn(limiter, 0.1)
    late = [0.1, 0.1, 0.1, 0.1, 0.7]
    async with anyio.create_task_group() as group:
        began, sent = anyio.current_time(), []
        for seconds in late:
            group.start_soon(lambda seconds=seconds: call(limiter, [], seconds=seconds))
        await anyio.sleep(0.05)
        group.start_soon(call, limiter, sent, 5)
    # The second five are answered at once, so that the shortest round trip is 0 from then on.
    assert sent[0] - began == pytest.approx(WINDOW)
    assert sent[4] - began == pytest.approx(0.7 + WINDOW)


async def test_a_call_without_an_answer_holds_its_permit():
    limiter = LocalRateLimiter(5)
    await learn(limiter, 0.1)
    async with anyio.create_task_group() as group:
        began, sent = anyio.current_time(), []
        for _ in range(5):
            group.start_soon(lambda: call(limiter, [], seconds=7))
        await anyio.sleep(0.05)
        group.start_soon(call, limiter, sent)
    assert sent[0] - began == pytest.approx(7 + WINDOW, abs=0.1)


@pytest.mark.parametrize("before_seconds", [None, 0.04, 0.54])
async def test_calls_that_had_to_connect_do_not_pass_for_the_shortest_round_trip(before_seconds):
    """They arrive late, and what is sent on their connections a second later does not.

    Nor do calls of before an idle time, on a slower line.
    """
    limiter, arrivals = LocalRateLimiter(5), []
    if before_seconds is not None:
        await learn(limiter, before_seconds)
        await anyio.sleep(60)

    async def send(connecting):
        async with limiter.acquire():
            await anyio.sleep(connecting + 0.02)
            arrivals.append(anyio.current_time())
            await anyio.sleep(0.02)

    for _ in range(3):
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(send, 0.5 if number < 5 else 0.0)
        await anyio.sleep(60)
    assert most_in_a_second(arrivals) == 5


async def test_a_failed_call_gives_its_permit_back_as_late_as_its_arrival_could_have_been():
    """It may still be on its way, for as long as most calls take."""
    limiter = LocalRateLimiter(5)
    await learn(limiter, 0.1)
    for _ in range(5):
        with pytest.raises(OSError, match="reset"):
            async with limiter.acquire():
                raise OSError("reset")
    assert await calls_at_once(limiter, 1) == pytest.approx([0.1 + WINDOW])


@pytest.mark.parametrize("priority", Priority)
async def test_cancelling_at_any_moment_loses_no_permit(priority):
    """While a bulk call waits for its turn, any call for a permit, and while it is under way."""
    limiter = LocalRateLimiter(5)
    for hundredths in range(250):
        with anyio.move_on_after(hundredths / 100):
            async with anyio.create_task_group() as group:
                for _ in range(9):
                    group.start_soon(call, limiter, [], 1, priority)
                    group.start_soon(lambda: call(limiter, [], seconds=0.3))
        await anyio.sleep(3)
        assert await calls_at_once(limiter, 6) == pytest.approx([0] * 5 + [WINDOW])
        await anyio.sleep(3)


async def test_calls_are_sent_in_the_order_in_which_they_ask():
    limiter, order = LocalRateLimiter(5), []

    async def send(number):
        async with limiter.acquire():
            order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(send, number)
            await anyio.sleep(0.001)
    assert order == list(range(12))


async def test_an_interactive_call_waits_for_one_bulk_call_at_most():
    limiter, bulk = LocalRateLimiter(5), []
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(call, limiter, bulk, 1, Priority.BULK)
        await anyio.sleep(1.1)
        asked_at, before, interactive = anyio.current_time(), len(bulk), []
        await call(limiter, interactive)
        assert len(bulk) <= before + 1
        assert interactive[0] - asked_at <= 0.4


async def test_a_bulk_call_yields_to_other_tasks_even_for_a_free_permit(anyio_backend_name):
    """So that tasks with received pages can deliver them first."""
    if anyio_backend_name == "trio":
        pytest.skip("trio runs the tasks of a turn in random order")
    limiter, delivered = LocalRateLimiter(5), []

    async def deliver():
        delivered.append(1)

    async with anyio.create_task_group() as group:
        group.start_soon(deliver)
        async with limiter.acquire(Priority.INTERACTIVE):
            assert not delivered
        group.start_soon(deliver)
        await anyio.sleep(1)
        group.start_soon(deliver)
        async with limiter.acquire(Priority.BULK):
            assert len(delivered) == 3


async def test_a_pause_also_delays_the_first_waiting_task():
    limiter, sent = LocalRateLimiter(5), []
    began = anyio.current_time()
    await calls_at_once(limiter, 5)
    async with anyio.create_task_group() as group:
        group.start_soon(call, limiter, sent, 2)
        await anyio.sleep(0.1)
        await limiter.pause(3.0, math.inf)
    assert sent == pytest.approx([began + 3.1] * 2)


async def test_a_shorter_pause_does_not_end_a_longer_one():
    limiter = LocalRateLimiter(5)
    await limiter.pause(5.0, math.inf)
    await limiter.pause(1.0, math.inf)
    assert await calls_at_once(limiter, 1) == pytest.approx([5.0])


async def test_a_limit_that_the_server_names_is_adopted_downwards_only():
    limiter = LocalRateLimiter(5)
    await calls_at_once(limiter, 5)
    for limit in (1, 5, math.inf, 0):
        await limiter.pause(0.0, limit)
    assert limiter.per_second == 1
    # All five permits come back before there is the one of the new limit.
    assert await calls_at_once(limiter, 3) == pytest.approx([WINDOW, 2 * WINDOW, 3 * WINDOW])


@pytest.mark.parametrize(
    ("per_second", "times"),
    [(0.5, [0, 2, 4, 6]), (1, [0, 1, 2, 3]), (2.5, [0, 0, 0.8, 0.8]), (math.inf, [0] * 4)],
)
async def test_limits_need_not_be_whole_numbers(per_second, times):
    sent = await calls_at_once(LocalRateLimiter(per_second), 4)
    assert sent == pytest.approx([WINDOW * moment for moment in times])


async def test_an_infinite_limit_takes_no_time():
    assert await calls_at_once(LocalRateLimiter(math.inf), 5000) == [0] * 5000
