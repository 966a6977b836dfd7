"""The app keys of a client: each has rate limiters and a token; a walk stays with one of them."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from attrs import evolve

from kiwoom_async._protocol.credentials import Credentials
from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.messages import Token
from kiwoom_async.errors import ContinuationError

from .rate_limit import RateLimiter, spacing_seconds
from .sharing import Sharing, SharingReport
from .tokens import TokenCache

_FINGERPRINT_LENGTH: Final = 16


class Account:
    """One app key at one host. `name` is a fingerprint of both, and no secret."""

    def __init__(
        self,
        keys: Credentials,
        base_url: str,
        *,
        requests_per_second: float,
        sharing: Sharing,
        issue: Callable[["Account"], Awaitable[Token]],
    ) -> None:
        self.keys = keys
        identity = f"{base_url.lower()}\n{keys.app_key}".encode()
        self.name = hashlib.sha256(identity).hexdigest()[:_FINGERPRINT_LENGTH]
        self.tokens = TokenCache(lambda: issue(self), sharing.token_store(self.name))
        # The page calls under way.
        self.running_calls = 0
        self._requests_per_second = requests_per_second
        self._sharing = sharing
        # The limit is for each (app key, api-id) (wire-facts.md, fact 1).
        self._rate_limiters: dict[str, RateLimiter] = {}

    def rate_limiter(self, api_id: str) -> RateLimiter:
        """Return the rate limiter of an api-id."""
        if api_id not in self._rate_limiters:
            limiter = self._sharing.rate_limiter(self.name, api_id, self._requests_per_second)
            self._rate_limiters[api_id] = limiter
        return self._rate_limiters[api_id]

    def per_second(self, api_id: str) -> float:
        """Return the present requests per second."""
        # A limiter belongs to the loop in which it is made, and this may be called outside any.
        limiter = self._rate_limiters.get(api_id)
        return self._requests_per_second if limiter is None else limiter.per_second

    async def sharing_report(self) -> SharingReport:
        """Return who shares the app key; SharingError if that cannot be known."""
        return await self._sharing.report(self.name)


class Accounts:
    """All app keys of a client."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._all = list(accounts)
        self._by_last_turn = list(self._all)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def for_page(self, cursor: Cursor) -> tuple[Account, Cursor]:
        """Return the account of the cursor's walk, and the cursor with the account in it.

        At its beginning a walk gets the account with the least to do. ContinuationError if the
        walk belongs to an app key that this client lacks.
        """
        if cursor.account:
            return self._named(cursor.account), cursor
        if len(self._all) == 1:
            return self._all[0], cursor
        # A cursor with a continuation key but no account is from a client with one app key:
        # presumably this client's first.
        account = self._all[0] if cursor.key else self._least_busy()
        return account, evolve(cursor, account=account.name)

    def _least_busy(self) -> Account:
        # Of those with as little to do, the one whose last turn is longest ago.
        account = min(self._by_last_turn, key=lambda account: account.running_calls)
        self._by_last_turn.remove(account)
        self._by_last_turn.append(account)
        return account

    def spacing_seconds(self, api_id: str) -> float:
        """Return the seconds from one call to the next, when every account has work."""
        return spacing_seconds(sum(account.per_second(api_id) for account in self._all))

    def _named(self, name: str) -> Account:
        for account in self._all:
            if account.name == name:
                return account
        raise ContinuationError(
            f"the walk was begun with another app key, of fingerprint {name}: give the client that "
            "key too, or begin the walk again"
        )
