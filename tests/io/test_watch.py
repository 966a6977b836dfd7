"""Watching: every change once, gone only when a complete walk says so, failures reported."""

import random
from collections import defaultdict
from contextlib import aclosing
from itertools import pairwise

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio import current_time
from attrs import evolve
from support.recorded import recorded

from kiwoom_async import (
    Audit,
    Change,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    WalkComplete,
    WalkFinished,
)
from kiwoom_async._protocol.convert import request_body
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

DAY = "2026-11-20"
KOSPI = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
SIX = [ProgramTradeQuery(DAY, market, venue) for market in Market for venue in Exchange]
# The numbers of a row as the server spells them, for comparing with its log.
_NUMBERS = ("buy_quantity", "buy_amount", "sell_quantity", "sell_amount", "net_buy_amount")


def small(*faults, **options):
    """Six queries are 3 pages each."""
    defaults = {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))


def spelled(row):
    """A typed row as the server spells it, computed apart from the library's own tables."""
    sign = "+" if row.change > 0 else "-" if row.change < 0 else ""
    return (row.symbol, f"{sign}{row.price}", *(str(getattr(row, name)) for name in _NUMBERS),
            f"+{row.turnover_share}")  # fmt: skip


def as_sent(row):
    columns = "stk_cd cur_prc buy_cntr_qty buy_cntr_amt sel_cntr_qty sel_cntr_amt netprps_prica"
    return (*(row[column] for column in columns.split()), row["all_trde_rt"])


def logged(sandbox, query):
    """The server's own log of changes, as far as somebody has asked for the row since."""
    size = {"P00101": 50, "P10102": 30}[asked(query)[1]]
    last_sent, page = {}, 0
    for arrival in sandbox.arrivals:
        if tuple(arrival.body.values()) == asked(query) and arrival.fault is None:
            page = page + 1 if arrival.next_key else 1
            last_sent[page] = arrival.time
    page_of = {row["stk_cd"]: at // size + 1 for at, row in enumerate(sandbox.rows(*asked(query)))}
    return [
        (as_sent(change.before), as_sent(change.after))
        for change in sandbox.changes
        if (change.dt, change.mrkt_tp, change.stex_tp) == asked(query)
        and change.time <= last_sent[page_of[change.before["stk_cd"]]]
    ]


def by_symbol(changes):
    """Each symbol's changes in the order of time."""
    found = defaultdict(list)
    for before, after in changes:
        found[before[0]].append((before, after))
    return found


def asked(query):
    return tuple(request_body(query).values())


async def watched(kiwoom, queries, rounds, **options):
    """Everything a watch gives in so many rounds."""
    items, left = [], rounds * len(queries)
    async with aclosing(kiwoom.watch(queries, **options)) as watch:
        async for item in watch:
            items.append(item)
            left -= isinstance(item, WalkComplete | Failure)
            if not left:
                return items
    raise AssertionError("a watch does not end")


async def test_the_first_walk_brings_every_row_as_new():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        items = await watched(kiwoom, [KOSPI], rounds=1)
    *changes, mark = items
    assert [change.later.symbol for change in changes] == [
        row["stk_cd"] for row in sandbox.rows(*asked(KOSPI))
    ]
    assert {(change.query, change.earlier) for change in changes} == {(KOSPI, None)}
    assert (mark.query, mark.number, mark.changes) == (KOSPI, 1, 120)
    assert isinstance(mark.audit, Audit)
    assert mark.audit.findings == []


async def test_a_market_that_stands_still_brings_marks_only():
    async with KiwoomClient.sandbox(small()) as kiwoom:
        items = await watched(kiwoom, SIX, rounds=3)
    later = items[-12:]
    assert [(mark.query, mark.number, mark.changes) for mark in later] == [
        (query, number, 0) for number in (2, 3) for query in SIX
    ]


@pytest.mark.parametrize("broken_share", [0.0, 0.05])
async def test_every_change_is_seen_exactly_once_against_the_server_s_log(broken_share):
    """No row changes twice between two visits: a trade in 20 s, a round of six walks in 4 s."""
    chance = random.Random(f"broken {broken_share}")
    faults = [
        Fault(chance.choice(["server_error", "disconnect", "truncated_json"]), call=call)
        for call in range(1, 1200)
        if chance.random() < broken_share
    ]
    sandbox = small(*faults, trades_per_second=0.05)
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watched(kiwoom, SIX, rounds=60)
    failures = [item for item in items if isinstance(item, Failure)]
    assert bool(failures) == bool(faults)
    seen = defaultdict(list)
    for item in items:
        if isinstance(item, Change) and item.earlier is not None:
            seen[item.query].append((spelled(item.earlier), spelled(item.later)))
    assert sum(map(len, seen.values())) > 200
    for query in SIX:
        assert by_symbol(seen[query]) == by_symbol(logged(sandbox, query))


async def test_what_moved_twice_between_two_walks_is_one_change():
    """Earlier and later rows of a symbol make one chain, whatever the pace of the market."""
    sandbox = small(trades_per_second=20)
    last = {}
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for item in await watched(kiwoom, [KOSPI], rounds=20):
            if isinstance(item, Change):
                assert item.earlier == last.get(item.later.symbol)
                assert item.earlier != item.later
                last[item.later.symbol] = item.later
    assert len(last) == 120
    assert len(sandbox.changes) > 300


# ---- gone


class Shrinking:
    """An exchange that lists other stocks from a given moment on."""

    def __init__(self, *sandboxes):
        self.sandboxes = list(sandboxes)

    async def __call__(self, scope, receive, send):
        await self.sandboxes[0](scope, receive, send)

    @property
    def requests_per_second(self):
        return self.sandboxes[0].requests_per_second


async def test_a_row_is_gone_when_a_complete_walk_lacks_it_and_not_before():
    """The second walk fails half-way, the third is complete without a stock, the fourth has it."""
    broken = Fault("server_error", call=2)
    exchange = Shrinking(small(), small(broken, kospi_stocks=119), small(kospi_stocks=119), small())
    last_symbol = exchange.sandboxes[0].rows(*asked(KOSPI))[-1]["stk_cd"]
    found = []
    async with (
        KiwoomClient.sandbox(exchange, attempts=1) as kiwoom,
        aclosing(kiwoom.watch([KOSPI])) as watch,
    ):
        async for item in watch:
            if isinstance(item, Change) and found:
                found.append(
                    (item.earlier and item.earlier.symbol, item.later and item.later.symbol)
                )
            if isinstance(item, WalkComplete | Failure):
                found.append(type(item).__name__)
                if len(exchange.sandboxes) == 1:
                    break
                del exchange.sandboxes[0]
    assert found == [
        "WalkComplete", "Failure", (last_symbol, None), "WalkComplete", (None, last_symbol),
        "WalkComplete",
    ]  # fmt: skip


async def test_a_day_without_data_has_no_changes():
    sunday = ProgramTradeQuery("2026-11-15", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(small()) as kiwoom:
        items = await watched(kiwoom, [sunday], rounds=2)
    assert [(type(item), item.changes) for item in items] == [(WalkComplete, 0)] * 2


# ---- failures and the time between rounds


async def test_a_failed_walk_is_reported_and_the_others_go_on():
    sandbox = small(Fault("code", code="1999", call=5, times=1))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watched(kiwoom, SIX, rounds=2)
    marks = [item for item in items if not isinstance(item, Change)]
    (failure,) = (mark for mark in marks if isinstance(mark, Failure))
    assert marks.index(failure) == 1
    assert (failure.query, failure.cursor.page, failure.error.page) == (SIX[1], 2, 1)
    assert [mark.query for mark in marks] == SIX * 2


async def test_an_outage_is_not_answered_with_a_storm_and_its_end_is_noticed():
    outage = 12
    sandbox = small(Fault("server_error", times=outage))
    failed_at = []
    async with (
        KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom,
        aclosing(kiwoom.watch([KOSPI])) as watch,
    ):
        async for item in watch:
            if isinstance(item, Failure):
                failed_at.append(current_time())
            if isinstance(item, WalkComplete):
                break
        complete_at = current_time()
    pauses = [round(after - before) for before, after in pairwise(failed_at)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30]
    assert complete_at - failed_at[-1] < 31


async def test_rounds_begin_no_sooner_than_every():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await watched(kiwoom, [KOSPI], rounds=4, every=30)
    firsts = [one.time for one in sandbox.arrivals if one.api_id == "ka90004" and not one.next_key]
    assert [round(after - before) for before, after in pairwise(firsts)] == [30, 30, 30]


async def test_an_every_that_cannot_be_kept_is_said_once_with_the_figure():
    async with KiwoomClient.sandbox(small()) as kiwoom:
        with pytest.warns(
            UserWarning, match=r"every: 2 s is shorter .*18 calls, about 4 s"
        ) as said:
            await watched(kiwoom, SIX, rounds=4, every=2)
    assert len(said) == 1
    assert said[0].filename == __file__


async def test_a_watch_goes_at_the_pace_of_the_limit():
    sandbox = Sandbox(latency_seconds=0.046)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await watched(kiwoom, SIX[::3], rounds=3)
    times = [arrival.time for arrival in sandbox.arrivals if arrival.api_id == "ka90004"]
    assert len(times) == 3 * 111
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * (len(times) - 1) / 5


async def test_an_interactive_call_goes_before_a_watch():
    sandbox = small()
    waited = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        group.start_soon(watched, kiwoom, SIX, 1000)
        for _ in range(20):
            await anyio.sleep(0.7)
            began = current_time()
            await kiwoom.page(KOSPI)
            waited.append(current_time() - began)
        group.cancel_scope.cancel()
    assert max(waited) <= 2 * 1.045 / 5 + 0.001


# ---- leaving, and bad input


async def test_leaving_a_watch_leaves_nothing_behind():
    events = []
    async with KiwoomClient.sandbox(small(), on_event=events.append) as kiwoom:
        async for _ in kiwoom.watch([KOSPI]):
            break
        watch = kiwoom.watch([KOSPI])
        async for _ in watch:
            break
        await watch.aclose()
        await watch.aclose()
        assert [item async for item in watch] == []
        await kiwoom.page(KOSPI)
    (finished,) = (event for event in events if isinstance(event, WalkFinished))
    assert (finished.complete, finished.error, finished.pages) == (False, None, 1)


async def test_waiting_for_an_item_with_a_timeout_loses_nothing():
    """The way of bots that have other things to do: rounds are the same as without timeouts."""
    sandbox = small(latency_seconds=0.046, trades_per_second=20)
    items, timeouts = [], 0
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        watch = kiwoom.watch([KOSPI], every=2)
        while len([item for item in items if isinstance(item, WalkComplete)]) < 4:
            with anyio.move_on_after(0.06) as scope:
                items.append(await anext(watch))
            timeouts += scope.cancelled_caught
    assert timeouts > 50
    last = {}
    for item in items:
        if isinstance(item, Change):
            assert item.earlier == last.get(item.later.symbol)
            last[item.later.symbol] = item.later
    assert len(last) == 120
    assert [item.number for item in items if isinstance(item, WalkComplete)] == [1, 2, 3, 4]


async def test_two_tasks_cannot_wait_for_one_watch():
    slow = small(latency_seconds=0.05)
    async with KiwoomClient.sandbox(slow) as kiwoom, anyio.create_task_group() as group:
        watch = kiwoom.watch([KOSPI])
        group.start_soon(anext, watch)
        await anyio.sleep(0.01)
        with pytest.raises(RuntimeError, match="another task is waiting"):
            await anext(watch)


async def test_closing_the_client_wakes_a_watch_that_rests():
    kiwoom = KiwoomClient.sandbox(small(requests_per_second=None), requests_per_second=1000)
    async with anyio.create_task_group() as group:

        async def bot():
            with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
                async for _ in kiwoom.watch([KOSPI], every=3600):
                    pass

        group.start_soon(bot)
        await anyio.sleep(60)
        await kiwoom.aclose()
        assert current_time() < 61


async def test_a_night_of_maintenance_does_not_end_a_watch():
    """Twelve hundred rounds of nothing are ten hours."""
    sandbox = small(Fault("maintenance_html", times=1200))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watched(kiwoom, [KOSPI], rounds=1201)
    assert isinstance(items[-1], WalkComplete)
    assert current_time() > 8 * 3600


async def test_a_stock_that_stands_twice_in_a_walk_does_not_change_for_ever():
    """The printed example of the specification names one stock three times, with other numbers."""

    def answer(request):
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        return httpx.Response(200, json=recorded("ka90004_spec_example"), headers={"cont-yn": "N"})

    transport = httpx.MockTransport(answer)
    async with KiwoomClient("app-key", "secret-key", transport=transport) as kiwoom:
        items = await watched(kiwoom, [KOSPI], rounds=3)
    marks = [item for item in items if isinstance(item, WalkComplete)]
    assert [mark.changes for mark in marks][1:] == [0, 0]
    assert marks[0].audit.repeated_keys == ("005930",)


async def test_a_walk_without_any_row_says_nothing_of_the_rows():
    """A blank row is how the server says "no data", at any time (wire-facts.md, fact 6)."""
    sandbox = small(Fault("empty_list", call=2), kospi_stocks=40)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        items = await watched(kiwoom, [KOSPI], rounds=3)
    marks = [item for item in items if isinstance(item, WalkComplete)]
    assert [mark.changes for mark in marks] == [40, 0, 0]
    assert [mark.audit.rows for mark in marks] == [40, 0, 40]


async def test_a_pace_that_slows_down_later_is_said_too():
    sandbox = small(Fault("rate_limit", call=4), kospi_stocks=120)
    sandbox.requests_per_second = 1
    with pytest.warns(UserWarning, match="every: 2 s is shorter .*3 calls, about 3 s") as said:
        async with KiwoomClient.sandbox(sandbox, requests_per_second=5) as kiwoom:
            await watched(kiwoom, [KOSPI], rounds=4, every=2)
    assert len(said) == 1


async def test_haste_is_said_although_one_query_always_fails():
    sandbox = small(*(Fault("code", code="1999", call=call) for call in range(7, 300, 16)))
    with pytest.warns(UserWarning, match="every: 2 s is shorter") as said:
        async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
            items = await watched(kiwoom, SIX, rounds=3, every=2)
    assert any(isinstance(item, Failure) for item in items)
    assert len(said) == 1


async def test_closing_the_client_ends_a_watch():
    kiwoom = KiwoomClient.sandbox(small())
    watch = kiwoom.watch([KOSPI])
    assert isinstance(await anext(watch), Change)
    await kiwoom.aclose()

    async def rest():
        async for _ in watch:
            pass

    with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
        await rest()


@pytest.mark.parametrize(
    ("queries", "options", "message"),
    [
        ([], {}, "queries: got none"),
        (KOSPI, {}, "expected an iterable of queries"),
        ([KOSPI, KOSPI], {}, "comes twice"),
        (["005930"], {}, "no query"),
        ([ProgramTradeQuery("2126-01-04", Market.KOSPI, Exchange.KRX)], {}, "has not come yet"),
        ([KOSPI], {"every": -1}, "every: got -1"),
        ([KOSPI], {"every": "30"}, "every: got '30'"),
        ([KOSPI], {"every": True}, "every: got True"),
        ([KOSPI], {"every": None}, "every: got None"),
    ],
)
async def test_bad_input_is_refused_at_once(queries, options, message):
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.watch(queries, **options)
    assert not sandbox.arrivals


async def test_recorded_rows_of_which_one_moves_make_one_change():
    rounds = 0

    def answer(request):
        nonlocal rounds
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
        rounds += 1
        if rounds == 2:
            body["stk_prm_trde_prst"][0]["buy_cntr_qty"] = "7"
        return httpx.Response(200, json=body, headers={"cont-yn": "N", "next-key": ""})

    transport = httpx.MockTransport(answer)
    async with KiwoomClient("app-key", "secret-key", transport=transport) as kiwoom:
        items = await watched(kiwoom, [KOSPI], rounds=2)
    *new, moved, mark = [item for item in items if isinstance(item, Change)] + items[-1:]
    assert {item.earlier for item in new} == {None}
    assert moved.earlier == new[0].later
    assert moved.later == evolve(moved.earlier, buy_quantity=7)
    assert (mark.number, mark.changes) == (2, 1)
