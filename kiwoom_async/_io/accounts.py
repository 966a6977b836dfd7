"""The app keys of a client: each with its own paces and token, and each walk with one of them.

Knows no request; how a token is issued comes from outside.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.messages import Credentials, Token
from kiwoom_async.errors import ContinuationError

from .rate_limit import RateLimiter, spacing_seconds
from .sharing import Sharing
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
        known = f"{base_url.lower()}\n{keys.app_key}".encode()
        self.name = hashlib.sha256(known).hexdigest()[:_FINGERPRINT_LENGTH]
        self.tokens = TokenCache(lambda: issue(self), sharing.token_store(self.name))
        # Counted by who calls.
        self.under_way = 0
        self._requests_per_second = requests_per_second
        self._sharing = sharing
        # The limit is for each (app key, api-id) (wire-facts.md, fact 1).
        self._paces: dict[str, RateLimiter] = {}

    def rate_limiter(self, api_id: str) -> RateLimiter:
        """The bucket of an api-id."""
        if api_id not in self._paces:
            pace = self._sharing.rate_limiter(self.name, api_id, self._requests_per_second)
            self._paces[api_id] = pace
        return self._paces[api_id]

    def per_second(self, api_id: str) -> float:
        """The present pace."""
        # A pace belongs to the loop where it is made, and this may be asked outside of any.
        pace = self._paces.get(api_id)
        return self._requests_per_second if pace is None else pace.per_second


class Accounts:
    """All app keys of a client."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._all = list(accounts)
        self._turns = list(self._all)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def of(self, cursor: Cursor) -> Account:
        """The account of the cursor's walk; at its beginning the one with the least to do.

        ContinuationError where the walk belongs to an app key that this client has not.
        """
        if cursor.account:
            return self._named(cursor.account)
        if cursor.key:
            # Of a client that had one app key only: presumably the first of those it has now.
            return self._all[0]
        # Of those with as little to do, the one whose last turn is longest ago.
        account = min(self._turns, key=lambda one: one.under_way)
        self._turns.remove(account)
        self._turns.append(account)
        return account

    def spacing_seconds(self, api_id: str) -> float:
        """From one call to the next, when every account has work."""
        return spacing_seconds(sum(one.per_second(api_id) for one in self._all))

    def _named(self, name: str) -> Account:
        for account in self._all:
            if account.name == name:
                return account
        raise ContinuationError(
            f"the walk was begun with another app key, of fingerprint {name}: give the client that "
            "key too, or begin the walk again"
        )
