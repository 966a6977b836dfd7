"""The access token: issued when first needed, kept until shortly before it dies.

Every program with the same app key holds the same token (wire-facts.md, fact 7), so it is
renewed by compare-and-swap and never revoked unasked. Does not know how it is issued.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, runtime_checkable

import anyio

from kiwoom_async._protocol.messages import Token
from kiwoom_async.errors import KiwoomError

# Long enough for a call that has waited for its slot, short against a token's day.
RENEW_BEFORE: Final = timedelta(seconds=60)
# An issue while a token lives returns that token with its old expiry, which may be seconds away,
# or past by a clock that is wrong: it is not asked for again at every call.
KEEP_AT_LEAST: Final = timedelta(seconds=10)

Issue = Callable[[], Awaitable[Token]]


def _now() -> datetime:
    return datetime.now(UTC)


@runtime_checkable
class TokenStore(Protocol):
    """Where the token of an app key is kept, for all who use that key."""

    async def replace(self, refused: Token | None, issue: Issue) -> Token:
        """A token other than `refused`: the one that another program has put there, or a new one.

        However many programs ask at the same time, one of them issues.
        """
        ...

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked, if it is the one that is kept."""
        ...


class NullTokenStore:
    """The store of a client that shares its token with nobody: it keeps none."""

    async def replace(self, refused: Token | None, issue: Issue) -> Token:  # noqa: ARG002
        """Issue one."""
        return await issue()

    async def forget(self, revoked: Token) -> None:
        """Nothing is kept here."""


class TokenCache:
    """The token of an app key in one client, however many tasks need it."""

    def __init__(
        self, issue: Issue, store: TokenStore | None = None, now: Callable[[], datetime] = _now
    ) -> None:
        self._issue = issue
        self._store = NullTokenStore() if store is None else store
        self._now = now
        self._lock = anyio.Lock()
        self._renew_at = datetime.min.replace(tzinfo=UTC)
        self._failures = 0
        self._failure: KiwoomError | None = None
        self.held: Token | None = None

    async def get(self) -> Token:
        """A token to send now."""
        if (token := self._fresh()) is not None:
            return token
        failures = self._failures
        async with self._lock:
            # Another task may have issued one while this one stood in the queue, or failed to.
            self._share(failures)
            return self._fresh() or await self._replaced()

    async def renew(self, refused: Token) -> None:
        """Replace the token that the server refused, unless somebody has already."""
        failures = self._failures
        async with self._lock:
            self._share(failures)
            # By identity: an issue may give the same string again (wire-facts.md, fact 7), and is
            # not repeated for everybody who still holds the object that was refused.
            if self.held is refused:
                await self._replaced()

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked."""
        if self.held is not None and self.held.value == revoked.value:
            self.held = None
        await self._store.forget(revoked)

    def _share(self, failures: int) -> None:
        """Raise what befell the issue that was waited for: a hundred tasks ask once, not each."""
        if self._failure is not None and self._failures != failures:
            raise copy(self._failure) from self._failure

    def _fresh(self) -> Token | None:
        return self.held if self._now() < self._renew_at else None

    async def _replaced(self) -> Token:
        try:
            token = await self._store.replace(self.held, self._issue)
        except KiwoomError as error:
            self._failures, self._failure = self._failures + 1, error
            raise
        self._failure = None
        now = self._now()
        self._renew_at = max(token.expires - RENEW_BEFORE, now + KEEP_AT_LEAST)
        self.held = token
        return token
