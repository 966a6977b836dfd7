"""`call` prints answers as JSON; `requests` lists what there is to call."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from support.canned import CannedPages, row
from support.exchange import page_calls, small_sandbox, stock_codes
from support.servers import on_a_port
from typer.testing import CliRunner

from kiwoom_async import KiwoomClient
from kiwoom_async.cli import _call
from kiwoom_async.cli._app import app
from kiwoom_async.sandbox import Fault, Sandbox

CALL = ["call", "ka90004", "dt=20261120", "mrkt_tp=P00101", "stex_tp=1", "--sandbox"]
COMMAND = [sys.executable, "-W", "error", "-m", "kiwoom_async"]
ONE, TWO, THREE = (row(number) for number in (1, 2, 3))
RESTART = {
    "": ([ONE, TWO], "K1"),
    "K1": ([THREE], "K2"),
    "K2": ([], "S-1"),
    "S-1": ([ONE, TWO], "K1"),
}


def pages_of(output):
    return [json.loads(line)["stk_prm_trde_prst"] for line in output.splitlines()]


def codes_of(output):
    return [line["stk_cd"] for page in pages_of(output) for line in page]


def canned(pages):
    """Return a function for `run(make=...)` whose client is answered with these pages."""

    def make(_, **options):
        transport = CannedPages(pages)
        return KiwoomClient(
            "app-key", "secret-key", transport=transport, requests_per_second=1000, **options
        )

    return make


def resume_command(result):
    """Return the arguments of the last line on standard error, a command."""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("kiwoom-async call ka90004 ")
    return shlex.split(line)[1:]


def test_one_answer_is_a_line_of_json_and_the_next_page_is_named(run):
    sandbox = small_sandbox()
    result = run(*CALL, sandbox=sandbox)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert "현대차" in result.stdout
    assert codes_of(result.stdout) == stock_codes(sandbox)[:50]
    assert "There are more pages, all of them with --all-pages" in result.stderr
    second = run(*resume_command(result), sandbox=sandbox)
    third = run(*resume_command(second), sandbox=sandbox)
    assert codes_of(second.stdout + third.stdout) == stock_codes(sandbox)[50:]
    assert third.stderr == ""
    assert page_calls(sandbox)[0].body == {"dt": "20261120", "mrkt_tp": "P00101", "stex_tp": "1"}


def test_on_a_terminal_it_is_indented(run, monkeypatch):
    monkeypatch.setattr(_call, "stdout_is_terminal", lambda: True)
    result = run(*CALL)
    assert result.stdout.startswith('{\n  "')
    assert len(json.loads(result.stdout)["stk_prm_trde_prst"]) == 50


def test_all_pages_are_a_line_each(run):
    sandbox = small_sandbox(Fault("rate_limit", call=2))
    result = run(*CALL, "--all-pages", sandbox=sandbox)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [len(page) for page in pages_of(result.stdout)] == [50, 50, 20]
    assert codes_of(result.stdout) == stock_codes(sandbox)


def test_a_failure_names_the_command_that_goes_on(run):
    sandbox = small_sandbox(Fault("code", call=3, code="1517"))
    failed = run(*CALL, "--all-pages", sandbox=sandbox)
    assert failed.exit_code == 1
    assert "ApiError: ka90004: " in failed.stderr
    assert "To go on where this stopped:" in failed.stderr
    rest = run(*resume_command(failed), sandbox=sandbox)
    assert (rest.exit_code, rest.stderr) == (0, "")
    assert codes_of(failed.stdout + rest.stdout) == stock_codes(sandbox)


def test_a_failure_of_the_first_page_leaves_nothing_to_go_on_from(run):
    result = run(*CALL, "--all-pages", sandbox=small_sandbox(Fault("code", code="1517")))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "To go on" not in result.stderr


@pytest.mark.parametrize(
    ("pages", "lines"),
    [
        (RESTART, [[ONE, TWO], [THREE], []]),
        (RESTART | {"S-1": ([TWO], "K1")}, [[ONE, TWO], [THREE], []]),
        (RESTART | {"K2": ([], "K1")}, [[ONE, TWO], [THREE]]),
    ],
    ids=["recorded", "a part of it", "the empty page leads back itself"],
)
def test_a_page_that_comes_again_after_an_empty_one_is_left_out(run, pages, lines):
    result = run(*CALL, "--all-pages", make=canned(pages))
    assert result.exit_code == 3
    assert pages_of(result.stdout) == lines
    assert "ka90004: the server began again after an empty page" in result.stderr
    assert "are left out" in result.stderr


def test_rows_that_did_not_come_before_are_printed(run):
    """The price has moved, so that the row may be another."""
    moved = ONE | {"cur_prc": "+1"}
    result = run(*CALL, "--all-pages", make=canned(RESTART | {"S-1": ([moved, TWO], "K1")}))
    assert result.exit_code == 3
    assert pages_of(result.stdout) == [[ONE, TWO], [THREE], [], [moved, TWO]]
    assert "the rows of the last line probably came before" in result.stderr


def test_one_page_where_the_server_began_again_says_so(run):
    page, walk = [], canned(RESTART)
    while not page or "more pages" in page[-1].stderr:
        page.append(run(*(resume_command(page[-1]) if page else CALL), make=walk))
    assert [result.exit_code for result in page] == [0, 0, 0, 3]
    assert "these rows came before" in page[-1].stderr


def test_pages_that_go_round_with_new_keys_are_an_error(run):
    def pages(key):
        return [ONE, TWO], str(int(key or 0) + 1)

    result = run(*CALL, "--all-pages", make=canned(pages))
    assert result.exit_code == 1
    assert "ContinuationError: a page has the rows of an earlier one" in result.stderr
    assert pages_of(result.stdout) == [[ONE, TWO]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kt10000", "stk_cd=005930"], "kt10000 (주식 매수주문) at /api/dostk/ordr trades"),
        (["ka10001", "--path", "/api/dostk/ordr"], "trades"),
        (["au10001"], "of the token"),
        (["ka1000x"], "expected one of the 181 published requests"),
        (["ka10001", "005930"], "got '005930'; expected NAME=VALUE, such as stk_cd=005930"),
        (["ka10001", "=005930"], "expected NAME=VALUE"),
        (["ka10001", "a=1", "a=2"], "a: comes twice"),
        (["ka10001", "--resume", "None"], "nothing is left"),
        (["ka10001", "--resume", "k1.abc"], "not all of, what str(cursor) printed"),
        (["ka10001", "--path", "stkinfo"], "path: got 'stkinfo'"),
    ],
)
def test_wrong_use_exits_with_2_before_anything_is_sent(run, arguments, message):
    sandbox = small_sandbox()
    result = run("call", *arguments, "--sandbox", sandbox=sandbox)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not sandbox.arrivals


def test_values_may_hold_equals_signs_and_a_path_may_be_named(run):
    sandbox = small_sandbox()
    result = run("call", "zz1", "x=a=b", "y=", "--path", "/api/dostk/new", "--sandbox",
                 sandbox=sandbox)  # fmt: skip
    assert result.exit_code == 1
    assert sandbox.arrivals[-1].body == {"x": "a=b", "y": ""}


def test_without_keys_it_says_which_are_missing(run):
    result = run("call", "ka10001", "stk_cd=005930")
    assert result.exit_code == 2
    assert "set KIWOOM_APP_KEY and KIWOOM_SECRET_KEY" in result.stderr


def test_the_command_that_goes_on_shows_no_password(run, monkeypatch):
    monkeypatch.setenv("KIWOOM_APP_KEY", "an-app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "a-secret-key")
    sandbox = small_sandbox(Fault("code", call=2, code="1517"))
    monkeypatch.setattr(
        KiwoomClient,
        "from_env",
        lambda sharing: KiwoomClient.sandbox(sandbox),  # noqa: ARG005
    )
    place = "redis://me:the-password@127.0.0.1:1/0"
    result = run(*CALL[:-1], "--all-pages", "--sharing", place, sandbox=sandbox)
    assert "with the password for ***:" in result.stderr
    assert "--sharing 'redis://me:***@127.0.0.1:1/0' --resume k1." in result.stderr
    assert "the-password" not in result.stderr


def environment(base_url):
    return os.environ | {
        "KIWOOM_APP_KEY": "cli-app-key-0001",
        "KIWOOM_SECRET_KEY": "cli-secret-key-0001",
        "KIWOOM_BASE_URL": base_url,
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_names_the_command_that_goes_on(number, code):
    sandbox = Sandbox(kospi_stocks=600)
    with on_a_port(sandbox) as base_url:
        env = environment(base_url)
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, *CALL[:-1], "--all-pages"],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        begun = process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(number)
        # Not by communicate(): the file has read ahead of the line.
        out = process.stdout.read()
        _, err = process.communicate(timeout=20)
        assert process.returncode == code
        assert "Traceback" not in err
        sandbox.requests_per_second = None
        rest = subprocess.run(  # noqa: S603
            [*COMMAND, *shlex.split(err.splitlines()[-1])[1:]],
            env=env, check=True, capture_output=True, encoding="utf-8", timeout=60,
        )  # fmt: skip
    assert codes_of(begun + out + rest.stdout) == stock_codes(sandbox)


def test_requests_lists_all_of_them():
    result = CliRunner().invoke(app, ["requests"])
    lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr, len(lines)) == (0, "", 181)
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert "ka10001  주식기본정보요청                    /api/dostk/stkinfo" in lines
    assert sum(line.endswith("/ordr      trades: not served") for line in lines) == 8
    assert sum(line.endswith("/crdordr   trades: not served") for line in lines) == 4


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["프로그램"], 9),
        (["ka10081"], 1),
        (["매수", "주문"], 3),
        (["금현물 주문"], 6),
        (["thme"], 2),
    ],
)
def test_requests_are_searched(words, count):
    result = CliRunner().invoke(app, ["requests", *words])
    assert (result.exit_code, result.stdout.count("\n")) == (0, count)


def test_a_search_without_a_result_says_so():
    result = CliRunner().invoke(app, ["requests", "no", "such"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no published request has 'no such' in its api-id, Korean name or path" in result.stderr


def test_requests_as_json_lines():
    result = CliRunner().invoke(app, ["requests", "신용 매수", "--format", "jsonl"])
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "api_id": "kt10006",
            "korean_name": "신용 매수주문",
            "path": "/api/dostk/crdordr",
            "trades": True,
            "names": [],
        }
    ]


def test_requests_into_a_closed_pipe_exit_with_1_and_no_message():
    process = subprocess.Popen(  # noqa: S603
        [*COMMAND, "requests"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.wait(timeout=20)
    err = process.stderr.read()
    process.stderr.close()
    assert (process.returncode, err) == (1, b"")


def test_requests_to_an_ascii_output_say_what_to_do():
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(  # noqa: S603
        [*COMMAND, "requests"], env=env, capture_output=True, check=False
    )
    assert result.returncode == 1
    assert b"set PYTHONIOENCODING=utf-8" in result.stderr
