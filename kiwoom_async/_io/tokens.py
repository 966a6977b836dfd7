"""The access token: issued when first needed, cached until shortly before it expires.

Every program with the same app key holds the same token (wire-facts.md, fact 7), so it is
renewed by compare-and-swap and never revoked unasked.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol, runtime_checkable

import anyio

from kiwoom_async._protocol.messages import Token
from kiwoom_async.errors import KiwoomError

# Long enough for a call that waited for its slot, short against a token's day.
RENEW_BEFORE: Final = timedelta(seconds=60)
# An issue while a token lives returns that token with its old expiry, which may be seconds away,
# or past by a wrong clock: this long it is used without asking again.
KEEP_AT_LEAST: Final = timedelta(seconds=10)

_utc_now: Final = partial(datetime.now, UTC)
Issue = Callable[[], Awaitable[Token]]


@runtime_checkable
class TokenStore(Protocol):
    """A store of the token of an app key, for all programs that use the key."""

    async def replace(self, refused: Token | None, issue: Issue) -> Token:
        """Return a token other than `refused`: one that another program stored, or a new one.

        Of programs that ask at the same time, one issues.
        """
        ...

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked, if it is the one stored."""
        ...


class NullTokenStore:
    """The store of a client that does not share its token: it stores none."""

    async def replace(self, refused: Token | None, issue: Issue) -> Token:  # noqa: ARG002
        """Issue a token."""
        return await issue()

    async def forget(self, revoked: Token) -> None:
        """Do nothing."""


class TokenCache:
    """The token of an app key, shared by all tasks of one client."""

    def __init__(
        self,
        issue: Issue,
        store: TokenStore | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._issue = issue
        self._store = NullTokenStore() if store is None else store
        self._now = now
        self._lock = anyio.Lock()
        self._renew_at = datetime.min.replace(tzinfo=UTC)
        self._failures = 0
        self._failure: KiwoomError | None = None
        self.cached: Token | None = None
        # The token of the last renewal for a refusal without a known code. If this one is refused
        # before it ever worked, the token was not the reason.
        self.renewed_in_doubt: Token | None = None

    async def get(self) -> Token:
        """Return a token to send now."""
        if self.cached is not None and self._now() < self._renew_at:
            return self.cached
        failures = self._failures
        async with self._lock:
            # Another task may have issued one while this one waited for the lock, or failed to.
            self._raise_if_failed_since(failures)
            if self.cached is not None and self._now() < self._renew_at:
                return self.cached
            return await self._replace()

    async def renew(self, refused: Token, *, in_doubt: bool = False) -> None:
        """Replace the token that the server refused, unless another task already has."""
        failures = self._failures
        async with self._lock:
            self._raise_if_failed_since(failures)
            # By identity: an issue may give the same string again (wire-facts.md, fact 7), and is
            # not repeated for every task that still holds the refused object.
            if self.cached is refused:
                token = await self._replace()
                self.renewed_in_doubt = token if in_doubt else None

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked."""
        if self.cached is not None and self.cached.value == revoked.value:
            self.cached = None
        await self._store.forget(revoked)

    def _raise_if_failed_since(self, failures: int) -> None:
        """Re-raise the failure of the token issue that this task waited for."""
        if self._failure is not None and self._failures != failures:
            raise copy(self._failure) from self._failure

    async def _replace(self) -> Token:
        try:
            token = await self._store.replace(self.cached, self._issue)
        except KiwoomError as error:
            self._failures, self._failure = self._failures + 1, error
            raise
        self._failure = None
        now = self._now()
        self._renew_at = max(token.expires - RENEW_BEFORE, now + KEEP_AT_LEAST)
        self.cached = token
        return token
