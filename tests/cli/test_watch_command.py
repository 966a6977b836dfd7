"""`kiwoom-async watch`: JSON lines when piped, a table redrawn in place on a terminal."""

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import anyio
import pytest
from attrs import evolve
from rich.cells import cell_len
from rich.console import Console
from support.exchange import small_sandbox
from support.servers import on_a_port

from kiwoom_async import (
    Change,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    TransportError,
    WalkComplete,
)
from kiwoom_async.cli import _watch, _watch_command
from kiwoom_async.sandbox import Fault, Sandbox

KOSPI = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
DAY = ["--date", "2026-11-20"]


def test_piped_output_is_a_json_line_for_each_item(run):
    trading = small_sandbox(trades_per_second=2000)
    result = run("watch", *DAY, "--sandbox", "--rounds", "2", sandbox=trading)
    assert result.exit_code == 0
    items = [json.loads(line) for line in result.stdout.splitlines()]
    new = [item for item in items if item["item"] == "change" and item["earlier"] is None]
    assert len(new) == 120 + 70
    assert {tuple(item) for item in items if item["item"] == "change"} == {
        ("item", "earlier", "later")
    }
    assert new[0]["later"]["date"] == "2026-11-20"
    walks = [item for item in items if item["item"] == "complete"]
    assert [(walk["market"], walk["walk"]) for walk in walks] == [
        ("KOSPI", 1), ("KOSDAQ", 1), ("KOSPI", 2), ("KOSDAQ", 2),
    ]  # fmt: skip
    assert walks[0]["changes"] == 120
    assert "3 pages, 120 rows" in walks[0]["audit"]
    changed = [item for item in items if item["item"] == "change" and item["earlier"]]
    assert all(item["earlier"]["symbol"] == item["later"]["symbol"] for item in changed)
    assert sum(walk["changes"] for walk in walks[2:]) == len(changed)


def test_a_failed_walk_is_a_line_of_its_own(run):
    broken = small_sandbox(Fault("firewall", call=2))
    result = run("watch", *DAY, "--market", "KOSPI", "--sandbox", "--rounds", "1", sandbox=broken)
    last = json.loads(result.stdout.splitlines()[-1])
    assert (result.exit_code, last["item"], last["market"]) == (1, "failure", "KOSPI")
    assert last["error"].startswith("BlockedError: ")


def test_refused_keys_end_the_watch(run):
    refusing = small_sandbox(Fault("code", code="8001", times=1000))
    result = run("watch", *DAY, "--sandbox", sandbox=refusing)
    assert result.exit_code == 1
    assert "AuthError: ka90004: " in result.stderr


def test_rounds_of_failures_only_exit_with_1(run):
    broken = small_sandbox(Fault("code", code="1687", times=1000))
    result = run("watch", *DAY, "--sandbox", "--rounds", "1", sandbox=broken)
    assert (result.exit_code, result.stdout.count("failure")) == (1, 2)
    assert "no walk was complete" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--date", "2126-01-04"], "has not come yet"),
        (["--date", "yesterday"], "date: got 'yesterday'"),
        (["--every", "-1"], "--every"),
        (["--rounds", "0"], "--rounds"),
    ],
)
def test_wrong_use_exits_with_2_and_the_reason(run, arguments, message):
    result = run("watch", *arguments, "--sandbox")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_without_a_date_the_sandbox_shows_the_last_weekday(run):
    result = run("watch", "--sandbox", "--rounds", "1", "--market", "KOSPI")
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["item"], last["changes"]) == ("complete", 120)


def test_an_interval_that_is_too_short_is_warned_of_once(run):
    paced = small_sandbox(requests_per_second=500)
    result = run("watch", *DAY, "--sandbox", "--rounds", "3", "--every", "0.001", sandbox=paced)
    assert result.stderr.count("warning: every: 0.001 s is shorter than a round can take") == 1


@pytest.fixture
def board():
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    return _watch.Board(console, lambda: "2 queries, 111 calls, about 23 s a round")


async def fetch_rows():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        return (await kiwoom.collect(KOSPI)).rows


@pytest.fixture
def rows():
    return anyio.run(fetch_rows)


def table_lines(board):
    console = Console(file=io.StringIO(), width=80)
    console.print(board.table())
    return console.file.getvalue().splitlines()


def test_the_board_ranks_stocks_by_net_buying_since_the_start(board, rows):
    for row in rows:
        board.update(Change(KOSPI, None, row))
    quiet, busy = rows[5], rows[40]
    for net in (300, 4500):
        later = evolve(busy, net_buy_amount=busy.net_buy_amount + net)
        board.update(Change(KOSPI, busy, later))
    lines = table_lines(board)
    first = next(line for line in lines if busy.symbol in line)
    heading = next(line for line in lines if "in all" in line)
    assert lines.index(first) == lines.index(heading) + 1
    assert "+42.0" in first
    assert "+45.0" in first
    assert quiet.symbol in "".join(lines) or len(lines) <= 24
    assert all(cell_len(line) <= 80 for line in lines)
    assert len(lines) <= 24


def test_a_removed_stock_leaves_the_board(board, rows):
    board.update(Change(KOSPI, None, rows[0]))
    board.update(Change(KOSPI, rows[0], None))
    assert not any(rows[0].symbol in line for line in table_lines(board))


def test_the_board_shows_completed_walks_and_failures(board, rows):
    with board:
        for row in rows[:3]:
            board.update(Change(KOSPI, None, row))
        board.update(WalkComplete(KOSPI, 1, 3, None))
        board.update(Failure(KOSPI, TransportError("no way")))
    drawn = board.console.file.getvalue()
    assert "2026-11-20 KOSPI KRX: walk 1, 3 changes" in drawn
    assert "111 calls, about 23 s a round" in drawn
    assert "TransportError: no way" in drawn
    assert "\x1b[" in drawn


def test_on_a_terminal_watch_draws_the_board(run, monkeypatch):
    consoles = []

    def terminal():
        consoles.append(Console(file=io.StringIO(), width=80, height=24, force_terminal=True))
        return consoles[0]

    monkeypatch.setattr(_watch, "Console", terminal)
    monkeypatch.setattr(_watch, "stdout_is_terminal", lambda: True)
    result = run("watch", *DAY, "--sandbox", "--rounds", "1")
    assert (result.exit_code, result.stdout) == (0, "")
    drawn = consoles[0].file.getvalue()
    assert "moved most since the start" in drawn
    assert "KOSDAQ KRX: walk 1, 70 changes" in drawn


def test_ctrl_c_ends_a_watch_after_a_whole_line():
    environment = os.environ | {
        "KIWOOM_APP_KEY": "watch-app-key-0001",
        "KIWOOM_SECRET_KEY": "watch-secret-key-0001",
        "PYTHONIOENCODING": "utf-8",
    }
    sandbox = Sandbox(kospi_stocks=120, kosdaq_stocks=70, trades_per_second=50)
    with on_a_port(sandbox) as base_url:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-W", "error", "-m", "kiwoom_async", "watch", *DAY],
            env=environment | {"KIWOOM_BASE_URL": base_url},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        items = []
        for line in process.stdout:
            items.append(json.loads(line))
            if Counter(item["item"] for item in items)["complete"] == 3:
                process.send_signal(signal.SIGINT)
                break
        # Not by communicate(): the file has read ahead of the line.
        rest = process.stdout.read()
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    for line in rest.splitlines():
        json.loads(line)


def test_the_sandbox_of_a_watch_has_trades(monkeypatch):
    sandboxes = []
    monkeypatch.setattr(_watch_command.KiwoomClient, "sandbox", sandboxes.append)
    monkeypatch.setattr(_watch_command.WatchJob, "run", lambda _, make: _call(make))
    monkeypatch.setattr(_watch_command, "fail", lambda *_, **__: None)
    _watch_command.program_trades(date="2026-11-20", sandbox=True)
    (sandbox,) = sandboxes
    assert sandbox.changes is not None
    assert sandbox._market_data.live_markets is not None


async def _call(make):
    make()


def test_without_a_date_each_round_watches_the_day_of_its_own(run, monkeypatch):
    days = iter(["2026-11-19", "2026-11-19", "2026-11-20"])
    monkeypatch.setattr("kiwoom_async.cli._watch_command.last_weekday", lambda: next(days))
    command = ["watch", "--sandbox", "--market", "kospi", "--rounds", "2"]
    lines = [json.loads(line) for line in run(*command).stdout.splitlines()]
    complete = [line for line in lines if "audit" in line or line.get("number")]
    assert len({line["date"] for line in complete}) == 2
