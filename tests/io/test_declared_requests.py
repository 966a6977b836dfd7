"""Requests that a user declares: walked, stopped early, merged and watched."""

import datetime as dt
import logging

import pytest
from attrs import define, field, frozen
from support.candles import Candle, DailyCandleQuery, ListServer, TickQuery, candle, client_of, tick
from support.walks import watch_rounds

from kiwoom_async import (
    Change,
    ContinuationError,
    Cursor,
    DecodeError,
    Failure,
    Query,
    WalkComplete,
    WalkFinished,
    wire,
)

pytestmark = pytest.mark.anyio

TODAY = dt.date(2026, 11, 27)
DAYS = [TODAY - dt.timedelta(days) for days in range(10)]
QUERY = DailyCandleQuery("005930", TODAY)
TICKS = TickQuery("005930")


def candles(**options):
    return ListServer(3, ka10081=[candle(day) for day in DAYS], **options)


def dates(rows):
    return [candle.date for candle in rows]


async def test_a_declared_request_is_walked_whole():
    async with client_of(candles()) as kiwoom:
        walk = await kiwoom.collect(QUERY)
        assert dates(walk.rows) == DAYS
        assert walk.rows[0] == Candle(TODAY, 1000, 7, "005930")
        assert dates([row async for row in kiwoom.rows(QUERY)]) == DAYS
        page = await kiwoom.page(QUERY)
        again = await kiwoom.page(QUERY, Cursor.parse(str(page.next)))
    assert (dates(again.rows), again.number) == (DAYS[3:6], 2)
    assert (walk.next, walk.audit.stopped, walk.audit.findings) == (None, False, [])


async def test_a_walk_ends_with_the_page_in_which_stop_when_first_holds():
    server, events = candles(), []
    async with client_of(server, on_event=events.append) as kiwoom:
        walk = await kiwoom.collect(QUERY, stop_when=lambda row: row.date < DAYS[3])
        assert (dates(walk.rows), server.calls["ka10081"]) == (DAYS[:6], 2)
        assert walk.audit.stopped
        assert str(walk.audit) == "2 pages, 6 rows: stopped early; no sums were compared"
        finished = [event for event in events if isinstance(event, WalkFinished)]
        assert [(event.complete, event.error) for event in finished] == [(False, None)]
        assert "stopped early after 2 pages, 6 rows" in str(finished[0])
        rest = await kiwoom.collect(QUERY, start=walk.next)
    assert dates(rest.rows) == DAYS[6:]


async def test_a_walk_whose_last_page_meets_stop_when_is_a_whole_walk():
    async with client_of(candles()) as kiwoom:
        walk = await kiwoom.collect(QUERY, stop_when=lambda row: row.date == DAYS[-1])
        never = await kiwoom.collect(QUERY, stop_when=lambda _: False)
    assert walk == never
    assert not walk.audit.stopped


async def test_a_merge_stops_each_query_by_itself():
    server = candles(ka10003=[tick(second) for second in range(9, 0, -1)])
    queries = [QUERY, TICKS]
    async with client_of(server) as kiwoom:
        async with kiwoom.merge(queries, stop_when=lambda row: row.volume > 7) as pages:
            assert len([row async for row in pages.rows()]) == 19
        async with kiwoom.merge(
            queries, stop_when=lambda row: isinstance(row, Candle) and row.date == DAYS[4]
        ) as pages:
            rows = [row async for row in pages.rows()]
    assert dates(row for row in rows if isinstance(row, Candle)) == DAYS[:6]
    assert len(rows) == 6 + 9


async def test_an_error_of_stop_when_comes_out_bare():
    async with client_of(candles()) as kiwoom:
        with pytest.raises(ZeroDivisionError):
            await kiwoom.collect(QUERY, stop_when=lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            async with kiwoom.merge([QUERY], stop_when=lambda _: 1 // 0) as pages:
                [_ async for _ in pages]


async def asynchronous(row):
    return row is None


@pytest.mark.parametrize("stop_when", [True, "date", asynchronous])
async def test_what_is_no_plain_function_cannot_stop_a_walk(stop_when):
    server = candles()
    async with client_of(server) as kiwoom:
        with pytest.raises(ValueError, match=r"stop_when: got .*; expected a plain function"):
            await kiwoom.collect(QUERY, stop_when=stop_when)
        with pytest.raises(ValueError, match=r"stop_when: got .*; expected a plain function"):
            kiwoom.merge([QUERY], stop_when=stop_when)
    assert not server.calls


async def test_a_stop_when_that_returns_a_coroutine_is_refused():
    async with client_of(candles()) as kiwoom:
        with pytest.raises(ValueError, match=r"stop_when: it returned a coroutine"):
            await kiwoom.collect(QUERY, stop_when=lambda row: asynchronous(row))  # noqa: PLW0108


async def test_a_validator_that_refuses_a_row_is_an_error_that_names_the_field():
    server = candles()
    server.rows["ka10081"][4]["trde_qty"] = "-1"
    async with client_of(server) as kiwoom:
        with pytest.raises(DecodeError, match=r"@ rows\[1\].volume \(trde_qty\)"):
            await kiwoom.collect(QUERY)
    async with client_of(server, on_undecoded="deliver") as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert (len(walk.rows), walk.audit.undecoded_rows) == (9, 1)


async def test_a_series_newest_first_is_watched_no_further_than_it_changes():
    server = candles()
    async with client_of(server) as kiwoom:
        watch = kiwoom.watch([QUERY])
        first = [await anext(watch) for _ in range(11)]
        assert dates(change.later for change in first[:-1]) == DAYS
        assert (server.calls["ka10081"], first[-1].audit.stopped) == (4, False)
        # The present day goes on.
        server.rows["ka10081"][0] = candle(TODAY, 8)
        change, complete = [await anext(watch) for _ in range(2)]
        assert (change.earlier.volume, change.later.volume) == (7, 8)
        assert (complete.changes, complete.audit.stopped, server.calls["ka10081"]) == (1, True, 5)
        # Four new days: page two is the first that ends with a day that is known.
        new = [TODAY + dt.timedelta(days) for days in (4, 3, 2, 1)]
        server.rows["ka10081"][:0] = [candle(day) for day in new]
        items = [await anext(watch) for _ in range(5)]
        assert dates(change.later for change in items[:-1]) == new
        assert (items[-1].audit.pages, server.calls["ka10081"]) == (2, 7)
        # A day among the known ones that is there no more.
        del server.rows["ka10081"][1]
        change, complete = [await anext(watch) for _ in range(2)]
        assert (change.earlier.date, change.later) == (new[1], None)


async def test_one_more_of_several_equal_rows_at_the_end_of_a_page_is_told():
    rows = [tick(second) for second in (3, 3, 3, 3, 2, 1, 0)]
    server = ListServer(3, ka10003=rows)
    async with client_of(server) as kiwoom:
        watch = kiwoom.watch([TICKS])
        [await anext(watch) for _ in range(8)]
        server.rows["ka10003"].insert(0, tick(3))
        change, complete = [await anext(watch) for _ in range(2)]
    assert (change.earlier, change.later.time) == (None, dt.time(9, 0, 3))
    assert (complete.audit.stopped, complete.audit.pages) == (True, 2)


async def test_a_failed_walk_of_a_series_hides_no_row_from_the_next():
    server = candles()
    async with client_of(server, attempts=1) as kiwoom:
        watch = kiwoom.watch([QUERY])
        [await anext(watch) for _ in range(11)]
        new = [TODAY + dt.timedelta(days) for days in (4, 3, 2, 1)]
        server.rows["ka10081"][:0] = [candle(day) for day in new]
        server.failing = {2}
        items = [await anext(watch) for _ in range(4)]
        assert dates(change.later for change in items[:-1]) == new[:3]
        assert isinstance(items[-1], Failure)
        server.failing = set()
        change, complete = [await anext(watch) for _ in range(2)]
    assert change.later.date == new[3]
    assert (complete.audit.pages, complete.changes) == (2, 1)


async def test_two_rows_of_one_key_in_one_walk_are_two_rows():
    rows = [tick(3, 5), tick(2, 7), tick(2, 7), tick(2, 9), tick(1)]
    async with client_of(ListServer(2, ka10003=rows)) as kiwoom:
        items = await watch_rounds(kiwoom, [TICKS], rounds=2)
    changes = [item for item in items if isinstance(item, Change)]
    assert [change.later.volume for change in changes] == [5, 7, 7, 9, 7]
    assert [item.changes for item in items if isinstance(item, WalkComplete)] == [5, 0]
    # With a key that names several rows, too.
    doubled = [candle(TODAY, 1), candle(TODAY, 2), candle(DAYS[1])]
    async with client_of(ListServer(2, ka10081=doubled)) as kiwoom:
        items = await watch_rounds(kiwoom, [QUERY], rounds=2)
    assert [item.changes for item in items if isinstance(item, WalkComplete)] == [3, 0]


@define
class ChangingTick:
    """A row that has no hash, as it can change."""

    volume: int = field(metadata=wire("trde_qty"))


@frozen
class ChangingTickQuery(Query[ChangingTick]):
    """ka10003 again."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "cntr_infr"

    stock_code: str = field(metadata=wire("stk_cd"))


@frozen
class TaggedTick:
    """A row that has no hash, as it holds a list."""

    volume: list[str] = field(metadata=wire("trde_qty", read=str.split))


@frozen
class TaggedTickQuery(Query[TaggedTick]):
    """ka10003 once more."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "cntr_infr"

    stock_code: str = field(metadata=wire("stk_cd"))


@pytest.mark.parametrize("query_class", [ChangingTickQuery, TaggedTickQuery])
async def test_rows_without_a_hash_are_audited_and_watched(query_class):
    server = ListServer(2, ka10003=[tick(1, 7), tick(2, 5), tick(3, 7)])
    async with client_of(server) as kiwoom:
        watch = kiwoom.watch([query_class("005930")])
        *new, first = [await anext(watch) for _ in range(4)]
        assert (len(new), first.changes, len(first.audit.repeated_keys)) == (3, 3, 1)
        server.rows["ka10003"][0] = tick(1, 6)
        items = [await anext(watch) for _ in range(3)]
    assert [type(item) for item in items] == [Change, Change, WalkComplete]
    assert (items[0].later, items[1].earlier) != (None, None)


@frozen
class LongTick:
    """A row whose text is long, and which is its own key."""

    name: str = field(metadata=wire("tm", read=lambda text: text * 200))
    volume: int = field(metadata=wire("trde_qty"))


@frozen
class LongTickQuery(Query[LongTick]):
    """ka10003 with such rows."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "cntr_infr"

    stock_code: str = field(metadata=wire("stk_cd"))


async def test_no_text_repeats_every_row_that_came_twice(caplog):
    caplog.set_level(logging.WARNING, "kiwoom_async")
    rows = [tick(second) for second in range(50)]
    async with client_of(ListServer(50, ka10003=[*rows, *rows])) as kiwoom:
        walk = await kiwoom.collect(LongTickQuery("005930"))
    (finding,) = walk.audit.findings
    assert finding.startswith("seen more than once: LongTick(name='090000")
    assert finding.endswith("... and 45 more")
    assert len(walk.audit.repeated_keys) == 50
    assert max(map(len, (finding, repr(walk), caplog.text))) < 1_500


async def test_an_empty_page_amid_a_walk_is_a_finding_of_every_request(caplog):
    server = candles()
    server.empty = {2}
    caplog.set_level(logging.WARNING, "kiwoom_async")
    async with client_of(server) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert (dates(walk.rows), walk.audit.empty_pages) == (DAYS, (2,))
    assert "pages without rows in a walk of several: (2,)" in caplog.text


@pytest.mark.parametrize("page_size", [1, 2, 3])
async def test_equal_rows_that_follow_each_other_are_rows_and_no_finding(page_size):
    rows = [tick(3), *[tick(2)] * 5, tick(1)]
    async with client_of(ListServer(page_size, ka10003=rows)) as kiwoom:
        walk = await kiwoom.collect(TICKS)
    assert [row.time.second for row in walk.rows] == [3, 2, 2, 2, 2, 2, 1]
    assert walk.audit.findings == []


async def test_equal_rows_that_are_apart_are_a_finding():
    rows = [tick(3), tick(2), tick(1), tick(3)]
    async with client_of(ListServer(2, ka10003=rows)) as kiwoom:
        walk = await kiwoom.collect(TICKS)
    assert [row.time.second for row in walk.audit.repeated_keys] == [3]


async def test_pages_of_one_row_without_end_are_an_error():
    async with client_of(ListServer(1, ka10003=[tick(2)] * 100)) as kiwoom:
        with pytest.raises(ContinuationError, match="page 21 has the rows of an earlier page"):
            await kiwoom.collect(TICKS)
