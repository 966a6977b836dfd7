"""Many programs, one bucket: the order, the pace, and what death and delay cost. Virtual time."""

import json
import math
import random
from itertools import pairwise
from uuid import uuid4

import anyio
import pytest
from anyio import current_time
from attrs import asdict, evolve

from kiwoom_async import Priority, SharingError
from kiwoom_async.sharing._declared import declared
from kiwoom_async.sharing._queue import (
    Asked,
    Bucket,
    Seen,
    Ticket,
    arrive,
    ask,
    hold,
    new_bucket,
    unknown_for_ms,
)
from kiwoom_async.sharing._redis import RedisBucket, _Server
from kiwoom_async.sharing._shared_pace import SharedPace

pytestmark = pytest.mark.anyio
BULK, INTERACTIVE = Priority.BULK, Priority.INTERACTIVE
SPACING = 0.209


class Memory:
    """A place in this process, on the clock of the test's event loop; it can be away, and slow."""

    def __init__(self, latency=lambda: 0.0):
        self.bucket, self.asked, self.away, self.latency = None, 0, False, latency

    def ask(self, asked):
        self.asked += 1
        unknown_ms = unknown_for_ms(asked)
        return self._change(unknown_ms, lambda now_ms: ask(self.bucket, now_ms, asked))

    def hold(self, spacing_ms, pause_ms, limit):
        self._change(spacing_ms, lambda now_ms: hold(self.bucket, now_ms, pause_ms, limit))

    def _change(self, unknown_ms, step):
        if self.away:
            raise SharingError("the place is away")
        now_ms = 1000.0 * current_time()
        if self.bucket is None:
            self.bucket = new_bucket(now_ms, unknown_ms)
        arrive(self.bucket, now_ms)
        return step(now_ms)


class Inline:
    """Errands that take as long as the place says, and no thread."""

    def __init__(self, place):
        self._place = place

    async def run(self, step, *facts):
        await anyio.sleep(self._place.latency())
        result = step(*facts)
        await anyio.sleep(self._place.latency())
        return result


def program(place, per_second=5.0, **when_away):
    """One program's pace."""
    options = {"wait_seconds": 0.0, "local_share": None, "reserved": None} | when_away
    pace = SharedPace(place, per_second, declared(**options))
    pace._errands = Inline(place)
    return pace


async def calls(pace, times, how_many, priority=BULK, took=0.0):
    """So many calls, one after the other."""
    for _ in range(how_many):
        await pace.acquire(priority)
        times.append(current_time())
        await anyio.sleep(took)


def well_spaced(times, limit=5, margin=0.04):
    """Whether no window of a second has more than the limit, whatever the network adds."""
    return all(
        times[at + limit] - times[at] >= 1.0 + margin - 1e-6 for at in range(len(times) - limit)
    )


def share_of_pace(times, limit=5):
    return (len(times) - 1) / (times[-1] - times[0]) / limit


# ---- the pace


async def test_eight_programs_of_three_walks_keep_one_pace_and_use_it():
    way = random.Random(1)
    place, times = Memory(lambda: way.uniform(0.0001, 0.001)), []
    async with anyio.create_task_group() as group:
        for _ in range(8):
            pace = program(place)
            for _ in range(3):
                group.start_soon(calls, pace, times, 10, BULK, 0.046)
    assert len(times) == 240
    assert well_spaced(times)
    assert share_of_pace(times) >= 0.95


async def test_a_distant_place_costs_no_pace():
    """The answer is here when its slot begins, because it is asked for that much earlier."""
    way = random.Random(1)
    place, times = Memory(lambda: way.uniform(0.015, 0.025)), []
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(calls, program(place), times, 50)
    assert well_spaced(times[8:], margin=0.02)
    assert share_of_pace(times[8:]) >= 0.95


async def test_a_program_that_is_alone_asks_once_for_a_slot():
    place, times = Memory(), []
    pace = program(place)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(calls, pace, times, 20)
    assert share_of_pace(times) >= 0.95
    # The first one finds a bucket of which nothing is known, and comes again.
    assert place.asked == 61


async def test_where_several_wait_each_asks_at_most_three_times_for_a_slot():
    place, times = Memory(), []
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(calls, program(place), times, 10)
    assert place.asked <= 3 * len(times) + 20


async def test_the_first_slot_of_an_idle_bucket_comes_at_once_and_nothing_is_saved_up():
    place, times = Memory(), []
    await calls(program(place), times, 1)
    await anyio.sleep(60)
    began = current_time()
    await calls(program(place), times, 3)
    assert times[1] == began
    assert [later - earlier for earlier, later in pairwise(times[1:])] == pytest.approx(
        [SPACING] * 2
    )


async def test_a_bucket_of_which_nothing_is_known_waits_for_what_may_have_been():
    """Its server was restarted, say, and a slot was given a moment before."""
    place, times = Memory(), []
    began = current_time()
    await calls(program(place), times, 1)
    # And a slot may be given fifteen thousandths early.
    assert times == pytest.approx([began + SPACING + 0.015], abs=0.001)


async def test_a_lifted_limit_costs_no_time():
    place, times = Memory(), []
    await calls(program(place, math.inf), times, 50)
    assert times[-1] == times[0]


# ---- the order


async def test_programs_have_their_turns_one_after_the_other():
    place, order = Memory(), []

    async def one(number):
        pace = program(place)
        for _ in range(5):
            await pace.acquire(INTERACTIVE)
            order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(one, number)
            await anyio.sleep(0.001)
    assert order == list(range(6)) * 5


async def test_an_interactive_call_of_any_program_finds_one_bulk_call_before_it():
    place, waits = Memory(), []
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(calls, program(place), [], 1000)
        for _ in range(40):
            await anyio.sleep(random.uniform(0.5, 1.5))
            began = current_time()
            await program(place).acquire(INTERACTIVE)
            waits.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waits) <= 2 * SPACING + 0.02


async def test_an_interactive_call_overtakes_the_bulk_calls_of_its_own_program():
    place, waits = Memory(), []
    pace = program(place)
    async with anyio.create_task_group() as group:
        for other in (pace, pace, *(program(place) for _ in range(8))):
            group.start_soon(calls, other, [], 1000)
        for _ in range(20):
            await anyio.sleep(random.uniform(0.5, 1.5))
            began = current_time()
            await pace.acquire(INTERACTIVE)
            waits.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waits) <= 2 * SPACING + 0.02


async def test_bulk_calls_are_not_overtaken_for_ever():
    place, times = Memory(), []
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(calls, program(place), [], 1000, INTERACTIVE)
        began = current_time()
        await calls(program(place), times, 10)
        group.cancel_scope.cancel()
    assert times[-1] - began <= 10 * 4 * SPACING + 0.1


# ---- death and delay


async def test_a_program_that_dies_in_the_queue_costs_next_to_nothing():
    place, times, doomed = Memory(), [], anyio.CancelScope()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(calls, program(place), times, 25)

        async def die():
            with doomed:
                await calls(program(place), times, 1000)

        group.start_soon(die)
        await anyio.sleep(3.4)
        doomed.cancel()
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= SPACING + 0.02
    assert share_of_pace(times) >= 0.95


async def test_a_cancelled_call_takes_no_slot():
    place, times = Memory(), []
    pace = program(place)
    await pace.acquire(BULK)
    began = current_time()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            with anyio.move_on_after(0.04):
                await pace.acquire(BULK)
        group.start_soon(calls, pace, times, 2)
    assert times == pytest.approx([began + SPACING, began + 2 * SPACING], abs=0.011)


async def test_an_answer_that_comes_too_late_is_no_slot():
    """Used then, it would be too close to the next one, which another program has."""
    delays = iter([0.0, 0.0, 0.0, 0.0, 0.3])
    place, times = Memory(lambda: next(delays, 0.0)), []
    await calls(program(place), times, 2)
    assert times[1] - times[0] >= 2 * SPACING


async def test_a_task_that_wakes_too_late_has_lost_its_slot(monkeypatch):
    place, times = Memory(), []
    pace = program(place)
    await pace.acquire(BULK)
    sleep_until, late = anyio.sleep_until, [0.0, 0.5]

    async def sleep_late(deadline):
        await sleep_until(deadline + (late.pop(0) if late else 0.0))

    monkeypatch.setattr(anyio, "sleep_until", sleep_late)
    began = current_time()
    await calls(pace, times, 1)
    assert times[0] >= began + SPACING + 0.5 - 0.01
    assert place.asked == 4


async def test_a_clock_that_begins_again_keeps_what_is_left_of_a_pause():
    bucket = new_bucket(1_000_000.0, 209.0)
    hold(bucket, 1_000_000.0, 3000.0, 2.0)
    bucket.queue = [Ticket("another", False, 1_000_100.0)]
    bucket.programs = {"another": Seen("another", 999_000.0, 0)}
    arrive(bucket, 500.0)
    assert (bucket.free_ms, bucket.limit) == (3500.0, 2.0)
    assert bucket.queue[0].due_ms == 600.0
    assert bucket.programs["another"].at_ms == -500.0


# ---- what the server says to one


async def test_a_429_of_one_program_pauses_all_and_its_limit_is_adopted_by_all():
    place, times = Memory(), []
    paces = [program(place) for _ in range(3)]
    async with anyio.create_task_group() as group:
        for pace in paces:
            group.start_soon(calls, pace, times, 10)
        await anyio.sleep(2.0)
        refused_at = current_time()
        await paces[0].pause(1.2, 2.0)
    after = [time for time in times if time > refused_at + 0.011]
    assert after[0] >= refused_at + 1.2 - 1e-6
    assert min(later - earlier for earlier, later in pairwise(after)) >= 1.045 / 2 - 0.003
    assert [pace.per_second for pace in paces] == [2.0] * 3


async def test_a_limit_is_forgotten_after_a_day():
    place = Memory()
    pace = program(place)
    await pace.acquire(BULK)
    await pace.pause(1.0, 2.0)
    await anyio.sleep(24 * 3600 + 1)
    await pace.acquire(BULK)
    assert pace.per_second == 5.0


async def test_a_limit_that_is_named_again_is_believed_another_day():
    place = Memory()
    pace = program(place)
    await pace.pause(1.0, 2.0)
    await anyio.sleep(20 * 3600)
    await pace.pause(1.0, 2.0)
    await anyio.sleep(20 * 3600)
    await pace.acquire(BULK)
    assert pace.per_second == 2.0


async def test_a_429_without_a_limit_names_none():
    place = Memory()
    pace = program(place)
    await pace.pause(1.0, math.inf)
    await pace.acquire(BULK)
    assert pace.per_second == 5.0


async def test_a_call_that_had_to_connect_moves_the_next_slot_of_whoever():
    place, times = Memory(), []
    pace = program(place)
    await calls(pace, times, 1)
    await anyio.sleep(0.09)
    await pace.delay_next()
    await calls(program(place), times, 1)
    assert times[1] - times[0] == pytest.approx(0.09 + SPACING)


# ---- a place that is away


async def test_without_a_share_of_its_own_a_program_has_an_error_at_once():
    place = Memory()
    pace = program(place)
    await pace.acquire(BULK)
    place.away, began = True, current_time()
    with pytest.raises(SharingError, match="the place is away"):
        await pace.acquire(BULK)
    assert current_time() - began <= SPACING
    with pytest.raises(SharingError):
        await pace.pause(1.0, 5.0)
    # The call that had to connect is well.
    await pace.delay_next()


async def test_on_its_own_share_a_program_goes_on_and_comes_back(caplog):
    place, times = Memory(), []
    pace = program(place, local_share=1, reserved=2)
    async with anyio.create_task_group() as group:
        group.start_soon(calls, pace, times, 40)
        await anyio.sleep(5.0)
        place.away = True
        await anyio.sleep(10.0)
        place.away = False
    alone = [time for time in times if times[0] + 5.5 < time < times[0] + 9.5]
    assert min(later - earlier for earlier, later in pairwise(alone)) >= 1.045 - 1e-6
    shared = times[:10] + times[-10:]
    gaps = [later - earlier for earlier, later in pairwise(shared)]
    # Three of five: two are reserved for programs that cannot reach the place.
    assert min(gaps) == pytest.approx(1.045 / 3, abs=0.003)
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "sharing: the place is away",
        "sharing: the place is back",
    ]


async def test_a_partition_does_not_break_the_limit():
    """Half of the programs cannot reach the place; what they have is left unused by the others."""
    here, there, times = Memory(), Memory(), []
    there.away = True
    options = {"local_share": 1, "reserved": 2}
    async with anyio.create_task_group() as group:
        for place in (here, here, there, there):
            group.start_soon(calls, program(place, **options), times, 20)
    times.sort()
    assert all(times[at + 5] - times[at] >= 1.0 for at in range(len(times) - 5))


async def test_on_its_own_share_a_429_is_waited_out(caplog):
    place, times = Memory(), []
    place.away = True
    pace = program(place, local_share=2)
    await calls(pace, times, 1)
    await pace.pause(3.0, 1.0)
    await calls(pace, times, 2)
    assert times[1] - times[0] >= 3.0
    assert times[2] - times[1] == pytest.approx(1.045)
    assert len(caplog.records) == 1


async def test_on_its_own_share_a_call_that_had_to_connect_moves_the_next_slot():
    place, times = Memory(), []
    place.away = True
    pace = program(place, local_share=2)
    await calls(pace, times, 1)
    await anyio.sleep(0.4)
    await pace.delay_next()
    await calls(pace, times, 1)
    assert times[1] - times[0] == pytest.approx(0.4 + 1.045 / 2)


async def test_on_its_own_share_a_place_that_takes_long_to_fail_is_tried_seldom():
    """Whoever tries it waits for that."""
    place, times = Memory(lambda: 1.0), []
    pace = program(place, local_share=1)
    place.away = True
    await calls(pace, times, 40)
    # Each try fails after a second, and buys five.
    assert share_of_pace(times, limit=1) >= 0.75


async def test_programs_that_leave_different_parts_unused_are_told():
    place = Memory()
    await program(place).acquire(BULK)
    with pytest.raises(SharingError, match=r"another `reserved` than this program's 1: give all"):
        await program(place, local_share=1).acquire(BULK)
    # Who was not heard of for a minute has gone.
    await anyio.sleep(61)
    await program(place, local_share=1).acquire(BULK)


def test_the_reserved_part_must_leave_something_to_share():
    with pytest.raises(ValueError, match="reserved: 1 of 1 requests/s leaves nothing to share"):
        program(Memory(), per_second=1.0, local_share=1)


# ---- Redis says the same


async def test_the_script_says_what_the_queue_says(redis_url):
    """Whatever is asked, in whatever order: the bucket and the answer are the same."""
    choice = random.Random(20261120)
    place = RedisBucket(_Server(redis_url), f"test:{uuid4().hex}")
    bucket: Bucket | None = None
    for _ in range(1500):
        asked = Asked(
            program=choice.choice("abcd"),
            name="name",
            bulk=choice.random() < 0.5,
            spacing_ms=choice.choice([2.0, 5.0]),
            window_ms=10.0,
            lead_ms=choice.choice([0.0, 1.0]),
            reserved=int(choice.random() < 0.01),
        )
        pause_ms, limit = choice.choice([0.0, 3.0]), choice.choice([0.0, 3.0, 7.0])
        holds = choice.random() < 0.05
        script = ("hold", {"spacing_ms": 5.0, "pause_ms": pause_ms, "limit": limit})
        reply = place._run(*(script if holds else ("ask", asdict(asked))))
        now_ms = reply.pop("now_ms")
        bucket = bucket or new_bucket(now_ms, 5.0 if holds else unknown_for_ms(asked))
        arrive(bucket, now_ms)
        if holds:
            hold(bucket, now_ms, pause_ms, limit)
        else:
            said = asdict(ask(bucket, now_ms, asked))
            assert {name: _rounded(fact) for name, fact in reply.items()} == {
                name: _rounded(fact) for name, fact in said.items()
            }
        seen, _ = place.look()
        assert seen is not None
        assert _shape(seen) == _shape(bucket)
        assert seen.free_ms == pytest.approx(bucket.free_ms, abs=0.1)
        # What was rounded on the way must not add up.
        bucket = seen
        await anyio.lowlevel.checkpoint()


def _rounded(fact):
    return round(fact) if isinstance(fact, float) else fact


def _shape(bucket):
    lines = [[(one.program, one.bulk) for one in line] for line in (bucket.queue, bucket.bulk)]
    return lines, set(bucket.programs), bucket.limit


async def test_the_script_survives_a_clock_that_goes_back(redis_url):
    server, key = _Server(redis_url), f"test:{uuid4().hex}"
    place = RedisBucket(server, key)
    asked = Asked("a", "a", False, 209.0, 1045.0, 0.0, 0)
    place.ask(asked)
    place.hold(209.0, 2000.0, 3.0)
    with server.reached() as redis:
        facts = json.loads(redis.get(key))
        for name in ("at_ms", "free_ms", "limit_until_ms"):
            facts[name] += 3_600_000.0
        facts["queue"][0]["due_ms"] += 3_600_000.0
        redis.set(key, json.dumps(facts))
    answer = place.ask(evolve(asked, program="b"))
    assert 1900.0 <= answer.next_ms <= 2000.0
    assert answer.limit == 3.0
    bucket, now_ms = place.look()
    assert bucket is not None
    assert bucket.queue[0].due_ms < now_ms + 1000.0
