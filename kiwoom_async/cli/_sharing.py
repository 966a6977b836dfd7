"""The check of `kiwoom-async doctor` that says who shares what, and whether it can be shared."""

import os
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from kiwoom_async import KiwoomError, SharingError, SharingReport

from ._case import Case, Finding, Status, failed, now
from ._token import until
from ._words import counted

_IN_PROCESS: Final = "the simulated exchange is this process's own"
_ALONE: Final = (
    "this program shares nothing; KIWOOM_SHARING says where programs with one app key share"
)
_ADVICE: Final = (
    "is the server up and within reach, or the directory writable, and are all programs of one "
    "version?"
)
_IS_THIS: Final = " (this doctor)"


async def sharing(case: Case) -> Finding:
    """Whether the place can be used, and who uses it."""
    if not case.shares:
        return Finding(Status.SKIPPED, _IN_PROCESS if case.in_process else _ALONE)
    # A place that can be read may still refuse what a call writes.
    token = await case.token()
    found = token if isinstance(token, SharingError) else await case.sharing_reports()
    if isinstance(found, KiwoomError):
        return failed(found, _ADVICE)
    return Finding(Status.OK, found[0].place, details=[*_told(found)])


def _told(reports: Sequence[SharingReport]) -> Iterator[str]:
    for number, report in enumerate(reports, 1):
        which = f"app key {number}" if len(reports) > 1 else "app key"
        programs = [*_programs(report)]
        heard = f"{counted(len(programs), 'program')} in the last minute"
        yield f"{which}, fingerprint {report.account}: {heard}"
        told = [*programs, *_limits(report), _token(report)]
        yield from (f"  {line}" for line in told)


def _programs(report: SharingReport) -> Iterator[str]:
    calls: defaultdict[str, list[str]] = defaultdict(list)
    for program in report.programs:
        waiting = " and ".join(priority.value for priority in program.waiting)
        waits = f" (waiting: {waiting})" if waiting else ""
        seconds_ago = max(0.0, program.seconds_ago)
        calls[program.name].append(f"{program.api_id} {seconds_ago:.1f} s ago{waits}")
    for name, its in calls.items():
        yield f"{name}{_IS_THIS * _is_this(name)}: {', '.join(its)}"


def _is_this(name: str) -> bool:
    return name.startswith(f"{socket.gethostname()}:{os.getpid()} ")


def _limits(report: SharingReport) -> Iterator[str]:
    for api_id, limit in report.limits:
        yield f"a 429 has named a limit of {limit:g} requests/s for {api_id}"


def _token(report: SharingReport) -> str:
    if report.token_expires is None:
        return "no token is kept there"
    return f"token valid until {until(report.token_expires, now())}; issued by {report.token_by}"
