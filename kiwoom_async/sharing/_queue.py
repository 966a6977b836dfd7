"""The queue for the permits of one bucket that many programs share.

Pure: the time is an argument. `_queue.lua` does the same in Redis, and a test compares the two. All
times are in milliseconds of the store's own clock.

A slot is the right to send a call at its beginning. It takes a permit, which comes back by itself
after a window and a margin; only a program whose answer comes later than that allows has to say so.

No slot is assigned in advance: a program asks when its turn is due, and a granted slot begins at
once. So no slot is lost when a program dies, a pause stops all programs, and an interactive call
finds at most one bulk call ahead of it, however many wait.
"""

import math
from typing import Final, Protocol

from attrs import Factory, define, frozen

# A permit comes back after a second and this: a call may arrive so much later than one that is sent
# when its slot begins and travels as quickly as any, without a word from its program.
MARGIN_SECONDS: Final = 0.02
# As in `_io/rate_limit.py`.
_MAX_PERMITS: Final = 1_000
# A request that comes early by up to this many leads is granted: asking again would take longer.
_EARLY_LEADS: Final = 1.5
# A program that does not ask for so long after its turn loses its ticket.
_GRACE_MS: Final = 10.0
# The next program in the queue asks so long after a slot has begun, in case it was not taken.
_RECHECK_MS: Final = 5.0
# A program is listed for so long after its last request.
_PROGRAM_TTL_MS: Final = 60_000.0
# A limit that a 429 has named applies for a day.
_LIMIT_TTL_MS: Final = 24 * 3_600_000.0


@define
class Permit:
    """A permit in use, and when it comes back."""

    slot: int
    back_ms: float


@define
class Ticket:
    """A position in the queue; `due_ms` is when its program is to ask again."""

    program_id: str
    bulk: bool
    due_ms: float


@define
class ActiveProgram:
    """A program that has asked lately, and the requests/s that it leaves unused."""

    name: str
    seen_ms: float
    reserved: float


@define
class Bucket:
    """The stored state; `limit` is in requests/s, 0 if no 429 has named one.

    No slot begins before `free_at_ms`, and no bulk one before `next_bulk_ms`.
    """

    updated_ms: float
    free_at_ms: float
    next_bulk_ms: float = 0.0
    limit: float = 0.0
    limit_until_ms: float = 0.0
    slots: int = 0  # granted so far
    permits: list[Permit] = Factory(list)
    # First come, first served; `queue` holds at most one bulk ticket, `bulk_queue` the others.
    queue: list[Ticket] = Factory(list)
    bulk_queue: list[Ticket] = Factory(list)
    programs: dict[str, ActiveProgram] = Factory(dict)  # by program_id


@frozen
class SlotRequest:
    """A request for a slot.

    `per_second` is the pace that this program wants for all, `lead_ms` how early it asks.
    """

    program_id: str
    program_name: str
    bulk: bool
    per_second: float
    lead_ms: float
    reserved: float


@frozen
class SlotReply:
    """A slot, or the time to ask again.

    `wait_ms` is until the granted slot begins, else until the next request is due;
    `next_slot_in_ms` is until the first slot that is not granted yet. `slot` is the number of the
    granted one. `others_waiting` counts the other tickets. `conflicting_program` names a program
    with another `reserved`, "" for none.
    """

    granted: bool
    wait_ms: float
    next_slot_in_ms: float
    others_waiting: int
    limit: float
    conflicting_program: str = ""
    slot: int = 0


class BucketStore(Protocol):
    """A bucket in a shared store; raises SharingError like `SharedStore`."""

    def request_slot(self, request: SlotRequest) -> SlotReply:
        """Grant a slot or queue the request."""
        ...

    def pause(self, new_bucket_ms: float, pause_ms: float, limit: float) -> None:
        """Grant no slot for `pause_ms`; a new bucket grants none for `new_bucket_ms` at least."""
        ...

    def hold(self, new_bucket_ms: float, slot: int, hold_ms: float) -> None:
        """Let the permit of a slot come back no sooner than in `hold_ms`."""
        ...

    def read(self) -> tuple[Bucket | None, float]:
        """Return the stored bucket and the store's clock in milliseconds."""
        ...


def new_bucket(now_ms: float, wait_ms: float) -> Bucket:
    """Return a bucket that grants no slot for `wait_ms`."""
    return Bucket(updated_ms=now_ms, free_at_ms=now_ms + wait_ms)


def new_bucket_wait_ms(request: SlotRequest) -> float:
    """Return how long a new bucket grants no slot.

    The data may have been lost just after slots were granted, and those may have been early.
    """
    _, window_ms = _permits_and_window_ms(request.per_second)
    return window_ms + _EARLY_LEADS * request.lead_ms


def advance_clock(bucket: Bucket, now_ms: float) -> None:
    """Set the time and drop what has expired.

    If the clock has restarted since, all times are shifted back with it.
    """
    if bucket.updated_ms > now_ms:
        lost_ms = bucket.updated_ms - now_ms
        bucket.free_at_ms -= lost_ms
        bucket.next_bulk_ms -= lost_ms
        bucket.limit_until_ms -= lost_ms
        for permit in bucket.permits:
            permit.back_ms -= lost_ms
        for ticket in bucket.queue + bucket.bulk_queue:
            ticket.due_ms -= lost_ms
        for program in bucket.programs.values():
            program.seen_ms -= lost_ms
    bucket.updated_ms = now_ms
    bucket.permits = [permit for permit in bucket.permits if permit.back_ms > now_ms]
    if bucket.limit_until_ms <= now_ms:
        bucket.limit = 0.0
    for program_id, program in list(bucket.programs.items()):
        if program.seen_ms < now_ms - _PROGRAM_TTL_MS:
            del bucket.programs[program_id]


def grant_or_queue(bucket: Bucket, now_ms: float, request: SlotRequest) -> SlotReply:
    """Grant a slot, or queue the request and reply when to ask again.

    Call `advance_clock` first.
    """
    if conflicting_program := _conflicting_program(bucket, request):
        return SlotReply(False, 0.0, 0.0, 0, bucket.limit, conflicting_program)
    bucket.programs[request.program_id] = ActiveProgram(
        request.program_name, now_ms, request.reserved
    )
    _drop_absent(bucket, now_ms, request)
    ahead, ticket = _join_queue(bucket, now_ms, request)
    permits, window_ms = _permits_and_window_ms(_per_second(bucket, request))
    head = (bucket.queue + bucket.bulk_queue)[0]
    next_slot_ms = max(_next_slot_ms(bucket, permits, bulk=head.bulk), now_ms)
    if ahead == 0 and next_slot_ms <= now_ms + _EARLY_LEADS * request.lead_ms:
        return _grant(bucket, now_ms, request, next_slot_ms)
    due_ms = max(next_slot_ms - request.lead_ms, now_ms)
    if ahead:
        # By then those ahead have their slots; a ticket that is still ahead belongs to a program
        # that did not ask in time.
        due_ms = next_slot_ms + (ahead - 1) * window_ms / permits + _RECHECK_MS
    ticket.due_ms = due_ms
    return SlotReply(
        granted=False,
        wait_ms=due_ms - now_ms,
        next_slot_in_ms=next_slot_ms - now_ms,
        others_waiting=len(bucket.queue) + len(bucket.bulk_queue) - 1,
        limit=bucket.limit,
    )


def pause_bucket(bucket: Bucket, now_ms: float, pause_ms: float, limit: float) -> None:
    """Grant no slot for `pause_ms`, and adopt the limit if it is lower; 0 is no limit."""
    bucket.free_at_ms = max(bucket.free_at_ms, now_ms + pause_ms)
    if limit > 0 and (not bucket.limit or limit <= bucket.limit):
        bucket.limit = limit
        bucket.limit_until_ms = now_ms + _LIMIT_TTL_MS


def hold_permit(bucket: Bucket, now_ms: float, slot: int, hold_ms: float) -> None:
    """Let the permit of a slot come back no sooner than in `hold_ms`; take it again if it is back.

    Call `advance_clock` first.
    """
    for permit in bucket.permits:
        if permit.slot == slot:
            permit.back_ms = max(permit.back_ms, now_ms + hold_ms)
            return
    bucket.permits.append(Permit(slot, now_ms + hold_ms))


def _conflicting_program(bucket: Bucket, request: SlotRequest) -> str:
    for program_id, program in bucket.programs.items():
        if program_id != request.program_id and program.reserved != request.reserved:
            return program.name
    return ""


def _drop_absent(bucket: Bucket, now_ms: float, request: SlotRequest) -> None:
    """Drop the tickets of programs that have missed their turn, except the requester's own."""

    def present(ticket: Ticket) -> bool:
        return _is_own(ticket, request) or ticket.due_ms + _GRACE_MS >= now_ms

    bucket.queue = [ticket for ticket in bucket.queue if present(ticket)]
    bucket.bulk_queue = [ticket for ticket in bucket.bulk_queue if present(ticket)]


def _join_queue(bucket: Bucket, now_ms: float, request: SlotRequest) -> tuple[int, Ticket]:
    """Return how many tickets are ahead of the request's own, and that; add it if it is new."""
    if not any(_is_own(ticket, request) for ticket in bucket.queue + bucket.bulk_queue):
        queue = bucket.bulk_queue if request.bulk else bucket.queue
        queue.append(Ticket(request.program_id, request.bulk, now_ms))
    # While the next bulk call is not due, interactive calls go before it.
    due = bucket.next_bulk_ms <= now_ms + _EARLY_LEADS * request.lead_ms
    if due and bucket.bulk_queue and not any(ticket.bulk for ticket in bucket.queue):
        bucket.queue.append(bucket.bulk_queue.pop(0))
    return next(
        (ahead, ticket)
        for ahead, ticket in enumerate(bucket.queue + bucket.bulk_queue)
        if _is_own(ticket, request)
    )


def _grant(bucket: Bucket, now_ms: float, request: SlotRequest, begins_ms: float) -> SlotReply:
    permits, window_ms = _permits_and_window_ms(_per_second(bucket, request))
    bucket.slots += 1
    bucket.permits.append(Permit(bucket.slots, begins_ms + window_ms))
    if request.bulk:
        bucket.next_bulk_ms = begins_ms + window_ms / permits
    bucket.queue.pop(0)
    return SlotReply(
        granted=True,
        wait_ms=begins_ms - now_ms,
        next_slot_in_ms=_next_slot_ms(bucket, permits, bulk=request.bulk) - now_ms,
        others_waiting=len(bucket.queue) + len(bucket.bulk_queue),
        limit=bucket.limit,
        slot=bucket.slots,
    )


def _next_slot_ms(bucket: Bucket, permits: int, *, bulk: bool) -> float:
    """Return when the next slot may begin."""
    next_slot_ms = max(bucket.free_at_ms, bucket.next_bulk_ms if bulk else 0.0)
    if len(bucket.permits) < permits:
        return next_slot_ms
    # There may be more of them than permits, if a limit was lowered or an answer came very late.
    back_ms = sorted(permit.back_ms for permit in bucket.permits)
    return max(next_slot_ms, back_ms[-permits])


def _per_second(bucket: Bucket, request: SlotRequest) -> float:
    if not bucket.limit:
        return request.per_second
    # At least half of the limit is shared: one below `reserved` must not stop all programs.
    return min(request.per_second, max(bucket.limit - request.reserved, bucket.limit / 2))


def _permits_and_window_ms(per_second: float) -> tuple[int, float]:
    permits = max(1, math.floor(min(per_second, _MAX_PERMITS)))
    return permits, 1000.0 * (1.0 + MARGIN_SECONDS) * permits / per_second


def _is_own(ticket: Ticket, request: SlotRequest) -> bool:
    return ticket.program_id == request.program_id and ticket.bulk is request.bulk
