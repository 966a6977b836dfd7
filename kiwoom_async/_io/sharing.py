"""What programs with one app key share, as the client sees it; the default is to share nothing.

Knows neither files nor servers: those are the wing `sharing`.
"""

from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import frozen

from .rate_limit import LocalRateLimiter, Priority, RateLimiter
from .tokens import NullTokenStore, TokenStore


@frozen(kw_only=True)
class Program:
    """A program that has asked for slots of a bucket lately."""

    name: str
    api_id: str
    seconds_ago: float
    # Whose slots it is waiting for at this moment.
    waiting: tuple[Priority, ...]


@frozen(kw_only=True)
class SharingReport:
    """Who shares an app key's pace and token, and where.

    `account` is a fingerprint of host and app key. `limits` are those that a 429 has named, by
    api-id; `token_by` is the program that issued the token.
    """

    place: str
    account: str
    programs: tuple[Program, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()
    token_expires: datetime | None = None
    token_by: str = ""


@runtime_checkable
class Sharing(Protocol):
    """Where the programs that use one app key agree on pace and token.

    `account` is a fingerprint of host and app key, the same in every program.
    """

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> RateLimiter:
        """The bucket of an api-id."""
        ...

    def token_store(self, account: str) -> TokenStore:
        """Where the account's token is."""
        ...

    async def report(self, account: str) -> SharingReport:
        """Who shares the account; SharingError where that cannot be known."""
        ...


class Unshared:
    """Nothing is shared: the client is the only one with its app key, or is told a lower pace."""

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> RateLimiter:  # noqa: ARG002
        """A bucket of its own."""
        return LocalRateLimiter(requests_per_second)

    def token_store(self, account: str) -> TokenStore:  # noqa: ARG002
        """Nowhere."""
        return NullTokenStore()

    async def report(self, account: str) -> SharingReport:
        """Nobody else, as far as it knows."""
        return SharingReport(place="nowhere: this client shares nothing", account=account)
