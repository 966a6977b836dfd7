"""The local rate limiter: slots at even distances, in order, none lost to a cancelled task."""

from itertools import pairwise

import anyio
import pytest

from kiwoom_async._io.rate_limit import LocalRateLimiter, Priority

pytestmark = pytest.mark.anyio


async def acquire_slots(limiter, times, count=1):
    """Acquire so many slots; add the time of each to `times`."""
    for _ in range(count):
        await limiter.acquire()
        times.append(anyio.current_time())


async def test_slots_are_evenly_spaced_and_use_the_permitted_pace():
    limiter, times = LocalRateLimiter(5), []
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(acquire_slots, limiter, times, 5)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 50
    assert min(gaps) == pytest.approx(0.209)
    # 95 % of five a second, while there is work.
    assert len(gaps) / (times[-1] - times[0]) >= 0.95 * 5
    # No six in any second, even when the network moves each arrival by 20 ms either way.
    assert all(times[at + 5] - times[at] - 0.04 >= 1.0 - 1e-9 for at in range(45))


async def test_the_first_slot_is_immediate_and_idle_time_saves_no_slots():
    limiter, times = LocalRateLimiter(5), []
    began = anyio.current_time()
    await acquire_slots(limiter, times)
    assert times[0] == began
    await anyio.sleep(60)
    await acquire_slots(limiter, times, 3)
    assert times[2] - times[1] == pytest.approx(0.209)


async def test_slots_are_given_in_the_order_of_requests():
    limiter, order = LocalRateLimiter(5), []

    async def acquire(number):
        await limiter.acquire()
        order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(acquire, number)
            await anyio.sleep(0.001)
    assert order == list(range(8))


async def test_a_bulk_call_yields_to_other_tasks_even_for_a_free_slot(anyio_backend_name):
    """So that tasks with received pages can deliver them first."""
    if anyio_backend_name == "trio":
        pytest.skip("trio runs the tasks of a turn in random order")
    limiter, delivered = LocalRateLimiter(5), []

    async def deliver():
        delivered.append(1)

    async with anyio.create_task_group() as group:
        group.start_soon(deliver)
        await limiter.acquire(Priority.INTERACTIVE)
        assert not delivered
        group.start_soon(deliver)
        await anyio.sleep(1)
        group.start_soon(deliver)
        await limiter.acquire(Priority.BULK)
        assert len(delivered) == 3


async def test_a_pause_also_delays_the_first_waiting_task():
    limiter, times = LocalRateLimiter(5), []
    await limiter.acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(acquire_slots, limiter, times, 2)
        await anyio.sleep(0.1)
        await limiter.pause(3.0, float("inf"))
    began = times[0] - 3.1
    assert times == pytest.approx([began + 3.1, began + 3.309])


async def test_a_shorter_pause_does_not_end_a_longer_one():
    limiter, times = LocalRateLimiter(5), []
    began = anyio.current_time()
    await limiter.pause(5.0, float("inf"))
    await limiter.pause(1.0, float("inf"))
    await acquire_slots(limiter, times)
    assert times[0] - began == pytest.approx(5.0)


async def test_a_limit_that_the_server_names_is_adopted_downwards_only():
    limiter, times = LocalRateLimiter(5), []
    await limiter.pause(0.0, 1)
    await limiter.pause(0.0, 5)
    await limiter.pause(0.0, float("inf"))
    await limiter.pause(0.0, 0)
    await acquire_slots(limiter, times, 3)
    assert times[2] - times[1] == pytest.approx(1.045)


async def test_a_cancelled_task_takes_no_slot():
    limiter, times = LocalRateLimiter(5), []
    await limiter.acquire()
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            with anyio.move_on_after(0.05):
                await limiter.acquire()
        group.start_soon(acquire_slots, limiter, times)
        group.start_soon(acquire_slots, limiter, times)
    assert times == pytest.approx([began + 0.209, began + 0.418])


async def test_an_infinite_limit_takes_no_time():
    limiter, times = LocalRateLimiter(float("inf")), []
    await acquire_slots(limiter, times, 100)
    assert times[-1] == times[0]


async def test_a_new_connection_delays_the_next_slot():
    """Its request arrives late, so that the five after it would arrive too close to it."""
    limiter, times = LocalRateLimiter(5), []
    await acquire_slots(limiter, times)
    await anyio.sleep(0.09)
    await limiter.delay_next()
    await acquire_slots(limiter, times, 2)
    assert times[1] - times[0] == pytest.approx(0.09 + 0.209)
    assert times[2] - times[1] == pytest.approx(0.209)


async def test_a_late_timer_does_not_slow_the_pace(monkeypatch):
    limiter, times = LocalRateLimiter(5), []
    sleep = anyio.sleep
    monkeypatch.setattr(anyio, "sleep", lambda seconds: sleep(seconds + 0.0015))
    await acquire_slots(limiter, times, 51)
    assert times[-1] - times[0] == pytest.approx(50 * 0.209, abs=0.01)
    # After an idle time, the interval counts from the time of the slot itself.
    await anyio.sleep(0.25)
    await acquire_slots(limiter, times, 2)
    assert times[-1] - times[-2] >= 0.209


async def test_a_new_connection_does_not_end_a_pause():
    limiter, began = LocalRateLimiter(5), anyio.current_time()
    await limiter.pause(3.0, float("inf"))
    await limiter.delay_next()
    await limiter.acquire()
    assert anyio.current_time() - began == pytest.approx(3.0)
