"""KiwoomClient: its settings, and the walks over `page`, the primitive.

Joins the pure half to calls and token; knows no particular TR and no HTTP library. Long, because
its docstrings are the manual.
"""

import math
import os
import warnings
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, overload

from ._calls import Calls
from ._continuation import Cursor
from ._endpoint import (
    AuditT,
    Environment,
    Page,
    Query,
    QueryT,
    RowT,
    TotalsT,
    Walk,
    decode_page,
    encode_page,
)
from ._errors import KiwoomError
from ._pace import Priority
from ._protocol import (
    ISSUE_TOKEN,
    REVOKE_TOKEN,
    Credentials,
    Request,
    Response,
    Token,
    decode_body,
    decode_token,
    encode_issue,
    encode_revoke,
)
from ._token import TokenKeeper
from ._transport import AsyncBaseTransport, Transport, checked_base_url, in_process
from ._walks import (
    Failure,
    MergedPages,
    Queries,
    checked,
    merging,
    start_of,
    walk_pages,
    walk_rows,
)
from ._wire import KST, shown

if TYPE_CHECKING:
    from .sandbox import Sandbox

T = TypeVar("T")

# Outliers of 2.5 s were seen, and a read timeout of 10 s or more is advised (wire-facts.md,
# section 7).
_DEFAULT_TIMEOUT_SECONDS: Final = 15.0


class KiwoomClient:
    """Every row of a query, complete or an error, at the server's pace.

    One client holds one token, one connection pool and one pace; give it to every task of the
    program, and leave it with `async with` or `aclose()`.

    environment: which host and which pace, 5 requests a second in production and 1 on the mock
        host, for each api-id (wire-facts.md, fact 1).
    base_url: another host; https, or http for loopback addresses only.
    requests_per_second: another pace; a lower one when other programs use the same app key. One
        above the server's limit lasts until the first 429 names that limit.
    attempts: how often one call is sent before its error is raised.
    timeout: seconds that one attempt may take, from connecting to the last byte.
    transport: any `httpx.AsyncBaseTransport`, closed with the client.

    ValueError for an argument that cannot be used, before anything is sent.
    """

    def __init__(
        self,
        app_key: str,
        secret_key: str,
        *,
        environment: Environment = Environment.PRODUCTION,
        base_url: str | None = None,
        requests_per_second: float | None = None,
        attempts: int = 4,
        timeout: float = _DEFAULT_TIMEOUT_SECONDS,
        transport: AsyncBaseTransport | None = None,
    ) -> None:
        if not isinstance(environment, Environment):
            raise ValueError(
                f"environment: got {shown(environment)}; allowed are Environment.PRODUCTION, "
                "Environment.MOCK"
            )
        self._keys = Credentials(app_key, secret_key)
        self._environment = environment
        self._base_url = checked_base_url(environment.base_url if base_url is None else base_url)
        if requests_per_second is None:
            requests_per_second = environment.requests_per_second
        self._requests_per_second = _positive("requests_per_second", requests_per_second)
        self._transport = Transport(
            self._base_url, timeout_seconds=_positive("timeout", timeout), transport=transport
        )
        self._tokens = TokenKeeper(self._issue_token)
        self._calls = Calls(
            self._transport,
            requests_per_second=self._requests_per_second,
            attempts=_count("attempts", attempts),
            renew=self._tokens.renew,
            secrets=(self._keys.app_key, self._keys.secret_key),
        )
        self._doubts: set[str] = set()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client from KIWOOM_APP_KEY, KIWOOM_SECRET_KEY, KIWOOM_ENVIRONMENT, KIWOOM_BASE_URL.

        The last two may be missing: production, and the environment's host. `options` are those
        of the class, and override the variables. ValueError names what is missing.
        """
        keys = [os.environ.get(name, "") for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY")]
        if not all(keys):
            raise ValueError("set KIWOOM_APP_KEY and KIWOOM_SECRET_KEY to the keys of the portal")
        name = os.environ.get("KIWOOM_ENVIRONMENT") or "production"
        if name.lower() not in {environment.value for environment in Environment}:
            raise ValueError(f"KIWOOM_ENVIRONMENT: got {name!r}; allowed are production, mock")
        found: dict[str, Any] = {
            "environment": Environment(name.lower()),
            "base_url": os.environ.get("KIWOOM_BASE_URL") or None,
        }
        return cls(keys[0], keys[1], **(found | options))

    @classmethod
    def sandbox(cls, sandbox: "Sandbox | None" = None, **options: Any) -> Self:
        """A client of a simulated exchange in this process: no keys, no network.

        `sandbox` is one of your own making, with faults or without a limit; its limit is the
        client's pace. `options` are those of the class; with `requests_per_second` and no
        `sandbox`, the exchange has no limit of its own.
        """
        from .sandbox import Sandbox  # noqa: PLC0415 - only programs that want it pay for it

        limit = None if "requests_per_second" in options else 5
        exchange = Sandbox(requests_per_second=limit) if sandbox is None else sandbox
        defaults: dict[str, Any] = {
            "base_url": "http://localhost",
            "requests_per_second": exchange.requests_per_second or math.inf,
            "transport": in_process(exchange),
        }
        return cls("sandbox-app-key", "sandbox-secret-key", **(defaults | options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. The token stays alive: other programs may hold it."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"<KiwoomClient {self._base_url}, {self._requests_per_second:g} requests/s>"

    async def page(
        self, query: Query[RowT, TotalsT, QueryT, AuditT], cursor: Cursor | None = None
    ) -> Page[RowT, TotalsT, QueryT]:
        """One page: the one at `cursor`, or the first.

        KiwoomError when it cannot be had whole; ValueError for a day that has not come.
        """
        return await self._page(query, start_of(query, cursor), set(), Priority.INTERACTIVE)

    def pages(
        self, query: Query[RowT, TotalsT, QueryT, AuditT], *, start: Cursor | None = None
    ) -> AsyncGenerator[Page[RowT, TotalsT, QueryT], None]:
        """Every page in the server's order, from `start` or the first.

        Ends without a KiwoomError only after the last page; the error's `cursor` is where to go
        on. Nothing is held between pages, so that `break` is harmless.
        """
        return walk_pages(self._page, query, start)

    def rows(
        self, query: Query[RowT, TotalsT, QueryT, AuditT], *, start: Cursor | None = None
    ) -> AsyncGenerator[RowT, None]:
        """Every row of every page in the server's order, KiwoomError included as in `pages`."""
        return walk_rows(self._page, query, start)

    async def collect(
        self, query: Query[RowT, TotalsT, QueryT, AuditT], *, start: Cursor | None = None
    ) -> Walk[RowT, TotalsT, QueryT, AuditT]:
        """All rows at once, with totals and audit.

        All or nothing: when it fails, no page was delivered, and the error's `cursor` is where
        this call began.
        """
        first = start_of(query, start)
        try:
            pages = [page async for page in self.pages(query, start=first)]
        except KiwoomError as error:
            _state(error, query, first)
            raise
        return Walk.of(query, pages)

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT, QueryT, AuditT],
        *,
        concurrency: int = ...,
        on_error: Literal["raise"] = "raise",
    ) -> AbstractAsyncContextManager[MergedPages[Page[RowT, TotalsT, QueryT], RowT]]: ...

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT, QueryT, AuditT],
        *,
        concurrency: int = ...,
        on_error: Literal["deliver"],
    ) -> AbstractAsyncContextManager[
        MergedPages[Page[RowT, TotalsT, QueryT] | Failure[QueryT], RowT | Failure[QueryT]]
    ]: ...

    def merge(
        self,
        queries: Queries[Any, Any, Any, Any],
        *,
        concurrency: int = 8,
        on_error: Literal["raise", "deliver"] = "raise",
    ) -> AbstractAsyncContextManager[MergedPages[Any, Any]]:
        """Many queries at once under one pace: `async with kiwoom.merge(queries) as pages`.

        Pages come in order within a query, fairly mixed between queries, `concurrency` of which
        are walked at a time; `queries` may be an async iterable, and is taken as walks become
        free. Calls of a merge let interactive ones (all others) go first.

        on_error: "raise" ends the merge with the first query's error, bare; "deliver" gives a
            `Failure` among the pages, and every other query completes.

        ValueError for a query that comes twice or whose day has not come: at once, or where a
        lazy iterable brings it, which ends the merge.
        """
        if on_error not in ("raise", "deliver"):
            raise ValueError(f"on_error: got {shown(on_error)}; allowed are 'raise', 'deliver'")
        if not isinstance(queries, Iterable | AsyncIterable):
            raise ValueError(f"queries: got {shown(queries)}; expected an iterable of queries")
        if isinstance(queries, Collection):
            checked(queries)
            for query in queries:
                self._check(query)
        return merging(self._page, queries, _count("concurrency", concurrency), on_error)

    async def revoke_token(self) -> None:
        """End the token for every program that holds it; nothing is sent where none is held.

        Never done unasked: all programs with this app key share one token (wire-facts.md, fact 7).
        """
        if (token := self._tokens.held) is not None:
            await self._token_call(REVOKE_TOKEN, encode_revoke(self._keys, token), decode_body)
            self._tokens.forget(token)

    async def _page(
        self,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        cursor: Cursor,
        seen: set[str],
        priority: Priority,
    ) -> Page[RowT, TotalsT, QueryT]:
        self._check(query)
        seen.add(cursor.key)

        async def prepare() -> Request:
            return encode_page(query, cursor, await self._tokens.get())

        def decode(response: Response) -> Page[RowT, TotalsT, QueryT]:
            return decode_page(response, query, cursor, seen)

        try:
            return await self._calls.call(query.endpoint.api_id, prepare, decode, priority)
        except KiwoomError as error:
            _state(error, query, cursor)
            raise

    def _check(self, query: Query[Any, Any, Any, Any]) -> None:
        today = datetime.now(KST).date()
        doubt = query.endpoint.check(query, today, self._environment)
        if doubt is not None and doubt not in self._doubts:
            self._doubts.add(doubt)
            warnings.warn(doubt, stacklevel=4)

    async def _issue_token(self) -> Token:
        return await self._token_call(ISSUE_TOKEN, encode_issue(self._keys), decode_token)

    async def _token_call(
        self, api_id: str, request: Request, decode: Callable[[Response], T]
    ) -> T:
        async def prepare() -> Request:
            return request

        return await self._calls.call(api_id, prepare, decode, Priority.INTERACTIVE)


def _state(error: KiwoomError, query: Query[Any, Any, Any, Any], cursor: Cursor) -> None:
    """Say in the error where the walk stood."""
    error.query, error.cursor, error.page = query, cursor, cursor.page - 1


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name}: got {shown(value)}; expected a number above zero")
    return float(value)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: got {shown(value)}; expected a whole number from 1")
    return value
