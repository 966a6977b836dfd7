"""KiwoomClient: its settings, and the walks over `page`, the primitive.

Joins the pure half to calls and token; knows no particular TR and no HTTP library. Long, because
its docstrings are the manual.
"""

import math
import os
import warnings
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from inspect import iscoroutinefunction
from itertools import count
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, overload

from anyio import current_time
from attrs import evolve

from ._io.accounts import Account, Accounts
from ._io.calls import Call, Calls
from ._io.http import AsyncBaseTransport, Transport, checked_base_url, in_process
from ._io.merge import Failure, MergedPages, Queries, all_asked, checked, merging
from ._io.rate_limit import Priority
from ._io.sharing import Sharing, SharingReport, Unshared
from ._io.walks import Source, start_of, walk_pages, walk_rows
from ._io.watch import Change, WalkComplete, Watch
from ._protocol.convert import KST
from ._protocol.cursor import Cursor
from ._protocol.estimate import Estimate, PageCounts
from ._protocol.messages import (
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
from ._protocol.pages import decode_page, encode_page
from ._protocol.query import (
    AuditT,
    Environment,
    Page,
    Query,
    QueryT,
    RowT,
    TotalsT,
    Walk,
)
from .errors import KiwoomError, short_repr
from .events import Event, EventEmitter, TokenRenewed

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
    requests_per_second: another pace; a lower one when other programs use the same app key and do
        not share it. One above the server's limit lasts until the first 429 names that limit.
    sharing: where all programs with the same app key agree on its pace and its token, see
        `kiwoom_async.sharing`; without it this client is alone. While that place is out of reach,
        calls raise SharingError.
    more_keys: pairs of further app keys and secret keys. Each has a pace and a token of its own;
        a walk stays on one of them, and walks are spread.
    attempts: how often one call is sent before its error is raised.
    timeout: seconds that one attempt may take, from connecting to the last byte.
    transport: any `httpx.AsyncBaseTransport`, closed with the client.
    on_event: told of every `Event` as it happens, in the task it happens in. It must not wait, and
        whatever it raises ends the call that told it. The log `kiwoom_async` says the same.

    on_undecoded: "raise" ends a walk with DecodeError at a row that cannot be read; "deliver" puts
        it into `page.undecoded` as it came, counts it in the audit, and goes on.

    A client belongs to the event loop in which it is first used; RuntimeError in another, and once
    it is closed. ValueError for an argument that cannot be used, before anything is sent.
    """

    def __init__(
        self,
        app_key: str,
        secret_key: str,
        *,
        environment: Environment = Environment.PRODUCTION,
        base_url: str | None = None,
        requests_per_second: float | None = None,
        sharing: Sharing | None = None,
        more_keys: Iterable[tuple[str, str]] = (),
        attempts: int = 4,
        timeout: float = _DEFAULT_TIMEOUT_SECONDS,
        transport: AsyncBaseTransport | None = None,
        on_event: Callable[[Event], object] | None = None,
        on_undecoded: Literal["raise", "deliver"] = "raise",
    ) -> None:
        if not isinstance(environment, Environment):
            raise ValueError(
                f"environment: got {short_repr(environment)}; allowed are Environment.PRODUCTION, "
                "Environment.MOCK"
            )
        all_keys = _all_keys(Credentials(app_key, secret_key), more_keys)
        self._environment = environment
        self._base_url = checked_base_url(environment.base_url if base_url is None else base_url)
        if requests_per_second is None:
            requests_per_second = environment.requests_per_second
        self._requests_per_second = _positive("requests_per_second", requests_per_second)
        if transport is not None and not isinstance(transport, AsyncBaseTransport):
            raise ValueError(
                f"transport: got {short_repr(transport)}; expected an AsyncBaseTransport"
            )
        if on_event is not None and (not callable(on_event) or iscoroutinefunction(on_event)):
            raise ValueError(f"on_event: got {short_repr(on_event)}; expected a plain function")
        if on_undecoded not in ("raise", "deliver"):
            raise ValueError(
                f"on_undecoded: got {short_repr(on_undecoded)}; allowed are 'raise', 'deliver'"
            )
        self._on_undecoded = on_undecoded
        transport_timeout = _positive("timeout", timeout)
        self._tell = EventEmitter(on_event)
        self._sharing = Unshared() if sharing is None else sharing
        if not isinstance(self._sharing, Sharing) or isinstance(self._sharing, type):
            raise ValueError(
                f"sharing: got {short_repr(sharing)}; expected SharedFiles or SharedRedis"
            )
        self._accounts = Accounts(
            Account(
                keys,
                self._base_url,
                requests_per_second=self._requests_per_second,
                sharing=self._sharing,
                issue=self._issue_token,
            )
            for keys in all_keys
        )
        self._calls = Calls(
            Transport(self._base_url, timeout_seconds=transport_timeout, transport=transport),
            attempts=_count("attempts", attempts),
            secrets=tuple(key for keys in all_keys for key in (keys.app_key, keys.secret_key)),
            tell=self._tell,
        )
        self._source = Source(self._page, self._calls.rest, self._tell)
        self._sizes = PageCounts()
        self._tokenless = {account.name for account in self._accounts}
        self._doubts: set[str] = set()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client from KIWOOM_APP_KEY, KIWOOM_SECRET_KEY and four variables that may be missing.

        KIWOOM_ENVIRONMENT: production (the default) or mock. KIWOOM_BASE_URL: another host.
        KIWOOM_SHARING: what `kiwoom_async.sharing.from_url` takes. KIWOOM_APP_KEY_2 and
        KIWOOM_SECRET_KEY_2, _3 and so on: more keys. `options` are those of the class, and
        override the variables. ValueError names what is missing.
        """
        keys, *more_keys = _keys_in_environment()
        name = os.environ.get("KIWOOM_ENVIRONMENT") or "production"
        if name.lower() not in {environment.value for environment in Environment}:
            raise ValueError(f"KIWOOM_ENVIRONMENT: got {name!r}; allowed are production, mock")
        found: dict[str, Any] = {
            "environment": Environment(name.lower()),
            "base_url": os.environ.get("KIWOOM_BASE_URL") or None,
            "more_keys": more_keys,
        }
        if (place := os.environ.get("KIWOOM_SHARING")) and "sharing" not in options:
            from .sharing import from_url  # noqa: PLC0415 - only programs that share pay for it

            found["sharing"] = from_url(place)
        return cls(*keys, **(found | options))

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
        self._calls.at_home()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every call under way with RuntimeError, and close the connections.

        The token stays alive: other programs may hold it.
        """
        await self._calls.aclose()

    def __repr__(self) -> str:
        return f"<KiwoomClient {self._base_url}, {self._requests_per_second:g} requests/s>"

    @property
    def environment(self) -> Environment:
        """The environment it was made for."""
        return self._environment

    @property
    def base_url(self) -> str:
        """Where calls go."""
        return self._base_url

    @property
    def requests_per_second(self) -> float:
        """The pace it was made with, for each api-id; a 429 may have lowered it since."""
        return self._requests_per_second

    async def token_expires(self) -> datetime:
        """Until when the token is valid, as the server stated it, in KST.

        Issues one where none is held; of several app keys, it is the token that dies first. All
        programs with an app key share one token, and issuing gives the one that lives: it may have
        minutes left (wire-facts.md, fact 7).
        """
        with self._calls.lived():
            return min([(await account.tokens.get()).expires for account in self._accounts])

    async def sharing_reports(self) -> list[SharingReport]:
        """Who shares what, one report for each app key; SharingError where it cannot be known."""
        with self._calls.lived():
            return [await self._sharing.report(account.name) for account in self._accounts]

    async def page(
        self, query: Query[RowT, TotalsT, QueryT, AuditT], cursor: Cursor | None = None
    ) -> Page[RowT, TotalsT, QueryT]:
        """One page: the one at `cursor`, or the first.

        KiwoomError when it cannot be had whole; ValueError for a day that has not come.
        """
        first = start_of(query, cursor)
        return await self._page(query, first, Priority.INTERACTIVE, math.inf)

    def pages(
        self,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
    ) -> AsyncGenerator[Page[RowT, TotalsT, QueryT], None]:
        """Every page in the server's order, from `start` or the first.

        Ends without a KiwoomError only after the last page; the error's `cursor` is where to go
        on. Nothing is held between pages, so that `break` is harmless. An `anext` that is
        cancelled ends it, like any generator: another begins at the last page's `next`.

        deadline: seconds from the first `anext` that the walk may take in all, the caller's own
            included; then TransportTimeout, with the cursor.
        """
        return walk_pages(self._source, query, start, _until(deadline))

    def rows(
        self,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
    ) -> AsyncGenerator[RowT, None]:
        """Every row of every page in the server's order, errors and deadline as in `pages`."""
        return walk_rows(self._source, query, start, _until(deadline))

    async def collect(
        self,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
    ) -> Walk[RowT, TotalsT, QueryT, AuditT]:
        """All rows at once, with totals and audit.

        All or nothing: when it fails, no page was delivered, and the error's `cursor` is where
        this call began.
        """
        first = start_of(query, start)
        try:
            pages = [page async for page in self.pages(query, start=first, deadline=deadline)]
        except KiwoomError as error:
            _state(error, query, first)
            raise
        return Walk.of(query, pages)

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT, QueryT, AuditT],
        *,
        start: Mapping[Any, Cursor] = ...,
        deadline: float = ...,
        concurrency: int = ...,
        on_error: Literal["raise"] = "raise",
    ) -> AbstractAsyncContextManager[MergedPages[Page[RowT, TotalsT, QueryT], RowT]]: ...

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT, QueryT, AuditT],
        *,
        start: Mapping[Any, Cursor] = ...,
        deadline: float = ...,
        concurrency: int = ...,
        on_error: Literal["deliver"],
    ) -> AbstractAsyncContextManager[
        MergedPages[Page[RowT, TotalsT, QueryT] | Failure[QueryT], RowT | Failure[QueryT]]
    ]: ...

    def merge(
        self,
        queries: Queries[Any, Any, Any, Any],
        *,
        start: Mapping[Any, Cursor] = MappingProxyType({}),
        deadline: float = math.inf,
        concurrency: int = 8,
        on_error: Literal["raise", "deliver"] = "raise",
    ) -> AbstractAsyncContextManager[MergedPages[Any, Any]]:
        """Many queries at once under one pace: `async with kiwoom.merge(queries) as pages`.

        Pages come in order within a query, fairly mixed between queries, `concurrency` of which
        are walked at a time; `queries` may be an async iterable, and is taken as walks become
        free. Calls of a merge let interactive ones go first.

        start: where to begin the queries that were left half-way, as in
            `{failure.query: failure.cursor}`; the others begin at their first page.
        deadline: seconds that all of it may take; then each unfinished walk is a TransportTimeout.
        on_error: "raise" ends the merge with the first query's error, bare; "deliver" gives a
            `Failure` among the pages, and every other query completes.

        ValueError for a query that comes twice or whose day has not come: at once, or where a
        lazy iterable brings it, which ends the merge.
        """
        if on_error not in ("raise", "deliver"):
            raise ValueError(
                f"on_error: got {short_repr(on_error)}; allowed are 'raise', 'deliver'"
            )
        if not isinstance(queries, Iterable | AsyncIterable):
            raise ValueError(f"queries: got {short_repr(queries)}; expected an iterable of queries")
        if not isinstance(start, Mapping):
            raise ValueError(
                f"start: got {short_repr(start)}; expected a mapping of queries to cursors"
            )
        checked(start)
        for query, cursor in start.items():
            start_of(query, cursor)
        if isinstance(queries, Collection):
            self._checked(queries)
            all_asked(start, queries)
        return merging(
            self._source,
            queries,
            start,
            until=_until(deadline),
            concurrency=_count("concurrency", concurrency),
            on_error=on_error,
        )

    def watch(
        self, queries: Iterable[Query[RowT, TotalsT, QueryT, AuditT]], *, every: float = 0.0
    ) -> Watch[Change[RowT, QueryT] | WalkComplete[QueryT, AuditT] | Failure[QueryT]]:
        """What changes: the queries are walked one after the other, again and again, for ever.

        Gives a `Change` for each row that is not as it was in the walk before (in the first walk,
        every row), as its page comes, and for each that a complete walk has not brought again;
        a `WalkComplete` with the audit after each complete walk; a `Failure` for one that was not,
        whose query has its turn again in the next round. After a round that brought nothing but
        failures it waits, at most 30 s. As bulk work, it lets interactive calls go first.

        One call is under way at a time: the pace is kept as long as answers take less than the
        spacing of calls (0.2 s), and a query that fails makes the others wait for its attempts.

        every: seconds from the beginning of one round to that of the next, at least. A warning
            says once when the pace does not allow it.

        While the market is open a walk takes in no one moment (wire-facts.md, section 5): a stock
        that moved between pages may be missing, and is gone then until it is new again; one that
        comes twice counts as it came first, and is in the audit.
        """
        listed = self._checked(queries)
        if not listed:
            raise ValueError("queries: got none; there is nothing to watch")
        every_seconds = 0.0 if _is_zero(every) else _positive("every", every)
        return Watch(self._source, listed, every_seconds, lambda: self.estimate(listed))

    def estimate(self, queries: Iterable[Query[RowT, TotalsT, QueryT, AuditT]]) -> Estimate:
        """How many calls the queries will take, and how long at the present pace.

        From the walks that this client has seen, or else from a day measured by others
        (wire-facts.md, fact 2). An iterator is used up.
        """
        calls = Counter[str]()
        listed = self._checked(queries)
        for query in listed:
            calls[query.endpoint.api_id] += self._sizes.pages(query)
        spacing = self._accounts.spacing_seconds
        seconds = max((spacing(api_id) * number for api_id, number in calls.items()), default=0.0)
        return Estimate(len(listed), calls.total(), seconds)

    async def revoke_token(self) -> None:
        """End the token for every program that holds it; nothing is sent where none is held.

        Never done unasked: all programs with this app key share one token (wire-facts.md, fact 7).
        With several app keys, the token of each.
        """
        for account in self._accounts:
            if (token := account.tokens.held) is not None:
                request = encode_revoke(account.keys, token)
                await self._token_call(REVOKE_TOKEN, account, request, decode_body)
                await account.tokens.forget(token)

    async def _page(
        self,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        cursor: Cursor,
        priority: Priority,
        until: float,
    ) -> Page[RowT, TotalsT, QueryT]:
        self._check(query)
        try:
            account = self._accounts.of(cursor)
            if len(self._accounts) > 1:
                cursor = evolve(cursor, account=account.name)
            page = await self._answered(account, query, cursor, priority, until)
        except KiwoomError as error:
            _state(error, query, cursor)
            raise
        self._sizes.learn(page)
        self._tell.of_page(page)
        return page

    async def _answered(
        self,
        account: Account,
        query: Query[RowT, TotalsT, QueryT, AuditT],
        cursor: Cursor,
        priority: Priority,
        until: float,
    ) -> Page[RowT, TotalsT, QueryT]:
        async def prepare() -> Request:
            return encode_page(query, cursor, await account.tokens.get())

        def decode(response: Response) -> Page[RowT, TotalsT, QueryT]:
            return decode_page(response, query, cursor, on_undecoded=self._on_undecoded)

        api_id, ready = query.endpoint.api_id, account.tokens.get
        call = Call(api_id, account, prepare, decode, priority, query, ready)
        account.under_way += 1
        try:
            return await self._calls.answer(call, until)
        finally:
            account.under_way -= 1

    def _checked(self, queries: Iterable[Query[Any, Any, Any, Any]]) -> list[Any]:
        if not isinstance(queries, Iterable):
            raise ValueError(f"queries: got {short_repr(queries)}; expected an iterable of queries")
        listed = list(queries)
        checked(listed)
        for query in listed:
            self._check(query)
        return listed

    def _check(self, query: Query[Any, Any, Any, Any]) -> None:
        today = datetime.now(KST).date()
        doubt = query.endpoint.check(query, today, self._environment)
        if doubt is not None and doubt not in self._doubts:
            self._doubts.add(doubt)
            warnings.warn(doubt, stacklevel=4)

    async def _issue_token(self, account: Account) -> Token:
        request = encode_issue(account.keys)
        token = await self._token_call(ISSUE_TOKEN, account, request, decode_token)
        first = account.name in self._tokenless
        self._tokenless.discard(account.name)
        self._tell(TokenRenewed(expires=token.expires, first=first))
        return token

    async def _token_call(
        self, api_id: str, account: Account, request: Request, decode: Callable[[Response], T]
    ) -> T:
        async def prepare() -> Request:
            return request

        call = Call(api_id, account, prepare, decode, Priority.INTERACTIVE)
        return await self._calls.answer(call)


def _keys_in_environment() -> Iterator[tuple[str, str]]:
    for number in count(1):
        suffix = "" if number == 1 else f"_{number}"
        names = f"KIWOOM_APP_KEY{suffix}", f"KIWOOM_SECRET_KEY{suffix}"
        app_key, secret_key = (os.environ.get(name, "") for name in names)
        if number > 1 and not (app_key or secret_key):
            return
        if not (app_key and secret_key):
            raise ValueError(f"set {names[0]} and {names[1]} to the keys of the portal")
        yield app_key, secret_key


def _all_keys(first: Credentials, more_keys: Iterable[tuple[str, str]]) -> list[Credentials]:
    """The credentials of each app key; ValueError for one that comes twice."""
    found = {first.app_key: first}
    for number, pair in enumerate(more_keys, 2):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"more_keys: number {number} is no pair (app key, secret key)")
        keys = Credentials(*pair)
        if keys.app_key in found:
            raise ValueError(f"more_keys: app key number {number} came before")
        found[keys.app_key] = keys
    return list(found.values())


def _state(error: KiwoomError, query: Query[Any, Any, Any, Any], cursor: Cursor) -> None:
    """Say in the error where the walk stood."""
    error.query, error.cursor, error.page = query, cursor, cursor.page - 1


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name}: got {short_repr(value)}; expected a number above zero")
    return float(value)


def _until(deadline: float) -> Callable[[], float]:
    """The moment of the event loop's clock so many seconds after it is asked for."""
    seconds = _positive("deadline", deadline)
    return lambda: current_time() + seconds


def _is_zero(value: object) -> bool:
    return value == 0 and not isinstance(value, bool)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: got {short_repr(value)}; expected a whole number from 1")
    return value
