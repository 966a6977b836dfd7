"""KiwoomClient: its settings, and the walks over `page`, the primitive.

Long, because its docstrings are the manual.
"""

import math
import os
from collections.abc import (
    AsyncIterable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime
from inspect import iscoroutinefunction
from itertools import count
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

from ._io.calls import Calls
from ._io.client_state import RunningCall
from ._io.host import AsyncBaseTransport, checked_base_url, in_process
from ._io.http import Engine, HttpxEngine
from ._io.merge import (
    Failure,
    MergedPages,
    Queries,
    check_all_asked,
    check_query,
    merge_pages,
)
from ._io.rate_limit import Priority
from ._io.sharing import Sharing, SharingReport, Unshared
from ._io.walks import PageWalk, RowWalk, StopWhen
from ._io.watch import Change, WalkComplete, Watch
from ._protocol.arguments import (
    checked_count,
    checked_member,
    checked_not_negative,
    checked_positive,
)
from ._protocol.credentials import Credentials
from ._protocol.cursor import Cursor
from ._protocol.estimate import Estimate
from ._protocol.headers import checked_headers, parse_headers
from ._protocol.pages import start_cursor
from ._protocol.query import Environment, Query, RowT, TotalsT
from ._protocol.reply import Reply, raw_request, reply_cursor
from ._protocol.results import Page, Rows, Walk
from .errors import KiwoomError, short_repr
from .events import EventEmitter, Listener

if TYPE_CHECKING:
    from .sandbox import Sandbox

# Outliers of 2.5 s were seen, and a read timeout of 10 s or more is advised (wire-facts.md,
# section 7).
_DEFAULT_TIMEOUT_SECONDS: Final = 15.0


class KiwoomClient:
    """Every row of a query, complete or an error, at the server's pace.

    One client holds one token, one connection pool and one pace; give it to every task of the
    program, and leave it with `async with` or `aclose()`.

    environment: the host and its pace, 5 requests a second in production and 1 on the mock host,
        for each api-id (wire-facts.md, fact 1).
    base_url: another host; https, or http for loopback addresses only.
    requests_per_second: another pace; a lower one when other programs use the same app key and do
        not share it. One above the server's limit lasts until the first 429 names that limit.
    sharing: a place where all programs with the same app key agree on its pace and its token, see
        `kiwoom_async.sharing`; without it the client shares neither. While that place is out of
        reach, calls raise SharingError.
    more_keys: pairs of further app keys and secret keys. Each has a pace and a token of its own;
        a walk stays on one of them, and walks are spread.
    attempts: the number of times that a call is sent before its error is raised.
    timeout: seconds that one attempt may take, from connecting to the last byte.
    transport: any `httpx.AsyncBaseTransport`, closed with the client.
    engine: another way for requests to travel and pages to be read, such as
        `kiwoom_async.speed.FastEngine()`, closed with the client; by default `httpx.AsyncClient`
        and cattrs. ValueError beside `transport`, which is for the default.
    headers: sent with every call, for a relay or gateway in front of the API; they are never
        logged, and must not replace the library's own.
    plain_http: allow http to any host, as to a sandbox in a private network; by default the keys
        travel over https only, but for loopback addresses.
    on_event: called with every `Event` as it happens, in the task it happens in. It must not wait,
        and an exception from it ends the call. The log `kiwoom_async` gets the same events.
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
        engine: Engine | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        plain_http: bool = False,
        on_event: Listener | None = None,
        on_undecoded: Literal["raise", "deliver"] = "raise",
    ) -> None:
        self._environment = checked_member("environment", environment, Environment)
        self._base_url = checked_base_url(
            environment.base_url if base_url is None else base_url, plain_http=plain_http
        )
        if requests_per_second is None:
            requests_per_second = environment.requests_per_second
        self._requests_per_second = checked_positive("requests_per_second", requests_per_second)
        if on_undecoded not in ("raise", "deliver"):
            raise ValueError(
                f"on_undecoded: got {short_repr(on_undecoded)}; allowed are 'raise', 'deliver'"
            )
        self._calls = Calls(
            _checked_engine(engine, self._base_url, transport),
            _all_keys(Credentials(app_key, secret_key), more_keys),
            base_url=self._base_url,
            headers=checked_headers(headers),
            requests_per_second=self._requests_per_second,
            sharing=_checked_sharing(sharing),
            attempts=checked_count("attempts", attempts),
            timeout_seconds=checked_positive("timeout", timeout),
            on_undecoded=on_undecoded,
            environment=environment,
            emitter=EventEmitter(_checked_listener(on_event)),
        )

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Return a client from KIWOOM_APP_KEY, KIWOOM_SECRET_KEY and variables that may be missing.

        KIWOOM_ENVIRONMENT: production (the default) or mock. KIWOOM_BASE_URL: another host.
        KIWOOM_HEADERS: headers for a relay, as lines of `Name: value` or a JSON object.
        KIWOOM_PLAIN_HTTP: 1 allows http to any host. KIWOOM_SHARING: what
        `kiwoom_async.sharing.from_url` takes. KIWOOM_APP_KEY_2 and KIWOOM_SECRET_KEY_2, _3 and so
        on: more keys. `options` are those of the class, and override the variables. ValueError
        names what is missing.
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
        text = os.environ.get("KIWOOM_HEADERS", "").strip()
        if text and "headers" not in options:
            found["headers"] = parse_headers(text)
        plain = os.environ.get("KIWOOM_PLAIN_HTTP", "0")
        if plain not in ("", "0", "1") and "plain_http" not in options:
            raise ValueError(f"KIWOOM_PLAIN_HTTP: got {plain!r}; allowed are 0, 1")
        found["plain_http"] = plain == "1"
        return cls(*keys, **(found | options))

    @classmethod
    def sandbox(cls, sandbox: "Sandbox | None" = None, **options: Any) -> Self:
        """Return a client of a simulated exchange in this process: no keys, no network.

        `sandbox` is one of your own making, with faults or without a limit; its limit is the
        client's pace. `options` are those of the class; with `requests_per_second` and no
        `sandbox`, the exchange has no limit of its own.
        """
        from .sandbox import Sandbox  # noqa: PLC0415 - only programs that want it pay for it

        if "engine" in options:
            raise ValueError(
                "engine: the sandbox in this process is reached by the default engine; for another "
                "one, serve it on a port (kiwoom-async sandbox) and name it with base_url"
            )
        limit = None if "requests_per_second" in options else 5
        exchange = Sandbox(requests_per_second=limit) if sandbox is None else sandbox
        defaults: dict[str, Any] = {
            "base_url": "http://localhost",
            "requests_per_second": exchange.requests_per_second or math.inf,
            "transport": in_process(exchange),
        }
        return cls("sandbox-app-key", "sandbox-secret-key", **(defaults | options))

    async def __aenter__(self) -> Self:
        self._calls.state.check_event_loop()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every running call with RuntimeError, and close the connections.

        The token stays alive: other programs may hold it.
        """
        await self._calls.aclose()

    def __repr__(self) -> str:
        return f"<KiwoomClient {self._base_url}, {self._requests_per_second:g} requests/s>"

    @property
    def environment(self) -> Environment:
        """The environment that the client is for."""
        return self._environment

    @property
    def base_url(self) -> str:
        """The URL that calls go to."""
        return self._base_url

    @property
    def requests_per_second(self) -> float:
        """The pace that the client was made with, for each api-id; a 429 may have lowered it."""
        return self._requests_per_second

    async def token_expires(self) -> datetime:
        """Return the moment at which the token expires, as the server stated it, in KST.

        Issues one if none is cached; of several app keys, it is the token that expires first. All
        programs with an app key share one token, and issuing returns the one that is valid: it may
        have minutes left (wire-facts.md, fact 7).
        """
        with RunningCall(self._calls.state):
            tokens = [await account.tokens.get() for account in self._calls.accounts]
        return min(token.expires for token in tokens)

    async def sharing_reports(self) -> list[SharingReport]:
        """Return a report for each app key; SharingError if who shares it cannot be known."""
        with RunningCall(self._calls.state):
            return [await account.sharing_report() for account in self._calls.accounts]

    async def page(
        self, query: Query[RowT, TotalsT], cursor: Cursor | None = None
    ) -> Page[RowT, TotalsT]:
        """Return the page at `cursor`, or the first.

        KiwoomError if it cannot be had whole; ValueError for a day that has not come.
        """
        self._calls.check(query)
        start = start_cursor(query, cursor)
        page = await self._calls.page(query, start, Priority.INTERACTIVE)
        self._calls.page_counts.learn(page)
        return page

    def pages(
        self,
        query: Query[RowT, TotalsT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
    ) -> PageWalk[RowT, TotalsT]:
        """Return an async generator of every page in the server's order, from `start` or the first.

        It ends without a KiwoomError only after the last page; the error's `cursor` is where to
        resume. Nothing is held between pages, so that `break` is harmless. An `anext` that is
        cancelled (by a timeout, say) loses nothing: the next one goes on. Its `cursor` is the page
        that comes next.

        deadline: seconds from the first `anext` that the walk may take in all, the caller's own
            included; then TransportTimeout, with the cursor.
        """
        self._calls.check(query)
        return PageWalk(self._calls, query, start, checked_positive("deadline", deadline))

    def rows(
        self,
        query: Query[RowT, TotalsT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
    ) -> RowWalk[RowT]:
        """Return an async generator of every row in the server's order.

        Errors, cancellation and deadline as in `pages`. Its `cursor` is the page of the row that
        came last.
        """
        self._calls.check(query)
        return RowWalk(PageWalk(self._calls, query, start, checked_positive("deadline", deadline)))

    async def collect(
        self,
        query: Query[RowT, TotalsT],
        *,
        start: Cursor | None = None,
        deadline: float = math.inf,
        stop_when: Callable[[RowT], object] | None = None,
    ) -> Walk[RowT, TotalsT]:
        """Return all rows at once, with totals and audit.

        All or nothing: when it fails, no page was delivered, and the error's `cursor` is where
        this call began.

        stop_when: a function of a row; the page in which it first holds is the last one, and is
            delivered whole. `walk.audit.stopped` says so, and `walk.next` is where to go on.
            `lambda row: row.date < since` asks a series that comes newest first no further than
            it must.
        """
        self._calls.check(query)
        walk = PageWalk(
            self._calls,
            query,
            start,
            checked_positive("deadline", deadline),
            stop_when=_checked_stop_when(stop_when),
        )
        first = walk.cursor
        try:
            async with aclosing(walk):
                rows = Rows([row async for page in walk for row in page.rows], query.row_class)
        except KiwoomError as error:
            error.locate(query, first)
            raise
        return Walk(query, rows, walk.tally.totals, walk.tally.audit(), walk.cursor)

    async def call(
        self,
        api_id: str,
        body: Mapping[str, str] = MappingProxyType({}),
        *,
        cursor: Cursor | None = None,
        path: str | None = None,
    ) -> Reply:
        """Return the answer to any request that reads, as it came: for what no `Query` declares.

        `await kiwoom.call("ka10001", {"stk_cd": "005930"})`; the values are texts, as Kiwoom takes
        them. Token, pace, retries and errors are those of `page`. No value is read, and no walk
        audited.

            reply = await kiwoom.call("ka10081", body)
            while reply.next:
                reply = await kiwoom.call("ka10081", body, cursor=reply.next)
                if not reply.restarted:  # else page one again, at the end
                    ...

        cursor: the page to ask for, `reply.next` or an error's `cursor`; ContinuationError for one
            of another api-id or body.
        path: of a request that is not published, or has moved; by default the one published for
            the api-id, see `published_requests`.

        ValueError, before anything is sent, for an api-id without a path, a body that is not text,
        and for requests that trade or carry keys: a retry could place an order twice.
        """
        request = raw_request(api_id, body, path)
        return await self._calls.reply(request, reply_cursor(request, cursor))

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT],
        *,
        start: Mapping[Any, Cursor] = ...,
        deadline: float = ...,
        concurrency: int = ...,
        on_error: Literal["raise"] = "raise",
        stop_when: Callable[[RowT], object] | None = ...,
    ) -> AbstractAsyncContextManager[MergedPages[Page[RowT, TotalsT], RowT]]: ...

    @overload
    def merge(
        self,
        queries: Queries[RowT, TotalsT],
        *,
        start: Mapping[Any, Cursor] = ...,
        deadline: float = ...,
        concurrency: int = ...,
        on_error: Literal["deliver"],
        stop_when: Callable[[RowT], object] | None = ...,
    ) -> AbstractAsyncContextManager[
        MergedPages[Page[RowT, TotalsT] | Failure, RowT | Failure]
    ]: ...

    def merge(
        self,
        queries: Queries[Any, Any],
        *,
        start: Mapping[Any, Cursor] = MappingProxyType({}),
        deadline: float = math.inf,
        concurrency: int = 8,
        on_error: Literal["raise", "deliver"] = "raise",
        stop_when: Callable[[Any], object] | None = None,
    ) -> AbstractAsyncContextManager[MergedPages[Any, Any]]:
        """Walk many queries at once: `async with kiwoom.merge(queries) as pages`.

        Pages come in order within a query, fairly mixed between queries, `concurrency` of which
        are walked at a time; `queries` may be an async iterable, and is taken as walks become
        free. Calls of a merge let interactive ones go first.

        start: the cursors of queries that were left half-way, as in
            `{failure.query: failure.cursor}`; the others begin at their first page.
        deadline: seconds that all of it may take; then each unfinished walk is a TransportTimeout.
        on_error: "raise" ends the merge with the first query's error, bare; "deliver" gives a
            `Failure` among the pages, and every other query completes.
        stop_when: a function of a row; the page of a query in which it first holds is the last
            one of that query.

        ValueError for a query that comes twice or for a day that has not come: at once, or when
        a lazy iterable yields it, which ends the merge.
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
        for query, cursor in start.items():
            if not isinstance(query, Query):
                raise ValueError(f"start: got the key {short_repr(query)}; expected a query")
            start_cursor(query, cursor)
        if isinstance(queries, Collection):
            self._checked(queries)
            check_all_asked(start, queries)
        return merge_pages(
            self._calls,
            queries,
            start,
            deadline_seconds=checked_positive("deadline", deadline),
            concurrency=checked_count("concurrency", concurrency),
            on_error=on_error,
            stop_when=_checked_stop_when(stop_when),
        )

    def watch(
        self,
        queries: Iterable[Query[RowT, TotalsT]] | Callable[[], Iterable[Query[RowT, TotalsT]]],
        *,
        every: float = 0.0,
    ) -> Watch[Change[RowT] | WalkComplete | Failure]:
        """Walk the queries one after the other, again and again, and give what changes.

        Gives a `Change` for each row that is not as it was in the walk before (in the first walk,
        every row), as its page comes, and for each that a complete walk has not brought again;
        a `WalkComplete` with the audit after each complete walk; a `Failure` for one that was not,
        whose query has its turn again in the next round. After a round that brought nothing but
        failures it waits, at most 30 s. As bulk work, it lets interactive calls go first.

        One call is under way at a time: the pace is kept as long as answers take less than the
        spacing of calls (0.2 s), and a query that fails makes the others wait for its attempts.

        queries: or a function that returns those of the next round, called before each one: for a
            program that is up for days, `lambda: [ProgramTradeQuery(today(), ...)]`. A warning
            says once when a day that was watched has passed.
        every: seconds from the beginning of one round to that of the next, at least. A warning
            says once when the pace does not allow it.

        While the market is open a walk takes in no one moment (wire-facts.md, section 5): a stock
        that moved between pages may be missing, and is gone then until it is new again. Rows of one
        key (`Query.row_key`) in one walk are rows of their own, in the server's order.

        A query whose rows come newest first (`Query.newest_first`) is walked whole once; later
        walks end after the first page that ends with a row as it was (`audit.stopped`).
        """
        if not callable(queries):
            queries = self._checked(queries)
            if not queries:
                raise ValueError("queries: got none; there is nothing to watch")
        return Watch(self._calls, queries, checked_not_negative("every", every))

    def estimate(self, queries: Iterable[Query[RowT, TotalsT]]) -> Estimate:
        """Estimate the calls that the queries will take, and the seconds at the present pace.

        From the walks that this client has seen, or else from a day measured by others
        (wire-facts.md, fact 2). An iterator is used up.
        """
        return self._calls.estimate(self._checked(queries))

    async def revoke_token(self) -> None:
        """Revoke the token for every program that holds it; nothing is sent if none is cached.

        Never done unasked: all programs with this app key share one token (wire-facts.md, fact 7).
        With several app keys, the token of each.
        """
        for account in self._calls.accounts:
            if (token := account.tokens.cached) is not None:
                await self._calls.revoke_token(account, token)

    def _checked(self, queries: Iterable[Query[RowT, TotalsT]]) -> list[Query[RowT, TotalsT]]:
        """Return the queries; ValueError for any that cannot be asked."""
        if not isinstance(queries, Iterable):
            raise ValueError(f"queries: got {short_repr(queries)}; expected an iterable of queries")
        listed = list(queries)
        seen: set[object] = set()
        for query in listed:
            check_query(query, seen)
        for query in listed:
            self._calls.check(query, stacklevel=4)
        return listed


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
    """Return the credentials of each app key; ValueError for one that comes twice."""
    found = {first.app_key: first}
    for number, pair in enumerate(more_keys, 2):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            got = f"a {type(pair).__name__}"
            if isinstance(pair, tuple | list):
                got += f" of {len(pair)}"
            raise ValueError(f"more_keys: item {number} must be (app_key, secret_key), got {got}")
        keys = Credentials(*pair)
        if keys.app_key in found:
            raise ValueError(f"more_keys: app key number {number} came before")
        found[keys.app_key] = keys
    return list(found.values())


def _checked_engine(
    engine: Engine | None, base_url: str, transport: AsyncBaseTransport | None
) -> Engine:
    if transport is not None and not isinstance(transport, AsyncBaseTransport):
        raise ValueError(f"transport: got {short_repr(transport)}; expected an AsyncBaseTransport")
    if engine is None:
        return HttpxEngine(base_url, transport)
    if transport is not None:
        raise ValueError("transport: got one beside engine; it is for the default engine alone")
    if not isinstance(engine, Engine) or isinstance(engine, type):
        raise ValueError(f"engine: got {short_repr(engine)}; expected a FastEngine()")
    return engine


def _checked_sharing(sharing: Sharing | None) -> Sharing:
    if sharing is None:
        return Unshared()
    if not isinstance(sharing, Sharing) or isinstance(sharing, type):
        raise ValueError(f"sharing: got {short_repr(sharing)}; expected SharedFiles or SharedRedis")
    return sharing


def _checked_stop_when(stop_when: StopWhen | None) -> StopWhen | None:
    if stop_when is not None and (not callable(stop_when) or iscoroutinefunction(stop_when)):
        raise ValueError(
            f"stop_when: got {short_repr(stop_when)}; expected a plain function of a row"
        )
    return stop_when


def _checked_listener(on_event: Listener | None) -> Listener | None:
    if on_event is not None and (not callable(on_event) or iscoroutinefunction(on_event)):
        raise ValueError(f"on_event: got {short_repr(on_event)}; expected a plain function")
    return on_event
