"""The checks of `kiwoom-async doctor`, one function each, in their order; they print nothing."""

import os
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from attrs import frozen

from kiwoom_async import ApiError, AuthError, BlockedError, DecodeError, KiwoomError, TransportError

from . import _reach
from ._case import Case, Finding, Status, failed, now
from ._token import LIFE, issued, until

_KEYS: Final = ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY")
_WARN_SECONDS: Final = 5.0
_PROBLEM_SECONDS: Final = 60.0
# Of this machine's address, which is not among the ten that an account may register.
_UNREGISTERED: Final = "8050"


async def settings(case: Case) -> Finding:
    """Whether there are keys, and a client can be made of them."""
    if case.in_process:
        case.begin()
        return Finding(Status.SKIPPED, "the simulated exchange needs none")
    if missing := [name for name in _KEYS if not os.environ.get(name)]:
        what = f"{' and '.join(missing)} not set"
        return Finding(Status.PROBLEM, what, "set both to the keys of the REST API portal")
    try:
        case.begin()
    except ValueError as error:
        return Finding(Status.PROBLEM, str(error), _how_to_paste())
    except (OSError, ImportError) as error:
        advice = "check SSL_CERT_FILE, SSL_CERT_DIR and the proxy in the environment"
        return Finding(Status.PROBLEM, f"no client can be made: {error}", advice)
    return _as_understood(case)


def _as_understood(case: Case) -> Finding:
    pairs = {name: os.environ[name] for name in _KEYS}
    forms = ", ".join(f"{name} of {_form(key)}" for name, key in pairs.items())
    found = f"{forms}; environment {case.kiwoom.environment.value}, {case.kiwoom.base_url}"
    if any(_quoted(key) for key in pairs.values()):
        return Finding(Status.WARNING, found, "the quotation marks are probably not the key's")
    if len({_without_invisible(key) for key in pairs.values()}) == 1:
        return Finding(Status.WARNING, found, "both are the same: one is probably the other's")
    return Finding(Status.OK, found)


def _form(key: str) -> str:
    meant = len(_without_invisible(key))
    added = f" (and {len(key) - meant} of pasting, left out)" if len(key) > meant else ""
    return f"{meant} characters{added}{' in quotation marks' if _quoted(key) else ''}"


def _without_invisible(key: str) -> str:
    return "".join(char for char in key if unicodedata.category(char) != "Cf").strip()


def _quoted(key: str) -> bool:
    key = _without_invisible(key)
    return len(key) > 1 and key[0] == key[-1] and key[0] in "\"'"


def _how_to_paste() -> str:
    """Which character of which key is none, without showing it."""
    for name in _KEYS:
        key = _without_invisible(os.environ.get(name, ""))
        for place, char in enumerate(key, 1):
            if not "!" <= char <= "~":
                kind = "a space" if char.isspace() else "unprintable or not ASCII"
                at = f"character {place} of {name} is {kind}"
                return f"{at}; copy the key from the portal again"
    return ""


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
    Check("settings", settings, ()),
    Check("DNS", _reach.name, ("settings",)),
    Check("TLS", _reach.connection, ("DNS",)),
    Check("firewall", firewall, ("TLS",)),
    Check("token", token, ("firewall",)),
    Check("IP address", address, ("firewall",)),
    # A firewall's page may tell the time, too.
    Check("clock", clock, ("TLS",)),
    Check("page", page, ("token", "IP address")),
)
