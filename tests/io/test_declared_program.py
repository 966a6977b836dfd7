"""A program outside the package that declares three requests, over a real socket."""

import datetime as dt
import importlib.util
from decimal import Decimal
from pathlib import Path

import pytest
from support.servers import on_a_port

from kiwoom_async import KiwoomClient
from kiwoom_async.sandbox import Recorded, Sandbox

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).parent.parent / "typing" / "declared_program.py"
CANDLES = [
    {"dt": "20260703", "cur_prc": "+309500", "trde_tern_rt": "+0.48"},
    {"dt": "20260702", "cur_prc": "-286000", "trde_tern_rt": ""},
    {"dt": "20260701", "cur_prc": "314500", "trde_tern_rt": "0.00"},
]
TICKS = [
    {"tm": "100101", "kospi200": "+108970", "trde_qty": "7"},
    {"tm": "100101", "kospi200": "+108970", "trde_qty": "7"},
    {"tm": "100101", "kospi200": "-108971", "trde_qty": "9"},
]
BASICS = {"stk_cd": "005930", "250hgst": "+181400", "250hgst_pric_dt": "20260108"}


@pytest.fixture
def anyio_backend():
    """Use asyncio in real time, because the server is one."""
    return "asyncio"


@pytest.fixture
def program():
    """Return the user's program as a module."""
    spec = importlib.util.spec_from_file_location("declared_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exchange_of(ticks):
    return Sandbox(
        requests_per_second=None,
        recorded=[
            Recorded("ka10081", {"stk_dt_pole_chart_qry": CANDLES}, page_size=1),
            Recorded("ka20004", {"inds_tic_chart_qry": ticks}, page_size=2),
            Recorded("ka10001", BASICS),
        ],
    )


@pytest.fixture
def exchange():
    return exchange_of(TICKS)


@pytest.fixture
async def kiwoom(exchange):
    """Return a client of the exchange on a real socket."""
    with on_a_port(exchange) as url:
        async with KiwoomClient("key", "secret", base_url=url, requests_per_second=1000) as client:
            yield client


async def test_rows_are_read_to_the_digit(program, kiwoom, exchange):
    candle, tick, basics = program.Candle, program.IndexTick, program.Basics
    noon = dt.time(10, 1, 1)
    assert await program.walk(kiwoom) == [
        candle(dt.date(2026, 7, 3), 309500, Decimal("0.48"), "005930"),
        candle(dt.date(2026, 7, 2), 286000, None, "005930"),
        candle(dt.date(2026, 7, 1), 314500, Decimal("0.00"), "005930"),
        tick(noon, Decimal("1089.70"), 7),
        tick(noon, Decimal("1089.70"), 7),
        tick(noon, Decimal("-1089.71"), 9),
        basics("005930", 181400, dt.date(2026, 1, 8)),
    ]
    assert [arrival.api_id for arrival in exchange.arrivals if arrival.api_id != "au10001"] == [
        "ka10081", "ka10081", "ka10081", "ka20004", "ka20004", "ka10001",
    ]  # fmt: skip


async def test_all_of_them_are_merged_watched_called_and_stopped(program, kiwoom, exchange):
    assert sorted(await program.merge(kiwoom)) == [
        "005930 181400", "10:01:01 -1089.71", "10:01:01 1089.70", "10:01:01 1089.70",
        "2026-07-01 314500 0.00", "2026-07-02 286000 None", "2026-07-03 309500 0.48",
    ]  # fmt: skip
    assert [tick.volume for tick in await program.watch_once(kiwoom)] == [7, 7, 9]
    assert await program.call(kiwoom) == ["20260703", "20260702", "20260701"]
    before = len(exchange.arrivals)
    walk = await program.stop_early(kiwoom, dt.date(2026, 7, 3))
    assert [candle.date.day for candle in walk.rows] == [3, 2]
    assert (walk.audit.stopped, len(exchange.arrivals) - before) == (True, 2)
    assert await program.refused(kiwoom) == []


@pytest.mark.parametrize("exchange", [exchange_of([*TICKS, {**TICKS[0], "trde_qty": "-1"}])])
async def test_a_row_that_a_validator_refuses_is_named(program, kiwoom):
    [problem] = await program.refused(kiwoom)
    assert problem.startswith("'volume' must be >= 0: -1 @ rows[1].volume (trde_qty)")
