"""Slots: spaced, first come first served, none lost to a cancelled task. Virtual time."""

from itertools import pairwise

import anyio
import pytest

from kiwoom_async._io.rate_limit import LocalRateLimiter, Priority

pytestmark = pytest.mark.anyio


async def granted(pace, times, how_many=1):
    for _ in range(how_many):
        await pace.acquire()
        times.append(anyio.current_time())


async def test_slots_are_spaced_and_use_the_permitted_pace():
    pace, times = LocalRateLimiter(5), []
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(granted, pace, times, 5)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 50
    assert min(gaps) == pytest.approx(0.209)
    # 95 % of five a second, while there is work.
    assert len(gaps) / (times[-1] - times[0]) >= 0.95 * 5
    # No six in any second, even when the network moves each arrival by 20 ms either way.
    assert all(times[at + 5] - times[at] - 0.04 >= 1.0 - 1e-9 for at in range(45))


async def test_the_first_slot_comes_at_once_and_an_idle_bucket_saves_nothing_up():
    pace, times = LocalRateLimiter(5), []
    began = anyio.current_time()
    await granted(pace, times)
    assert times[0] == began
    await anyio.sleep(60)
    await granted(pace, times, 3)
    assert times[2] - times[1] == pytest.approx(0.209)


async def test_first_come_first_served():
    pace, order = LocalRateLimiter(5), []

    async def one(number):
        await pace.acquire()
        order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(one, number)
            await anyio.sleep(0.001)
    assert order == list(range(8))


async def test_a_bulk_call_waits_a_turn_even_for_a_free_slot(anyio_backend_name):
    """In it, what has come is handed over."""
    if anyio_backend_name == "trio":
        pytest.skip("trio draws lots for who is next in a turn")
    pace, handed_over = LocalRateLimiter(5), []

    async def hand_over():
        handed_over.append(1)

    async with anyio.create_task_group() as group:
        group.start_soon(hand_over)
        await pace.acquire(Priority.INTERACTIVE)
        assert not handed_over
        group.start_soon(hand_over)
        await anyio.sleep(1)
        group.start_soon(hand_over)
        await pace.acquire(Priority.BULK)
        assert len(handed_over) == 3


async def test_a_pause_holds_the_head_of_the_queue_too():
    pace, times = LocalRateLimiter(5), []
    await pace.acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(granted, pace, times, 2)
        await anyio.sleep(0.1)
        await pace.pause(3.0, float("inf"))
    began = times[0] - 3.1
    assert times == pytest.approx([began + 3.1, began + 3.309])


async def test_a_shorter_pause_does_not_end_a_longer_one():
    pace, times = LocalRateLimiter(5), []
    began = anyio.current_time()
    await pace.pause(5.0, float("inf"))
    await pace.pause(1.0, float("inf"))
    await granted(pace, times)
    assert times[0] - began == pytest.approx(5.0)


async def test_a_limit_that_the_server_names_is_adopted_downwards_only():
    pace, times = LocalRateLimiter(5), []
    await pace.pause(0.0, 1)
    await pace.pause(0.0, 5)
    await pace.pause(0.0, float("inf"))
    await pace.pause(0.0, 0)
    await granted(pace, times, 3)
    assert times[2] - times[1] == pytest.approx(1.045)


async def test_a_cancelled_task_takes_no_slot():
    pace, times = LocalRateLimiter(5), []
    await pace.acquire()
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            with anyio.move_on_after(0.05):
                await pace.acquire()
        group.start_soon(granted, pace, times)
        group.start_soon(granted, pace, times)
    assert times == pytest.approx([began + 0.209, began + 0.418])


async def test_a_lifted_limit_costs_no_time():
    pace, times = LocalRateLimiter(float("inf")), []
    await granted(pace, times, 100)
    assert times[-1] == times[0]


async def test_a_call_that_had_to_connect_moves_the_next_slot():
    """It arrives late, so that the five behind it would come too close."""
    pace, times = LocalRateLimiter(5), []
    await granted(pace, times)
    await anyio.sleep(0.09)
    await pace.delay_next()
    await granted(pace, times, 2)
    assert times[1] - times[0] == pytest.approx(0.09 + 0.209)
    assert times[2] - times[1] == pytest.approx(0.209)


async def test_a_timer_that_rings_late_does_not_slow_the_pace(monkeypatch):
    pace, times = LocalRateLimiter(5), []
    sleep = anyio.sleep
    monkeypatch.setattr(anyio, "sleep", lambda seconds: sleep(seconds + 0.0015))
    await granted(pace, times, 51)
    assert times[-1] - times[0] == pytest.approx(50 * 0.209, abs=0.01)
    # A slot that is later than that counts from when it was given.
    await anyio.sleep(0.25)
    await granted(pace, times, 2)
    assert times[-1] - times[-2] >= 0.209


async def test_a_new_connection_does_not_end_a_pause():
    pace, began = LocalRateLimiter(5), anyio.current_time()
    await pace.pause(3.0, float("inf"))
    await pace.delay_next()
    await pace.acquire()
    assert anyio.current_time() - began == pytest.approx(3.0)
