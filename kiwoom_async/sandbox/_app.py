"""The ASGI application: answers each request, applies due faults, and logs every arrival."""

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from anyio import current_time, sleep
from attrs import field, frozen

from ._access import Access
from ._asgi import Message, Receive, Request, Send, handle_lifespan, read_request, send_reply
from ._faults import Fault, FaultContext, apply_fault
from ._handlers import (
    Call,
    handle,
    loggable_body,
    request_api_id,
    request_app_key,
    request_key,
)
from ._live_market import LiveMarkets, RowChange
from ._market import BLANK_TOTALS, Day
from ._market_data import MarketData
from ._pages import Query, TotalsOn
from ._recorded import Recorded
from ._replies import RefusalError, Reply, firewall_page

_BLOCKED_USER_AGENTS: Final = re.compile(r"Python/3\S* aiohttp/|Python-urllib/")
# Over five hours at five calls a second; older arrivals are forgotten.
_MAX_ARRIVALS: Final = 100_000


@frozen(kw_only=True)
class Arrival:
    """One request as it arrived, and how it was answered.

    `time` is in seconds of the event loop's clock (`anyio.current_time`). `caller` numbers the app
    keys 1, 2, ... in order of first appearance; 0 is an unknown caller. `body` is that of a data
    request and {} for a token request; `fault` is the kind of the fault that changed the answer.
    """

    time: float
    api_id: str
    status: int
    code: str | None
    cont_yn: str
    next_key: str
    fault: str | None
    body: dict[str, Any] = field(repr=False)  # any client may have put a secret in it
    caller: int


class Sandbox:
    """A simulation of Kiwoom's REST API for program trading and tokens: an ASGI application.

    It serves ka90004, the family that agrees with it (ka90003, ka90005 to ka90008, ka90010 and
    ka90013), au10001, au10002, and any request whose answer is in `recorded`.

    `requests_per_second` is the limit of each (app key, api-id); None means no limit. `secrets`
    maps each accepted app key to its secret key; None accepts any pair. `now` returns an aware
    datetime, for token expiry and for "today". `totals_on` exists because it is unknown whether
    the real server repeats totals on every page. `history_days` is the length of daily series. With
    `trades_per_second` above 0, a market trades from the moment one of its days is first asked for,
    and `changes` logs the rows of ka90004 that changed. `firewall` blocks the default User-Agents
    of aiohttp and urllib. `arrivals` logs every request.
    """

    def __init__(
        self,
        *,
        requests_per_second: int | None = 5,
        latency_seconds: float = 0.0,
        faults: Iterable[Fault] = (),
        kospi_stocks: int = 2472,
        kosdaq_stocks: int = 1820,
        secrets: Mapping[str, str] | None = None,
        firewall: bool = True,
        token_lifetime: timedelta = timedelta(hours=24),
        totals_on: TotalsOn = "every page",
        history_days: int = 500,
        trades_per_second: float = 0.0,
        recorded: Iterable[Recorded] = (),
        now: Callable[[], datetime] | None = None,
    ) -> None:
        if not 0 <= trades_per_second < math.inf:
            raise ValueError(f"trades_per_second: got {trades_per_second!r}; expected 0 or more")
        if history_days < 1:
            raise ValueError(f"history_days: got {history_days!r}; expected 1 or more")
        self.requests_per_second = requests_per_second
        self.arrivals: deque[Arrival] = deque(maxlen=_MAX_ARRIVALS)
        self._latency_seconds = latency_seconds
        self._firewall = firewall
        self._faults = tuple(faults)
        self._recorded = tuple(recorded)
        for each in self._recorded:
            if not isinstance(each, Recorded):
                raise ValueError(f"recorded: got {type(each).__name__}; expected Recorded(...)")
        live_markets = LiveMarkets(trades_per_second) if trades_per_second else None
        self.changes: deque[RowChange] = live_markets.changes if live_markets else deque()
        stock_counts = {"P00101": kospi_stocks, "P10102": kosdaq_stocks}
        self._market_data = MarketData(stock_counts, totals_on, history_days, live_markets)
        self._access = Access(secrets, token_lifetime, now)
        self._calls: Counter[str] = Counter()  # by api-id

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await handle_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        else:
            raise NotImplementedError(
                f"scope type: got {scope['type']!r}; expected 'http' or 'lifespan'"
            )

    def rows(self, dt: str, mrkt_tp: str, stex_tp: str) -> list[dict[str, str]]:
        """Return all rows of a day as sent, in the server's order; none for a day without data.

        Of a moving market: the rows as last sent.
        """
        day = self._day(dt, mrkt_tp, stex_tp)
        return [dict(row) for row in day.rows] if day else []

    def totals(self, dt: str, mrkt_tp: str, stex_tp: str) -> dict[str, str]:
        """Return tot_1 .. tot_6 of a day; all "" for a day without data."""
        day = self._day(dt, mrkt_tp, stex_tp)
        return dict(day.totals if day else BLANK_TOTALS)

    def expire_tokens(self) -> None:
        """Invalidate every token issued so far: requests with one are refused with 8005."""
        self._access.expire_all()

    def _day(self, dt: str, mrkt_tp: str, stex_tp: str) -> Day | None:
        return self._market_data.day(Query(dt, mrkt_tp, stex_tp), self._access.now().date())

    async def _serve_http(self, scope: Message, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request is None:
            return
        # No await between reading the clock and logging: arrivals are logged in order of time, and
        # rate windows are exact.
        reply = self._answer(request, current_time())
        # A 429 comes within about 10 ms (`wire-facts.md`, section 4).
        latency = 0.0 if reply.status == 429 else self._latency_seconds
        await sleep(latency + reply.wait_seconds)
        await send_reply(reply, send)

    def _answer(self, request: Request, time: float) -> Reply:
        """Answer a request and log its arrival."""
        api_id = request_api_id(request)
        reply, fault = self._answer_with_faults(request, api_id, time)
        self.arrivals.append(
            Arrival(
                time=time,
                api_id=api_id,
                status=reply.status,
                code=reply.code,
                cont_yn=request.header("cont-yn"),
                next_key=request.header("next-key"),
                fault=fault,
                body=loggable_body(request),
                caller=self._access.caller_number(request_app_key(request, self._access)),
            )
        )
        return reply

    def _answer_with_faults(
        self, request: Request, api_id: str, time: float
    ) -> tuple[Reply, str | None]:
        """Return the answer and the kind of the fault that changed it, if any."""
        self._calls[api_id] += 1
        call = self._calls[api_id]
        fault = next((fault for fault in self._faults if fault.strikes(api_id, call)), None)
        if fault is None:
            return self._answer_normally(request, time), None
        context = FaultContext(
            fault=fault,
            api_id=api_id,
            path=request.path,
            requested_key=request_key(request),
            limit=self.requests_per_second or 5,
            expire_tokens=self.expire_tokens,
        )
        return apply_fault(context, lambda: self._answer_normally(request, time))

    def _answer_normally(self, request: Request, time: float) -> Reply:
        if self._firewall and _BLOCKED_USER_AGENTS.match(request.header("user-agent")):
            return firewall_page()
        limit = self.requests_per_second
        try:
            access, market_data = self._access, self._market_data
            return handle(Call(request, time, limit, access, market_data, self._recorded))
        except RefusalError as refused:
            return refused.reply
