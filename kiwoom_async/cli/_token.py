"""`kiwoom-async token`: until when the token is valid, in whose hands it is; never the token."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import define

from kiwoom_async import KiwoomClient

from ._output import StandardOutput

# From the first issue to the end (wire-facts.md, section 2).
LIFE: Final = timedelta(hours=24)
# Between the server's clock and this one, and for the answer's way.
_JUST_NOW: Final = timedelta(seconds=60)


class TokenFormat(StrEnum):
    """How to write it."""

    TEXT = "text"
    JSON = "json"


@define
class TokenJob:
    """One `token` command."""

    form: TokenFormat
    in_process: bool
    shares: bool

    async def run(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Have a token, and say what is known of it."""
        async with make_client() as kiwoom:
            expires = await kiwoom.token_expires()
            place = (await kiwoom.sharing_reports())[0].place if self.shares else None
        moment = datetime.now(UTC)
        write = self._json if self.form is TokenFormat.JSON else self._text
        StandardOutput().write(write(kiwoom, expires, moment, place))

    def _text(
        self, kiwoom: KiwoomClient, expires: datetime, moment: datetime, place: str | None
    ) -> str:
        where = f"{kiwoom.base_url}, {kiwoom.environment.value}"
        facts = {
            "token": "there is one; it is not shown",
            "host": "the simulated exchange, in this process" if self.in_process else where,
            "valid until": until(expires, moment),
            "first issued": issued(expires, moment),
            "shared": "by all programs with this app key: while it lives, issuing returns it again",
        }
        if place is not None:
            facts["shared at"] = f"{place}: programs that name it take the token from there"
        return "".join(f"{name:<14}{fact}\n" for name, fact in facts.items())

    def _json(
        self, kiwoom: KiwoomClient, expires: datetime, moment: datetime, place: str | None
    ) -> str:
        facts = {
            "base_url": kiwoom.base_url,
            "environment": kiwoom.environment.value,
            "sandbox": self.in_process,
            "valid_until": expires.isoformat(),
            "seconds_left": round((expires - moment).total_seconds()),
            "presumably_issued": (expires - LIFE).isoformat(),
            "shared_at": place,
        }
        return json.dumps(facts) + "\n"


def until(expires: datetime, moment: datetime) -> str:
    """Until when, and how long that is from the moment."""
    left = expires - moment
    how_long = f"{_span(left)} from now" if left > timedelta() else f"{_span(-left)} ago"
    return f"{_kst(expires)}, {how_long}"


def issued(expires: datetime, moment: datetime) -> str:
    """When it was first issued, presumably, and so whether it was there already."""
    first = expires - LIFE
    new = abs(moment - first) < _JUST_NOW
    return f"presumably {'just now' if new else _kst(first) + ', so this one was there already'}"


def _kst(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S %Z}"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
