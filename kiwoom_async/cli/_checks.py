"""The checks of `kiwoom-async doctor` above HTTP, and the list of all checks in their order."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from attrs import frozen

from kiwoom_async import ApiError, AuthError, BlockedError, DecodeError, KiwoomError, TransportError

from ._diagnosis import Diagnosis, Finding, Status, now, problem
from ._network import check_connection, check_dns
from ._settings import check_settings
from ._sharing import check_sharing
from ._token import TOKEN_LIFETIME, expiry_text, first_issue_text

_WARNING_SECONDS: Final = 5.0
_PROBLEM_SECONDS: Final = 60.0
# The return code for an IP address that is not among the ten registered for the account.
_UNREGISTERED_ADDRESS: Final = "8050"


async def check_firewall(diagnosis: Diagnosis) -> Finding:
    """Find out if the answers come from the API or from something in between."""
    result = await diagnosis.token()
    if isinstance(result, BlockedError):
        return problem(result)
    if isinstance(result, TransportError) or (isinstance(result, DecodeError) and result.damaged):
        between = "what lies in between: a proxy, a VPN, a virus scanner"
        return problem(result, f"run it again; if it stays, look at {between}")
    return Finding(Status.OK, "it is the API that answers, not a page of a firewall")


async def check_token(diagnosis: Diagnosis) -> Finding:
    """Find out if a token can be had, new or shared, and how long it is valid."""
    result = await diagnosis.token()
    if not isinstance(result, KiwoomError):
        time = now()
        message = (
            f"valid until {expiry_text(result, time)}; "
            f"first issued {first_issue_text(result, time)}"
        )
        return _ok_unless_retried(message, diagnosis.retry_reasons(token=True))
    if _is_unregistered_address(result):
        return Finding(Status.SKIPPED, "none, because of the IP address: see there")
    environment = diagnosis.kiwoom.environment.value
    advice = f"are the keys for {environment}? KIWOOM_ENVIRONMENT says which"
    return problem(result, advice if isinstance(result, AuthError) else "")


async def check_ip_address(diagnosis: Diagnosis) -> Finding:
    """Find out if this machine's IP address is registered for the account."""
    result: object = await diagnosis.token()
    if not isinstance(result, KiwoomError):
        result = await diagnosis.page()
    if not isinstance(result, KiwoomError):
        return Finding(Status.OK, "calls from this machine's address are answered")
    if not _is_unregistered_address(result):
        return Finding(Status.SKIPPED, "cannot tell: not every call was answered")
    advice = "an account can register ten; a VPN has its own, and a router may be given a new one"
    return problem(result, advice)


def _is_unregistered_address(error: KiwoomError) -> bool:
    return isinstance(error, ApiError) and error.code == _UNREGISTERED_ADDRESS


async def check_clock(diagnosis: Diagnosis) -> Finding:
    """Compare this machine's clock with the server's, as closely as the answers allow."""
    by_calls, expires = _seconds_ahead_by_calls(diagnosis), await diagnosis.token()
    if by_calls is not None:
        least, most = by_calls
        message = f"at most {max(most, -least):.1f} s from the server's"
    elif isinstance(expires, datetime):
        least, most = _seconds_ahead_by_token(expires)
        message = "no answer names the server's time; the token ends within 24 h, as it must"
    else:
        return Finding(Status.SKIPPED, "cannot tell: no answer names the server's time")
    off_seconds = max(least, -most)
    if off_seconds <= _WARNING_SECONDS:
        return Finding(Status.OK, message)
    return Finding(
        Status.PROBLEM if off_seconds > _PROBLEM_SECONDS else Status.WARNING,
        f"at least {off_seconds:,.0f} s {'ahead of' if least > 0 else 'behind'} the server's",
        "set it (by NTP): it decides which day it is in Korea, and when a token is renewed",
    )


def _seconds_ahead_by_calls(diagnosis: Diagnosis) -> tuple[float, float] | None:
    """Return the least and the most that this clock is ahead, by the fastest answer with a time."""
    measured = [
        (call.seconds, (ended_at - call.server_time).total_seconds())
        for call, ended_at in diagnosis.ended_calls
        if call.server_time is not None
    ]
    if not measured:
        return None
    call_seconds, ahead = min(measured)
    # The answer was on its way for no longer than the call, and its time is in whole seconds.
    return ahead - call_seconds - 1, ahead


def _seconds_ahead_by_token(expires: datetime) -> tuple[float, float]:
    """Return the same bounds from a token, which expires within its lifetime."""
    least = (now() - expires).total_seconds()
    return least, least + TOKEN_LIFETIME.total_seconds()


async def check_page(diagnosis: Diagnosis) -> Finding:
    """Find out if page one of the last weekday can be fetched."""
    page = await diagnosis.page()
    if isinstance(page, KiwoomError):
        return problem(page)
    seconds = diagnosis.ended_calls[-1][0].seconds
    more = "more pages follow" if page.next else "the only page"
    rows = f"{len(page.rows)} rows, {more}" if page.rows else "no rows: a holiday, which is fine"
    message = f"{page.query}: {rows}; the call took {seconds:.3f} s"
    return _ok_unless_retried(message, diagnosis.retry_reasons(token=False))


def _ok_unless_retried(message: str, retry_reasons: str) -> Finding:
    if not retry_reasons:
        return Finding(Status.OK, message)
    return Finding(Status.WARNING, f"{message}; at the second attempt, because of {retry_reasons}")


@frozen
class Check:
    """A check, and the names of the checks that must not have failed before it."""

    name: str
    run: Callable[[Diagnosis], Awaitable[Finding]]
    needs: tuple[str, ...]


CHECKS: Final = (
    Check("settings", check_settings, ()),
    Check("DNS", check_dns, ("settings",)),
    Check("TLS", check_connection, ("DNS",)),
    # Before any call, as a call without the shared pace would fail.
    Check("sharing", check_sharing, ("TLS",)),
    Check("firewall", check_firewall, ("sharing",)),
    Check("token", check_token, ("firewall",)),
    Check("IP address", check_ip_address, ("firewall",)),
    # Needs no working API: a firewall's page may tell the time, too.
    Check("clock", check_clock, ("sharing",)),
    Check("page", check_page, ("token", "IP address")),
)
