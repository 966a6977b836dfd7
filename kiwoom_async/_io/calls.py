"""Calls: the one loop of token, slot, send, decode and recovery, for pages, replies and tokens.

Long, because a page is followed through it from top to bottom.
"""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import anyio
from anyio import current_time
from attrs import define, evolve

from kiwoom_async._protocol.credentials import Credentials
from kiwoom_async._protocol.cursor import Cursor
from kiwoom_async._protocol.declaration import check_declaration, check_hashable
from kiwoom_async._protocol.estimate import Estimate, PageCounts
from kiwoom_async._protocol.headers import header_secrets
from kiwoom_async._protocol.messages import (
    ISSUE_TOKEN,
    REVOKE_TOKEN,
    Request,
    Response,
    Token,
    redact,
)
from kiwoom_async._protocol.pages import encode_page
from kiwoom_async._protocol.query import Environment, Query, RowT, TotalsT
from kiwoom_async._protocol.reply import RawRequest, Reply
from kiwoom_async._protocol.results import Page
from kiwoom_async._protocol.times import KST
from kiwoom_async.errors import KiwoomError, TransportTimeout, short_repr
from kiwoom_async.events import (
    CallEnded,
    CallSent,
    EventEmitter,
    PageDelivered,
    SlotWaited,
    TokenRenewed,
)

from .accounts import Account, Accounts
from .call import Call, IssueCall, RawCall, RevokeCall
from .client_state import ClientState, RunningCall
from .http import Engine
from .rate_limit import Priority
from .recovery import CallHistory, Recovery
from .sharing import Sharing

T = TypeVar("T")


@define(kw_only=True)
class PageCall(Call[Any]):
    """A call for the page at `cursor`; here, where a page is followed from top to bottom."""

    cursor: Cursor
    engine: Engine
    on_undecoded: str
    needs_token: bool = True

    def encode(self, token: Token | None) -> Request:
        """Return the request for the page."""
        assert token is not None  # noqa: S101 - needs_token
        return encode_page(self.base_url, self.query.path, self.cursor, token)

    def decode(self, response: Response) -> Page[Any, Any]:
        """Return the page."""
        return self.engine.decode_page(response, self.query, self.cursor, self.on_undecoded)


class Calls:
    """Everything that the calls of one client share."""

    def __init__(
        self,
        engine: Engine,
        keys: list[Credentials],
        *,
        base_url: str,
        headers: Mapping[str, str],
        requests_per_second: float,
        sharing: Sharing,
        attempts: int,
        timeout_seconds: float,
        on_undecoded: str,
        environment: Environment,
        emitter: EventEmitter,
    ) -> None:
        self.state = ClientState()
        self.emitter = emitter
        self.page_counts = PageCounts()
        self.accounts = Accounts(
            Account(
                pair,
                base_url,
                requests_per_second=requests_per_second,
                sharing=sharing,
                issue=self.issue_token,
            )
            for pair in keys
        )
        self._engine = engine
        self._base_url = base_url
        self._headers = dict(headers)
        self._timeout_seconds = timeout_seconds
        self._on_undecoded = on_undecoded
        self._secrets = (*(key for pair in keys for key in (pair.app_key, pair.secret_key)),)
        self._header_secrets = header_secrets(headers)
        self._recovery = Recovery(attempts, emitter)
        self._environment = environment
        self._doubts: set[str] = set()
        self._accounts_without_token = {account.name for account in self.accounts}

    async def aclose(self) -> None:
        """Cancel running calls and close the connections; later calls raise RuntimeError."""
        # Connections of another loop are its own to close.
        self.state.check_event_loop()
        try:
            await self.state.close()
        finally:
            await self._engine.aclose()

    def check(self, query: object, stacklevel: int = 3) -> None:
        """Raise ValueError for what is no query, or one that cannot be answered today.

        Warns once of each doubt, of the line `stacklevel` frames up.
        """
        if not isinstance(query, Query):
            raise ValueError(f"query: got {short_repr(query)}; expected a query object")
        check_declaration(type(query))
        check_hashable(query)
        doubt = query.check(datetime.now(KST).date(), self._environment)
        if doubt is not None and doubt not in self._doubts:
            self._doubts.add(doubt)
            warnings.warn(doubt, stacklevel=stacklevel)

    def estimate(self, queries: Sequence[Query[Any, Any]]) -> Estimate:
        """Return the calls that the queries will take, and the seconds at the present pace."""
        calls = Counter[str]()
        for query in queries:
            calls[query.api_id] += self.page_counts.expected(query)
        spacing = self.accounts.spacing_seconds
        seconds = max((spacing(api_id) * number for api_id, number in calls.items()), default=0.0)
        return Estimate(len(queries), calls.total(), seconds)

    async def sleep_until(self, deadline: float) -> None:
        """Sleep until a moment of the loop's clock; RuntimeError once the client is closed."""
        with RunningCall(self.state):
            await anyio.sleep_until(deadline)

    async def page(
        self,
        query: Query[RowT, TotalsT],
        cursor: Cursor,
        priority: Priority,
        deadline: float = math.inf,
    ) -> Page[RowT, TotalsT]:
        """Return the page at `cursor`; errors say query, cursor and pages delivered."""
        try:
            account, cursor = self.accounts.for_page(cursor)
            call = PageCall(
                api_id=query.api_id,
                account=account,
                limiter=account.rate_limiter(query.api_id),
                base_url=self._base_url,
                priority=priority,
                query=query,
                cursor=cursor,
                engine=self._engine,
                on_undecoded=self._on_undecoded,
            )
            account.running_calls += 1
            try:
                page: Page[RowT, TotalsT] = await self._run(call, deadline)
            finally:
                account.running_calls -= 1
        except KiwoomError as error:
            error.locate(query, cursor)
            raise
        # Rows that could not be read are logged at WARNING, so that this event is never left out.
        if self.emitter.enabled or page.undecoded:
            delivered = PageDelivered(
                query=query,
                number=page.number,
                rows=len(page.rows),
                last=page.next is None,
                undecoded=len(page.undecoded),
            )
            self.emitter.emit(delivered)
        return page

    async def reply(self, request: RawRequest, cursor: Cursor) -> Reply:
        """Return the answer at `cursor`, as it came; errors as those of a page."""
        try:
            account, cursor = self.accounts.for_page(cursor)
            call = RawCall(
                api_id=request.api_id,
                account=account,
                limiter=account.rate_limiter(request.api_id),
                base_url=self._base_url,
                query=request,
                cursor=cursor,
            )
            account.running_calls += 1
            try:
                reply = await self._run(call)
            finally:
                account.running_calls -= 1
        except KiwoomError as error:
            error.locate(request, cursor)
            raise
        if self.emitter.enabled:
            rows, last = len(reply.rows), reply.next is None
            delivered = PageDelivered(query=request, number=cursor.page, rows=rows, last=last)
            self.emitter.emit(delivered)
        return reply

    async def issue_token(self, account: Account) -> Token:
        """Return a token issued for the account."""
        limiter = account.rate_limiter(ISSUE_TOKEN)
        call = IssueCall(account=account, limiter=limiter, base_url=self._base_url)
        token = await self._run(call)
        first = account.name in self._accounts_without_token
        self._accounts_without_token.discard(account.name)
        self.emitter.emit(TokenRenewed(expires=token.expires, first=first))
        return token

    async def revoke_token(self, account: Account, token: Token) -> None:
        """Revoke the token for every program that holds it."""
        limiter = account.rate_limiter(REVOKE_TOKEN)
        call = RevokeCall(account=account, limiter=limiter, base_url=self._base_url, revoked=token)
        await self._run(call)
        await account.tokens.forget(token)

    async def _run(self, call: Call[T], deadline: float = math.inf) -> T:
        """Return the decoded answer; every attempt has its own slot.

        Raises the error of the last attempt, or TransportTimeout at the deadline.
        """
        tokens, history = call.account.tokens, CallHistory()
        with RunningCall(self.state, deadline):
            while True:
                request = None
                try:
                    if call.needs_token:
                        # Before the slot: an issue after it would hold a permit for its time, too.
                        await tokens.get()
                    enabled = self.emitter.enabled
                    queued_at = current_time() if enabled else 0.0
                    async with call.limiter.acquire(call.priority):
                        if enabled:
                            waited = current_time() - queued_at
                            self.emitter.emit(
                                SlotWaited(api_id=call.api_id, query=call.query, seconds=waited)
                            )
                        # Once more, as it may have expired while the call waited for its slot.
                        request = call.encode(await tokens.get() if call.needs_token else None)
                        if self._headers:
                            request = evolve(request, headers={**self._headers, **request.headers})
                        history.attempts += 1
                        answer = await self._attempt(call, request, history.attempts, enabled)
                except KiwoomError as error:
                    await self._recovery.recover(call, error, request, history)
                else:
                    self._recovery.answered_calls += 1
                    if request.token is tokens.renewed_in_doubt:
                        tokens.renewed_in_doubt = None  # it works: the one before was the reason
                    return answer
        # The block is left at the deadline, without an error.
        raise TransportTimeout(f"{call.api_id}: the deadline of the walk has passed")

    async def _attempt(self, call: Call[T], request: Request, attempt: int, enabled: bool) -> T:
        """Send the request once, and decode the answer."""
        sent_at = current_time() if enabled else 0.0
        if enabled:
            self.emitter.emit(CallSent(api_id=call.api_id, query=call.query, attempt=attempt))
        response: Response | None = None
        try:
            response = await self._engine.send(request, timeout_seconds=self._timeout_seconds)
            answer = call.decode(redact(response, self._secrets))
        except KiwoomError as error:
            failed = error
        else:
            if enabled:
                self._emit_ended(call, attempt, sent_at, response)
            return answer
        # Not in every answer: what a header holds may be data in a row.
        if response is not None and self._header_secrets:
            failed = self._without_header_values(call, response, failed)
        failed.attempts = attempt
        if enabled:
            self._emit_ended(call, attempt, sent_at, response, error=failed)
        raise failed

    def _without_header_values(
        self, call: Call[Any], response: Response, error: KiwoomError
    ) -> KiwoomError:
        """Return the error of an answer once more, without what the client's own headers hold."""
        try:
            call.decode(redact(response, self._secrets + self._header_secrets))
        except KiwoomError as shown:
            return shown
        return error

    def _emit_ended(
        self,
        call: Call[Any],
        attempt: int,
        sent_at: float,
        response: Response | None,
        *,
        error: KiwoomError | None = None,
    ) -> None:
        ended = CallEnded(
            api_id=call.api_id,
            query=call.query,
            attempt=attempt,
            seconds=current_time() - sent_at,
            error=error,
            server_time=None if response is None else response.server_time,
        )
        self.emitter.emit(ended)
