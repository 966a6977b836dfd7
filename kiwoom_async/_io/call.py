"""Call: a request and its answer decoded; the calls of tokens and of undeclared requests."""

from typing import Any, Generic, TypeVar

from attrs import define

from kiwoom_async._protocol.credentials import decode_token, encode_issue, encode_revoke
from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.messages import (
    ISSUE_TOKEN,
    REVOKE_TOKEN,
    Request,
    Response,
    Token,
    decode_body,
)
from kiwoom_async._protocol.pages import encode_page
from kiwoom_async._protocol.reply import Reply, decode_reply

from .accounts import Account
from .rate_limit import Priority, RateLimiter

T = TypeVar("T")


@define(kw_only=True)
class Call(Generic[T]):
    """A call: its request, and its answer decoded. `query` is for events only."""

    api_id: str
    account: Account
    limiter: RateLimiter
    base_url: str
    priority: Priority = Priority.INTERACTIVE
    query: Any = None
    needs_token: bool = False

    def encode(self, token: Token | None) -> Request:
        """Return the request, with the token of the moment."""
        raise NotImplementedError

    def decode(self, response: Response) -> T:
        """Return the decoded answer, or raise an error of the tree."""
        raise NotImplementedError


@define(kw_only=True)
class IssueCall(Call[Token]):
    """A call that issues a token."""

    api_id: str = ISSUE_TOKEN

    def encode(self, token: Token | None) -> Request:  # noqa: ARG002
        """Return the request for a token."""
        return encode_issue(self.base_url, self.account.keys)

    def decode(self, response: Response) -> Token:
        """Return the token."""
        return decode_token(response)


@define(kw_only=True)
class RevokeCall(Call[object]):
    """A call that revokes a token."""

    api_id: str = REVOKE_TOKEN
    revoked: Token

    def encode(self, token: Token | None) -> Request:  # noqa: ARG002
        """Return the request that revokes the token."""
        return encode_revoke(self.base_url, self.account.keys, self.revoked)

    def decode(self, response: Response) -> object:
        """Return the body of a successful answer."""
        return decode_body(response)


@define(kw_only=True)
class RawCall(Call[Reply]):
    """A call for the page at `cursor` of a request that no class declares."""

    cursor: Cursor
    needs_token: bool = True

    def encode(self, token: Token | None) -> Request:
        """Return the request for the page."""
        assert token is not None  # noqa: S101 - needs_token
        return encode_page(self.base_url, self.query.path, self.cursor, token)

    def decode(self, response: Response) -> Reply:
        """Return the answer as it came."""
        return decode_reply(response, self.cursor)
