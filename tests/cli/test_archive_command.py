"""`kiwoom-async archive`: its output, its exit codes, and continuing after an interrupt."""

import csv
import datetime
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import anyio
import pytest
from support.candles import DailyCandleQuery, ListServer, TickQuery, candle, client_of, tick
from support.exchange import small_sandbox
from support.servers import on_a_port

from kiwoom_async.archive import Archive
from kiwoom_async.cli._fetch_command import fetch_queries
from kiwoom_async.sandbox import Fault, Sandbox

DAYS = ["--from", "2026-11-19", "--to", "2026-11-21"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def fetch(run, folder):
    def fetch(*options, sandbox=None):
        return run("archive", "fetch", str(folder), *DAYS, "--sandbox", *options, sandbox=sandbox)

    return fetch


def test_fetch_prints_its_plan_and_a_summary(fetch, folder):
    result = fetch()
    assert result.exit_code == 0
    assert result.stderr.startswith("0 queries done; left: 6 queries, 224 calls, about ")
    assert re.fullmatch(r"4 complete, 2 no data; 380 rows, \d\d kB\n", result.stdout)
    again = fetch()
    assert again.stderr.startswith("6 queries done; left: 0 queries, 0 calls")
    assert again.stdout == result.stdout
    assert Archive(folder).verify() == []


def test_dry_run_sends_nothing_and_creates_no_archive(fetch, folder):
    sandbox = small_sandbox()
    result = fetch("--dry-run", "--exchange", "NXT", "--market", "kosdaq", sandbox=sandbox)
    assert result.stdout.startswith("0 queries done; left: 3 queries, 123 calls, about ")
    assert " on disk" in result.stdout
    assert not sandbox.arrivals
    assert not folder.exists()


def test_the_same_command_continues_after_an_error(fetch, folder):
    failed = fetch(sandbox=small_sandbox(Fault("firewall", call=5, times=math.inf)))
    assert failed.exit_code == 1
    assert "BlockedError: " in failed.stderr
    assert "the same command goes on where this stopped" in failed.stderr
    sandbox = small_sandbox()
    again = fetch(sandbox=sandbox)
    assert again.exit_code == 0
    assert sum(arrival.api_id == "ka90004" for arrival in sandbox.arrivals) == 14 - 4
    assert Archive(folder).verify() == []


def test_failed_walks_are_counted_and_listed(fetch, run, folder):
    refusing = small_sandbox(Fault("code", code="1517", call=2))
    failed = fetch(sandbox=refusing)
    assert failed.exit_code == 1
    assert "1 of 6 walks failed, the others are in the archive" in failed.stderr
    status = run("archive", "status", str(folder))
    assert status.exit_code == 0
    first, second, failed_walk = status.stdout.splitlines()
    assert {first.split(",")[0], second.split(",")[0]} == {"KOSPI KRX", "KOSDAQ KRX"}
    assert ": failed; " in failed_walk
    assert "1517" in failed_walk
    verify = run("archive", "verify", str(folder))
    assert verify.exit_code == 1
    assert "1517" in verify.stdout
    assert "1 findings in" in verify.stderr


def test_status_and_verify_of_a_complete_archive(fetch, run, folder):
    fetch()
    status = run("archive", "status", str(folder))
    assert [line.rpartition(", ")[0] for line in status.stdout.splitlines()] == [
        "KOSPI KRX, 2026-11-19 to 2026-11-21: 2 complete, 1 no data; 240 rows",
        "KOSDAQ KRX, 2026-11-19 to 2026-11-21: 2 complete, 1 no data; 140 rows",
    ]
    verify = run("archive", "verify", str(folder))
    assert verify.exit_code == 0
    assert verify.stdout.startswith("nothing found in 4 complete, 2 no data; 380 rows, ")


def test_verify_marks_damaged_files(fetch, run, folder):
    fetch()
    next((folder / "data").rglob("*.parquet")).write_bytes(b"PAR1")
    verify = run("archive", "verify", str(folder))
    assert verify.exit_code == 1
    assert verify.stdout.startswith("DAMAGED 2026-11-")
    assert "its file is not what was written" in verify.stdout


def test_fetch_repairs_what_verify_calls_damaged(fetch, run, folder):
    fetch()
    damaged, missing, *_ = sorted((folder / "data").rglob("*.parquet"))
    damaged.write_bytes(b"PAR1")
    missing.unlink()
    verify = run("archive", "verify", str(folder))
    assert verify.exit_code == 1
    assert verify.stdout.count("; fetch collects it again\n") == 2
    sql = "select count(*) from walks"
    query = run("archive", "query", str(folder), sql)
    assert query.exit_code == 1
    assert "verify names damaged files, and fetch collects them again" in query.stderr
    damaged.unlink()
    query = run("archive", "query", str(folder), sql)
    assert query.exit_code == 0
    assert query.stdout.split()[-1] == "6"
    assert "warning: " in query.stderr
    assert "the files of 2 of 4 complete walks" in query.stderr
    plan = fetch("--dry-run").stdout
    assert plan.startswith("4 queries done; left: 2 queries, ")
    assert plan.endswith(", 2 of them again: files missing or damaged\n")
    assert fetch().exit_code == 0
    assert run("archive", "verify", str(folder)).exit_code == 0


def test_a_folder_that_cannot_be_made_exits_with_1(fetch, folder):
    folder.write_text("a file")
    result = fetch()
    assert result.exit_code == 1
    assert str(folder) in result.stderr


def test_a_broken_manifest_is_one_message(fetch, run, folder):
    fetch()
    (folder / "manifest.sqlite").write_bytes(b"not a database, but long enough " * 40)
    for command in (["status", str(folder)], ["verify", str(folder)]):
        result = run("archive", *command)
        assert (result.exit_code, "not a database" in result.stderr) == (1, True)
    for options in ([], ["--dry-run"]):
        result = fetch(*options)
        assert (result.exit_code, "not a database" in result.stderr) == (1, True)


def test_query_prints_a_table_csv_or_json_lines(fetch, run, folder):
    fetch()
    sql = (
        "select market, count(*) as n, sum(net_buy_amount) as net, sum(turnover_share) as share "
        "from trades group by 1 order by 1"
    )
    table = run("archive", "query", str(folder), sql)
    assert table.stdout.splitlines()[0].split() == ["market", "n", "net", "share"]
    assert table.stdout.splitlines()[1].split()[:2] == ["KOSDAQ", "140"]
    lines = run("archive", "query", str(folder), sql, "--format", "jsonl").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["n"] for record in records] == [140, 240]
    assert [record["share"] for record in records] == [200, 200]
    text = run("archive", "query", str(folder), sql, "--format", "csv").stdout
    assert [int(row["net"]) for row in csv.DictReader(text.splitlines())] == [
        record["net"] for record in records
    ]
    long = run("archive", "query", str(folder), "select symbol from trades")
    assert "... and 340 more rows; --format csv or jsonl writes all of them" in long.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["status", "{}"], 1, "holds no archive; a fetch makes one"),
        (["verify", "{}"], 1, "holds no archive"),
        (["query", "{}", "select 1"], 1, "holds no archive"),
        (["fetch", "{}", "--sandbox"], 2, "name one day with --date, or a range"),
        (["fetch", "{}", "--date", "2999-01-01", "--sandbox"], 2, "has not come yet"),
        (["fetch", "{}", "--date", "2026-11-20"], 2, "KIWOOM_APP_KEY"),
    ],
)
def test_wrong_use_exits_with_the_reason(run, folder, arguments, code, message):
    result = run("archive", *(word.format(folder) for word in arguments))
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert not folder.exists()


def test_query_writes_duplicate_columns_as_csv_but_not_as_json(fetch, run, folder):
    fetch()
    sql = "select market as a, exchange as a from trades limit 1"
    text = run("archive", "query", str(folder), sql, "--format", "csv").stdout
    assert text.splitlines()[0] == "a,a"
    assert text.splitlines()[1].split(",")[1] == "KRX"
    refused = run("archive", "query", str(folder), sql, "--format", "jsonl")
    assert (refused.exit_code, "two columns have one name" in refused.stderr) == (2, True)


def test_invalid_sql_is_one_message(fetch, run, folder):
    fetch()
    result = run("archive", "query", str(folder), "selec")
    assert result.exit_code == 1
    assert "syntax error" in result.stderr


@pytest.mark.parametrize("missing", ["pyarrow", "duckdb", "holidays"])
def test_a_missing_package_is_named_with_its_extra(tmp_path, missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from kiwoom_async.cli import main\n"
        f"sys.argv = ['kiwoom-async', 'archive', 'status', {str(tmp_path)!r}]\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert run.returncode == 1
    assert f"{missing} is not installed: pip install 'kiwoom-async[" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_fetch_is_continued_by_the_same_command(folder, signal_number):
    # 16 + 18 pages at 20 calls a second.
    exchange = Sandbox(
        kospi_stocks=800, kosdaq_stocks=540, requests_per_second=None, latency_seconds=0.05
    )
    with on_a_port(exchange) as base_url:
        keys = {"KIWOOM_APP_KEY": "a-key", "KIWOOM_SECRET_KEY": "a-secret"}
        env = os.environ | keys | {"KIWOOM_BASE_URL": base_url}
        command = [sys.executable, "-m", "kiwoom_async", "archive", "fetch", str(folder)]
        command += ["--date", "2026-11-20", "--pace", "20"]
        process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)  # noqa: S603
        while len(exchange.arrivals) < 10:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal_number)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == 128 + signal_number, stderr
        assert "the same command goes on where this stopped" in stderr
        assert "Traceback" not in stderr
        kept_pages = sum(entry.kept_pages for entry in Archive(folder).entries())
        assert kept_pages >= 5
        assert not list((folder / "processes").iterdir())
        calls_before = len(exchange.arrivals)
        subprocess.run([*command[:-1], "1000"], env=env, check=True, capture_output=True)  # noqa: S603
        # One call is the new process's token.
        assert len(exchange.arrivals) - calls_before == 16 + 18 - kept_pages + 1
    assert Archive(folder).verify() == []


TODAY = datetime.date(2026, 11, 27)
CANDLES, TICKS = DailyCandleQuery("005930", TODAY), TickQuery("005930")


@pytest.fixture
def make_client():
    days = [candle(TODAY - datetime.timedelta(days)) for days in range(5)]
    server = ListServer(2, ka10081=days, ka10003=[*map(tick, range(3))])
    return lambda **options: client_of(server, base_url="http://localhost", **options)


def test_queries_of_any_request_are_fetched_and_seen_by_the_other_commands(
    fetch, run, folder, make_client, capsys
):
    fetch()
    queries = [CANDLES, TICKS]
    fetch_queries(folder, queries, make_client, dry_run=False, refresh=False)
    output = capsys.readouterr()
    assert output.err.startswith("0 queries done; left: 2 queries, 2 calls, about ")
    assert output.out.startswith("2 complete; 8 rows, ")
    fetch_queries(folder, queries, make_client, dry_run=True, refresh=False)
    assert capsys.readouterr().out.startswith("2 queries done (2 of them today; refresh")
    status = run("archive", "status", str(folder))
    assert [line.rpartition(", ")[0] for line in status.stdout.splitlines()] == [
        "ka10003_tick: 1 complete; 3 rows",
        "ka10081_candle: 1 complete; 5 rows",
        "KOSPI KRX, 2026-11-19 to 2026-11-21: 2 complete, 1 no data; 240 rows",
        "KOSDAQ KRX, 2026-11-19 to 2026-11-21: 2 complete, 1 no data; 140 rows",
    ]
    sql = "select stock_code, date from ka10081_candle order by date limit 1"
    query = run("archive", "query", str(folder), sql, "--format", "csv")
    assert query.stdout == "stock_code,date\n005930,2026-11-23\n"


def test_walks_of_requests_that_the_command_does_not_know_are_listed_and_checked(
    folder, make_client
):
    async def fetch() -> None:
        async with make_client() as kiwoom:
            await Archive(folder).fetch(kiwoom, [CANDLES])

    anyio.run(fetch)
    command = [sys.executable, "-m", "kiwoom_async", "archive"]
    verify = subprocess.run([*command, "verify", str(folder)], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert verify.returncode == 0
    assert verify.stderr == "1 walk of requests unknown here: files checked only\n"
    assert verify.stdout.startswith("nothing found in 1 complete; 5 rows, ")
    next(folder.rglob("*.parquet")).unlink()
    verify = subprocess.run([*command, "verify", str(folder)], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert verify.returncode == 1
    assert verify.stdout.startswith(f"DAMAGED {CANDLES}: its file is missing; fetch collects it")


def test_a_report_is_made_of_ka90004_and_says_so(fetch, run, folder, make_client, tmp_path):
    fetch_queries(folder, [CANDLES, TICKS], make_client, dry_run=False, refresh=False)
    report = run("report", str(folder), "--output", str(tmp_path / "page.html"))
    assert report.exit_code == 2
    assert "no complete walk of these markets and exchanges of ka90004, which" in report.stderr
    fetch()
    report = run("report", str(folder), "--output", str(tmp_path / "page.html"))
    assert report.exit_code == 0, report.stderr
