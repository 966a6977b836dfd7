"""Who shares what, from what is kept at a place."""

from collections.abc import Iterable, Mapping

from kiwoom_async import Priority, Program, SharingReport

from ._desk import Desk
from ._queue import Bucket, BucketPlace, arrive


def report(
    place: str, account: str, buckets: Mapping[str, BucketPlace], desk: Desk
) -> SharingReport:
    """What the buckets and the desk know."""
    programs: list[Program] = []
    limits: list[tuple[str, float]] = []
    for api_id, kept in sorted(buckets.items()):
        bucket, now_ms = kept.look()
        if bucket is None:
            continue
        arrive(bucket, now_ms)
        programs += _programs(bucket, api_id, now_ms)
        limits += [(api_id, bucket.limit)] if bucket.limit else []
    expires, by = desk.look()
    return SharingReport(
        place=place,
        account=account,
        programs=tuple(programs),
        limits=tuple(limits),
        token_expires=expires,
        token_by=by,
    )


def _programs(bucket: Bucket, api_id: str, now_ms: float) -> Iterable[Program]:
    tickets = bucket.queue + bucket.bulk
    for name, seen in bucket.programs.items():
        waiting = {
            Priority.BULK if ticket.bulk else Priority.INTERACTIVE
            for ticket in tickets
            if ticket.program == name
        }
        yield Program(
            name=seen.name,
            api_id=api_id,
            seconds_ago=(now_ms - seen.at_ms) / 1000.0,
            waiting=tuple(priority for priority in Priority if priority in waiting),
        )
