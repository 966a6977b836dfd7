"""Rows as plain dicts: what `json.dumps`, FastAPI and SQLite take without help."""

import datetime as dt
import json
import sqlite3
import subprocess
import sys
from decimal import Decimal
from enum import Enum, auto

import attrs
import httpx
import pytest
from fastapi import FastAPI
from support.exchange import small_sandbox
from support.program_trades import QUERY, decoded_page
from support.recorded import recorded

from kiwoom_async import (
    KiwoomClient,
    Page,
    PriceMove,
    ProgramTrade,
    Rows,
    wire,
)
from kiwoom_async._protocol.records import to_dict

NAMES = [field.name for field in attrs.fields(ProgramTrade)]


@pytest.fixture
def page():
    """Recorded rows, one of them without a price and a move."""
    body = recorded("ka90004_rows_20260810_kospi_all")
    body["stk_prm_trde_prst"][1] |= {"cur_prc": "", "flu_sig": "0"}
    return decoded_page(body)


class Side(Enum):
    """An enum whose values say nothing."""

    BUY = auto()
    SELL = auto()


@attrs.frozen
class Tick:
    """A row class of a user's own, with every kind of value, and its own to_dict."""

    time: dt.time = attrs.field(metadata=wire("tm"))
    at: dt.datetime
    day: dt.date
    side: Side
    move: PriceMove | None
    index: Decimal | None = attrs.field(metadata=wire("idx", decimals=2))
    ratio: float
    halted: bool
    note: str | None

    to_dict = to_dict


SEOUL = dt.timezone(dt.timedelta(hours=9))
TICK = Tick(
    dt.time(9, 0, 1), dt.datetime(2026, 8, 10, 9, 0, 1, tzinfo=SEOUL), dt.date(2026, 8, 10),
    Side.SELL, PriceMove.UP, Decimal("-0.29"), 1.5, True, None,
)  # fmt: skip
TICK_DICT = {
    "time": "09:00:01", "at": "2026-08-10T09:00:01+09:00", "day": "2026-08-10", "side": "SELL",
    "move": "UP", "index": -0.29, "ratio": 1.5, "halted": True, "note": None,
}  # fmt: skip


def test_a_row_has_every_field_by_name_and_in_order(page):
    row = page.rows[0]
    found = row.to_dict()
    assert list(found) == NAMES
    assert found == attrs.asdict(row) | {
        "turnover_share": float(row.turnover_share), "date": "2026-08-10",
        "move": row.move.name, "market": "KOSPI", "exchange": "CONSOLIDATED",
    }  # fmt: skip
    # Enum members would pass for text in a comparison, and not in SQLite.
    assert {type(value) for value in found.values()} == {str, int, float}
    missing = page.rows[1].to_dict()
    assert (missing["price"], missing["move"]) == (None, None)


@pytest.mark.parametrize("share", ["0.00", "18.71", "0.29", "-100.00", "9999999999999.99"])
def test_a_share_keeps_its_digits(page, share):
    row = attrs.evolve(page.rows[0], turnover_share=Decimal(share))
    assert json.loads(json.dumps(row.to_dict()), parse_float=Decimal)["turnover_share"] == Decimal(
        share
    )


def test_json_takes_a_row_and_a_list_of_them(page):
    assert json.loads(json.dumps(page.rows[0].to_dict())) == page.rows[0].to_dict()
    rows = [row.to_dict() for row in page.rows]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert page.to_dicts() == page.rows.to_dicts() == rows


@pytest.mark.anyio
async def test_fastapi_returns_rows(page):
    app = FastAPI()

    @app.get("/row")
    async def row():
        return page.rows[0].to_dict()

    @app.get("/rows")
    async def rows() -> list[dict]:
        return page.to_dicts()

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        assert (await http.get("/row")).json() == page.rows[0].to_dict()
        assert (await http.get("/rows")).json() == page.to_dicts()


def test_sqlite_takes_rows_by_name(page):
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"create table trades ({', '.join(NAMES)})")
        placeholders = ", ".join(f":{name}" for name in NAMES)
        database.executemany(
            f"insert into trades values ({placeholders})",  # noqa: S608
            [row.to_dict() for row in page.rows],
        )
        found = database.execute("select * from trades").fetchall()
        assert found == [tuple(row.to_dict().values()) for row in page.rows]
        mean = database.execute("select avg(turnover_share) from trades").fetchone()[0]
    finally:
        database.close()
    shares = [row.turnover_share for row in page.rows]
    assert mean == pytest.approx(float(sum(shares) / len(shares)))


def test_a_row_class_of_ones_own_needs_no_base_class():
    assert TICK.to_dict() == TICK_DICT
    assert json.loads(json.dumps(TICK.to_dict())) == TICK_DICT
    assert Rows([TICK, attrs.evolve(TICK, index=None, move=None)]).to_dicts() == [
        TICK_DICT, TICK_DICT | {"index": None, "move": None},
    ]  # fmt: skip
    assert Rows().to_dicts() == []


def test_a_value_that_json_cannot_hold_names_class_and_field():
    @attrs.frozen
    class Tagged:
        tags: object

    with pytest.raises(TypeError, match=r"Tagged\.tags: got a set; expected a number, text"):
        Rows([Tagged({"x"})]).to_dicts()


@pytest.mark.anyio
async def test_a_walk_and_its_pages_are_dicts():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        walk = await kiwoom.collect(QUERY)
        page: Page[ProgramTrade] = await kiwoom.page(QUERY)
    assert walk.to_dicts() == [row.to_dict() for row in walk.rows]
    assert page.to_dicts() == walk.to_dicts()[: len(page.rows)]


def test_dicts_need_no_extra():
    program = (
        "import sys\n"
        "for package in ('pyarrow', 'pandas', 'polars', 'msgspec'):\n"
        "    sys.modules[package] = None\n"
        "from kiwoom_async import ProgramTrade, Rows\n"
        "assert Rows([], ProgramTrade).to_dicts() == []\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603
