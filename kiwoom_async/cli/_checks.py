"""The checks of `kiwoom-async doctor`, one function each, in their order; they print nothing."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from attrs import frozen

from kiwoom_async import ApiError, AuthError, BlockedError, DecodeError, KiwoomError, TransportError

from . import _reach, _settings, _sharing
from ._case import Case, Finding, Status, failed, now
from ._token import LIFE, issued, until

_WARN_SECONDS: Final = 5.0
_PROBLEM_SECONDS: Final = 60.0
# Of this machine's address, which is not among the ten that an account may register.
_UNREGISTERED: Final = "8050"


async def firewall(case: Case) -> Finding:
    """Whether it is the API that answers."""
    outcome = await case.token()
    if isinstance(outcome, BlockedError):
        return failed(outcome)
    if isinstance(outcome, TransportError) or (
        isinstance(outcome, DecodeError) and outcome.damaged
    ):
        between = "what lies in between: a proxy, a VPN, a virus scanner"
        return failed(outcome, f"run it again; if it stays, look at {between}")
    return Finding(Status.OK, "it is the API that answers, not a page of a firewall")


async def token(case: Case) -> Finding:
    """Whether there is a token, new or shared, and until when."""
    outcome = await case.token()
    if not isinstance(outcome, KiwoomError):
        moment = now()
        found = f"valid until {until(outcome, moment)}; first issued {issued(outcome, moment)}"
        return _with_doubt(found, case.why_repeated(token=True))
    if _unregistered(outcome):
        return Finding(Status.SKIPPED, "none, because of the IP address: see there")
    refused = isinstance(outcome, AuthError)
    asked = f"are the keys for {case.kiwoom.environment.value}? KIWOOM_ENVIRONMENT says which"
    return failed(outcome, asked if refused else "")


async def address(case: Case) -> Finding:
    """Whether the API serves this machine's IP address."""
    outcome: object = await case.token()
    if not isinstance(outcome, KiwoomError):
        outcome = await case.page()
    if not isinstance(outcome, KiwoomError):
        return Finding(Status.OK, "calls from this machine's address are answered")
    if not _unregistered(outcome):
        return Finding(Status.SKIPPED, "cannot tell: not every call was answered")
    advice = "an account has room for ten; a VPN has its own, and a router may be given a new one"
    return failed(outcome, advice)


def _unregistered(error: KiwoomError) -> bool:
    return isinstance(error, ApiError) and error.code == _UNREGISTERED


async def clock(case: Case) -> Finding:
    """Whether this machine's clock and the server's agree, as far as an answer can tell."""
    by_answers, expires = _ahead_by_answers(case), await case.token()
    if by_answers is not None:
        least, most = by_answers
        well = f"at most {max(most, -least):.1f} s from the server's"
    elif isinstance(expires, datetime):
        least, most = _ahead_by_token(expires)
        well = "no answer names the server's time; the token ends within 24 h, as it must"
    else:
        return Finding(Status.SKIPPED, "cannot tell: no answer names the server's time")
    off_seconds = max(least, -most)
    if off_seconds <= _WARN_SECONDS:
        return Finding(Status.OK, well)
    return Finding(
        Status.PROBLEM if off_seconds > _PROBLEM_SECONDS else Status.WARNING,
        f"at least {off_seconds:,.0f} s {'ahead of' if least > 0 else 'behind'} the server's",
        "set it (by NTP): it decides which day it is in Korea, and when a token is renewed",
    )


def _ahead_by_answers(case: Case) -> tuple[float, float] | None:
    """How many seconds this clock is ahead, at least and at most, by the quickest answer."""
    told = [
        (call.seconds, (heard - call.server_time).total_seconds())
        for call, heard in case.ended
        if call.server_time is not None
    ]
    if not told:
        return None
    took, ahead = min(told)
    # The answer was on its way for as long as the call took at most, and names whole seconds.
    return ahead - took - 1, ahead


def _ahead_by_token(expires: datetime) -> tuple[float, float]:
    """The same, by a token that has less than its life before it."""
    least = (now() - expires).total_seconds()
    return least, least + LIFE.total_seconds()


async def page(case: Case) -> Finding:
    """Whether page one of the last weekday can be had."""
    page = await case.page()
    if isinstance(page, KiwoomError):
        return failed(page)
    seconds = case.ended[-1][0].seconds
    more = "more pages follow" if page.next else "the only page"
    rows = f"{len(page.rows)} rows, {more}" if page.rows else "no rows: a holiday, which is fine"
    found = f"{page.query}: {rows}; the call took {seconds:.3f} s"
    return _with_doubt(found, case.why_repeated(token=False))


def _with_doubt(found: str, why_repeated: str) -> Finding:
    """Well, though it took a second call."""
    if not why_repeated:
        return Finding(Status.OK, found)
    return Finding(Status.WARNING, f"{found}; at the second attempt, because of {why_repeated}")


@frozen
class Check:
    """A check, and those without which it is pointless."""

    name: str
    look: Callable[[Case], Awaitable[Finding]]
    needs: tuple[str, ...]


CHECKS: Final = (
    Check("settings", _settings.settings, ()),
    Check("DNS", _reach.name, ("settings",)),
    Check("TLS", _reach.connection, ("DNS",)),
    # Before any call is made: without its place none can be.
    Check("sharing", _sharing.sharing, ("TLS",)),
    Check("firewall", firewall, ("sharing",)),
    Check("token", token, ("firewall",)),
    Check("IP address", address, ("firewall",)),
    # A firewall's page may tell the time, too.
    Check("clock", clock, ("sharing",)),
    Check("page", page, ("token", "IP address")),
)
