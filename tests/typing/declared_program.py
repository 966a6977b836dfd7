"""A user's program with three requests of its own: run by a test, and strictly type-checked."""

import datetime as dt
from decimal import Decimal

from attrs import field, frozen, validators

from kiwoom_async import (
    Change,
    DecodeError,
    Failure,
    KiwoomClient,
    Page,
    Query,
    Reply,
    Walk,
    WalkComplete,
    hundredths,
    magnitude,
    wire,
)


@frozen
class Candle:
    """A day of a stock: the sign of a price is a direction, and a rate may be missing."""

    date: dt.date = field(metadata=wire("dt", "일자"))
    close: int = field(metadata=wire("cur_prc", "현재가", unit="won", read=magnitude))
    rate: Decimal | None = field(metadata=wire("trde_tern_rt", "거래회전율", unit="percent"))
    stock_code: str


@frozen
class DailyCandleQuery(Query[Candle]):
    """A series with dates, newest first."""

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
class IndexTick:
    """A moment of an index; several may come in one second."""

    time: dt.time = field(metadata=wire("tm"))
    index: Decimal = field(metadata=wire("kospi200", unit="points", read=hundredths))
    volume: int = field(metadata=wire("trde_qty"), validator=validators.ge(0))


@frozen
class IndexTickQuery(Query[IndexTick]):
    """A list within the day."""

    api_id = "ka20004"
    path = "/api/dostk/chart"
    rows_key = "inds_tic_chart_qry"

    index_code: str = field(metadata=wire("inds_cd"))


@frozen
class Basics:
    """A flat answer, with names that are no identifiers."""

    stock_code: str = field(metadata=wire("stk_cd"))
    highest: int = field(metadata=wire("250hgst", unit="won", read=magnitude))
    highest_on: dt.date | None = field(metadata=wire("250hgst_pric_dt"))


@frozen
class BasicsQuery(Query[Basics]):
    """ka10001."""

    api_id = "ka10001"
    path = "/api/dostk/stkinfo"
    rows_key = None

    stock_code: str = field(metadata=wire("stk_cd"))


CANDLES = DailyCandleQuery("005930", dt.date(2026, 7, 3))
TICKS = IndexTickQuery("201")
BASICS = BasicsQuery("005930")


async def walk(kiwoom: KiwoomClient) -> list[Candle | IndexTick | Basics]:
    """Return the rows of all three requests, row by row."""
    candles: list[Candle] = [candle async for candle in kiwoom.rows(CANDLES)]
    ticks: list[IndexTick] = [tick async for page in kiwoom.pages(TICKS) for tick in page.rows]
    page: Page[Basics] = await kiwoom.page(BASICS)
    return [*candles, *ticks, *page.rows]


async def merge(kiwoom: KiwoomClient) -> list[str]:
    """Return what all three requests, walked at once, say of each row."""
    said: list[str] = []
    async with kiwoom.merge([CANDLES, TICKS, BASICS]) as pages:
        async for row in pages.rows():
            match row:
                case Candle():
                    said.append(f"{row.date} {row.close} {row.rate}")
                case IndexTick():
                    said.append(f"{row.time} {row.index}")
                case Basics():
                    said.append(f"{row.stock_code} {row.highest}")
                case _:
                    raise TypeError(row)
    return said


async def stop_early(kiwoom: KiwoomClient, since: dt.date) -> Walk[Candle]:
    """Return the candles since a day, and the rest of the last page."""
    return await kiwoom.collect(CANDLES, stop_when=lambda candle: candle.date < since)


async def watch_once(kiwoom: KiwoomClient) -> list[IndexTick]:
    """Return the ticks that the first round of a watch finds new."""
    found: list[IndexTick] = []
    async for item in kiwoom.watch([TICKS]):
        match item:
            case Change(later=later) if later is not None:
                found.append(later)
            case Failure(error=error):
                raise error
            case WalkComplete():
                break
            case _:
                pass
    return found


async def call(kiwoom: KiwoomClient) -> list[str]:
    """Return the days of a raw answer, page by page."""
    days: list[str] = []
    body = {"stk_cd": "005930", "base_dt": "20260703", "upd_stkpc_tp": "1"}
    reply: Reply = await kiwoom.call("ka10081", body)
    while True:
        days += [row["dt"] for row in reply.body["stk_dt_pole_chart_qry"]]
        if reply.next is None:
            return days
        reply = await kiwoom.call("ka10081", body, cursor=reply.next)


async def refused(kiwoom: KiwoomClient) -> list[str]:
    """Return the problems of the rows that their class refuses."""
    try:
        await kiwoom.collect(TICKS)
    except DecodeError as error:
        return list(error.problems)
    return []
