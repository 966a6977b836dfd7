"""Walks of a day that is not over in Korea: provisional, and collected again."""

import math

import pytest
from sandbox_archive import KOSPI, collect_rows, fetch, page_requests, read_files, set_korean_time
from support.exchange import small_sandbox

from kiwoom_async import BlockedError
from kiwoom_async.archive import IncompleteArchive, State
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_a_walk_of_an_unfinished_day_is_collected_again(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 14:00")
    (first,) = await fetch(archive, [KOSPI], small_sandbox(kospi_stocks=100))
    assert (first.state, first.provisional, first.rows, first.final) == (
        State.COMPLETE, True, 100, False,
    )  # fmt: skip
    assert "provisional" in str(archive.verify()[0])
    set_korean_time(monkeypatch, "2026-11-19 23:59")
    (second,) = await fetch(archive, [KOSPI], small_sandbox(kospi_stocks=110))
    assert (second.provisional, second.rows) == (True, 110)
    set_korean_time(monkeypatch, "2026-11-20 00:01")
    (third,) = await fetch(archive, [KOSPI])
    assert (third.provisional, third.rows, third.final) == (False, 120, True)
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
    assert len(read_files(archive)) == 1


async def test_a_walk_begun_on_its_day_restarts_the_next_day(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 23:59")
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetch(archive, [KOSPI], outage)
    set_korean_time(monkeypatch, "2026-11-20 00:01")
    sandbox = small_sandbox()
    (entry,) = await fetch(archive, [KOSPI], sandbox)
    assert sum(page_requests(sandbox).values()) == 3
    assert entry.provisional is False


async def test_no_data_on_an_unfinished_day_is_requested_again(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 07:00")
    (early,) = await fetch(archive, [KOSPI], small_sandbox(kospi_stocks=0))
    assert (early.state, early.provisional) == (State.NO_DATA, True)
    set_korean_time(monkeypatch, "2026-11-20 07:00")
    (late,) = await fetch(archive, [KOSPI])
    assert (late.state, late.rows) == (State.COMPLETE, 120)


async def test_a_blank_answer_does_not_replace_collected_rows(archive, monkeypatch):
    set_korean_time(monkeypatch, "2026-11-19 14:00")
    await fetch(archive, [KOSPI])
    set_korean_time(monkeypatch, "2026-11-20 14:00")
    with pytest.raises(IncompleteArchive, match="the earlier walk was kept"):
        await fetch(archive, [KOSPI], small_sandbox(kospi_stocks=0))
    (entry,) = archive.entries()
    assert (entry.state, entry.provisional, entry.rows) == (State.COMPLETE, True, 120)
    assert archive.read(KOSPI) == await collect_rows(KOSPI)
