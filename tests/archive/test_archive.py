"""The archive: whole walks only, nothing lost, nothing twice, whatever ends a fetch."""

import asyncio
import datetime
import json
import math
import sqlite3
import time
from collections import Counter

import anyio
import attrs
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.clock import VirtualTimeLoop
from support.exchange import small_sandbox
from trio.testing import MockClock

from kiwoom_async import (
    AuthError,
    BlockedError,
    Exchange,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    SharingError,
    TransportError,
)
from kiwoom_async._io.rate_limit import LocalRateLimiter
from kiwoom_async._io.sharing import Unshared
from kiwoom_async.archive import Archive, IncompleteArchive, State, _fetch
from kiwoom_async.archive._manifest import Manifest
from kiwoom_async.archive._owner_lock import OwnerLock
from kiwoom_async.archive._parquet import digest_file
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio

KOSPI = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
KOSDAQ = ProgramTradeQuery("2026-11-19", Market.KOSDAQ, Exchange.KRX)
NEXT_DAY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.CONSOLIDATED)
SATURDAY = ProgramTradeQuery("2026-11-21", Market.KOSPI, Exchange.CONSOLIDATED)
# Three pages each, and one of "no data".
ALL = [KOSPI, KOSDAQ, NEXT_DAY, SATURDAY]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Virtual time, in which trio lets threads have the processor before it looks again."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0.0005)}


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def client(sandbox=None, **options):
    return KiwoomClient.sandbox(sandbox or small_sandbox(), **options)


async def fetched(archive, queries=ALL, sandbox=None, **options):
    async with client(sandbox) as kiwoom:
        return await archive.fetch(kiwoom, queries, **options)


async def rows_of(query):
    async with client() as kiwoom:
        return (await kiwoom.collect(query)).rows


def files_of(archive):
    """Each file's bytes by its place."""
    return {
        str(path.relative_to(archive.dataset)): path.read_bytes()
        for path in archive.dataset.rglob("*.parquet")
    }


def asked(sandbox):
    """How often each page was asked for."""
    return Counter(
        (one.body["dt"], one.body["mrkt_tp"], one.body["stex_tp"], one.next_key)
        for one in sandbox.arrivals
        if one.api_id == "ka90004"
    )


def month(name, days):
    """The first days of a month, both markets."""
    return [
        ProgramTradeQuery(f"{name}-{day:02}", market, Exchange.KRX)
        for day in range(1, days + 1)
        for market in Market
    ]


def at(monkeypatch, moment):
    """The archive's clock says this, in Korean time."""
    said = datetime.datetime.fromisoformat(f"{moment}+09:00")
    monkeypatch.setattr(_fetch, "utc_now", lambda: said)


# ---- what a fetch makes


async def test_a_fetch_makes_one_data_set_of_whole_walks(archive):
    entries = await fetched(archive)
    assert [entry.query for entry in entries] == ALL
    assert [entry.state for entry in entries] == [State.COMPLETE] * 3 + [State.NO_DATA]
    assert sorted(files_of(archive)) == [
        "date=2026-11-19/market=KOSDAQ/exchange=KRX/walk.parquet",
        "date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet",
        "date=2026-11-20/market=KOSPI/exchange=CONSOLIDATED/walk.parquet",
    ]
    for query in ALL[:3]:
        assert archive.read(query) == await rows_of(query)
    assert archive.entries() == [entries[0], entries[1], entries[2], entries[3]]
    assert archive.verify() == []
    assert not [*(archive.path / "partial").iterdir(), *(archive.path / "processes").iterdir()]


async def test_pandas_polars_and_duckdb_read_it_as_one_table(archive):
    await fetched(archive)
    truth = [row for query in ALL[:3] for row in await rows_of(query)]
    net = {}
    for row in truth:
        key = str(row.date), str(row.market), str(row.exchange)
        net[key] = net.get(key, 0) + row.net_buy_amount
    by_pandas = (
        pd.read_parquet(archive.dataset)
        .groupby(["date", "market", "exchange"], observed=True)["net_buy_amount"]
        .sum()
    )
    assert by_pandas.to_dict() == net
    by_polars = (
        pl.read_parquet(archive.dataset)
        .group_by("date", "market", "exchange")
        .agg(pl.col("net_buy_amount").sum())
    )
    assert {(str(day), *rest): amount for day, *rest, amount in by_polars.rows()} == {
        tuple(key): amount for key, amount in net.items()
    }
    everything = f"'{archive.dataset}/**/*.parquet'"
    sums = "select date, market, exchange, sum(net_buy_amount) from {} group by all"
    by_duckdb = duckdb.sql(sums.format(everything)).fetchall()
    assert {(str(day), *rest): amount for day, *rest, amount in by_duckdb} == net


async def test_a_second_fetch_sends_nothing_and_changes_nothing(archive):
    await fetched(archive)
    before = files_of(archive), archive.entries()
    sandbox = small_sandbox()
    await fetched(archive, sandbox=sandbox)
    assert not sandbox.arrivals
    assert (files_of(archive), archive.entries()) == before


async def test_the_manifest_knows_rows_pages_checksum_audit_and_time(archive):
    (entry, *_) = await fetched(archive)
    path = archive.dataset / "date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet"
    assert (entry.rows, entry.pages, entry.bytes) == (120, 3, path.stat().st_size)
    assert len(entry.checksum) == 64
    assert "everything adds up" in entry.audit
    assert json.loads(entry.totals)["net_buy_amount"] is not None
    assert entry.began <= entry.ended
    assert (entry.findings, entry.error, entry.cursor, entry.owner) == ([], "", None, "")
    assert str(entry) == "2026-11-19 KOSPI KRX: complete; 120 rows, 3 pages"


async def test_a_day_without_data_is_called_by_its_name(archive):
    new_year = ProgramTradeQuery("2026-02-17", Market.KOSPI, Exchange.KRX)
    nobody = ProgramTradeQuery("2026-02-19", Market.KOSPI, Exchange.KRX)
    blank = small_sandbox(kospi_stocks=0)
    entries = await fetched(archive, [SATURDAY, new_year, nobody], blank)
    assert [entry.state for entry in entries] == [State.NO_DATA] * 3
    assert [entry.holiday for entry in entries] == ["Saturday", "Korean New Year", ""]
    assert [str(finding) for finding in archive.verify() if finding.what == nobody] == [
        "2026-02-19 KOSPI KRX: no data, on a weekday that no calendar calls a holiday"
    ]
    assert files_of(archive) == {}


async def test_a_holiday_is_asked_for_all_the_same(archive):
    new_year = ProgramTradeQuery("2026-02-17", Market.KOSPI, Exchange.KRX)
    (entry,) = await fetched(archive, [new_year])
    assert (entry.state, entry.holiday, entry.rows) == (State.COMPLETE, "", 120)


# ---- broken off, and gone on with


@pytest.mark.parametrize("calls", range(1, 10))
async def test_a_fetch_that_was_broken_off_goes_on_at_the_next_page(archive, calls, tmp_path):
    outage = small_sandbox(Fault("maintenance_html", call=calls, times=math.inf))
    with pytest.raises(BlockedError):
        await fetched(archive, sandbox=outage)
    answered = [one for one in outage.arrivals if one.api_id == "ka90004" and not one.fault]
    assert len(answered) == calls - 1
    sandbox = small_sandbox()
    entries = await fetched(archive, sandbox=sandbox)
    assert [entry.state for entry in entries] == [State.COMPLETE] * 3 + [State.NO_DATA]
    # Every page was answered once in the two fetches together.
    assert sum(asked(sandbox).values()) == 10 - len(answered)
    undisturbed = Archive(tmp_path / "undisturbed")
    await fetched(undisturbed)
    assert files_of(archive) == files_of(undisturbed)
    assert archive.verify() == []


@pytest.mark.parametrize("pages", range(8))
async def test_a_cancelled_fetch_keeps_every_page_that_came(archive, pages):
    sandbox = small_sandbox()
    with anyio.CancelScope() as scope:
        count = 0

        def told(event):
            nonlocal count
            count += type(event).__name__ == "PageDelivered"
            if count > pages:
                scope.cancel()

        async with client(sandbox, on_event=told) as kiwoom:
            await archive.fetch(kiwoom, ALL)
    assert scope.cancelled_caught
    assert not any(entry.owner for entry in archive.entries())
    again = small_sandbox()
    await fetched(archive, sandbox=again)
    twice = asked(sandbox) & asked(again)
    # Asked for again may be the page that each of the four walks has under way, and the one
    # that waits between them and the archive.
    assert sum(twice.values()) <= 5
    assert archive.read(NEXT_DAY) == await rows_of(NEXT_DAY)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("page", [1, 2, 3, 5, 9])
async def test_a_native_cancellation_waits_for_the_page_that_is_being_kept(
    archive, monkeypatch, page, times
):
    """Ctrl-C cancels the task itself, and leaves a thread at work that nobody waits for."""
    kept, add, begun = [], Manifest.add_page, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(self, *arguments):
        kept.append(arguments)
        if len(kept) == page:
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.1)
        add(self, *arguments)

    monkeypatch.setattr(Manifest, "add_page", slowly)
    task = asyncio.create_task(fetched(archive))
    await begun.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    entries = archive.entries()
    assert sum(one.kept_pages + one.pages for one in entries) >= page
    await fetched(archive)
    assert archive.verify() == []
    assert not list((archive.path / "partial").iterdir())


async def test_a_walk_whose_last_page_was_kept_needs_no_call(archive, monkeypatch):
    def power_cut(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kiwoom_async.archive._parquet.ParquetFiles.write", power_cut)
        with pytest.raises(OSError, match="no space"):
            await fetched(archive, [KOSPI])
    (entry,) = archive.entries()
    assert (entry.state, entry.kept_pages, entry.cursor) == (State.UNFINISHED, 3, None)
    sandbox = small_sandbox()
    await fetched(archive, [KOSPI], sandbox)
    assert not sandbox.arrivals
    assert archive.read(KOSPI) == await rows_of(KOSPI)


async def test_a_page_that_could_not_be_kept_is_never_followed_by_a_later_one(archive, monkeypatch):
    add, calls = Manifest.add_page, []

    def full(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("no space left on device")
        add(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add_page", full)
        with pytest.raises(OSError, match="no space"):
            await fetched(archive, [KOSPI])
    await fetched(archive, [KOSPI, KOSDAQ])
    assert archive.read(KOSPI) == await rows_of(KOSPI)
    assert archive.verify() == []


async def test_kept_pages_with_a_gap_are_walked_again(archive):
    with pytest.raises(BlockedError):
        await fetched(archive, [KOSPI], small_sandbox(Fault("maintenance_html", call=3, times=9)))
    db = sqlite3.connect(archive.path / "manifest.sqlite", isolation_level=None)
    db.execute("DELETE FROM pages WHERE number = 1")
    db.close()
    await fetched(archive, [KOSPI, KOSDAQ])
    assert archive.read(KOSPI) == await rows_of(KOSPI)


async def test_a_number_that_no_column_can_hold_fails_its_walk_and_no_other(archive, monkeypatch):
    add = Manifest.add_page

    def strict(self, page, *rest):
        if page.query == KOSPI and page.number == 2:
            raise ValueError("turnover_share of row 3 is 1.005, too much for a column")
        add(self, page, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add_page", strict)
        with pytest.raises(IncompleteArchive, match=r"page 2 cannot be kept: .* 1.005"):
            await fetched(archive)
    states = {entry.query: entry.state for entry in archive.entries()}
    assert states[KOSPI] is State.FAILED
    assert {states[KOSDAQ], states[NEXT_DAY]} == {State.COMPLETE}
    assert (await fetched(archive))[0].state is State.COMPLETE
    assert archive.verify() == []


async def test_a_manifest_that_is_none_is_said_in_one_error(archive):
    await fetched(archive, [KOSPI])
    (archive.path / "manifest.sqlite").write_bytes(b"not a database, but long enough " * 40)
    with pytest.raises(OSError, match=r"manifest\.sqlite: file is not a database"):
        archive.entries()


async def test_a_folder_above_that_looks_like_a_partition_is_refused(tmp_path):
    archive = Archive(tmp_path / "date=2020-01-01" / "a")
    archive.path.parent.mkdir()
    await fetched(archive, [KOSPI])
    with pytest.raises(ValueError, match="the folder name 'date=2020-01-01' as a partition"):
        archive.query("select 1")


async def test_a_disk_that_fills_up_half_way_leaves_the_earlier_file(archive, monkeypatch):
    at(monkeypatch, "2026-11-19 14:00")
    await fetched(archive, [KOSPI])
    before = files_of(archive)

    def full(_, file, **__):
        file.write(b"PAR1 and then no more")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kiwoom_async.archive._parquet.pq.write_table", full)
        with pytest.raises(OSError, match="no space"):
            await fetched(archive, [KOSPI])
    assert files_of(archive) == before
    assert archive.read(KOSPI) == await rows_of(KOSPI)
    await fetched(archive, [KOSPI])
    assert not list((archive.path / "partial").iterdir())


async def test_a_key_that_is_not_honoured_any_more_begins_the_walk_again(archive):
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetched(archive, [KOSPI], outage)
    refusing = small_sandbox(Fault("code", code="1517"))
    (entry,) = await fetched(archive, [KOSPI], refusing)
    assert (entry.state, entry.error) == (State.COMPLETE, "")
    assert [one.next_key != "" for one in refusing.arrivals if one.api_id == "ka90004"] == [
        True, False, True, True,
    ]  # fmt: skip
    assert archive.read(KOSPI) == await rows_of(KOSPI)


# ---- failures


async def test_a_walk_that_fails_does_not_keep_others_from_being_collected(archive):
    refusing = small_sandbox(Fault("code", code="1517"))
    with pytest.raises(IncompleteArchive, match="1 of 4 walks failed") as caught:
        await fetched(archive, sandbox=refusing, concurrency=1)
    (failed,) = caught.value.entries
    assert (failed.query, failed.state) == (KOSPI, State.FAILED)
    assert failed.error.startswith("ApiError: ")
    assert "1517" in failed.error
    states = [entry.state for entry in archive.entries()]
    assert Counter(states) == {State.COMPLETE: 2, State.NO_DATA: 1, State.FAILED: 1}
    assert any("1517" in str(finding) for finding in archive.verify())
    entries = await fetched(archive)
    assert entries[0].error == ""
    assert archive.verify() == []


async def test_refused_keys_end_the_fetch_at_once(archive):
    refusing = small_sandbox(Fault("code", api_id="au10001", code="8001", times=math.inf))
    with pytest.raises(AuthError, match="check the app key"):
        await fetched(archive, sandbox=refusing)
    assert {one.api_id for one in refusing.arrivals} == {"au10001"}
    assert len(refusing.arrivals) <= 4


class Away(LocalRateLimiter):
    """A bucket at a place that is out of reach."""

    async def acquire(self, _):
        raise SharingError("the place is away")


async def test_a_shared_place_that_is_away_ends_the_fetch_at_once(archive, monkeypatch):
    monkeypatch.setattr(Unshared, "rate_limiter", lambda *_: Away(5.0))
    exchange = small_sandbox()
    with pytest.raises(SharingError, match="the place is away"):
        await fetched(archive, sandbox=exchange)
    assert not exchange.arrivals
    assert len([entry for entry in archive.entries() if entry.error]) <= 4


async def test_a_dead_server_ends_the_fetch_after_a_few_walks(archive):
    dead = small_sandbox(Fault("disconnect", times=math.inf))
    many = month("2026-10", 30)
    with pytest.raises(TransportError):
        await fetched(archive, many, dead)
    tried = {one.body["dt"] for one in dead.arrivals if one.api_id == "ka90004"}
    assert len(tried) < 10
    assert any(entry.state is State.FAILED for entry in archive.entries())


async def test_rows_that_cannot_be_read_are_kept_as_they_came(archive):
    sandbox = small_sandbox(Fault("unreadable_row"))
    async with client(sandbox, on_undecoded="deliver") as kiwoom:
        (entry,) = await archive.fetch(kiwoom, [KOSPI])
    assert entry.state is State.COMPLETE
    assert "rows that could not be read: 1" in entry.findings
    (kept,) = json.loads(entry.undecoded)
    assert kept["raw"]["stk_cd"]
    assert any("could not be read" in str(finding) for finding in archive.verify())


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        ([ProgramTradeQuery("2999-01-01", Market.KOSPI, Exchange.KRX)], "has not come yet"),
        (["2026-11-20"], "which is no query"),
        (7, "expected an iterable"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_made(archive, queries, problem):
    sandbox = small_sandbox()
    with pytest.raises(ValueError, match=problem):
        await fetched(archive, queries, sandbox)
    assert not archive.path.exists()
    assert not sandbox.arrivals


# ---- days that are not over


async def test_a_walk_of_today_is_provisional_and_collected_again(archive, monkeypatch):
    at(monkeypatch, "2026-11-19 14:00")
    (first,) = await fetched(archive, [KOSPI], small_sandbox(kospi_stocks=100))
    assert (first.state, first.provisional, first.rows, first.final) == (
        State.COMPLETE, True, 100, False,
    )  # fmt: skip
    assert "provisional" in str(archive.verify()[0])
    at(monkeypatch, "2026-11-19 23:59")
    (second,) = await fetched(archive, [KOSPI], small_sandbox(kospi_stocks=110))
    assert (second.provisional, second.rows) == (True, 110)
    at(monkeypatch, "2026-11-20 00:01")
    (third,) = await fetched(archive, [KOSPI])
    assert (third.provisional, third.rows, third.final) == (False, 120, True)
    assert archive.read(KOSPI) == await rows_of(KOSPI)
    assert len(files_of(archive)) == 1


async def test_a_walk_that_began_today_does_not_go_on_tomorrow(archive, monkeypatch):
    at(monkeypatch, "2026-11-19 23:59")
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetched(archive, [KOSPI], outage)
    at(monkeypatch, "2026-11-20 00:01")
    sandbox = small_sandbox()
    (entry,) = await fetched(archive, [KOSPI], sandbox)
    assert sum(asked(sandbox).values()) == 3
    assert entry.provisional is False


async def test_no_data_today_is_asked_again_tomorrow(archive, monkeypatch):
    at(monkeypatch, "2026-11-19 07:00")
    (early,) = await fetched(archive, [KOSPI], small_sandbox(kospi_stocks=0))
    assert (early.state, early.provisional) == (State.NO_DATA, True)
    at(monkeypatch, "2026-11-20 07:00")
    (late,) = await fetched(archive, [KOSPI])
    assert (late.state, late.rows) == (State.COMPLETE, 120)


async def test_a_blank_answer_does_not_throw_away_what_was_collected(archive, monkeypatch):
    at(monkeypatch, "2026-11-19 14:00")
    await fetched(archive, [KOSPI])
    at(monkeypatch, "2026-11-20 14:00")
    with pytest.raises(IncompleteArchive, match="the earlier walk was kept"):
        await fetched(archive, [KOSPI], small_sandbox(kospi_stocks=0))
    (entry,) = archive.entries()
    assert (entry.state, entry.provisional, entry.rows) == (State.COMPLETE, True, 120)
    assert archive.read(KOSPI) == await rows_of(KOSPI)


# ---- several at once


async def test_two_fetches_of_one_archive_share_the_work(archive):
    sandbox = small_sandbox(latency_seconds=0.05)
    many = month("2026-11", 5)
    results = []

    async def one():
        async with client(sandbox) as kiwoom:
            results.append(await Archive(archive.path).fetch(kiwoom, many, concurrency=2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        tasks.start_soon(one)
    assert results[0] == results[1]
    assert all(entry.final for entry in results[0])
    assert set(asked(sandbox).values()) == {1}
    assert archive.verify() == []


async def test_what_a_dead_process_had_claimed_is_taken_over(archive):
    await fetched(archive, [KOSPI])
    dead = OwnerLock(archive.path / "processes")
    with Manifest(archive.path / "manifest.sqlite") as manifest:
        assert manifest.claim(KOSDAQ, dead.name, dead.is_alive) is not None
    (archive.path / "partial" / dead.name).write_bytes(b"half a file")
    waiting = []

    async def fetch():
        waiting.extend(await fetched(archive, [KOSDAQ]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch)
        await anyio.sleep(5)
        assert waiting == []
        # The lock goes with the process; its file stays.
        dead._file.close()
    assert waiting[0].state is State.COMPLETE
    await fetched(archive, [KOSPI])
    assert not list((archive.path / "partial").iterdir())
    assert not list((archive.path / "processes").iterdir())


def test_a_claim_is_of_the_living(tmp_path):
    one, other = OwnerLock(tmp_path), OwnerLock(tmp_path)
    assert one.is_alive(other.name)
    assert one.is_alive(one.name)
    assert one.remove_stale() == []
    other._file.close()
    assert not one.is_alive(other.name)
    assert one.remove_stale() == [other.name]
    assert not one.is_alive("never born")
    one.close()
    assert list(tmp_path.iterdir()) == []


# ---- looking over it


async def test_a_changed_a_missing_and_a_foreign_file_are_damage(archive):
    await fetched(archive)
    kospi, kosdaq = (archive._files.path(query) for query in (KOSPI, KOSDAQ))
    whole = kospi.read_bytes()
    middle = len(whole) // 2
    kospi.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    kosdaq.unlink()
    foreign = archive.dataset / "date=2026-11-19" / "other.parquet"
    foreign.write_bytes(whole)
    assert [(finding.what, finding.text, finding.damaged) for finding in archive.verify()] == [
        (KOSPI, "its file is not what was written", True),
        (KOSDAQ, "its file is missing", True),
        (foreign, "is not in the manifest", True),
    ]


async def test_rows_that_lack_are_found_by_the_audit_even_if_the_checksum_fits(archive):
    await fetched(archive, [KOSPI])
    path = archive._files.path(KOSPI)
    rows = archive.read(KOSPI)
    largest = max(rows, key=lambda row: row.buy_amount)
    archive._files.write(KOSPI, [row for row in rows if row is not largest], "somebody")
    found = attrs.astuple(digest_file(path))
    with sqlite3.connect(archive.path / "manifest.sqlite") as db:
        db.execute("UPDATE walks SET bytes = ?, checksum = ?", found)
    db.close()
    texts = [finding.text for finding in archive.verify()]
    assert texts[0] == "its file has 119 rows, the manifest 120"
    assert any(text.startswith("buy amount of the rows is") for text in texts)


async def test_a_file_that_is_gone_is_collected_again(archive):
    await fetched(archive)
    before = files_of(archive)
    archive._files.path(KOSPI).unlink()
    sandbox = small_sandbox()
    await fetched(archive, sandbox=sandbox)
    assert sum(asked(sandbox).values()) == 3
    assert files_of(archive) == before
    assert archive.verify() == []


async def test_a_weekday_that_was_left_out_is_a_gap(archive):
    days = ["2026-11-05", "2026-11-06", "2026-11-09", "2026-11-11"]
    await fetched(archive, [ProgramTradeQuery(day, Market.KOSPI, Exchange.KRX) for day in days])
    assert [str(finding) for finding in archive.verify()] == [
        "2026-11-10 KOSPI KRX: was never asked for, though days before and after were"
    ]


async def test_findings_of_a_walk_are_told_again(archive):
    (entry,) = await fetched(archive, [KOSPI], small_sandbox(Fault("empty_list", call=2)))
    assert any(text.startswith("pages without rows") for text in entry.findings)
    assert [finding.text for finding in archive.verify()] == entry.findings
    assert not any(finding.damaged for finding in archive.verify())


# ---- asking it


async def test_sql_sees_trades_and_walks_typed(archive):
    await fetched(archive)
    table = archive.query("select * from trades order by date, market, symbol limit 1")
    types = {field.name: str(field.type) for field in table.schema}
    assert types == types | {
        "price": "int64", "turnover_share": "decimal128(18, 2)", "date": "date32[day]",
        "market": "string",
    }  # fmt: skip
    counted = archive.query("select market, count(*) as n from trades group by 1 order by 1")
    assert counted.to_pydict() == {"market": ["KOSDAQ", "KOSPI"], "n": [70, 240]}
    walks = archive.query("select state, rows from walks order by date, market desc").to_pydict()
    assert walks == {"state": ["complete"] * 3 + ["no data"], "rows": [120, 70, 120, 0]}


async def test_a_stock_is_found_at_every_exchange(archive):
    await fetched(archive, [NEXT_DAY])
    found = archive.query("select stock_code, symbol from trades where stock_code = '005930'")
    assert found.to_pylist() == [{"stock_code": "005930", "symbol": "005930_AL"}]


async def test_an_archive_without_a_file_has_the_same_columns(archive):
    await fetched(archive, [SATURDAY])
    empty = archive.query("select * from trades")
    await fetched(archive, [KOSPI])
    assert archive.query("select * from trades").schema == empty.schema


async def test_a_folder_with_a_strange_name_is_read_as_well(tmp_path):
    archive = Archive(tmp_path / "it's [1] * what?")
    await fetched(archive, [KOSPI])
    assert archive.query("select count(*) as n from trades").to_pydict() == {"n": [120]}
    assert archive.verify() == []


async def test_bad_sql_is_a_value_error_and_local_variables_are_not_tables(archive):
    await fetched(archive, [KOSPI])
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match=r"SQL: .*syntax error"):
        archive.query("selec")
    with pytest.raises(ValueError, match="frame does not exist"):
        archive.query("select * from frame")
    assert len(frame) == 1
    assert archive.query("set threads = 1").num_rows == 0


async def test_reading_what_is_not_there_says_why(archive):
    for look in (archive.entries, archive.verify, lambda: archive.query("select 1")):
        with pytest.raises(FileNotFoundError, match="holds no archive; a fetch makes one"):
            look()
    await fetched(archive, [SATURDAY])
    with pytest.raises(LookupError, match="CONSOLIDATED: got state 'no data'; expected 'complete'"):
        archive.read(SATURDAY)
    with pytest.raises(LookupError, match="2026-11-19 KOSPI KRX: not in the archive; fetch it"):
        archive.read(KOSPI)


async def test_a_manifest_of_another_version_is_refused(archive):
    await fetched(archive, [SATURDAY])
    db = sqlite3.connect(archive.path / "manifest.sqlite")
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(ValueError, match="got manifest version 9; expected 1; use the version"):
        archive.entries()


async def test_real_and_invented_numbers_do_not_mix(archive):
    await fetched(archive, [KOSPI])
    assert archive.simulated
    sandbox = small_sandbox()
    async with client(sandbox, base_url="https://api.kiwoom.com") as kiwoom:
        with pytest.raises(ValueError, match=r"got api\.kiwoom\.com; expected the sandbox, where"):
            await archive.fetch(kiwoom, [KOSDAQ])
        assert not sandbox.arrivals
        real = Archive(archive.path.with_name("real"))
        await real.fetch(kiwoom, [KOSDAQ])
    assert not real.simulated


# ---- beforehand


async def test_a_plan_says_what_is_left_and_makes_nothing(archive):
    async with client(requests_per_second=5) as kiwoom:
        plan = archive.plan(kiwoom, ALL)
        assert (len(plan.queries), plan.done, plan.estimate.calls) == (4, 0, 162)
        assert not archive.path.exists()
        assert str(plan).startswith("0 queries done; left: 4 queries, 162 calls, about 34 s, about")
    await fetched(archive, [KOSPI, SATURDAY])
    async with client(requests_per_second=5) as kiwoom:
        plan = archive.plan(kiwoom, ALL)
        assert (plan.queries, plan.done) == ((KOSDAQ, NEXT_DAY), 2)
        assert plan.bytes > 0


async def test_a_plan_counts_the_pages_that_are_kept(archive):
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetched(archive, [KOSPI], outage)
    async with client() as kiwoom:
        plan = archive.plan(kiwoom, [KOSPI])
    assert plan.kept == {KOSPI: 2}
    assert plan.estimate.calls == 48


async def test_values_in_parquet_are_those_of_the_rows(archive):
    await fetched(archive, [KOSPI])
    table = pq.ParquetFile(archive._files.path(KOSPI)).schema_arrow
    assert table.field("buy_amount").metadata[b"unit"] == b"million won"
    assert pa.types.is_decimal(table.field("turnover_share").type)
    assert repr(archive) == f"<Archive {str(archive.path)!r}>"
