"""The queue of a bucket that many programs share: whose turn it is, and when.

Pure: is told the time, and changes what it is given. Redis is told the same by `_queue.lua`, and a
test holds the two together. Every time is in milliseconds of the place's own clock.

No program holds a slot for later: it asks when its turn is due, and one that is given begins at
once. So a program that dies takes no slot with it, a pause stops everybody, and an interactive
call finds at most one bulk call before it, whatever others wait.
"""

from typing import Final, Protocol

from attrs import Factory, define, frozen

# Who comes a little earlier than told is served: coming again would take too long.
_EARLY: Final = 1.5
# Timers ring late by a millisecond or so; a slot given so late does not delay the next one.
_LATE_MS: Final = 2.0
# Who has not come so long after its turn is passed over, and has to queue again.
_GRACE_MS: Final = 10.0
# So long after a slot has begun, the next in the queue looks whether it was taken.
_LOOK_MS: Final = 5.0
# Programs are known so long after they were last heard of.
_KNOWN_MS: Final = 60_000.0
# A limit that a 429 has named is believed so long.
_LIMIT_MS: Final = 24 * 3_600_000.0


@define
class Ticket:
    """A program's place in the queue, and when it is to ask again."""

    program: str
    bulk: bool
    due_ms: float


@define
class Seen:
    """A program, when it was heard of last, and the part of the limit that it leaves unused."""

    name: str
    at_ms: float
    reserved: float


@define
class Bucket:
    """What is known of a bucket; `limit` is 0 as long as no 429 has named one."""

    at_ms: float
    free_ms: float
    limit: float = 0.0
    limit_until_ms: float = 0.0
    # First come, first served, but of the bulk calls only the first stands among the others.
    queue: list[Ticket] = Factory(list)
    bulk: list[Ticket] = Factory(list)
    programs: dict[str, Seen] = Factory(dict)


@frozen
class Asked:
    """Who asks: for which calls, how far apart they are to be, how early the answer is needed.

    `window_ms` is over what time as many calls as the limit permits in a second are spread.
    """

    program: str
    name: str
    bulk: bool
    spacing_ms: float
    window_ms: float
    lead_ms: float
    reserved: float


@frozen
class Answer:
    """The slot, or when to ask again: in so many milliseconds.

    `next_ms` is when the slot after it begins, `others` how many wait for one, `stranger` a
    program that leaves another part of the limit unused, "" for none.
    """

    granted: bool
    wait_ms: float
    next_ms: float
    others: int
    limit: float
    stranger: str = ""


class BucketPlace(Protocol):
    """Where a bucket is. SharingError where that is out of reach, or of another format."""

    def ask(self, asked: Asked) -> Answer:
        """Take the step `ask`."""
        ...

    def hold(self, spacing_ms: float, pause_ms: float, limit: float) -> None:
        """Take the step `hold`; the spacing is for a bucket of which nothing is known."""
        ...

    def look(self) -> tuple[Bucket | None, float]:
        """What is known, and the clock."""
        ...


def new_bucket(now_ms: float, unknown_ms: float) -> Bucket:
    """A bucket of which nothing is known: its last slot may have been given a moment ago."""
    return Bucket(at_ms=now_ms, free_ms=now_ms + unknown_ms)


def unknown_for_ms(asked: Asked) -> float:
    """How long to give no slot then: one may be given so early, and the next keeps its distance."""
    return asked.spacing_ms + _EARLY * asked.lead_ms


def arrive(bucket: Bucket, now_ms: float) -> None:
    """Bring the bucket to the present, also where the clock has begun again meanwhile."""
    if bucket.at_ms > now_ms:
        gone_ms = bucket.at_ms - now_ms
        bucket.free_ms -= gone_ms
        bucket.limit_until_ms -= gone_ms
        for ticket in bucket.queue + bucket.bulk:
            ticket.due_ms -= gone_ms
        for seen in bucket.programs.values():
            seen.at_ms -= gone_ms
    bucket.at_ms = now_ms
    if bucket.limit_until_ms <= now_ms:
        bucket.limit = 0.0
    for program, seen in list(bucket.programs.items()):
        if seen.at_ms < now_ms - _KNOWN_MS:
            del bucket.programs[program]


def ask(bucket: Bucket, now_ms: float, asked: Asked) -> Answer:
    """Give the slot, or a place in the queue; `arrive` comes first."""
    if stranger := _stranger(bucket, asked):
        return Answer(False, 0.0, 0.0, 0, bucket.limit, stranger)
    bucket.programs[asked.program] = Seen(asked.name, now_ms, asked.reserved)
    ahead = _ahead(bucket, now_ms, asked)
    if ahead == 0 and bucket.free_ms <= now_ms + _EARLY * asked.lead_ms:
        return _granted(bucket, now_ms, asked)
    due_ms = bucket.free_ms - asked.lead_ms
    if ahead:
        # When those ahead should have got their slots; who is still there then did not come.
        due_ms = bucket.free_ms + (ahead - 1) * _spacing_ms(bucket, asked) + _LOOK_MS
    _own(bucket, asked).due_ms = due_ms = max(due_ms, now_ms)
    others = len(bucket.queue) + len(bucket.bulk) - 1
    return Answer(False, due_ms - now_ms, bucket.free_ms - now_ms, others, bucket.limit)


def hold(bucket: Bucket, now_ms: float, pause_ms: float, limit: float) -> None:
    """Give no slot for so long, and believe a limit that is lower; 0 names none."""
    bucket.free_ms = max(bucket.free_ms, now_ms + pause_ms)
    if limit > 0 and (not bucket.limit or limit <= bucket.limit):
        bucket.limit = limit
        bucket.limit_until_ms = now_ms + _LIMIT_MS


def _stranger(bucket: Bucket, asked: Asked) -> str:
    for program, seen in bucket.programs.items():
        if program != asked.program and seen.reserved != asked.reserved:
            return seen.name
    return ""


def _ahead(bucket: Bucket, now_ms: float, asked: Asked) -> int:
    """How many go before the asker, who has a place in the queue from now on."""

    def awaited(ticket: Ticket) -> bool:
        return _is_own(ticket, asked) or ticket.due_ms + _GRACE_MS >= now_ms

    bucket.queue = [ticket for ticket in bucket.queue if awaited(ticket)]
    bucket.bulk = [ticket for ticket in bucket.bulk if awaited(ticket)]
    if not any(_is_own(ticket, asked) for ticket in bucket.queue + bucket.bulk):
        line = bucket.bulk if asked.bulk else bucket.queue
        line.append(Ticket(asked.program, asked.bulk, now_ms))
    if bucket.bulk and not any(ticket.bulk for ticket in bucket.queue):
        bucket.queue.append(bucket.bulk.pop(0))
    for place, ticket in enumerate(bucket.queue + bucket.bulk):
        if _is_own(ticket, asked):
            return place
    raise AssertionError("unreachable: the asker has just got a place")


def _granted(bucket: Bucket, now_ms: float, asked: Asked) -> Answer:
    begins_ms = max(bucket.free_ms, now_ms)
    counted_ms = bucket.free_ms if begins_ms - bucket.free_ms <= _LATE_MS else begins_ms
    bucket.free_ms = counted_ms + _spacing_ms(bucket, asked)
    bucket.queue.pop(0)
    others = len(bucket.queue) + len(bucket.bulk)
    return Answer(True, begins_ms - now_ms, bucket.free_ms - now_ms, others, bucket.limit)


def _spacing_ms(bucket: Bucket, asked: Asked) -> float:
    if not bucket.limit:
        return asked.spacing_ms
    # A limit that leaves nothing beside the reserved part is halved: it must not end the sharing.
    left = max(bucket.limit - asked.reserved, bucket.limit / 2)
    return max(asked.spacing_ms, asked.window_ms / left)


def _own(bucket: Bucket, asked: Asked) -> Ticket:
    return next(ticket for ticket in bucket.queue + bucket.bulk if _is_own(ticket, asked))


def _is_own(ticket: Ticket, asked: Asked) -> bool:
    return ticket.program == asked.program and ticket.bulk is asked.bulk
