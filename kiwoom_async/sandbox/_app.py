"""The application: one request in, one answer out, one line in the log.

Decides what comes first (firewall, fault, checks) and how long an answer waits; the rest is asked.
"""

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from anyio import current_time, sleep
from attrs import field, frozen

from ._access import Access
from ._asgi import Message, Receive, Request, Send, lifespan, read_request, send_reply
from ._calls import Call, Listing, answer, api_id_of, app_key_of, asked_key, data_body
from ._faults import Fault, Situation, struck
from ._market import BLANK_TOTALS, Day
from ._moving import Moving, RowChange
from ._pages import Query, TotalsOn
from ._replies import RefusalError, Reply, blocked

_BLOCKED_AGENTS: Final = re.compile(r"Python/3\S* aiohttp/|Python-urllib/")
# Most of a day at the full pace; older arrivals are forgotten.
_LOG_LENGTH: Final = 100_000
_TOO_MANY_REQUESTS: Final = 429


@frozen(kw_only=True)
class Arrival:
    """One request as the server saw it, and how it was answered.

    `time` is in seconds of the event loop's clock (`anyio.current_time`). `caller` numbers the app
    keys 1, 2, ... in order of appearance, 0 is nobody known. `body` is that of a data request,
    never of a token request; `fault` names the fault that shaped the answer.
    """

    time: float
    api_id: str
    status: int
    code: str | None
    cont_yn: str
    next_key: str
    fault: str | None
    body: dict[str, Any] = field(repr=False)  # whatever a stranger's client put there
    caller: int


class Sandbox:
    """Kiwoom's REST API for ka90004, au10001 and au10002, simulated: an ASGI application.

    `requests_per_second` holds for each (app key, api-id), None lifts it. `secrets` maps the app
    keys that are let in to their secret keys; without it any pair is. `now` is an aware wall clock
    for token expiry and for "today". Whether the real server repeats totals on every page is
    unknown, hence `totals_on`. With `trades_per_second` every market goes on trading from the
    moment a day of it is first asked for, and `changes` says what has changed. `firewall` turns
    away the default User-Agents of aiohttp and urllib.
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
        trades_per_second: float = 0.0,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.requests_per_second = requests_per_second
        self.arrivals: deque[Arrival] = deque(maxlen=_LOG_LENGTH)
        self._latency_seconds = latency_seconds
        self._firewall = firewall
        self._faults = tuple(faults)
        if not 0 <= trades_per_second < math.inf:
            raise ValueError(f"trades_per_second: got {trades_per_second!r}; expected 0 or more")
        moving = Moving(trades_per_second) if trades_per_second else None
        self.changes: deque[RowChange] = moving.changes if moving else deque()
        counts = {"P00101": kospi_stocks, "P10102": kosdaq_stocks}
        self._listing = Listing(counts, totals_on, moving)
        self._access = Access(secrets, token_lifetime, now)
        self._calls: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            raise NotImplementedError(f"the sandbox does not speak {scope['type']}")

    def rows(self, dt: str, mrkt_tp: str, stex_tp: str) -> list[dict[str, str]]:
        """All rows of a day in the server's order, as the wire spells them; none on a day off.

        Where the market moves, as it was last shown to anybody.
        """
        whole = self._day(dt, mrkt_tp, stex_tp)
        return [dict(row) for row in whole.rows] if whole else []

    def totals(self, dt: str, mrkt_tp: str, stex_tp: str) -> dict[str, str]:
        """tot_1 .. tot_6 of a day; all "" on a day off."""
        whole = self._day(dt, mrkt_tp, stex_tp)
        return dict(whole.totals if whole else BLANK_TOTALS)

    def expire_tokens(self) -> None:
        """From now on every token issued so far answers 8005."""
        self._access.expire_all()

    def _day(self, dt: str, mrkt_tp: str, stex_tp: str) -> Day | None:
        return self._listing.day(Query(dt, mrkt_tp, stex_tp), self._access.moment().date())

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request is None:
            return
        # Nothing awaits between the stamp and the log: arrivals are in order, windows are exact.
        time = current_time()
        reply = self._answer(request, time)
        # Recorded: a 429 comes within about 10 ms.
        latency = 0.0 if reply.status == _TOO_MANY_REQUESTS else self._latency_seconds
        await sleep(latency + reply.wait_seconds)
        await send_reply(reply, send)

    def _answer(self, request: Request, time: float) -> Reply:
        api_id = api_id_of(request)
        # Asked before the answer: revoking or killing a token must not hide whose it was.
        caller = self._access.number(app_key_of(request, self._access))
        reply, fault = self._struck(request, api_id, time)
        self.arrivals.append(
            Arrival(
                time=time,
                api_id=api_id,
                status=reply.status,
                code=reply.code,
                cont_yn=request.header("cont-yn"),
                next_key=request.header("next-key"),
                fault=fault,
                body=data_body(request),
                caller=caller,
            )
        )
        return reply

    def _struck(self, request: Request, api_id: str, time: float) -> tuple[Reply, str | None]:
        self._calls[api_id] += 1
        due = (fault for fault in self._faults if fault.strikes(api_id, self._calls[api_id]))
        fault = next(due, None)
        if fault is None:
            return self._ordinary(request, time), None
        limit = self.requests_per_second or 5
        key = asked_key(request)
        situation = Situation(fault, api_id, request.path, key, limit, self.expire_tokens)
        return struck(situation, lambda: self._ordinary(request, time))

    def _ordinary(self, request: Request, time: float) -> Reply:
        if self._firewall and _BLOCKED_AGENTS.match(request.header("user-agent")):
            return blocked()
        call = Call(request, time, self.requests_per_second, self._access, self._listing)
        try:
            return answer(call)
        except RefusalError as refused:
            return refused.reply
