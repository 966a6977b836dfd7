"""An archive of several requests: side by side, each in a data set of its own."""

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import anyio
import attrs
import duckdb
import pandas as pd
import polars as pl
import pytest
from attrs import field, frozen
from declared_archive import (
    CANDLES,
    DAY,
    MARKET_DAY,
    TICKS,
    CandleQuery,
    Server,
    Tick,
    TickQuery,
    client_of,
    fetch_from,
    tick,
    walk_of,
)
from sandbox_archive import KOSPI, collect_rows, set_korean_time

from kiwoom_async import BlockedError, Query, wire
from kiwoom_async.archive import Archive, IncompleteArchive, State

pytestmark = pytest.mark.anyio

ALL = [KOSPI, CANDLES, TICKS, MARKET_DAY]


def files(archive):
    return sorted(str(path.relative_to(archive.path)) for path in archive.path.rglob("*.parquet"))


async def test_requests_lie_side_by_side_each_in_its_own_folder(archive):
    server = Server()
    entries = await fetch_from(server, archive, ALL)
    assert [entry.query for entry in entries] == ALL
    assert all(entry.state is State.COMPLETE for entry in entries)
    assert files(archive) == [
        "data/date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet",
        "ka10003_tick/symbol-005930_AL/walk.parquet",
        "ka10081_candle/stock_code-005930/query_date-2026-11-19/adjusted=true/walk.parquet",
        "ka90010_market_day/date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet",
    ]
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
    for query in ALL[1:]:
        assert archive.read(query) == (await walk_of(query)).rows
    assert archive.verify() == []
    calls = server.calls.total()
    assert await fetch_from(server, archive, ALL) == entries
    assert server.calls.total() == calls == 9


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_request_for_what_a_ka90004_walk_holds_is_a_walk_of_its_own(archive):
    """It once went round for ever, in real time: neither of the two settled the other."""
    server = Server()
    await fetch_from(server, archive, [KOSPI])
    with anyio.fail_after(60):
        (entry,) = await fetch_from(server, archive, [MARKET_DAY])
        again = await fetch_from(server, archive, ALL)
    assert (entry.query, entry.rows, entry.pages) == (MARKET_DAY, 5, 3)
    assert (KOSPI.date, KOSPI.market, KOSPI.exchange) == attrs.astuple(MARKET_DAY)
    assert [each.query for each in again] == ALL


async def test_entries_say_what_was_asked_in_the_words_of_the_request(archive):
    await fetch_from(Server(), archive, ALL)
    entries = {entry.api_id: entry for entry in archive.entries()}
    assert [entry.query for entry in archive.entries()] == [TICKS, CANDLES, MARKET_DAY, KOSPI]
    candles = entries["ka10081"]
    assert candles.body == {"stk_cd": "005930", "base_dt": "20261119", "upd_stkpc_tp": "1"}
    assert candles.fields == {"stock_code": "005930", "date": "2026-11-19", "adjusted": True}
    assert (candles.data_set, candles.day, candles.label) == ("ka10081_candle", None, str(CANDLES))
    assert json.loads(candles.totals) == {
        "volume": 12345, "mean": "1.0000000001", "at": "15:30:00",
    }  # fmt: skip
    assert (entries["ka90004"].data_set, entries["ka90004"].day) == ("trades", DAY)
    assert str(entries["ka10003"]).endswith(": complete; 5 rows, 3 pages")
    names = [(each.name, each.api_id, each.folder) for each in archive.data_sets()]
    assert names == [
        ("ka10003_tick", "ka10003", "ka10003_tick"),
        ("ka10081_candle", "ka10081", "ka10081_candle"),
        ("ka90010_market_day", "ka90010", "ka90010_market_day"),
        ("trades", "ka90004", "data"),
    ]


async def test_sql_has_a_table_for_each_request(archive):
    await fetch_from(Server(), archive, ALL)
    sql = "select * from ka10081_candle order by date desc limit 1"
    table = archive.query(sql)
    (record,) = table.to_pylist()
    newest = (await walk_of(CANDLES)).rows[0]
    expected = attrs.asdict(newest) | {"query_date": DAY, "trend": "FALLING"}
    assert record == expected
    assert str(table.schema.field("adjusted").type) == "bool"
    ticks = archive.query("select symbol, sum(volume) as n from ka10003_tick group by 1")
    assert ticks.to_pylist() == [{"symbol": "005930_AL", "n": 10}]
    joined = archive.query(
        "select t.date, t.market, count(*) as n, min(amount) as least "
        "from trades t join ka90010_market_day m using (date, market, exchange) group by all"
    )
    assert joined.to_pylist() == [{"date": DAY, "market": "KOSPI", "n": 600, "least": -4}]
    walks = archive.query(
        "select fields ->> 'symbol' as symbol, rows from walks where api_id = 'ka10003'"
    )
    assert walks.to_pylist() == [{"symbol": "005930_AL", "rows": 5}]
    dates = archive.query("select date from walks where data_set = 'trades'").to_pylist()
    assert dates == [{"date": DAY}]


async def test_a_table_without_files_has_the_same_columns(archive):
    await fetch_from(Server(), archive, [CANDLES])
    assert archive.query("select count(*) as n from trades").to_pylist() == [{"n": 0}]
    schema = archive.query("select * from ka10081_candle").schema
    next((archive.path / "ka10081_candle").rglob("*.parquet")).unlink()
    with pytest.warns(UserWarning, match="rows are missing"):
        assert archive.query("select * from ka10081_candle").schema == schema


async def test_other_programs_read_each_folder_as_one_table(archive):
    queries = [CANDLES, CandleQuery("000660", adjusted=False)]
    await fetch_from(Server(), archive, [*queries, KOSPI, MARKET_DAY])
    folder = archive.path / "ka10081_candle"
    rows = [row for query in queries for row in archive.read(query)]
    expected = sorted((row.stock_code, row.date, row.close, row.adjusted) for row in rows)
    columns = ["stock_code", "date", "close", "adjusted"]
    assert sorted(pl.read_parquet(folder).select(columns).rows()) == expected
    frame = pd.read_parquet(folder)
    codes = [(code, date) for code, date, *_ in expected]
    assert sorted(zip(frame.stock_code, frame.date, strict=True)) == codes
    by_duckdb = duckdb.read_parquet(f"{folder}/**/*.parquet").select("stock_code", "date")
    assert sorted(by_duckdb.fetchall()) == codes
    lazy = pl.scan_parquet(archive.path / "ka90010_market_day")
    assert lazy.filter(pl.col("date") == DAY, market="KOSPI").collect().height == 5


async def test_an_interrupted_fetch_of_several_requests_goes_on(archive):
    queries = [*ALL[1:], CandleQuery("000660")]
    for calls in (2, 3, 4):
        with pytest.raises(BlockedError):
            await fetch_from(Server(calls), archive, queries, concurrency=2)
    kept = sum(entry.kept_pages + entry.pages for entry in archive.entries())
    assert kept == 2 + 3 + 4
    assert {entry.query for entry in archive.entries()} <= set(queries)
    server = Server()
    entries = await fetch_from(server, archive, queries)
    assert server.calls.total() == 3 * 4 - kept
    for entry in entries:
        assert archive.read(entry.query) == (await walk_of(entry.query)).rows
    assert archive.verify() == []


async def test_two_fetches_share_the_walks_of_several_requests(archive):
    server, results = Server(), []

    async def fetch():
        results.append(await fetch_from(server, Archive(archive.path), ALL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch)
        tasks.start_soon(fetch)
    assert results[0] == results[1]
    assert set(server.calls.values()) == {1}
    assert archive.verify() == []


async def test_a_walk_without_a_day_is_good_for_the_day_on_which_it_was_collected(
    archive, monkeypatch
):
    set_korean_time(monkeypatch, "2026-11-19 00:01")
    await fetch_from(Server(), archive, [TICKS])
    set_korean_time(monkeypatch, "2026-11-19 23:59")
    later = Server(ka10003=[*map(tick, range(9))])
    (entry,) = await fetch_from(later, archive, [TICKS])
    assert (entry.rows, entry.final, later.calls.total()) == (5, False, 0)
    async with client_of(later) as kiwoom:
        plan = archive.plan(kiwoom, [TICKS])
        assert (plan.queries, plan.done, plan.collected_today) == ((), 1, 1)
        assert str(plan).startswith(
            "1 queries done (1 of them today; refresh collects those again); left: 0 queries"
        )
        again = archive.plan(kiwoom, [TICKS], refresh=True)
        assert (again.queries, again.outdated) == ((TICKS,), (TICKS,))
        assert str(again).endswith(", 1 of them again: the answers may have changed")
    (entry,) = await fetch_from(later, archive, [TICKS], refresh=True)
    assert (entry.rows, len(archive.read(TICKS))) == (9, 9)
    set_korean_time(monkeypatch, "2026-11-20 00:01")
    async with client_of(later) as kiwoom:
        assert archive.plan(kiwoom, [TICKS]).outdated == (TICKS,)
    (entry,) = await fetch_from(Server(), archive, [TICKS])
    assert entry.rows == 5
    assert len(files(archive)) == 1
    assert archive.verify() == []


async def test_a_day_that_is_over_is_final_for_every_request(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 15:00")
    (entry,) = await fetch_from(Server(), archive, [MARKET_DAY])
    assert entry.provisional
    set_korean_time(monkeypatch, "2026-11-20 00:01")
    (entry,) = await fetch_from(Server(), archive, [MARKET_DAY])
    assert entry.final
    server = Server()
    set_korean_time(monkeypatch, "2026-12-20 00:01")
    await fetch_from(server, archive, [MARKET_DAY], refresh=True)
    assert not server.calls


async def test_pages_of_two_days_make_no_walk_without_a_day(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 23:59")
    with pytest.raises(BlockedError):
        await fetch_from(Server(2), archive, [TICKS])
    set_korean_time(monkeypatch, "2026-11-20 00:01")
    server = Server()
    await fetch_from(server, archive, [TICKS])
    assert server.calls.total() == 3


async def test_what_the_archive_lacks_comes_before_what_it_brings_up_to_date(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-18 12:00")
    await fetch_from(Server(), archive, [TICKS])
    set_korean_time(monkeypatch, "2026-11-19 12:00")
    with pytest.raises(BlockedError):
        await fetch_from(Server(3), archive, [TICKS, CANDLES], concurrency=1)
    states = {entry.query: (entry.state, entry.kept_pages) for entry in archive.entries()}
    assert states == {TICKS: (State.COMPLETE, 0), CANDLES: (State.COMPLETE, 0)}


async def test_no_data_does_not_replace_earlier_rows_of_any_request(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 12:00")
    await fetch_from(Server(), archive, [TICKS])
    set_korean_time(monkeypatch, "2026-11-20 08:00")
    with pytest.raises(IncompleteArchive, match="the earlier walk was kept"):
        await fetch_from(Server(ka10003=[]), archive, [TICKS])
    assert len(archive.read(TICKS)) == 5
    await fetch_from(Server(), archive, [TICKS])
    assert archive.verify() == []


async def test_no_data_without_a_day_is_no_finding(archive):
    (entry,) = await fetch_from(Server(ka10003=[]), archive, [TICKS])
    assert (entry.state, entry.holiday) == (State.NO_DATA, "")
    assert archive.verify() == []


async def test_damage_is_found_and_repaired_for_every_request(archive):
    await fetch_from(Server(), archive, ALL)
    for path in (archive.path / "ka10081_candle").rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    stray = archive.path / "ka10003_tick" / "symbol-000660" / "walk.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"PAR1")
    text = "is not in the manifest; fetch collects it again"
    assert [(finding.what, finding.text, finding.damaged) for finding in archive.verify()] == [
        (CANDLES, "its file is not what was written; fetch collects it again", True),
        (stray, text, True),
    ]
    server = Server()
    await fetch_from(server, archive, [*ALL, TickQuery("000660")])
    assert server.calls.total() == 6
    assert archive.verify() == []


async def test_a_missing_weekday_is_named_in_the_words_of_the_request(archive):
    days = [attrs.evolve(MARKET_DAY, date=dt.date(2026, 11, day)) for day in (9, 11)]
    series = [attrs.evolve(CANDLES, date=dt.date(2026, 11, day)) for day in (9, 11)]
    await fetch_from(Server(), archive, [*days, *series])
    (finding,) = archive.verify()
    assert finding.what == attrs.evolve(MARKET_DAY, date=dt.date(2026, 11, 10))
    assert "was never asked for" in finding.text


@pytest.mark.parametrize(
    ("symbol", "folder"),
    [
        ("CON", "symbol-CON"),
        ("a/b\\c:d*e?", "symbol-a%2Fb%5Cc%3Ad%2Ae%3F"),
        ("삼성 전자=1", "symbol-%EC%82%BC%EC%84%B1%20%EC%A0%84%EC%9E%90%3D1"),
        ("dot.", "symbol-dot%2E"),
        ("~%", "symbol-%7E%25"),
        ("", "symbol-"),
    ],
)
async def test_names_of_folders_are_safe_everywhere(archive, symbol, folder):
    query = TickQuery(symbol)
    await fetch_from(Server(), archive, [query])
    assert files(archive) == [str(Path("ka10003_tick", folder, "walk.parquet"))]
    assert [entry.query for entry in archive.entries()] == [query]
    table = archive.query("select distinct symbol from ka10003_tick")
    assert table.to_pylist() == [{"symbol": symbol}]
    assert pl.read_parquet(archive.path / "ka10003_tick")["symbol"].unique().to_list() == [symbol]


def query_without_fields(row):
    """Return a query of ka10003 for rows of this class."""

    @frozen
    class AllTicks(Query[row]):
        api_id = "ka10003"
        path = "/api/dostk/stkinfo"
        rows_key = "cntr_infr"

    return AllTicks()


@frozen
class Labelled(TickQuery):
    """A query that cannot be hashed."""

    _labels: list[str] = field(factory=list)


@frozen
class Priced:
    """A row that no table can hold."""

    prices: list[int] = field(metadata=wire("qty", read=lambda text: [int(text)]))


@frozen
class Twins:
    """A row with two fields that SQL cannot tell apart."""

    volume: int = field(metadata=wire("qty"))
    Volume: int = field(metadata=wire("tm"))


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        (["2026-11-20"], "which is no query"),
        ([CandleQuery], "which is no query"),
        ([Labelled("005930")], "which cannot be compared with others"),
        (
            [query_without_fields(Priced)],
            r"Priced: no table can hold it: prices: got type list\[int\]",
        ),
        ([query_without_fields(Twins)], "Twins: two fields differ in case only"),
        ([TickQuery("0" * 300)], "too long for the name of a folder"),
        ([TickQuery("a"), TickQuery("A")], "would have its file in the place of"),
        ([CandleQuery("none"), CandleQuery("none")], "comes twice"),
    ],
    ids=str,
)
async def test_what_cannot_be_archived_is_refused_before_anything_is_made(
    archive, queries, problem
):
    server = Server()
    async with client_of(server) as kiwoom:
        with pytest.raises(ValueError, match=problem):
            await archive.fetch(kiwoom, queries)
        with pytest.raises(ValueError, match=problem):
            archive.plan(kiwoom, queries)
    assert not archive.path.exists()
    assert not server.calls
    assert not server.sandbox.arrivals


async def test_a_class_that_has_changed_since_is_refused(archive):
    await fetch_from(Server(), archive, [TICKS])

    @frozen
    class Tick:
        volume: int = field(metadata=wire("qty"))

    @frozen
    class Fewer(Query[Tick]):
        api_id = "ka10003"
        path = "/api/dostk/stkinfo"
        rows_key = "cntr_infr"

        symbol: str = field(metadata=wire("stk_cd"))

    @frozen
    class OtherTick:
        volume: int = field(metadata=wire("qty"))

    @frozen
    class Other(Query[OtherTick]):
        api_id = "ka10003"
        path = "/api/dostk/stkinfo"
        rows_key = "cntr_infr"

        symbol: str = field(metadata=wire("stk_cd"))

    server = Server()
    with pytest.raises(ValueError, match="earlier rows have other columns or types"):
        await fetch_from(server, archive, [Fewer("000660")])
    with pytest.raises(ValueError, match="is the same request as TickQuery"):
        await fetch_from(server, archive, [Other("005930_AL")])
    await fetch_from(Server(), archive, [Other("000660")])
    assert len(archive.read(TICKS)) == 5
    assert {entry.data_set for entry in archive.entries()} == {"ka10003_tick", "ka10003_other_tick"}


async def test_a_value_that_no_column_can_hold_fails_its_walk_only(archive):
    @frozen
    class Number:
        volume: int = field(metadata=wire("qty", read=lambda text: text if text == "3" else 0))

    with pytest.raises(IncompleteArchive, match="page 2 cannot be kept") as caught:
        await fetch_from(Server(), archive, [query_without_fields(Number), CANDLES])
    assert len(caught.value.entries) == 1
    assert archive.read(CANDLES) == (await walk_of(CANDLES)).rows


async def test_totals_that_no_column_can_hold_fail_their_walk_only(archive):
    @frozen
    class Totals:
        mean: Decimal = field(default=Decimal(0), metadata=wire("tot_avg", decimals=2))

    @frozen
    class Averaged(Query[Tick, Totals]):
        api_id = "ka10003"
        path = "/api/dostk/stkinfo"
        rows_key = "cntr_infr"

    with pytest.raises(IncompleteArchive, match=r"page 1 cannot be kept: .*Totals"):
        await fetch_from(Server(), archive, [Averaged(), CANDLES])
    assert archive.read(CANDLES) == (await walk_of(CANDLES)).rows


STRANGER = """
import sys, warnings
from kiwoom_async.archive import Archive
archive = Archive(sys.argv[1])
for entry in archive.entries():
    print(entry.query, entry.api_id, entry.data_set, *entry.fields.values(), entry.kept_pages)
for finding in archive.verify():
    print(finding)
print(archive.query("select count(*) as n from ka10081_candle").to_pylist())
"""


async def test_a_program_that_does_not_know_the_request_sees_its_walks(archive):
    await fetch_from(Server(), archive, [KOSPI, CANDLES])
    with pytest.raises(BlockedError):
        await fetch_from(Server(2), archive, [TICKS])
    command = [sys.executable, "-c", STRANGER, str(archive.path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: ASYNC221, S603
    *lines, unfinished, counted = run.stdout.splitlines()
    assert lines == [
        "None ka10003 ka10003_tick 005930_AL 2",
        "None ka10081 ka10081_candle 005930 2026-11-19 True 0",
        "2026-11-19 KOSPI KRX ka90004 trades 2026-11-19 KOSPI KRX 0",
    ]
    assert unfinished.startswith(f"{TICKS}: BlockedError: ka10003: HTTP 200 without an answer")
    assert counted == "[{'n': 5}]"


async def test_a_request_without_fields_is_one_file(archive):
    query = query_without_fields(Tick)
    (entry,) = await fetch_from(Server(), archive, [query])
    assert (entry.query, entry.fields, files(archive)) == (query, {}, ["ka10003_tick/walk.parquet"])
    assert [each.query for each in archive.entries()] == [query]
    assert len(archive.read(query)) == 5
    assert archive.query("select count(*) as n from ka10003_tick").to_pylist() == [{"n": 5}]
    assert archive.verify() == []


@frozen
class StockInfo:
    """A stock, in an answer that is no list; its names on the wire are no names in Python."""

    highest: int = field(metadata=wire("250hgst", unit="won"))
    stock_code: str


@frozen
class StockInfoQuery(Query[StockInfo]):
    """A request whose answer is one row."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = None

    stock_code: str = field(metadata=wire("stk_cd"))


async def test_a_request_whose_answer_is_one_row(archive):
    query = StockInfoQuery("005930")
    (entry,) = await fetch_from(Server(ka10003=[]), archive, [query])
    assert (entry.state, entry.rows) == (State.COMPLETE, 1)
    assert archive.read(query) == [StockInfo(98000, "005930")]
    table = archive.query("select * from ka10003_stock_info")
    assert table.to_pylist() == [{"highest": 98000, "stock_code": "005930"}]
    assert archive.verify() == []


@frozen
class OtherTickQuery(Query[TICKS.row_class]):
    """The same request as TickQuery's, declared once more."""

    api_id = TickQuery.api_id
    path = TickQuery.path
    rows_key = TickQuery.rows_key

    symbol: str = field(metadata=wire("stk_cd"))


async def test_an_entry_has_the_query_of_the_class_that_asked(archive):
    await fetch_from(Server(), archive, [TICKS])
    assert [entry.query for entry in archive.entries()] == [TICKS]
