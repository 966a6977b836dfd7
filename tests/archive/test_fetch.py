"""`Archive.fetch`: what it writes and records, and which failures end it."""

import json
import math
import pickle
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from sandbox_archive import (
    ALL_QUERIES,
    KOSDAQ,
    KOSPI,
    NEXT_DAY,
    SATURDAY,
    client,
    collect_rows,
    fetch,
    month,
    read_files,
)
from support.exchange import small_sandbox

from kiwoom_async import (
    AuthError,
    Exchange,
    Market,
    ProgramTradeQuery,
    SharingError,
    TransportError,
)
from kiwoom_async._io.rate_limit import LocalRateLimiter
from kiwoom_async._io.sharing import Unshared
from kiwoom_async.archive import Entry, IncompleteArchive, State
from kiwoom_async.archive._manifest import Manifest
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_a_fetch_writes_a_file_for_each_walk_with_data(archive):
    entries = await fetch(archive)
    assert [entry.query for entry in entries] == ALL_QUERIES
    assert [entry.state for entry in entries] == [State.COMPLETE] * 3 + [State.NO_DATA]
    assert sorted(read_files(archive)) == [
        "date=2026-11-19/market=KOSDAQ/exchange=KRX/walk.parquet",
        "date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet",
        "date=2026-11-20/market=KOSPI/exchange=CONSOLIDATED/walk.parquet",
    ]
    for query in ALL_QUERIES[:3]:
        assert archive.read(query) == await collect_rows(query)
    assert archive.entries() == [entries[0], entries[1], entries[2], entries[3]]
    assert archive.verify() == []
    assert not [*(archive.path / "partial").iterdir(), *(archive.path / "processes").iterdir()]


async def test_a_second_fetch_sends_nothing_and_changes_nothing(archive):
    await fetch(archive)
    before = read_files(archive), archive.entries()
    sandbox = small_sandbox()
    await fetch(archive, sandbox=sandbox)
    assert not sandbox.arrivals
    assert (read_files(archive), archive.entries()) == before


async def test_an_entry_has_rows_pages_checksum_audit_and_times(archive):
    (entry, *_) = await fetch(archive)
    path = archive.dataset / "date=2026-11-19/market=KOSPI/exchange=KRX/walk.parquet"
    assert (entry.rows, entry.pages, entry.bytes) == (120, 3, path.stat().st_size)
    assert len(entry.checksum) == 64
    assert "everything adds up" in entry.audit
    assert json.loads(entry.totals)["net_buy_amount"] is not None
    assert entry.began <= entry.ended
    assert (entry.findings, entry.error, entry.cursor, entry.owner) == ([], "", None, "")
    assert str(entry) == "2026-11-19 KOSPI KRX: complete; 120 rows, 3 pages"


async def test_an_entry_without_data_names_the_holiday(archive):
    new_year = ProgramTradeQuery("2026-02-17", Market.KOSPI, Exchange.KRX)
    weekday = ProgramTradeQuery("2026-02-19", Market.KOSPI, Exchange.KRX)
    blank = small_sandbox(kospi_stocks=0)
    entries = await fetch(archive, [SATURDAY, new_year, weekday], blank)
    assert [entry.state for entry in entries] == [State.NO_DATA] * 3
    assert [entry.holiday for entry in entries] == ["Saturday", "Korean New Year", ""]
    assert [str(finding) for finding in archive.verify() if finding.what == weekday] == [
        "2026-02-19 KOSPI KRX: no data, on a weekday that no calendar calls a holiday"
    ]
    assert read_files(archive) == {}


async def test_a_holiday_is_requested_like_any_day(archive):
    new_year = ProgramTradeQuery("2026-02-17", Market.KOSPI, Exchange.KRX)
    (entry,) = await fetch(archive, [new_year])
    assert (entry.state, entry.holiday, entry.rows) == (State.COMPLETE, "", 120)


async def test_undecoded_rows_are_stored_as_received(archive):
    sandbox = small_sandbox(Fault("unreadable_row"))
    async with client(sandbox, on_undecoded="deliver") as kiwoom:
        (entry,) = await archive.fetch(kiwoom, [KOSPI])
    assert entry.state is State.COMPLETE
    assert "rows that could not be read: 1" in entry.findings
    (undecoded,) = json.loads(entry.undecoded)
    assert undecoded["raw"]["stk_cd"]
    assert any("could not be read" in str(finding) for finding in archive.verify())


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        ([ProgramTradeQuery("2999-01-01", Market.KOSPI, Exchange.KRX)], "has not come yet"),
        (["2026-11-20"], "which is no query"),
        (7, "expected an iterable"),
    ],
)
async def test_invalid_queries_are_refused_before_anything_is_created(archive, queries, problem):
    sandbox = small_sandbox()
    with pytest.raises(ValueError, match=problem):
        await fetch(archive, queries, sandbox)
    assert not archive.path.exists()
    assert not sandbox.arrivals


async def test_a_concurrency_that_cannot_be_used_creates_nothing(archive):
    with pytest.raises(ValueError, match="concurrency: got 0"):
        await fetch(archive, [KOSPI], concurrency=0)
    assert not archive.path.exists()


async def test_a_data_set_that_cannot_be_written_is_found_before_the_first_call(
    archive, monkeypatch
):
    sandbox = small_sandbox()
    monkeypatch.setattr("os.access", lambda path, _: path != archive.dataset)
    with pytest.raises(PermissionError, match="data: nothing can be written there"):
        await fetch(archive, [KOSPI], sandbox)
    assert not sandbox.arrivals


async def test_a_fetch_from_another_server_changes_no_file(archive):
    await fetch(archive, [KOSPI])
    (archive.path / "processes").rmdir()
    async with client(base_url="https://api.kiwoom.com") as kiwoom:
        with pytest.raises(ValueError, match="simulated and real numbers must not mix"):
            await archive.fetch(kiwoom, [KOSPI])
    assert not (archive.path / "processes").exists()


async def test_a_failed_walk_does_not_stop_the_others(archive):
    refusing = small_sandbox(Fault("code", code="1517"))
    with pytest.raises(IncompleteArchive, match="1 of 4 walks failed") as caught:
        await fetch(archive, sandbox=refusing, concurrency=1)
    (failed,) = caught.value.entries
    assert (failed.query, failed.state) == (KOSPI, State.FAILED)
    assert failed.error.startswith("ApiError: ")
    assert "1517" in failed.error
    states = [entry.state for entry in archive.entries()]
    assert Counter(states) == {State.COMPLETE: 2, State.NO_DATA: 1, State.FAILED: 1}
    assert any("1517" in str(finding) for finding in archive.verify())
    entries = await fetch(archive)
    assert entries[0].error == ""
    assert archive.verify() == []


async def test_a_number_too_large_for_its_column_fails_only_its_walk(archive, monkeypatch):
    add_page = Manifest.add_page

    def add_page_or_refuse(self, page, received):
        if page.query == KOSPI and page.number == 2:
            raise ValueError("turnover_share of row 3 is 1.005, too much for a column")
        add_page(self, page, received)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add_page", add_page_or_refuse)
        with pytest.raises(IncompleteArchive, match=r"page 2 cannot be kept: .* 1.005"):
            await fetch(archive)
    states = {entry.query: entry.state for entry in archive.entries()}
    assert states[KOSPI] is State.FAILED
    assert {states[KOSDAQ], states[NEXT_DAY]} == {State.COMPLETE}
    assert (await fetch(archive))[0].state is State.COMPLETE
    assert archive.verify() == []


async def test_refused_app_keys_end_the_fetch_at_once(archive):
    refusing = small_sandbox(Fault("code", api_id="au10001", code="8001", times=math.inf))
    with pytest.raises(AuthError, match="check the app key"):
        await fetch(archive, sandbox=refusing)
    assert {arrival.api_id for arrival in refusing.arrivals} == {"au10001"}
    assert len(refusing.arrivals) <= 4


class UnreachableRateLimiter(LocalRateLimiter):
    """A rate limiter whose shared store cannot be reached."""

    @asynccontextmanager
    async def acquire(self, _):
        raise SharingError("the shared store cannot be reached")
        yield


async def test_an_unreachable_shared_store_ends_the_fetch_at_once(archive, monkeypatch):
    monkeypatch.setattr(Unshared, "rate_limiter", lambda *_: UnreachableRateLimiter(5.0))
    sandbox = small_sandbox()
    with pytest.raises(SharingError, match="the shared store cannot be reached"):
        await fetch(archive, sandbox=sandbox)
    assert not sandbox.arrivals
    assert len([entry for entry in archive.entries() if entry.error]) <= 4


async def test_a_dead_server_ends_the_fetch_after_a_few_walks(archive):
    dead = small_sandbox(Fault("disconnect", times=math.inf))
    with pytest.raises(TransportError):
        await fetch(archive, month("2026-10", 30), dead)
    days = {arrival.body["dt"] for arrival in dead.arrivals if arrival.api_id == "ka90004"}
    assert len(days) < 10
    assert any(entry.state is State.FAILED for entry in archive.entries())


def test_a_copied_error_counts_the_same_walks():
    entry = Entry(query=KOSPI, state=State.FAILED, error="refused")
    error = IncompleteArchive([entry], 4)
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == str(error)
    assert str(copied).startswith("1 of 4 walks failed")
    assert copied.entries == [entry]
