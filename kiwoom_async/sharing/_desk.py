"""Where a shared token is kept, and who may issue the next one.

A lease says who: whoever dies with it is waited for no longer than it lasts. Whoever comes late
with a token finds another one there, and leaves it.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import asdict, define, field, frozen
from attrs.validators import ge, lt

from kiwoom_async import Token
from kiwoom_async._io.tokens import KEEP_AT_LEAST, RENEW_BEFORE
from kiwoom_async._protocol.convert import KST

from ._place import Place, T, structured

# An issue takes a tenth of a second, a refused one that is repeated some seconds.
LEASE_SECONDS: Final = 10.0
_NEVER: Final = 1e11


@frozen
class Lease:
    """The right to issue a token; `instead_of` is the issue that it will replace."""

    instead_of: str


@frozen
class Busy:
    """Somebody else has that right, for so long at the most."""

    seconds: float


@define
class Kept:
    """A token, sealed, and a lease; an empty text is none. Times as in `Place`."""

    at_ms: float = 0.0
    sealed: str = ""
    issue: str = ""
    by: str = ""
    # Of the wall clock, in seconds; a date can be made of it.
    expires: float = field(default=0.0, validator=[ge(0.0), lt(_NEVER)])
    issued_ms: float = 0.0
    lease_by: str = ""
    lease_until_ms: float = 0.0

    def arrive(self, now_ms: float) -> None:
        """Bring the times to the present, also where the clock has begun again meanwhile."""
        gone_ms = max(0.0, self.at_ms - now_ms)
        self.issued_ms -= gone_ms
        self.lease_until_ms -= gone_ms
        self.at_ms = now_ms

    def lives(self, now_ms: float) -> bool:
        """Whether the token is worth sending."""
        young = now_ms < self.issued_ms + 1000.0 * KEEP_AT_LEAST.total_seconds()
        renew_at = self.expires - RENEW_BEFORE.total_seconds()
        return bool(self.issue) and (young or time.time() < renew_at)


class Desk:
    """The token of one app key, at a place; sealed there, if it is given a seal."""

    def __init__(
        self,
        place: Place,
        *,
        seal: Callable[[str], str] = str,
        unseal: Callable[[str], str] = str,
    ) -> None:
        self._place = place
        self._seal = seal
        self._unseal = unseal

    def take(self, program: str, refused: str) -> Token | Lease | Busy:
        """The token, if one lives and is not of the issue `refused`; or a lease, or a wait."""

        def step(kept: Kept, now_ms: float) -> Token | Lease | Busy:
            if kept.issue != refused and kept.lives(now_ms):
                return self._token(kept)
            if kept.lease_by not in {"", program} and kept.lease_until_ms > now_ms:
                return Busy((kept.lease_until_ms - now_ms) / 1000.0)
            kept.lease_by, kept.lease_until_ms = program, now_ms + 1000.0 * LEASE_SECONDS
            return Lease(kept.issue)

        return self._change(step)

    def put(self, program: str, lease: Lease, token: Token, by: str) -> None:
        """Keep the token, unless another has come since the lease; end the lease."""
        sealed = self._seal(token.value)

        def step(kept: Kept, now_ms: float) -> None:
            if kept.issue == lease.instead_of:
                kept.sealed, kept.issue, kept.by = sealed, token.issue, by
                kept.expires, kept.issued_ms = token.expires.timestamp(), now_ms
            _end_lease(kept, program)

        self._change(step)

    def release(self, program: str) -> None:
        """End the lease, if it is this program's."""
        self._change(lambda kept, _: _end_lease(kept, program))

    def forget(self, issue: str) -> None:
        """Drop the token, if it is of this issue."""

        def step(kept: Kept, _: float) -> None:
            if kept.issue == issue:
                kept.sealed = kept.issue = ""

        self._change(step)

    def look(self) -> tuple[datetime | None, str]:
        """Until when the token lives, and who issued it; None for one that has died."""
        facts, _ = self._place.read()
        kept = self._kept(facts)
        if not kept.issue or kept.expires <= time.time():
            return None, ""
        return datetime.fromtimestamp(kept.expires, KST), kept.by

    def _token(self, kept: Kept) -> Token:
        expires = datetime.fromtimestamp(kept.expires, KST)
        return Token(self._unseal(kept.sealed), expires, kept.issue)

    def _change(self, step: Callable[[Kept, float], T]) -> T:
        def change(facts: dict[str, Any] | None, now_ms: float) -> tuple[dict[str, Any] | None, T]:
            kept = self._kept(facts)
            kept.arrive(now_ms)
            before = asdict(kept)
            result = step(kept, now_ms)
            after = asdict(kept)
            # Who only looks must not be in the way of who issues.
            return (None if after == before else after), result

        return self._place.change(change)

    def _kept(self, facts: dict[str, Any] | None) -> Kept:
        return Kept() if facts is None else structured(facts, Kept, self._place.where)


def _end_lease(kept: Kept, program: str) -> None:
    if kept.lease_by == program:
        kept.lease_by = ""
