"""The check of `kiwoom-async doctor` for sharing: programs, limits and the token."""

import os
import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from kiwoom_async import KiwoomError, SharingError, SharingReport

from ._diagnosis import Diagnosis, Finding, Status, now, problem
from ._text import count_of
from ._token import expiry_text

_IN_PROCESS: Final = "the simulated exchange is this process's own"
_NOT_SHARING: Final = (
    "this program shares nothing; KIWOOM_SHARING says where programs with one app key share"
)
_ADVICE: Final = (
    "is the server up and within reach, or the directory writable, and are all programs of one "
    "version?"
)
_THIS_PROCESS_NOTE: Final = " (this doctor)"


async def check_sharing(diagnosis: Diagnosis) -> Finding:
    """Use the shared store, and list the programs that use it."""
    if not diagnosis.uses_sharing:
        return Finding(Status.SKIPPED, _IN_PROCESS if diagnosis.in_process else _NOT_SHARING)
    # The token is written there: a store that can be read may still refuse writing.
    token = await diagnosis.token()
    reports = token if isinstance(token, SharingError) else await diagnosis.sharing_reports()
    if isinstance(reports, KiwoomError):
        return problem(reports, _ADVICE)
    return Finding(Status.OK, reports[0].place, details=[*_report_lines(reports)])


def _report_lines(reports: Sequence[SharingReport]) -> Iterator[str]:
    for number, report in enumerate(reports, 1):
        label = f"app key {number}" if len(reports) > 1 else "app key"
        programs = [*_program_lines(report)]
        recent = f"{count_of(len(programs), 'program')} in the last minute"
        yield f"{label}, fingerprint {report.account}: {recent}"
        for line in (*programs, *_limit_lines(report), _token_line(report)):
            yield f"  {line}"


def _program_lines(report: SharingReport) -> Iterator[str]:
    calls: defaultdict[str, list[str]] = defaultdict(list)
    for program in report.programs:
        priorities = " and ".join(priority.value for priority in program.waiting)
        waiting = f" (waiting: {priorities})" if priorities else ""
        # Another host's clock may be ahead.
        seconds_ago = max(0.0, program.seconds_ago)
        calls[program.name].append(f"{program.api_id} {seconds_ago:.1f} s ago{waiting}")
    for name, calls_of_program in calls.items():
        note = _THIS_PROCESS_NOTE if _is_this_process(name) else ""
        yield f"{name}{note}: {', '.join(calls_of_program)}"


def _is_this_process(name: str) -> bool:
    return name.startswith(f"{socket.gethostname()}:{os.getpid()} ")


def _limit_lines(report: SharingReport) -> Iterator[str]:
    for api_id, limit in report.limits:
        yield f"a 429 has named a limit of {limit:g} requests/s for {api_id}"


def _token_line(report: SharingReport) -> str:
    if report.token_expires is None:
        return "no token is kept there"
    expiry = expiry_text(report.token_expires, now())
    return f"token valid until {expiry}; issued by {report.token_by}"
