"""The version, the demo, missing extras, and commands as processes: signals and encodings."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
from rich.cells import cell_len
from support.exchange import small_sandbox
from support.servers import on_a_port
from typer.testing import CliRunner

import kiwoom_async
from kiwoom_async.cli import _app, _queries
from kiwoom_async.sandbox import Sandbox

DAY = ["--date", "2026-11-20"]
COMMAND = [sys.executable, "-W", "error", "-m", "kiwoom_async"]


def test_version_option(run):
    assert run("--version").stdout.strip() == kiwoom_async.__version__


def test_the_demo_prints_both_tables_and_the_audits(monkeypatch):
    monkeypatch.setattr(_app, "Sandbox", lambda **_: small_sandbox())
    result = CliRunner().invoke(_app.app, ["demo", "--fast"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    for text in ("Most bought by program", "Most sold by program", "억원", "█",
                 "KOSPI: 3 pages, 120 rows", "KOSDAQ: 3 pages, 70 rows",
                 "everything adds up", "invented"):  # fmt: skip
        assert text in result.stdout
    assert len(re.findall("█+", result.stdout)) == 20
    assert max(map(cell_len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("today", "weekday"),
    [
        (date(2026, 11, 20), date(2026, 11, 19)),
        (date(2026, 11, 21), date(2026, 11, 20)),
        (date(2026, 11, 22), date(2026, 11, 20)),
        (date(2026, 11, 23), date(2026, 11, 20)),
        (date(2026, 11, 24), date(2026, 11, 23)),
    ],
    ids=["Friday", "Saturday", "Sunday", "Monday", "Tuesday"],
)
def test_the_last_weekday_is_before_today(monkeypatch, today, weekday):
    monkeypatch.setattr(_queries, "today_in_korea", lambda: today)
    assert _queries.last_weekday() == weekday


@pytest.mark.parametrize(
    ("utc", "korean_date"),
    [
        (datetime(2026, 11, 23, 14, 59, 59, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 15, 0, 0, tzinfo=UTC), date(2026, 11, 24)),
    ],
    ids=["before", "at"],
)
def test_the_date_changes_at_midnight_in_korea(monkeypatch, utc, korean_date):
    class Clock(datetime):
        @classmethod
        def now(cls, tz):
            return utc.astimezone(tz)

    monkeypatch.setattr(_queries, "datetime", Clock)
    assert _queries.today_in_korea() == korean_date


def test_without_typer_the_command_line_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "kiwoom_async.cli._app")
    with pytest.raises(SystemExit, match=r"pip install 'kiwoom-async\[cli\]'"):
        kiwoom_async.cli.main()


def test_importing_the_library_imports_no_extra():
    # Not rich: httpx imports it where it is installed.
    extras = "{'typer', 'uvicorn', 'kiwoom_async.sandbox', 'kiwoom_async.cli'}"
    code = f"import sys, kiwoom_async; print(sorted({extras} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603
    assert run.stdout.strip() == "[]"


def environment(base_url=None):
    return os.environ | {
        "KIWOOM_APP_KEY": "cli-app-key-0001",
        "KIWOOM_SECRET_KEY": "cli-secret-key-0001",
        "KIWOOM_BASE_URL": base_url or "",
        "PYTHONIOENCODING": "utf-8",
    }


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGTERM, signal.SIGINT], 143),
        ([signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT], 143),
    ],
)
def test_ctrl_c_keeps_what_is_written_and_prints_the_command_that_resumes(tmp_path, signals, code):
    """Also for a key that is held down, and for SIGTERM."""
    file = tmp_path / "day.jsonl"
    arguments = ["rows", *DAY, "--format", "jsonl", "--output", str(file)]
    sandbox = Sandbox(kospi_stocks=300)
    with on_a_port(sandbox) as base_url:
        env = environment(base_url)
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, *arguments],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        wait_until(lambda: file.exists() and file.stat().st_size > 0)
        for signal_number in signals:
            process.send_signal(signal_number)
            time.sleep(0.01)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (code, "")
        assert "Traceback" not in err
        assert "cli-secret-key-0001" not in err
        written = file.read_text(encoding="utf-8")
        assert 0 < written.count("\n") < 300
        sandbox.requests_per_second = None
        resume = shlex.split(err.splitlines()[-1])[1:]
        subprocess.run([*COMMAND, *resume], env=env, check=True, timeout=60)  # noqa: S603
    text = file.read_text(encoding="utf-8")
    assert text.startswith(written)
    assert [json.loads(line)["symbol"] for line in text.splitlines()] == [
        row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")
    ]


def test_a_closed_pipe_exits_with_1_and_no_message():
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


def run_with_ascii_output(*arguments):
    env = environment() | {"PYTHONIOENCODING": "ascii"}
    return subprocess.run(  # noqa: S603
        [*COMMAND, *arguments], env=env, capture_output=True, encoding="ascii", check=False
    )


def test_rows_to_an_ascii_output_say_what_to_do():
    result = run_with_ascii_output("rows", *DAY, "--sandbox")
    assert result.returncode == 1
    assert "set PYTHONIOENCODING=utf-8, or name a file with --output" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("kiwoom-async rows --date")
    assert "Traceback" not in result.stderr


def test_the_demo_replaces_its_bars_on_an_ascii_output():
    result = run_with_ascii_output("demo", "--fast")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Most bought by program" in result.stdout


def test_a_closed_standard_output_says_what_to_do():
    command = shlex.join([*COMMAND, "rows", *DAY, "--sandbox"])
    result = subprocess.run(  # noqa: S602
        f"{command} >&-", shell=True, env=environment(), stderr=subprocess.PIPE, check=False
    )
    assert result.returncode == 1
    assert b"standard output is closed; name a file with --output" in result.stderr


def test_ctrl_c_ends_the_sandbox_with_a_summary():
    process = subprocess.Popen(  # noqa: S603
        [*COMMAND, "sandbox", "--port", "0"],
        env=environment(), stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    base_url = re.search(r"http://\S+", process.stderr.readline())[0]
    wait_until(lambda: is_serving(base_url))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"unknown key  no api-id \d+ calls?, .* 0 refused with 429\n", err)


def is_serving(base_url):
    try:
        return httpx.get(base_url, trust_env=False).status_code == 404
    except httpx.TransportError:
        return False


def test_the_script_is_installed():
    script = Path(sys.executable).with_name("kiwoom-async")
    run = subprocess.run([script, "--help"], capture_output=True, check=True, encoding="utf-8")  # noqa: S603
    for command in ("demo", "rows", "sandbox"):
        assert command in run.stdout
