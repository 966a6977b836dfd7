"""Changes that a watch reports: each once, and a row is gone only after a complete walk."""

import random
from collections import defaultdict
from contextlib import aclosing

import httpx
import pytest
from attrs import evolve
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox
from support.recorded import recorded
from support.walks import watch_rounds

from kiwoom_async import (
    Audit,
    Change,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    WalkComplete,
)
from kiwoom_async._protocol.encode import request_body
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio

# Numbers of a row, in the order of `logged_values`.
_NUMBERS = ("buy_quantity", "buy_amount", "sell_quantity", "sell_amount", "net_buy_amount")


def wire_values(row):
    """Return the values of a row as the server writes them, without the library's own metadata."""
    sign = "+" if row.change > 0 else "-" if row.change < 0 else ""
    return (row.symbol, f"{sign}{row.price}", *(str(getattr(row, name)) for name in _NUMBERS),
            f"+{row.turnover_share}")  # fmt: skip


def logged_values(row):
    """Return the same values of a row of the server's log."""
    columns = "stk_cd cur_prc buy_cntr_qty buy_cntr_amt sel_cntr_qty sel_cntr_amt netprps_prica"
    return (*(row[column] for column in columns.split()), row["all_trde_rt"])


def logged_changes(sandbox, query):
    """Return the changes of a query in the server's log whose rows were requested afterwards."""
    size = {"P00101": 50, "P10102": 30}[wire_body(query)[1]]
    last_sent, page = {}, 0
    for arrival in sandbox.arrivals:
        if tuple(arrival.body.values()) == wire_body(query) and arrival.fault is None:
            page = page + 1 if arrival.next_key else 1
            last_sent[page] = arrival.time
    page_of = {
        row["stk_cd"]: index // size + 1
        for index, row in enumerate(sandbox.rows(*wire_body(query)))
    }
    return [
        (logged_values(change.before), logged_values(change.after))
        for change in sandbox.changes
        if (change.dt, change.mrkt_tp, change.stex_tp) == wire_body(query)
        and change.time <= last_sent[page_of[change.before["stk_cd"]]]
    ]


def by_symbol(changes):
    """Return the changes of each symbol, in the order of time."""
    found = defaultdict(list)
    for before, after in changes:
        found[before[0]].append((before, after))
    return found


def wire_body(query):
    """Return the values of the request body of a query."""
    return tuple(request_body(query).values())


async def test_the_first_walk_reports_every_row_as_new():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        items = await watch_rounds(kiwoom, [QUERY], rounds=1)
    *changes, outcome = items
    assert [change.later.symbol for change in changes] == [
        row["stk_cd"] for row in sandbox.rows(*wire_body(QUERY))
    ]
    assert {(change.query, change.earlier) for change in changes} == {(QUERY, None)}
    assert (outcome.query, outcome.number, outcome.changes) == (QUERY, 1, 120)
    assert isinstance(outcome.audit, Audit)
    assert outcome.audit.findings == []


async def test_an_unchanged_market_yields_completed_walks_only():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        items = await watch_rounds(kiwoom, SIX_QUERIES, rounds=3)
    later = items[-12:]
    assert [(outcome.query, outcome.number, outcome.changes) for outcome in later] == [
        (query, number, 0) for number in (2, 3) for query in SIX_QUERIES
    ]


@pytest.mark.parametrize("broken_share", [0.0, 0.05])
async def test_every_change_in_the_server_s_log_is_reported_exactly_once(broken_share):
    """A trade every 20 s and a round of six walks in 4 s: no row changes twice between walks."""
    rng = random.Random(f"broken {broken_share}")
    faults = [
        Fault(rng.choice(["server_error", "disconnect", "truncated_json"]), call=call)
        for call in range(1, 1200)
        if rng.random() < broken_share
    ]
    sandbox = limited_sandbox(*faults, trades_per_second=0.05)
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        items = await watch_rounds(kiwoom, SIX_QUERIES, rounds=60)
    failures = [item for item in items if isinstance(item, Failure)]
    assert bool(failures) == bool(faults)
    seen = defaultdict(list)
    for item in items:
        if isinstance(item, Change) and item.earlier is not None:
            seen[item.query].append((wire_values(item.earlier), wire_values(item.later)))
    assert sum(map(len, seen.values())) > 200
    for query in SIX_QUERIES:
        assert by_symbol(seen[query]) == by_symbol(logged_changes(sandbox, query))


async def test_two_changes_between_two_walks_are_reported_as_one():
    """The earlier row of every change is the later row of the change before it."""
    sandbox = limited_sandbox(trades_per_second=20)
    last = {}
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for item in await watch_rounds(kiwoom, [QUERY], rounds=20):
            if isinstance(item, Change):
                assert item.earlier == last.get(item.later.symbol)
                assert item.earlier != item.later
                last[item.later.symbol] = item.later
    assert len(last) == 120
    assert len(sandbox.changes) > 300


class SwitchingExchange:
    """An exchange that passes requests to the first of its sandboxes; a test removes them."""

    def __init__(self, *sandboxes):
        self.sandboxes = list(sandboxes)

    async def __call__(self, scope, receive, send):
        await self.sandboxes[0](scope, receive, send)

    @property
    def requests_per_second(self):
        return self.sandboxes[0].requests_per_second


async def test_a_row_is_gone_only_when_a_complete_walk_lacks_it():
    """The second walk fails, the third is complete without a stock, the fourth lists it again."""
    broken = Fault("server_error", call=2)
    exchange = SwitchingExchange(
        limited_sandbox(),
        limited_sandbox(broken, kospi_stocks=119),
        limited_sandbox(kospi_stocks=119),
        limited_sandbox(),
    )
    last_symbol = exchange.sandboxes[0].rows(*wire_body(QUERY))[-1]["stk_cd"]
    found = []
    async with (
        KiwoomClient.sandbox(exchange, attempts=1) as kiwoom,
        aclosing(kiwoom.watch([QUERY])) as watch,
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
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        items = await watch_rounds(kiwoom, [sunday], rounds=2)
    assert [(type(item), item.changes) for item in items] == [(WalkComplete, 0)] * 2


async def test_a_stock_listed_twice_is_not_reported_as_changed_in_every_round():
    """The example of the specification lists one stock several times, with other numbers."""

    def answer(request):
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        return httpx.Response(200, json=recorded("ka90004_spec_example"), headers={"cont-yn": "N"})

    transport = httpx.MockTransport(answer)
    async with KiwoomClient("app-key", "secret-key", transport=transport) as kiwoom:
        items = await watch_rounds(kiwoom, [QUERY], rounds=3)
    outcomes = [item for item in items if isinstance(item, WalkComplete)]
    assert [outcome.changes for outcome in outcomes][1:] == [0, 0]
    assert outcomes[0].audit.repeated_keys == ("005930",)


async def test_a_walk_without_rows_does_not_report_rows_as_gone():
    """A blank row means "no data", at any time (wire-facts.md, fact 6)."""
    sandbox = limited_sandbox(Fault("empty_list", call=2), kospi_stocks=40)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        items = await watch_rounds(kiwoom, [QUERY], rounds=3)
    outcomes = [item for item in items if isinstance(item, WalkComplete)]
    assert [outcome.changes for outcome in outcomes] == [40, 0, 0]
    assert [outcome.audit.rows for outcome in outcomes] == [40, 0, 40]


async def test_one_changed_row_of_a_recording_is_one_change():
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
        items = await watch_rounds(kiwoom, [QUERY], rounds=2)
    *new, moved, outcome = [item for item in items if isinstance(item, Change)] + items[-1:]
    assert {item.earlier for item in new} == {None}
    assert moved.earlier == new[0].later
    assert moved.later == evolve(moved.earlier, buy_quantity=7)
    assert (outcome.number, outcome.changes) == (2, 1)
