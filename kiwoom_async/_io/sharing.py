"""The protocol by which programs with one app key share pace and token; unshared by default.

Shared files and servers are the wing `sharing`.
"""

from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import frozen

from .rate_limit import LocalRateLimiter, Priority, RateLimiter
from .tokens import NullTokenStore, TokenStore


@frozen(kw_only=True)
class Program:
    """A program that has asked for slots of a bucket lately.

    `waiting` are the priorities of its calls that wait for a slot at this moment.
    """

    name: str
    api_id: str
    seconds_ago: float
    waiting: tuple[Priority, ...]


@frozen(kw_only=True)
class SharingReport:
    """The programs that share an app key's pace and token, and the place they share.

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
    """A place where the programs that use one app key agree on pace and token.

    `account` is a fingerprint of host and app key, the same in every program.
    """

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> RateLimiter:
        """Return the rate limiter of an api-id."""
        ...

    def token_store(self, account: str) -> TokenStore:
        """Return the store of the account's token."""
        ...

    async def report(self, account: str) -> SharingReport:
        """Return who shares the account; SharingError if that cannot be known."""
        ...


class Unshared:
    """Shares nothing: the client is alone with its app key, or was given a lower pace."""

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> RateLimiter:  # noqa: ARG002
        """Return a rate limiter of the client's own."""
        return LocalRateLimiter(requests_per_second)

    def token_store(self, account: str) -> TokenStore:  # noqa: ARG002
        """Return a store of nothing."""
        return NullTokenStore()

    async def report(self, account: str) -> SharingReport:
        """Return a report without programs."""
        return SharingReport(place="nowhere: this client shares nothing", account=account)
