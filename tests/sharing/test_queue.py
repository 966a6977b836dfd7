"""The queue of a bucket: its clock, and the Lua script compared with the Python code."""

import json
import random
from uuid import uuid4

import pytest
from attrs import asdict, evolve

from kiwoom_async.sharing._queue import (
    ActiveProgram,
    Bucket,
    Permit,
    SlotRequest,
    Ticket,
    advance_clock,
    grant_or_queue,
    hold_permit,
    new_bucket,
    new_bucket_wait_ms,
    pause_bucket,
)
from kiwoom_async.sharing._redis import RedisBucketStore, RedisServer


def test_a_pause_keeps_its_rest_if_the_clock_restarts():
    bucket = new_bucket(1_000_000.0, 209.0)
    pause_bucket(bucket, 1_000_000.0, 3000.0, 2.0)
    bucket.queue = [Ticket("another", False, 1_000_100.0)]
    bucket.permits = [Permit(1, 1_000_900.0)]
    bucket.programs = {"another": ActiveProgram("another", 999_000.0, 0)}
    advance_clock(bucket, 500.0)
    assert (bucket.free_at_ms, bucket.limit) == (3500.0, 2.0)
    assert bucket.permits == [Permit(1, 1400.0)]
    assert bucket.queue[0].due_ms == 600.0
    assert bucket.programs["another"].seen_ms == -500.0


def test_the_script_and_the_python_code_give_the_same_replies_and_buckets(redis_url):
    """Random requests, pauses and holds."""
    choice = random.Random(20261120)
    store = RedisBucketStore(RedisServer(redis_url), f"test:{uuid4().hex}")
    bucket: Bucket | None = None
    granted = 0
    for _ in range(3000):
        request = SlotRequest(
            program_id=choice.choice("abcd"),
            program_name="name",
            bulk=choice.random() < 0.5,
            per_second=choice.choice([180.0, 450.0, 1500.0]),
            lead_ms=choice.choice([0.0, 1.0]),
            reserved=int(choice.random() < 0.01),
        )
        hold_ms = choice.choice([5.0, 1500.0])
        pause_ms, limit = choice.choice([0.0, 3.0]), choice.choice([0.0, 150.0, 300.0])
        slot = max(1, (bucket.slots if bucket else 0) - choice.randint(0, 30))
        action = choice.choices(["request", "pause", "hold"], [0.9, 0.02, 0.08])[0]
        arguments = {
            "request": asdict(request),
            "pause": {"new_bucket_ms": 5.0, "pause_ms": pause_ms, "limit": limit},
            "hold": {"new_bucket_ms": 5.0, "slot": slot, "hold_ms": hold_ms},
        }
        reply = store._run(action, arguments[action])
        now_ms = reply.pop("now_ms")
        new_ms = new_bucket_wait_ms(request) if action == "request" else 5.0
        bucket = bucket or new_bucket(now_ms, new_ms)
        advance_clock(bucket, now_ms)
        if action == "pause":
            pause_bucket(bucket, now_ms, pause_ms, limit)
        elif action == "hold":
            hold_permit(bucket, now_ms, slot, hold_ms)
        else:
            expected = asdict(grant_or_queue(bucket, now_ms, request))
            assert _rounded(reply) == _rounded(expected)
            granted += expected["granted"]
        stored, _ = store.read()
        assert stored is not None
        assert _shape(stored) == _shape(bucket)
        for name in ("free_at_ms", "next_bulk_ms"):
            assert getattr(stored, name) == pytest.approx(getattr(bucket, name), abs=0.1)
        assert [permit.back_ms for permit in stored.permits] == pytest.approx(
            [permit.back_ms for permit in bucket.permits], abs=0.1
        )
        # Rounding errors of the script must not add up.
        bucket = stored
    assert granted > 100


def _rounded(reply):
    return {
        name: round(value) if isinstance(value, float) else value for name, value in reply.items()
    }


def _shape(bucket):
    queues = [
        [(ticket.program_id, ticket.bulk) for ticket in queue]
        for queue in (bucket.queue, bucket.bulk_queue)
    ]
    slots = [permit.slot for permit in bucket.permits]
    return queues, slots, bucket.slots, set(bucket.programs), bucket.limit


def test_the_script_keeps_pause_and_limit_if_the_clock_goes_back(redis_url):
    server, key = RedisServer(redis_url), f"test:{uuid4().hex}"
    store = RedisBucketStore(server, key)
    request = SlotRequest("a", "a", False, 5.0, 0.0, 0)
    store.request_slot(request)
    store.pause(1000.0, 2000.0, 3.0)
    with server.connected() as redis:
        data = json.loads(redis.get(key))
        for name in ("updated_ms", "free_at_ms", "limit_until_ms"):
            data[name] += 3_600_000.0
        data["queue"][0]["due_ms"] += 3_600_000.0
        redis.set(key, json.dumps(data))
    reply = store.request_slot(evolve(request, program_id="b"))
    assert 1900.0 <= reply.next_slot_in_ms <= 2000.0
    assert reply.limit == 3.0
    bucket, now_ms = store.read()
    assert bucket is not None
    assert bucket.queue[0].due_ms < now_ms + 1030.0
