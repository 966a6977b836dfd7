"""The command line: what it prints, how it ends, how it resumes; run as a user runs it."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from conftest import on_a_port
from rich.cells import cell_len
from typer.testing import CliRunner

import kiwoom_async
from kiwoom_async import Exchange, Market, PriceMove, ProgramTradeQuery
from kiwoom_async._endpoint import first_cursor
from kiwoom_async.cli import _app, _demo, _formats, _progress
from kiwoom_async.sandbox import Fault, Sandbox

DAY = ["--date", "2026-11-20"]
COMMAND = [sys.executable, "-W", "error", "-m", "kiwoom_async"]


@pytest.fixture
def run(monkeypatch):
    """Run the command line in this process, against a small sandbox that the test may choose."""
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, sandbox=None):
        simulated = sandbox or small()
        client = kiwoom_async.KiwoomClient.sandbox
        monkeypatch.setattr(_app.KiwoomClient, "sandbox", lambda *_: client(simulated))
        return CliRunner().invoke(_app.app, list(arguments))

    return run


def small(*faults):
    return Sandbox(kospi_stocks=120, kosdaq_stocks=70, requests_per_second=None, faults=faults)


def truth(market="P00101", exchange="1"):
    return [row["stk_cd"] for row in small().rows("20261120", market, exchange)]


def test_rows_as_json_lines(run):
    result = run("rows", *DAY, "--format", "jsonl", "--sandbox")
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["symbol"] for record in records] == truth()
    assert records[0]["date"] == "2026-11-20"
    assert records[0]["market"] == "KOSPI"
    assert isinstance(records[0]["turnover_share"], float)
    assert {record["move"] for record in records} <= {*PriceMove, None}
    assert result.stderr == ""


def test_rows_as_csv(run):
    result = run("rows", *DAY, "--format", "csv", "--sandbox", "--market", "kosdaq")
    records = list(csv.DictReader(result.stdout.splitlines()))
    assert [record["symbol"] for record in records] == truth("P10102")
    assert tuple(records[0]) == _formats.COLUMNS


def test_rows_as_a_table(run):
    result = run("rows", *DAY, "--sandbox", "--exchange", "CONSOLIDATED")
    heading, *lines = result.stdout.splitlines()
    assert heading.split()[:3] == ["symbol", "name", "price"]
    assert {cell_len(line) for line in lines} == {79}
    assert [line.split()[0] for line in lines] == truth(exchange="3")


def test_a_csv_file_opens_in_a_korean_excel_and_is_never_overwritten(run, tmp_path):
    file = tmp_path / "day.csv"
    assert run("rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)).exit_code == 0
    assert file.read_bytes().startswith("\ufeffsymbol,".encode())
    again = run("rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file))
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == 121


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_after_an_error_the_printed_command_completes_the_file(run, tmp_path, form):
    file = tmp_path / "day"
    arguments = ["rows", *DAY, "--format", form, "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small(Fault("firewall", call=3)))
    assert failed.exit_code == 1
    assert "BlockedError: " in failed.stderr
    partial = file.read_text(encoding="utf-8")
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert command[:2] == ["kiwoom-async", "rows"]
    assert run(*command[1:]).exit_code == 0
    whole = file.read_text(encoding="utf-8")
    assert whole.startswith(partial)
    fresh = tmp_path / "fresh"
    run(*arguments[:-1], str(fresh))
    assert file.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows"], "Missing option '--date'"),
        (["rows", "--date", "2026-02-30", "--sandbox"], "is no day of the calendar"),
        (["rows", "--date", "2999-01-01", "--sandbox"], "has not come yet"),
        (["rows", *DAY, "--market", "KONEX"], "KONEX"),
        (["rows", *DAY, "--format", "xml"], "xml"),
        (["rows", *DAY, "--sandbox", "--resume", "k1.x"], "cursor: "),
        (["rows", *DAY], "KIWOOM_APP_KEY"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_failed_start_leaves_no_file_and_its_command_can_be_repeated(run, tmp_path):
    file = tmp_path / "day.csv"
    arguments = ["rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small(Fault("code", code="8050", api_id="au10001")))
    assert failed.exit_code == 1
    assert "[8050:" in failed.stderr
    assert "register this machine's public IP address" in failed.stderr
    assert not file.exists()
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0
    assert file.exists()


def test_a_day_without_data_is_a_heading_and_no_rows(run):
    result = run("rows", "--date", "2026-11-15", "--format", "csv", "--sandbox")
    assert (result.exit_code, result.stdout) == (0, ",".join(_formats.COLUMNS) + "\n")


def test_a_file_that_cannot_be_written_ends_with_1(run, tmp_path):
    result = run("rows", *DAY, "--sandbox", "--output", str(tmp_path / "no" / "such" / "file"))
    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_a_cursor_of_another_query_ends_with_1_and_says_so(run):
    other = first_cursor(ProgramTradeQuery("20261119", Market.KOSPI, Exchange.KRX))
    result = run("rows", *DAY, "--sandbox", "--resume", str(other))
    assert result.exit_code == 1
    assert "belongs to another query" in result.stderr


def test_the_version(run):
    assert run("--version").stdout.strip() == kiwoom_async.__version__


def test_the_demo_shows_both_lists_and_the_audits(monkeypatch):
    monkeypatch.setattr(_app, "Sandbox", lambda **_: small())
    result = CliRunner().invoke(_app.app, ["demo", "--fast"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    for text in ("Most bought by program", "Most sold by program", "억원", "█",
                 "KOSPI CONSOLIDATED: 3 pages, 120 rows", "KOSDAQ CONSOLIDATED: 3 pages, 70 rows",
                 "everything adds up", "invented"):  # fmt: skip
        assert text in result.stdout
    assert len(re.findall("█+", result.stdout)) == 20
    assert max(map(cell_len, result.stdout.splitlines())) <= 80


def test_the_demo_chooses_a_weekday_before_today():
    day = _demo.last_weekday()
    assert day.weekday() < 5
    assert 0 < (date.today() - day).days <= 4  # noqa: DTZ011


def test_the_sandbox_command_serves_what_it_was_told(run, monkeypatch):
    served = []
    monkeypatch.setattr(_app, "serve", lambda sandbox, **at: served.append((sandbox, at)))
    result = run("sandbox", "--port", "9000", "--limit", "0")
    assert result.exit_code == 0
    assert served[0][1] == {"host": "127.0.0.1", "port": 9000}
    assert served[0][0].requests_per_second is None
    assert "KIWOOM_BASE_URL=http://127.0.0.1:9000" in result.stderr


def test_the_sandbox_command_names_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("sandbox")
    assert result.exit_code == 1
    assert "pip install 'kiwoom-async[sandbox]'" in result.stderr


def test_without_typer_the_command_line_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "kiwoom_async.cli._app")
    with pytest.raises(SystemExit, match=r"pip install 'kiwoom-async\[cli\]'"):
        kiwoom_async.cli.main()


def test_importing_the_library_imports_no_extra():
    # httpx imports rich by itself where it finds it.
    extras = "{'typer', 'uvicorn', 'kiwoom_async.sandbox', 'kiwoom_async.cli'}"
    code = f"import sys, kiwoom_async; print(sorted({extras} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603
    assert run.stdout.strip() == "[]"


# ---- progress


def line_after(pages, *, first_page=1, seconds=2.0):
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
    progress = _progress.Progress(query, first_page=first_page)
    with progress:
        for number in range(first_page, first_page + pages):
            rows = [None] * 50
            following = first_cursor(query)
            progress.count(kiwoom_async.Page(query, number, rows, None, following))
    return progress.line(seconds)


def test_the_progress_line():
    """2,472 stocks at 50 a page are 50 pages; eleven in two seconds leave some eight."""
    assert line_after(11) == (
        "2026-11-20 KOSPI KRX · 11 pages · 550 rows · 5.0 calls/s · about 8 s left"
    )
    assert line_after(11, first_page=31).endswith("about 2 s left")
    assert "left" not in line_after(0)
    assert "left" not in line_after(1, seconds=0.0)


# ---- as a process


def environment(base_url=None):
    return os.environ | {
        "KIWOOM_APP_KEY": "cli-app-key-0001",
        "KIWOOM_SECRET_KEY": "cli-secret-key-0001",
        "KIWOOM_BASE_URL": base_url or "",
        "PYTHONIOENCODING": "utf-8",
    }


def wait_until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_keeps_what_is_written_and_prints_the_command_that_resumes(tmp_path):
    file = tmp_path / "day.jsonl"
    arguments = ["rows", *DAY, "--format", "jsonl", "--output", str(file)]
    sandbox = Sandbox(kospi_stocks=500)
    with on_a_port(sandbox) as base_url:
        env = environment(base_url)
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, *arguments],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        wait_until(lambda: file.exists() and file.stat().st_size > 0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert "cli-secret-key-0001" not in err
        written = file.read_text(encoding="utf-8")
        assert 0 < written.count("\n") < 500
        sandbox.requests_per_second = None
        resume = shlex.split(err.splitlines()[-1])[1:]
        subprocess.run([*COMMAND, *resume], env=env, check=True, timeout=60)  # noqa: S603
    text = file.read_text(encoding="utf-8")
    assert text.startswith(written)
    assert [json.loads(line)["symbol"] for line in text.splitlines()] == [
        row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")
    ]


def test_a_reader_that_leaves_early_is_no_crash():
    with on_a_port(Sandbox(kospi_stocks=500)) as base_url:
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, "rows", *DAY], env=environment(base_url),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=20)
        err = process.stderr.read()
        process.stderr.close()
    assert (process.returncode, err) == (1, b"")


def test_the_script_is_installed():
    script = Path(sys.executable).with_name("kiwoom-async")
    run = subprocess.run([script, "--help"], capture_output=True, check=True, encoding="utf-8")  # noqa: S603
    for command in ("demo", "rows", "sandbox"):
        assert command in run.stdout
