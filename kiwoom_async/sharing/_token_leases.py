"""The stored token of an app key, and the lease that lets one program issue the next.

A lease expires, so a program that dies while it issues delays the others by LEASE_SECONDS at most.
A program that issues too slowly finds a newer token stored, and does not overwrite it.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import asdict, define, field, frozen
from attrs.validators import ge, lt

from kiwoom_async import Token
from kiwoom_async._io.tokens import KEEP_AT_LEAST, RENEW_BEFORE
from kiwoom_async._protocol.times import KST

from ._encryption import PlainText, TokenCipher
from ._store import SharedStore, T, structure

# An issue takes a tenth of a second; one that is refused and repeated takes some seconds.
LEASE_SECONDS: Final = 10.0
# In the year 5138: a later expiry is damaged data, and datetime cannot represent all of them.
_MAX_UNIX_SECONDS: Final = 1e11


@frozen
class Lease:
    """The right to issue a token that replaces the issue `replaces`, "" for none."""

    replaces: str


@frozen
class LeaseHeld:
    """Another program holds the lease, for `seconds` at most."""

    seconds: float


@define
class StoredToken:
    """A token and a lease, each "" if there is none; milliseconds are of the store's clock."""

    updated_ms: float = 0.0
    token: str = ""  # as the cipher encrypted it
    issue: str = ""
    issued_by: str = ""
    # Wall clock: the server states the expiry as a date.
    expires_unix_seconds: float = field(default=0.0, validator=[ge(0.0), lt(_MAX_UNIX_SECONDS)])
    issued_ms: float = 0.0
    lease_holder: str = ""
    lease_until_ms: float = 0.0

    def advance_clock(self, now_ms: float) -> None:
        """Set the time; if the clock has restarted since, shift all times back with it."""
        lost_ms = max(0.0, self.updated_ms - now_ms)
        self.issued_ms -= lost_ms
        self.lease_until_ms -= lost_ms
        self.updated_ms = now_ms

    def usable(self, now_ms: float) -> bool:
        """Return True if a token is stored that need not be renewed yet."""
        just_issued = now_ms < self.issued_ms + 1000.0 * KEEP_AT_LEAST.total_seconds()
        renew_at = self.expires_unix_seconds - RENEW_BEFORE.total_seconds()
        return bool(self.issue) and (just_issued or time.time() < renew_at)

    def end_lease(self, program_id: str) -> None:
        """End the lease if this program holds it."""
        if self.lease_holder == program_id:
            self.lease_holder = ""


class TokenLeases:
    """The token of one app key in a store, and the lease to issue the next one."""

    def __init__(self, store: SharedStore, cipher: TokenCipher | None = None) -> None:
        self._store = store
        self._cipher = PlainText() if cipher is None else cipher

    def take(self, program_id: str, refused_issue: str) -> Token | Lease | LeaseHeld:
        """Return the token if it is usable and not of the refused issue; else lease it or wait."""

        def change(stored: StoredToken, now_ms: float) -> Token | Lease | LeaseHeld:
            if stored.issue != refused_issue and stored.usable(now_ms):
                return self._decrypted(stored)
            if stored.lease_holder not in {"", program_id} and stored.lease_until_ms > now_ms:
                return LeaseHeld((stored.lease_until_ms - now_ms) / 1000.0)
            stored.lease_holder = program_id
            stored.lease_until_ms = now_ms + 1000.0 * LEASE_SECONDS
            return Lease(stored.issue)

        return self._update(change)

    def put(self, program_id: str, lease: Lease, token: Token, issued_by: str) -> None:
        """Store the token unless another was stored since the lease began; end the lease."""
        encrypted = self._cipher.encrypt(token.value)

        def change(stored: StoredToken, now_ms: float) -> None:
            if stored.issue == lease.replaces:
                stored.token, stored.issue, stored.issued_by = encrypted, token.issue, issued_by
                stored.expires_unix_seconds = token.expires.timestamp()
                stored.issued_ms = now_ms
            stored.end_lease(program_id)

        self._update(change)

    def release(self, program_id: str) -> None:
        """End the lease if this program holds it."""
        self._update(lambda stored, _: stored.end_lease(program_id))

    def forget(self, issue: str) -> None:
        """Drop the token if it is of this issue."""

        def change(stored: StoredToken, _: float) -> None:
            if stored.issue == issue:
                stored.token = stored.issue = ""

        self._update(change)

    def expiry_and_issuer(self) -> tuple[datetime | None, str]:
        """Return the expiry and the issuing program; (None, "") if no token is stored."""
        data, _ = self._store.read()
        stored = self._structured(data)
        if not stored.issue or stored.expires_unix_seconds <= time.time():
            return None, ""
        return datetime.fromtimestamp(stored.expires_unix_seconds, KST), stored.issued_by

    def _decrypted(self, stored: StoredToken) -> Token:
        expires = datetime.fromtimestamp(stored.expires_unix_seconds, KST)
        return Token(self._cipher.decrypt(stored.token), expires, stored.issue)

    def _update(self, change: Callable[[StoredToken, float], T]) -> T:
        def apply(data: dict[str, Any] | None, now_ms: float) -> tuple[dict[str, Any] | None, T]:
            stored = self._structured(data)
            stored.advance_clock(now_ms)
            before = asdict(stored)
            result = change(stored, now_ms)
            after = asdict(stored)
            # Programs that wait for the lease must not slow down the one that holds it by writing.
            return (None if after == before else after), result

        return self._store.update(apply)

    def _structured(self, data: dict[str, Any] | None) -> StoredToken:
        return StoredToken() if data is None else structure(data, StoredToken, self._store.name)
