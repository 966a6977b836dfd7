"""`kiwoom-async token`: the token's expiry, first issue and sharing; never the token itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import define

from kiwoom_async import KiwoomClient

from ._output import StandardOutput

# From the first issue to the expiry (wire-facts.md, section 2).
TOKEN_LIFETIME: Final = timedelta(hours=24)
# The allowance for the difference of the clocks and the time that the answer took.
_JUST_NOW: Final = timedelta(seconds=60)


class TokenFormat(StrEnum):
    """The values of `token --format`."""

    TEXT = "text"
    JSON = "json"


@define
class TokenJob:
    """One `token` command."""

    form: TokenFormat
    in_process: bool
    uses_sharing: bool

    async def run(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Obtain a token and print its facts."""
        async with make_client() as kiwoom:
            expires = await kiwoom.token_expires()
            place = (await kiwoom.sharing_reports())[0].place if self.uses_sharing else None
        now = datetime.now(UTC)
        describe = self._json if self.form is TokenFormat.JSON else self._text
        StandardOutput().write(describe(kiwoom, expires, now, place))

    def _text(
        self, kiwoom: KiwoomClient, expires: datetime, now: datetime, place: str | None
    ) -> str:
        host = f"{kiwoom.base_url}, {kiwoom.environment.value}"
        facts = {
            "token": "there is one; it is not shown",
            "host": "the simulated exchange, in this process" if self.in_process else host,
            "valid until": expiry_text(expires, now),
            "first issued": first_issue_text(expires, now),
            "shared": "by all programs with this app key: while it lives, issuing returns it again",
        }
        if place is not None:
            facts["shared at"] = f"{place}: programs that name it take the token from there"
        return "".join(f"{name:<14}{fact}\n" for name, fact in facts.items())

    def _json(
        self, kiwoom: KiwoomClient, expires: datetime, now: datetime, place: str | None
    ) -> str:
        facts = {
            "base_url": kiwoom.base_url,
            "environment": kiwoom.environment.value,
            "sandbox": self.in_process,
            "valid_until": expires.isoformat(),
            "seconds_left": round((expires - now).total_seconds()),
            "presumably_issued": (expires - TOKEN_LIFETIME).isoformat(),
            "shared_at": place,
        }
        return json.dumps(facts) + "\n"


def expiry_text(expires: datetime, now: datetime) -> str:
    """Return the time of expiry, and how far it is from now."""
    left = expires - now
    distance = f"{_span(left)} from now" if left > timedelta() else f"{_span(-left)} ago"
    return f"{_timestamp(expires)}, {distance}"


def first_issue_text(expires: datetime, now: datetime) -> str:
    """Return the presumable time of first issue, which tells whether the token is new."""
    issued = expires - TOKEN_LIFETIME
    is_new = abs(now - issued) < _JUST_NOW
    when = "just now" if is_new else f"{_timestamp(issued)}, so this one was there already"
    return f"presumably {when}"


def _timestamp(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S %Z}"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
