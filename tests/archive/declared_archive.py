"""Requests that a user declares, and a server that answers them beside ka90004's sandbox."""

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from enum import Enum

import httpx
from attrs import field, frozen
from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, Query, hundredths, magnitude, wire
from kiwoom_async._io.host import in_process

DAY = dt.date(2026, 11, 19)


class Trend(Enum):
    """A direction."""

    RISING = 1
    FALLING = 2


@frozen
class Candle:
    """A day of a stock, with a field of every kind."""

    date: dt.date = field(metadata=wire("dt"))
    close: int = field(metadata=wire("cur_prc", unit="won", read=magnitude))
    index: Decimal = field(metadata=wire("idx", read=hundredths))
    rate: Decimal | None = field(metadata=wire("rt"))
    share: Decimal | None = field(metadata=wire("shr", unit="percent", decimals=2))
    trend: Trend | None = field(metadata=wire("trd", codes={Trend.RISING: "2", Trend.FALLING: "5"}))
    weight: float | None = field(metadata=wire("wgt"))
    halted: bool | None = field(metadata=wire("hlt"))
    updated: dt.datetime | None = field(metadata=wire("upd"))
    note: str | None = field(metadata=wire("nt"))
    shares: int = field(metadata=wire("lot"), converter=lambda lots: lots * 10)
    stock_code: str
    adjusted: bool


@frozen
class CandleTotals:
    """What the answer says of all days."""

    volume: int | None = field(default=None, metadata=wire("tot_qty"))
    mean: Decimal | None = field(default=None, metadata=wire("tot_avg"))
    at: dt.time | None = field(default=None, metadata=wire("tot_tm"))


@frozen
class CandleQuery(Query[Candle, CandleTotals]):
    """Days of a stock up to one."""

    api_id = "ka10081"
    path = "/api/dostk/chart"
    rows_key = "stk_dt_pole_chart_qry"

    stock_code: str = field(metadata=wire("stk_cd"))
    date: dt.date | None = field(default=None, metadata=wire("base_dt"))
    adjusted: bool = field(default=True, metadata=wire("upd_stkpc_tp"))


@frozen
class Tick:
    """A trade: it does not say on which day."""

    time: dt.time = field(metadata=wire("tm"))
    volume: int = field(metadata=wire("qty", unit="shares"))


@frozen
class TickQuery(Query[Tick]):
    """The trades of a stock since this morning."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "cntr_infr"

    symbol: str = field(metadata=wire("stk_cd"))


@frozen
class MarketDay:
    """A market on a day."""

    amount: int = field(metadata=wire("amt", unit="million won"))
    date: dt.date
    market: Market


@frozen
class MarketDayQuery(Query[MarketDay]):
    """A request with the fields of ka90004, and its bodies."""

    api_id = "ka90010"
    path = "/api/dostk/mrkcond"
    rows_key = "prm_trde_trnsn"

    date: dt.date = field(metadata=wire("dt"))
    market: Market = field(
        metadata=wire("mrkt_tp", codes={Market.KOSPI: "P00101", Market.KOSDAQ: "P10102"})
    )
    exchange: Exchange = field(
        metadata=wire(
            "stex_tp",
            codes={Exchange.KRX: "1", Exchange.NXT: "2", Exchange.CONSOLIDATED: "3"},
        )
    )

    def day(self) -> dt.date:
        """Return the date."""
        return self.date


CANDLES = CandleQuery("005930", DAY)
TICKS = TickQuery("005930_AL")
MARKET_DAY = MarketDayQuery(DAY, Market.KOSPI, Exchange.KRX)


def candle(number, **changes):
    """Return a row of ka10081 as it is sent."""
    day = DAY - dt.timedelta(number)
    sent = {
        "dt": f"{day:%Y%m%d}", "cur_prc": f"-{75_000 + number}", "idx": f"+1338{number:02}",
        "rt": f"0.{number:010}", "shr": f"-{number}.50", "trd": "5", "wgt": f"{number}.1",
        "hlt": "1", "upd": f"{day:%Y%m%d}153000", "nt": f"{number}번",
        "lot": f"{number}",
    }  # fmt: skip
    return sent | changes


def tick(number):
    """Return a row of ka10003 as it is sent; two come in one second."""
    return {"tm": f"0900{number // 2:02}", "qty": str(number)}


BLANKS = {"rt": "", "shr": "", "trd": "", "wgt": "", "hlt": "", "upd": "", "nt": ""}
ANSWERS = {
    "ka10081": [*map(candle, range(4)), candle(4, **BLANKS)],
    "ka10003": [*map(tick, range(5))],
    "ka90010": [{"amt": f"--{number}"} for number in range(5)],
}
# Beside the rows, in every answer.
TOTALS = {"tot_qty": "12345", "tot_avg": "1.0000000001", "tot_tm": "153000", "250hgst": "98000"}
ROWS_KEYS = {each.api_id: each.rows_key for each in (CandleQuery, TickQuery, MarketDayQuery)}


class Server(httpx.AsyncBaseTransport):
    """Answers `answers[api_id]`, two rows a page, and ka90004 from a sandbox.

    calls: counts the pages asked for, by api-id, body and page. outage_after: so many of them are
    answered before maintenance begins.
    """

    def __init__(self, outage_after=None, **answers):
        self.answers = ANSWERS | answers
        self.calls = Counter()
        self.outage_after = outage_after
        self.sandbox = small_sandbox()
        self._sandbox = in_process(self.sandbox)

    async def handle_async_request(self, request):
        api_id = request.headers.get("api-id", "")
        if api_id not in self.answers:
            return await self._sandbox.handle_async_request(request)
        if self.outage_after is not None and self.calls.total() >= self.outage_after:
            return httpx.Response(200, html="<p>시스템 점검</p>")
        body = json.loads(await request.aread())
        page = int(request.headers.get("next-key") or 1)
        self.calls[api_id, *body.values(), page] += 1
        rows = self.answers[api_id]
        more = 2 * page < len(rows)
        headers = {"api-id": api_id, "cont-yn": "Y" if more else "N"}
        headers["next-key"] = str(page + 1) if more else ""
        answer = {ROWS_KEYS[api_id]: rows[2 * page - 2 : 2 * page], "return_code": 0, **TOTALS}
        return httpx.Response(200, json=answer, headers=headers)


def client_of(server, **options):
    """Return a client of this server."""
    return KiwoomClient.sandbox(server.sandbox, transport=server, **options)


async def fetch_from(server, archive, queries, **options):
    """Fetch into the archive; return the entries."""
    async with client_of(server) as kiwoom:
        return await archive.fetch(kiwoom, queries, **options)


async def walk_of(query):
    """Return the walk of a query from an undisturbed server."""
    async with client_of(Server()) as kiwoom:
        return await kiwoom.collect(query)
