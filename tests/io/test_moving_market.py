"""A sandbox whose market moves: consistent, deterministic, with a log of every change."""

import time
from collections import defaultdict
from itertools import pairwise

import pytest

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.sandbox import RowChange, Sandbox
from kiwoom_async.sandbox._live_market import LiveMarkets

DAY = "20261120"
KOSPI = (DAY, "P00101")
AMOUNTS = ("buy_cntr_qty", "buy_cntr_amt", "sel_cntr_qty", "sel_cntr_amt")


def market_at(moving, time, stex_tp="1", count=120):
    """Return the KOSPI of a moving market at a time."""
    return moving.day(*KOSPI, stex_tp, count, time)


def test_a_market_starts_as_the_finished_day_and_moves_with_time():
    moving = LiveMarkets(trades_per_second=2)
    first = market_at(moving, 100.0)
    assert list(first.rows) == Sandbox(kospi_stocks=120).rows(*KOSPI, "1")
    assert market_at(moving, 100.49) == first
    assert market_at(moving, 100.51, "3") != first
    assert not moving.changes


@pytest.mark.parametrize("stex_tp", ["1", "2", "3"])
def test_totals_and_shares_of_a_moved_market_add_up(stex_tp):
    moving = LiveMarkets(trades_per_second=50)
    market_at(moving, 0.0, stex_tp)
    day = market_at(moving, 60.0, stex_tp)
    for row in day.rows:
        net = int(row["buy_cntr_amt"]) - int(row["sel_cntr_amt"])
        assert int(row["netprps_prica"]) == net
        change = int(row["pred_pre"])
        assert row["flu_sig"] in {
            "1",
            "4",
            "2" if change > 0 else "5" if change < 0 else "3",
            "0",
            "",
        }
        assert abs(change) <= 0.31 * (abs(int(row["cur_prc"])) - change)
    sums = [sum(int(row[name]) for row in day.rows) for name in AMOUNTS]
    assert sums == [int(day.totals[f"tot_{number}"]) for number in (1, 2, 3, 4)]
    assert sum(round(float(row["all_trde_rt"]) * 100) for row in day.rows) == 10_000


def test_krx_and_nxt_add_up_to_the_consolidated_exchange():
    moving = LiveMarkets(trades_per_second=50)
    market_at(moving, 0.0)
    krx, nxt, both = (market_at(moving, 60.0, stex_tp).rows for stex_tp in "123")
    for name in AMOUNTS:
        assert [int(row[name]) for row in both] == [
            int(krx_row[name]) + int(nxt_row[name])
            for krx_row, nxt_row in zip(krx, nxt, strict=True)
        ]


def test_the_log_holds_every_difference_between_requests():
    moving = LiveMarkets(trades_per_second=5)
    days = [market_at(moving, time) for time in (0.0, 1.0, 2.0, 9.0)]
    versions_by_code = defaultdict(list)
    for day in days:
        for row in day.rows:
            versions = versions_by_code[row["stk_cd"]]
            if not versions or versions[-1] != row:
                versions.append(row)
    logged = defaultdict(list)
    for change in moving.changes:
        assert isinstance(change, RowChange)
        assert (change.dt, change.mrkt_tp, change.stex_tp) == (*KOSPI, "1")
        logged[change.before["stk_cd"]].append((change.before, change.after))
    assert logged == {
        code: list(pairwise(versions))
        for code, versions in versions_by_code.items()
        if len(versions) > 1
    }
    assert {change.time for change in moving.changes} == {1.0, 2.0, 9.0}


def test_the_same_requests_show_the_same_market():
    days = []
    for _ in range(2):
        moving = LiveMarkets(trades_per_second=5)
        days.append(
            [market_at(moving, time, stex_tp) for time in (7.0, 8.0, 30.0) for stex_tp in "13"]
        )
    assert days[0] == days[1]


def test_a_market_of_one_stock_without_trades_moves_too():
    moving = LiveMarkets(trades_per_second=5)
    first = market_at(moving, 0.0, count=1)
    assert market_at(moving, 60.0, count=1) != first


@pytest.mark.anyio
async def test_a_walk_reads_the_moving_market_and_rows_returns_its_latest_state():
    sandbox = Sandbox(kospi_stocks=120, trades_per_second=50, latency_seconds=0.1)
    query = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(query)
        assert walk.audit.totals_vary
        first = sandbox.rows(*KOSPI, "1")
        page = await kiwoom.page(query)
    last = sandbox.rows(*KOSPI, "1")
    assert first != last
    assert [row.buy_amount for row in page.rows] == [int(row["buy_cntr_amt"]) for row in last[:50]]
    assert sandbox.changes


def test_a_market_without_trades_has_no_log():
    assert not Sandbox().changes


def test_a_long_gap_or_another_clock_takes_no_time_and_changes_nothing():
    moving = LiveMarkets(trades_per_second=50)
    first = market_at(moving, 100.0)
    began = time.process_time()
    assert market_at(moving, 1e9) == first
    assert market_at(moving, 5.0) == first
    assert time.process_time() - began < 1
    assert market_at(moving, 6.0) != first


@pytest.mark.parametrize("trades", [-1, float("nan"), float("inf")])
def test_an_invalid_trades_per_second_is_refused(trades):
    with pytest.raises(ValueError, match="trades_per_second: got"):
        Sandbox(trades_per_second=trades)
