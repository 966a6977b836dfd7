"""SharedRateLimiter in many programs: pace, order, outages. Virtual time, a store in memory."""

import math
import random
from contextlib import suppress
from itertools import pairwise

import anyio
import pytest
from anyio import current_time
from support.limiters import make_call

from kiwoom_async import Priority, SharingError
from kiwoom_async.sharing._outage_policy import outage_policy
from kiwoom_async.sharing._queue import (
    advance_clock,
    grant_or_queue,
    hold_permit,
    new_bucket,
    new_bucket_wait_ms,
    pause_bucket,
)
from kiwoom_async.sharing._shared_rate_limiter import SharedRateLimiter

pytestmark = pytest.mark.anyio
BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE
# A permit comes back 20 ms after its window.
WINDOW = 1.02
SPACING = WINDOW / 5


class MemoryBucketStore:
    """A bucket in memory, on the event loop's clock; counts requests, and may be unavailable.

    `latency()` is the one-way time of the next message, in seconds.
    """

    def __init__(self, latency=lambda: 0.0):
        self.bucket, self.unavailable, self.latency = None, False, latency
        self.requests = self.holds = 0

    def request_slot(self, request):
        self.requests += 1
        return self._update(
            new_bucket_wait_ms(request),
            lambda now_ms: grant_or_queue(self.bucket, now_ms, request),
        )

    def pause(self, new_ms, pause_ms, limit):
        self._update(new_ms, lambda now_ms: pause_bucket(self.bucket, now_ms, pause_ms, limit))

    def hold(self, new_ms, slot, hold_ms):
        self.holds += 1
        self._update(new_ms, lambda now_ms: hold_permit(self.bucket, now_ms, slot, hold_ms))

    def _update(self, wait_ms, change):
        if self.unavailable:
            raise SharingError("the store cannot be used")
        now_ms = 1000.0 * current_time()
        if self.bucket is None:
            self.bucket = new_bucket(now_ms, wait_ms)
        advance_clock(self.bucket, now_ms)
        return change(now_ms)


class LatencyRunner:
    """Replaces ThreadRunner: sleeps for the store's latency instead of using a thread."""

    def __init__(self, store):
        self._store = store

    async def run(self, call, *args):
        await anyio.sleep(self._store.latency())
        result = call(*args)
        await anyio.sleep(self._store.latency())
        return result


def limiter_for(store, per_second=5.0, **options):
    """Return the rate limiter of another program."""
    options = {"wait_seconds": 0.0, "local_share": None, "reserved": None} | options
    limiter = SharedRateLimiter(store, per_second, outage_policy(**options))
    limiter._runner = LatencyRunner(store)
    return limiter


async def make_calls(limiter, times, count, priority=BULK, call_seconds=0.0):
    """Make calls one after the other; append the time at which each began."""
    for _ in range(count):
        times.append(await make_call(limiter, priority, call_seconds))


def well_spaced(times, limit=5, margin=0.019):
    """Return True if no `limit + 1` calls are within a second and a margin for jitter."""
    times = sorted(times)
    return all(
        times[at + limit] - times[at] >= 1.0 + margin - 1e-6 for at in range(len(times) - limit)
    )


def share_of_pace(times, limit=5):
    """Return the part of the permitted pace that was used."""
    return (len(times) - 1) / (times[-1] - times[0]) / limit


async def test_eight_programs_with_three_walks_each_use_the_shared_pace_and_keep_to_it():
    latency = random.Random(1)
    store, times = MemoryBucketStore(lambda: latency.uniform(0.0001, 0.001)), []
    async with anyio.create_task_group() as group:
        for _ in range(8):
            limiter = limiter_for(store)
            for _ in range(3):
                group.start_soon(make_calls, limiter, times, 10, BULK, 0.046)
    assert len(times) == 240
    assert well_spaced(times)
    assert share_of_pace(times) >= 0.95


async def test_a_distant_store_costs_no_pace():
    """Requests are sent early, so that the reply is here when its slot begins."""
    latency = random.Random(1)
    store, times = MemoryBucketStore(lambda: latency.uniform(0.015, 0.025)), []
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make_calls, limiter_for(store), times, 50)
    assert well_spaced(times[8:], margin=0.0)
    assert share_of_pace(times[8:]) >= 0.95


async def test_a_program_that_is_alone_makes_one_request_for_each_slot():
    store, times = MemoryBucketStore(), []
    limiter = limiter_for(store)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(make_calls, limiter, times, 20)
    assert share_of_pace(times) >= 0.95
    # One more, because a new bucket grants no slot at once.
    assert store.requests == 61


async def test_waiting_programs_make_at_most_three_requests_for_each_slot():
    store, times = MemoryBucketStore(), []
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(make_calls, limiter_for(store), times, 10)
    assert store.requests <= 3 * len(times) + 20


@pytest.mark.parametrize("priority", Priority)
async def test_an_idle_bucket_has_five_permits_and_spaces_bulk_calls(priority):
    store, times = MemoryBucketStore(), []
    await make_calls(limiter_for(store), [], 1)
    await anyio.sleep(60)
    began = current_time()
    await make_calls(limiter_for(store), times, 6, priority)
    spacing = SPACING if priority is BULK else 0.0
    expected = [*(spacing * number for number in range(5)), WINDOW]
    assert [time - began for time in times] == pytest.approx(expected)


async def test_a_new_bucket_waits_a_window_before_its_first_slot():
    """The store may have lost its data just after it granted five slots."""
    store, times = MemoryBucketStore(), []
    began = current_time()
    await make_calls(limiter_for(store), times, 1)
    # Those slots may have been granted 15 ms early.
    assert times == pytest.approx([began + WINDOW + 0.015], abs=0.001)


async def test_no_second_has_six_arrivals_though_programs_share_a_restless_line():
    """Eight programs, 40 ms of jitter either way; three in a thousand may be too close."""
    jitter = random.Random(1)
    latency = random.Random(2)
    store, arrivals = MemoryBucketStore(lambda: latency.uniform(0.0001, 0.001)), []

    async def work(limiter):
        for _ in range(25):
            async with limiter.acquire(BULK):
                await anyio.sleep(0.15 + jitter.uniform(-0.04, 0.04))
                arrivals.append(current_time())
                await anyio.sleep(0.15 + jitter.uniform(-0.04, 0.04))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            limiter = limiter_for(store)
            for _ in range(3):
                group.start_soon(work, limiter)
    arrivals.sort()
    too_close = sum(arrivals[at + 5] - arrivals[at] < 1.0 for at in range(len(arrivals) - 5))
    assert too_close <= 2
    assert share_of_pace(arrivals) >= 0.85


async def test_only_calls_that_may_have_arrived_late_tell_the_store():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    # Until ten round trips are known, any call may be late.
    await make_calls(limiter, [], 10, BULK, 0.05)
    before = store.holds
    assert before >= 9
    await make_calls(limiter, [], 20, BULK, 0.05)
    assert store.holds == before
    await make_calls(limiter, [], 1, BULK, 0.08)
    assert store.holds == before + 1


@pytest.mark.parametrize("end", ["answered", "failed", "cancelled"])
async def test_a_late_call_holds_its_permit_for_every_program(end):
    """Until its arrival is a window old, as its answer proves; without one, its end."""
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    await make_calls(limiter, [], 15, INTERACTIVE, 0.1)
    await anyio.sleep(2)
    began, times = current_time(), []
    await make_calls(limiter_for(store), [], 4, INTERACTIVE)
    with anyio.move_on_after(0.6 if end == "cancelled" else math.inf):
        with suppress(OSError):
            async with limiter.acquire(INTERACTIVE):
                await anyio.sleep(0.6 if end != "cancelled" else 10)
                if end == "failed":
                    await anyio.connect_unix("/no/such/socket")
    await make_calls(limiter_for(store), times, 5, INTERACTIVE)
    arrived = 0.6 - (0.1 if end == "answered" else 0.0)
    assert times[3] - began == pytest.approx(WINDOW)
    assert times[4] - began == pytest.approx(arrived + 1.002, abs=0.001)


async def test_an_infinite_pace_costs_no_time():
    store, times = MemoryBucketStore(), []
    await make_calls(limiter_for(store, math.inf), times, 50)
    assert times[-1] == times[0]


async def test_programs_get_slots_in_turn():
    store, order = MemoryBucketStore(), []

    async def acquire_five(number):
        limiter = limiter_for(store)
        for _ in range(5):
            await make_call(limiter, INTERACTIVE)
            order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(acquire_five, number)
            await anyio.sleep(0.001)
    assert order == list(range(6)) * 5


async def test_an_interactive_call_of_any_program_waits_for_at_most_one_bulk_call():
    store, waits = MemoryBucketStore(), []
    await make_call(limiter_for(store), BULK)
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(make_calls, limiter_for(store), [], 1000)
        for _ in range(40):
            await anyio.sleep(random.uniform(0.5, 1.5))
            began = current_time()
            await make_call(limiter_for(store), INTERACTIVE)
            waits.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waits) <= 0.43


async def test_an_interactive_call_overtakes_the_bulk_calls_of_its_own_program():
    store, waits = MemoryBucketStore(), []
    limiter = limiter_for(store)
    await make_call(limiter, BULK)
    async with anyio.create_task_group() as group:
        for other in (limiter, limiter, *(limiter_for(store) for _ in range(8))):
            group.start_soon(make_calls, other, [], 1000)
        for _ in range(20):
            await anyio.sleep(random.uniform(0.5, 1.5))
            began = current_time()
            await make_call(limiter, INTERACTIVE)
            waits.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waits) <= 0.43


async def test_interactive_calls_do_not_starve_bulk_calls():
    store, times = MemoryBucketStore(), []
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(make_calls, limiter_for(store), [], 1000, INTERACTIVE)
        began = current_time()
        await make_calls(limiter_for(store), times, 10)
        group.cancel_scope.cancel()
    # Each is due a spacing after the one before, and then finds three calls ahead of it.
    assert times[-1] - began <= 10 * 5 * WINDOW / 5 + 0.1


async def test_a_program_that_dies_in_the_queue_delays_the_next_slot_by_at_most_20_ms():
    store, times, doomed = MemoryBucketStore(), [], anyio.CancelScope()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make_calls, limiter_for(store), times, 25)

        async def die():
            with doomed:
                await make_calls(limiter_for(store), times, 1000)

        group.start_soon(die)
        await anyio.sleep(3.4)
        doomed.cancel()
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= SPACING + 0.02
    assert share_of_pace(times) >= 0.95


async def test_a_cancelled_call_takes_no_slot():
    store, times = MemoryBucketStore(), []
    limiter = limiter_for(store)
    await make_call(limiter, BULK)
    began = current_time()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            with anyio.move_on_after(0.04):
                await make_call(limiter, BULK)
        group.start_soon(make_calls, limiter, times, 2)
    assert times == pytest.approx([began + SPACING, began + 2 * SPACING], abs=0.011)


async def test_a_slot_is_given_up_if_its_reply_is_late():
    """Used late, it would be too close to the next slot, which another program has."""
    delays = iter([0.0, 0.0, 0.0, 0.0, 0.3])
    store, times = MemoryBucketStore(lambda: next(delays, 0.0)), []
    await make_calls(limiter_for(store), times, 2)
    assert times[1] - times[0] >= 2 * SPACING


async def test_a_slot_is_given_up_if_its_task_wakes_late(monkeypatch):
    store, times = MemoryBucketStore(), []
    limiter = limiter_for(store)
    await make_call(limiter, BULK)
    sleep_until, late_by_seconds = anyio.sleep_until, [0.0, 0.5]

    async def sleep_late(deadline):
        await sleep_until(deadline + (late_by_seconds.pop(0) if late_by_seconds else 0.0))

    monkeypatch.setattr(anyio, "sleep_until", sleep_late)
    began = current_time()
    await make_calls(limiter, times, 1)
    assert times[0] >= began + SPACING + 0.5 - 0.02
    assert store.requests == 4


async def test_a_429_of_one_program_pauses_all_and_all_adopt_its_limit():
    store, times = MemoryBucketStore(), []
    limiters = [limiter_for(store) for _ in range(3)]
    async with anyio.create_task_group() as group:
        for limiter in limiters:
            group.start_soon(make_calls, limiter, times, 10)
        await anyio.sleep(2.0)
        refused_at = current_time()
        await limiters[0].pause(1.2, 2.0)
    after = [time for time in times if time > refused_at + 0.011]
    assert after[0] >= refused_at + 1.2 - 1e-6
    assert well_spaced(after, limit=2)
    assert [limiter.per_second for limiter in limiters] == [2.0] * 3


async def test_a_limit_expires_after_a_day():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    await make_call(limiter, BULK)
    await limiter.pause(1.0, 2.0)
    await anyio.sleep(24 * 3600 + 1)
    await make_call(limiter, BULK)
    assert limiter.per_second == 5.0


async def test_a_limit_that_is_named_again_applies_for_another_day():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    await limiter.pause(1.0, 2.0)
    await anyio.sleep(20 * 3600)
    await limiter.pause(1.0, 2.0)
    await anyio.sleep(20 * 3600)
    await make_call(limiter, BULK)
    assert limiter.per_second == 2.0


async def test_a_429_without_a_limit_leaves_the_pace_as_it_is():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    await limiter.pause(1.0, math.inf)
    await make_call(limiter, BULK)
    assert limiter.per_second == 5.0


async def test_without_a_local_share_an_outage_is_an_error_at_once():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    await make_call(limiter, BULK)
    store.unavailable, began = True, current_time()
    with pytest.raises(SharingError, match="the store cannot be used"):
        await make_call(limiter, BULK)
    assert current_time() - began <= SPACING
    with pytest.raises(SharingError):
        await limiter.pause(1.0, 5.0)


async def test_a_program_uses_its_local_share_during_an_outage_and_the_store_afterwards(caplog):
    store, times = MemoryBucketStore(), []
    limiter = limiter_for(store, local_share=1, reserved=2)
    async with anyio.create_task_group() as group:
        group.start_soon(make_calls, limiter, times, 40)
        await anyio.sleep(5.0)
        store.unavailable = True
        await anyio.sleep(10.0)
        store.unavailable = False
    local = [time for time in times if times[0] + 5.5 < time < times[0] + 9.5]
    assert min(later - earlier for earlier, later in pairwise(local)) >= 1.0
    shared = times[:10] + times[-10:]
    gaps = [later - earlier for earlier, later in pairwise(shared)]
    # Three of five: two are reserved for programs that cannot use the store.
    assert min(gaps) == pytest.approx(WINDOW / 3, abs=0.003)
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "sharing: the store cannot be used",
        "sharing: the shared store can be used again",
    ]


async def test_local_shares_during_a_network_partition_keep_to_the_limit():
    """Half of the programs cannot use the store; the others leave `reserved` unused for them."""
    reachable, unreachable, times = MemoryBucketStore(), MemoryBucketStore(), []
    unreachable.unavailable = True
    options = {"local_share": 1, "reserved": 2}
    async with anyio.create_task_group() as group:
        for store in (reachable, reachable, unreachable, unreachable):
            group.start_soon(make_calls, limiter_for(store, **options), times, 20)
    times.sort()
    assert all(times[at + 5] - times[at] >= 1.0 for at in range(len(times) - 5))


async def test_a_429_pauses_and_slows_down_the_local_share(caplog):
    store, times = MemoryBucketStore(), []
    store.unavailable = True
    limiter = limiter_for(store, local_share=2)
    await make_calls(limiter, times, 1)
    await limiter.pause(3.0, 1.0)
    await make_calls(limiter, times, 2)
    assert times[1] - times[0] >= 3.0
    assert times[2] - times[1] == pytest.approx(1.002)
    assert len(caplog.records) == 1


async def test_an_outage_does_not_delay_the_end_of_a_late_call():
    store = MemoryBucketStore()
    limiter = limiter_for(store)
    async with limiter.acquire(BULK):
        store.unavailable = True
        await anyio.sleep(0.5)
        ended_at = current_time()
    assert current_time() == ended_at


async def test_a_store_that_fails_slowly_is_tried_less_often():
    """A call waits while the store is tried."""
    store, times = MemoryBucketStore(lambda: 1.0), []
    limiter = limiter_for(store, local_share=1)
    store.unavailable = True
    await make_calls(limiter, times, 40)
    # A try that fails after one second is followed by five seconds without one.
    assert share_of_pace(times, limit=1) >= 0.75


async def test_programs_with_different_reserved_parts_are_refused():
    store = MemoryBucketStore()
    await make_call(limiter_for(store), BULK)
    with pytest.raises(SharingError, match=r"reserved: got 1; .* with another value; give all"):
        await make_call(limiter_for(store, local_share=1), BULK)
    # A program that has made no request for a minute no longer counts.
    await anyio.sleep(61)
    await make_call(limiter_for(store, local_share=1), BULK)


def test_the_reserved_part_must_be_less_than_the_pace():
    with pytest.raises(ValueError, match="reserved: got 1; expected less than the 1 requests/s"):
        limiter_for(MemoryBucketStore(), per_second=1.0, local_share=1)
