"""The report of the programs that share an app key, from what is stored."""

from collections.abc import Iterable, Mapping

from kiwoom_async import Priority, Program, SharingReport

from ._queue import Bucket, BucketStore, advance_clock
from ._token_leases import TokenLeases


def sharing_report(
    place: str, account: str, buckets: Mapping[str, BucketStore], token_leases: TokenLeases
) -> SharingReport:
    """Return the report; `buckets` are by api-id."""
    programs: list[Program] = []
    limits: list[tuple[str, float]] = []
    for api_id, store in sorted(buckets.items()):
        bucket, now_ms = store.read()
        if bucket is None:
            continue
        advance_clock(bucket, now_ms)
        programs += _programs(bucket, api_id, now_ms)
        limits += [(api_id, bucket.limit)] if bucket.limit else []
    token_expires, token_by = token_leases.expiry_and_issuer()
    return SharingReport(
        place=place,
        account=account,
        programs=tuple(programs),
        limits=tuple(limits),
        token_expires=token_expires,
        token_by=token_by,
    )


def _programs(bucket: Bucket, api_id: str, now_ms: float) -> Iterable[Program]:
    tickets = bucket.queue + bucket.bulk_queue
    for program_id, program in bucket.programs.items():
        waiting = {
            Priority.BULK if ticket.bulk else Priority.INTERACTIVE
            for ticket in tickets
            if ticket.program_id == program_id
        }
        yield Program(
            name=program.name,
            api_id=api_id,
            seconds_ago=(now_ms - program.seen_ms) / 1000.0,
            waiting=tuple(priority for priority in Priority if priority in waiting),
        )
