"""Findings of walks on the command line: on standard error, with an exit code of their own.

Exit code 3: complete, but something does not add up.
"""

import json
import logging
import os
import shlex
import subprocess
import sys

import pytest
from support.canned import CannedPages, row
from support.exchange import small_sandbox
from support.servers import on_a_port

from kiwoom_async import KiwoomClient
from kiwoom_async.archive import Archive
from kiwoom_async.cli import _app
from kiwoom_async.sandbox import Fault

DAY = ["--date", "2026-11-20"]
BOTH = ["--market", "KOSPI", "--market", "KOSDAQ"]
# An exchange that loses a page: the rows, and then the sums, are fewer than the totals say.
EMPTY_PAGE = "pages without rows in a walk of several: (2,)"


def losing_a_page(call=2):
    return small_sandbox(Fault("empty_list", call=call))


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
def test_a_file_that_lacks_rows_is_not_passed_over_in_silence(run, tmp_path, form):
    file = tmp_path / f"day.{form}"
    options = ["--sandbox", "--output", str(file)]
    result = run("rows", *DAY, *options, sandbox=losing_a_page())
    assert result.exit_code == 3
    found, conclusion = result.stderr.splitlines()
    assert found.startswith("2026-11-20 KOSPI KRX: buy amount of the rows is ")
    assert found.endswith(EMPTY_PAGE)
    assert conclusion == f"{file}: 70 rows; findings in 1 of 1 walk"


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_rows_on_the_screen_have_their_findings_on_standard_error(run, form):
    result = run("rows", *DAY, "--format", form, "--sandbox", sandbox=losing_a_page())
    assert result.exit_code == 3
    (found,) = result.stderr.splitlines()
    assert found.endswith(EMPTY_PAGE)
    assert "pages without" not in result.stdout


def test_of_many_walks_those_with_findings_are_named(run, tmp_path):
    file = tmp_path / "days.csv"
    days = ["--from", "2026-11-19", "--to", "2026-11-20", *BOTH]
    result = run("rows", *days, "--sandbox", "--output", str(file), sandbox=losing_a_page(6))
    assert result.exit_code == 3
    found, conclusion = result.stderr.splitlines()
    assert "pages without rows" in found
    assert conclusion.endswith("rows; findings in 1 of 4 walks")


def test_a_file_ends_with_what_it_holds(run, tmp_path):
    file = tmp_path / "day.csv"
    result = run("rows", *DAY, "--sandbox", "--output", str(file))
    assert result.exit_code == 0
    assert result.stderr == f"{file}: 120 rows, everything adds up\n"
    sunday = tmp_path / "sunday.csv"
    result = run("rows", "--date", "2026-11-15", "--sandbox", "--output", str(sunday))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"{sunday}: no data for 2026-11-15 KOSPI KRX")


def test_findings_before_an_error_are_said_and_outlive_the_resumption(run, tmp_path):
    """The empty page came before the firewall; what follows is in order."""
    file = tmp_path / "day.csv"
    faults = Fault("empty_list", call=2), Fault("firewall", call=3)
    options = ["--sandbox", "--output", str(file)]
    failed = run("rows", *DAY, *options, sandbox=small_sandbox(*faults))
    assert failed.exit_code == 1
    assert f"2026-11-20 KOSPI KRX: {EMPTY_PAGE}" in failed.stderr.splitlines()
    resumed = run(*shlex.split(failed.stderr.splitlines()[-1])[1:])
    assert resumed.exit_code == 3
    assert "findings in what came before --resume" in resumed.stderr


def test_a_resumed_walk_does_not_claim_that_its_sums_add_up(run, tmp_path):
    file = tmp_path / "day.csv"
    options = ["--sandbox", "--output", str(file)]
    failed = run("rows", *DAY, *options, sandbox=small_sandbox(Fault("firewall", call=3)))
    resumed = run(*shlex.split(failed.stderr.splitlines()[-1])[1:])
    assert resumed.exit_code == 0
    assert resumed.stderr == (
        f"{file}: 20 more rows, nothing found in them; the sums of 1 walk begun before are not "
        "compared\n"
    )


def test_the_demo_ends_with_3_where_something_does_not_add_up(run, monkeypatch):
    monkeypatch.setattr(_app, "Sandbox", lambda **_: losing_a_page())
    result = run("demo", "--fast", sandbox=losing_a_page())
    assert result.exit_code == 3
    assert "pages without rows in a walk of several" in result.stderr


def test_a_report_ends_with_3_where_something_does_not_add_up(run, tmp_path):
    file = tmp_path / "page.html"
    options = [*DAY, "--sandbox", "--output", str(file)]
    result = run("report", *options, sandbox=losing_a_page(3))
    assert result.exit_code == 3
    *found, conclusion = result.stderr.splitlines()
    assert any("pages without rows" in line for line in found)
    assert conclusion.endswith("rows; findings in 1 of 2 walks")
    assert file.exists()


def test_a_report_of_an_archive_names_the_findings_of_every_day_drawn(run, tmp_path):
    folder, file = tmp_path / "archive", tmp_path / "page.html"
    days = ["--from", "2026-11-19", "--to", "2026-11-20", "--market", "KOSPI"]
    fetched = run("archive", "fetch", str(folder), *days, "--sandbox", sandbox=losing_a_page())
    assert fetched.exit_code == 3
    (odd,) = [entry.query for entry in Archive(folder).entries() if entry.findings]
    result = run("report", str(folder), "--output", str(file))
    assert result.exit_code == 3
    assert result.stderr.startswith(f"{odd}: ")
    day = ["--date", "2026-11-19", "--days", "1"]
    other = run("report", str(folder), *day, "--output", str(tmp_path / "other.html"))
    assert other.exit_code == (3 if str(odd.date) == "2026-11-19" else 0)


def test_a_watch_names_incomplete_pages_once_and_ends_with_3(run):
    options = [*DAY, "--market", "KOSPI", "--sandbox", "--rounds", "3"]
    result = run("watch", *options, sandbox=losing_a_page())
    assert result.exit_code == 3
    assert result.stderr == f"2026-11-20 KOSPI KRX: {EMPTY_PAGE}\n"
    assert json.loads(result.stdout.splitlines()[-1])["item"] == "complete"


def test_fetch_says_how_many_walks_have_findings_and_which(run, tmp_path):
    folder = str(tmp_path / "archive")
    days = ["--from", "2026-11-19", "--to", "2026-11-21", "--market", "KOSPI"]
    result = run("archive", "fetch", folder, *days, "--sandbox", sandbox=losing_a_page())
    assert result.exit_code == 3
    (odd,) = [entry.query for entry in Archive(folder).entries() if entry.findings]
    assert result.stdout.endswith(f"; 1 walk with findings: {odd}\n")
    assert any(
        line.startswith(f"{odd}: ") and "pages without rows" in line
        for line in result.stderr.splitlines()
    )
    # What the archive holds is as odd as it was.
    again = run("archive", "fetch", folder, *days, "--sandbox")
    assert (again.exit_code, again.stdout) == (3, result.stdout)
    status = run("archive", "status", folder)
    assert f"{odd}: complete; " in status.stdout
    assert f"1 walk with findings: {odd}" in status.stdout


def test_a_fetch_that_fails_names_the_findings_so_far(run, tmp_path):
    faults = Fault("empty_list", call=2), Fault("firewall", call=3, times=9)
    folder = str(tmp_path / "archive")
    options = [*DAY, "--market", "KOSPI", "--sandbox"]
    result = run("archive", "fetch", folder, *options, sandbox=small_sandbox(*faults))
    assert result.exit_code == 1
    assert EMPTY_PAGE in result.stderr


@pytest.mark.parametrize(
    ("pages", "finding"),
    [
        (
            {"": ([row(1)], "K1"), "K1": ([], "S"), "S": ([row(1)], "K1")},
            "the server began again after an empty page",
        ),
        (
            {"": ([row(1)], {"api-id": "ka90004", "cont-yn": "N", "resp-cnt": "2"})},
            "pages whose resp-cnt is not their number of rows: (1,)",
        ),
    ],
    ids=["restart", "resp-cnt"],
)
def test_what_only_headers_tell_is_found_by_every_command(run, tmp_path, pages, finding):
    def make(_, **options):
        transport = CannedPages(pages)
        return KiwoomClient(
            "key", "secret", transport=transport, requests_per_second=1000, **options
        )

    day = [*DAY, "--market", "KOSPI", "--sandbox"]
    commands = [
        ["rows", *day],
        ["rows", *day, "--output", str(tmp_path / "day.csv")],
        ["report", *day, "--output", str(tmp_path / "day.html")],
        ["watch", *day, "--rounds", "1"],
        ["archive", "fetch", str(tmp_path / "archive"), *day],
        ["archive", "fetch", str(tmp_path / "archive"), *day],
    ]
    for command in commands:
        result = run(*command, make=make)
        assert (result.exit_code, finding in result.stderr) == (3, True), (command, result.stderr)
    verify = run("archive", "verify", str(tmp_path / "archive"))
    assert (verify.exit_code, finding in verify.stdout) == (1, True)


def test_as_a_process_each_finding_is_printed_once(tmp_path):
    """Without a handler, logging itself would print the client's warning, too."""
    command = [sys.executable, "-W", "error", "-m", "kiwoom_async", "rows", *DAY]
    keys = {"KIWOOM_APP_KEY": "a-key", "KIWOOM_SECRET_KEY": "a-secret"}
    with on_a_port(losing_a_page()) as base_url:
        result = subprocess.run(  # noqa: S603
            [*command, "--output", str(tmp_path / "day.csv")],
            env=os.environ | keys | {"KIWOOM_BASE_URL": base_url},
            capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
    assert result.returncode == 3
    assert result.stderr.count("pages without rows") == 1
    assert len(result.stderr.splitlines()) == 2


def test_other_warnings_of_the_log_are_printed(capsys):
    async def warn():
        logging.getLogger("kiwoom_async").warning("something %s", "odd")

    _app.run(warn, on_stop=lambda: None)
    assert capsys.readouterr().err == "warning: something odd\n"


def test_help_names_the_exit_codes(run):
    text = " ".join(run("--help").stdout.split())
    assert "3 complete, but something does not add up" in text
