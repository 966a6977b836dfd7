"""Two declared requests, as a user would write them, and a server that answers them in pages."""

import datetime as dt
import json
from collections import Counter
from typing import Any

import httpx
from attrs import field, frozen, validators
from support.canned import TOKEN

from kiwoom_async import KiwoomClient, Query, magnitude, wire


@frozen
class Candle:
    """A day of a stock."""

    date: dt.date = field(metadata=wire("dt"))
    close: int = field(metadata=wire("cur_prc", unit="won", read=magnitude))
    volume: int = field(metadata=wire("trde_qty", unit="shares"), validator=validators.ge(0))
    stock_code: str


@frozen
class DailyCandleQuery(Query[Candle]):
    """ka10081, days of a stock, newest first."""

    api_id = "ka10081"
    path = "/api/dostk/chart"
    rows_key = "stk_dt_pole_chart_qry"
    newest_first = True

    stock_code: str = field(metadata=wire("stk_cd"))
    until: dt.date = field(metadata=wire("base_dt"))
    adjusted: bool = field(default=True, metadata=wire("upd_stkpc_tp"))

    def row_key(self, row: Candle) -> dt.date:
        """Return the day."""
        return row.date


@frozen
class Tick:
    """A trade; several may come in one second."""

    time: dt.time = field(metadata=wire("tm"))
    volume: int = field(metadata=wire("trde_qty", unit="shares"))


@frozen
class TickQuery(Query[Tick]):
    """ka10003, trades of a stock, newest first; a row is known by all that it holds."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "cntr_infr"
    newest_first = True

    stock_code: str = field(metadata=wire("stk_cd"))


def candle(day: dt.date, volume: int = 7, price: str = "-1000") -> dict[str, str]:
    """Return a row of ka10081 as it is sent."""
    return {"dt": f"{day:%Y%m%d}", "cur_prc": price, "trde_qty": str(volume)}


def tick(second: int, volume: int = 7) -> dict[str, str]:
    """Return a row of ka10003 as it is sent."""
    return {"tm": f"0900{second:02}", "trde_qty": str(volume)}


class ListServer(httpx.AsyncBaseTransport):
    """Answers with `rows[api_id]` under their names, some a page; `calls` counts the pages sent.

    `failing` holds pages, counted from 1, that are answered with an error; `empty` those that come
    without rows before the others go on.
    """

    def __init__(self, page_size: int, **rows: list[dict[str, str]]) -> None:
        self.rows = rows
        self.page_size = page_size
        self.calls: Counter[str] = Counter()
        self.failing: set[int] = set()
        self.empty: set[int] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the page that is asked for."""
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        await request.aread()
        api_id = request.headers["api-id"]
        name = {"ka10081": "stk_dt_pole_chart_qry", "ka10003": "cntr_infr"}[api_id]
        self.calls[api_id] += 1
        page = int(request.headers.get("next-key") or 1)
        if page in self.failing:
            error = {"return_code": 7, "return_msg": "[1999:error]"}
            return httpx.Response(200, json=error)
        start = self.page_size * (page - 1 - sum(empty < page for empty in self.empty))
        end = start + (0 if page in self.empty else self.page_size)
        more = end < len(self.rows[api_id])
        headers = {"api-id": api_id, "cont-yn": "Y" if more else "N"}
        headers["next-key"] = str(page + 1) if more else ""
        body: dict[str, Any] = {name: self.rows[api_id][start:end], "return_code": 0}
        assert json.loads(request.content)["stk_cd"] == "005930"
        return httpx.Response(200, json=body, headers=headers)


def client_of(server: ListServer, **options: Any) -> KiwoomClient:
    """Return a client of the server, without a pace."""
    options = {"requests_per_second": 1000, "transport": server, **options}
    return KiwoomClient("app-key", "secret-key", **options)
