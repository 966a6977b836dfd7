"""The queue of a bucket: its clock, and the Lua script compared with the Python code."""

import json
import random
from uuid import uuid4

import pytest
from attrs import asdict, evolve

from kiwoom_async.sharing._queue import (
    ActiveProgram,
    Bucket,
    SlotRequest,
    Ticket,
    advance_clock,
    grant_or_queue,
    new_bucket,
    new_bucket_wait_ms,
    pause_bucket,
)
from kiwoom_async.sharing._redis import RedisBucketStore, RedisServer


def test_a_pause_keeps_its_rest_if_the_clock_restarts():
    bucket = new_bucket(1_000_000.0, 209.0)
    pause_bucket(bucket, 1_000_000.0, 3000.0, 2.0)
    bucket.queue = [Ticket("another", False, 1_000_100.0)]
    bucket.programs = {"another": ActiveProgram("another", 999_000.0, 0)}
    advance_clock(bucket, 500.0)
    assert (bucket.next_slot_ms, bucket.limit) == (3500.0, 2.0)
    assert bucket.queue[0].due_ms == 600.0
    assert bucket.programs["another"].seen_ms == -500.0


def test_the_script_and_the_python_code_give_the_same_replies_and_buckets(redis_url):
    """Random requests and pauses."""
    choice = random.Random(20261120)
    store = RedisBucketStore(RedisServer(redis_url), f"test:{uuid4().hex}")
    bucket: Bucket | None = None
    for _ in range(1500):
        request = SlotRequest(
            program_id=choice.choice("abcd"),
            program_name="name",
            bulk=choice.random() < 0.5,
            spacing_ms=choice.choice([2.0, 5.0]),
            window_ms=10.0,
            lead_ms=choice.choice([0.0, 1.0]),
            reserved=int(choice.random() < 0.01),
        )
        pause_ms, limit = choice.choice([0.0, 3.0]), choice.choice([0.0, 3.0, 7.0])
        pauses = choice.random() < 0.05
        if pauses:
            arguments = {"spacing_ms": 5.0, "pause_ms": pause_ms, "limit": limit}
            reply = store._run("pause", arguments)
        else:
            reply = store._run("request", asdict(request))
        now_ms = reply.pop("now_ms")
        bucket = bucket or new_bucket(now_ms, 5.0 if pauses else new_bucket_wait_ms(request))
        advance_clock(bucket, now_ms)
        if pauses:
            pause_bucket(bucket, now_ms, pause_ms, limit)
        else:
            expected = asdict(grant_or_queue(bucket, now_ms, request))
            assert _rounded(reply) == _rounded(expected)
        stored, _ = store.read()
        assert stored is not None
        assert _shape(stored) == _shape(bucket)
        assert stored.next_slot_ms == pytest.approx(bucket.next_slot_ms, abs=0.1)
        # Rounding errors of the script must not add up.
        bucket = stored


def _rounded(reply):
    return {
        name: round(value) if isinstance(value, float) else value for name, value in reply.items()
    }


def _shape(bucket):
    queues = [
        [(ticket.program_id, ticket.bulk) for ticket in queue]
        for queue in (bucket.queue, bucket.bulk_queue)
    ]
    return queues, set(bucket.programs), bucket.limit


def test_the_script_keeps_pause_and_limit_if_the_clock_goes_back(redis_url):
    server, key = RedisServer(redis_url), f"test:{uuid4().hex}"
    store = RedisBucketStore(server, key)
    request = SlotRequest("a", "a", False, 209.0, 1045.0, 0.0, 0)
    store.request_slot(request)
    store.pause(209.0, 2000.0, 3.0)
    with server.connected() as redis:
        data = json.loads(redis.get(key))
        for name in ("updated_ms", "next_slot_ms", "limit_until_ms"):
            data[name] += 3_600_000.0
        data["queue"][0]["due_ms"] += 3_600_000.0
        redis.set(key, json.dumps(data))
    reply = store.request_slot(evolve(request, program_id="b"))
    assert 1900.0 <= reply.next_slot_in_ms <= 2000.0
    assert reply.limit == 3.0
    bucket, now_ms = store.read()
    assert bucket is not None
    assert bucket.queue[0].due_ms < now_ms + 1000.0
