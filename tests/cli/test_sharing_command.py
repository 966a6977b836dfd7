"""`--sharing` of every command: errors of the shared store, resuming, and hidden passwords."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from support.exchange import small_sandbox
from support.servers import on_a_port
from typer.testing import CliRunner

from kiwoom_async.cli import _clients
from kiwoom_async.cli._app import app
from kiwoom_async.sandbox import Sandbox, summary

COMMAND = [sys.executable, "-W", "error", "-m", "kiwoom_async"]
APP_KEY, SECRET_KEY = "sentinel-APP/key+0123456789==", "sentinel-SECRET/key+9876543210=="
PASSWORD = "sentinel-password"
DAY = ["--date", "2026-11-20"]
ROWS = ["rows", *DAY, "--format", "jsonl"]
WATCH = ["watch", *DAY, "--rounds", "1"]
DRY_RUN = ["archive", "fetch", "{folder}/archive", *DAY, "--dry-run"]
FETCH = DRY_RUN[:-1]
REPORT = ["report", *DAY, "--output", "{folder}/report.html"]
ALL = [ROWS, WATCH, ["token"], ["doctor"], DRY_RUN, FETCH, REPORT]
CALLING = [ROWS, WATCH, ["token"], FETCH, REPORT]


@pytest.fixture
def run_at(monkeypatch, tmp_path):
    """Run a command at a base URL, with these keys; check that no secret is printed."""
    keys = {"KIWOOM_APP_KEY": APP_KEY, "KIWOOM_SECRET_KEY": SECRET_KEY}
    for name in ("KIWOOM_ENVIRONMENT", "KIWOOM_SHARING", "KIWOOM_SHARING_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run_at(base_url, *command, sharing=None, **variables):
        options = [] if sharing is None else ["--sharing", sharing]
        for name, value in {**keys, "KIWOOM_BASE_URL": base_url, **variables}.items():
            monkeypatch.setenv(name, value)
        arguments = [word.format(folder=tmp_path) for word in command]
        result = CliRunner().invoke(app, [*arguments, *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "sentinel" not in result.stdout + result.stderr
        return result

    return run_at


@pytest.fixture
def closed_port():
    """The host and port of a server that is not running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.fixture
def redis():
    """The URL of a Redis server with a password."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ["--port", f"{port}", "--save", "", "--requirepass", PASSWORD]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)  # noqa: S603, S607
    try:
        wait_until(lambda: is_listening(port))
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def is_listening(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("command", [*CALLING, ["doctor"]], ids=lambda words: words[0])
def test_the_option_of_every_command_overrides_the_environment(run_at, tmp_path, command):
    named, other = tmp_path / "named", tmp_path / "other"
    with on_a_port(small_sandbox()) as base_url:
        result = run_at(
            base_url, *command, sharing=f"files:{named}", KIWOOM_SHARING=f"files:{other}"
        )
    assert result.exit_code == 0
    assert [file.name for file in named.glob("*/token.json")] == ["token.json"]
    assert not other.exists()


def test_without_the_option_the_environment_is_used(run_at, tmp_path):
    with on_a_port(small_sandbox()) as base_url:
        assert run_at(base_url, *ROWS, KIWOOM_SHARING=f"files:{tmp_path / 'there'}").exit_code == 0
    assert len([*tmp_path.glob("there/*/ka90004.json")]) == 1


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_the_option_is_refused_with_the_sandbox_of_this_process(run_at, tmp_path, command):
    result = run_at("", *command, "--sandbox", sharing=f"files:{tmp_path / 'there'}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--sharing: the exchange of --sandbox is this process's own" in result.stderr
    assert not [*tmp_path.iterdir()]


def test_the_sandbox_of_this_process_ignores_the_environment(run_at):
    result = run_at("", "token", "--sandbox", KIWOOM_SHARING="none")
    assert (result.exit_code, "shared at" in result.stdout) == (0, False)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "sharing: got 'nowhere'; allowed are files, files:DIRECTORY, redis://"),
        ("", "sharing: got ''; allowed are"),
        ("redis://:sentinel-password@host:port", "url: expected redis://"),
    ],
)
def test_a_malformed_place_is_wrong_use(run_at, tmp_path, command, place, words):
    result = run_at("https://api.kiwoom.invalid", *command, sharing=place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_missing_extra_is_named(run_at, monkeypatch, command, by):
    monkeypatch.setitem(sys.modules, "redis", None)
    url = "redis://127.0.0.1:1"
    place = {"sharing": url} if by == "option" else {"KIWOOM_SHARING": url}
    result = run_at("https://api.kiwoom.invalid", *command, **place)
    assert result.exit_code == 1
    # From the environment it is a problem of the settings, which the doctor prints.
    output = result.stdout if command == ["doctor"] and by == "variable" else result.stderr
    assert "redis is not installed: pip install 'kiwoom-async[redis]'" in output
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", CALLING, ids=lambda words: words[0])
def test_an_unreachable_store_ends_a_command_with_1(run_at, closed_port, command):
    sandbox = small_sandbox()
    with on_a_port(sandbox) as base_url:
        result = run_at(base_url, *command, sharing=f"redis://:{PASSWORD}@{closed_port}")
    assert result.exit_code == 1
    assert f"SharingError: Redis at {closed_port} cannot be used: " in result.stderr
    assert "Traceback" not in result.stderr
    assert not sandbox.arrivals


def incompatible_after(sandbox, calls, folder):
    """Return the sandbox; after so many calls, another version writes its format to the store."""

    async def app(scope, receive, send):
        await sandbox(scope, receive, send)
        if sum(arrival.api_id == "ka90004" for arrival in sandbox.arrivals) == calls:
            for queue in folder.glob("*/ka90004.json"):
                queue.write_text('{"format": 99}')

    return app


def test_rows_that_lose_the_store_print_the_command_that_resumes(run_at, tmp_path):
    file, place = tmp_path / "day.jsonl", tmp_path / "there"
    with on_a_port(incompatible_after(small_sandbox(), 2, place)) as base_url:
        failed = run_at(base_url, *ROWS, "--output", str(file), sharing=f"files:{place}")
        assert failed.exit_code == 1
        assert "ka90004.json is of format 99, and this version" in failed.stderr
        assert "Traceback" not in failed.stderr
        how, command = failed.stderr.splitlines()[-2:]
        assert how == "To go on where this stopped:"
        assert f"--sharing files:{place} --resume " in command
        shutil.rmtree(place)
        assert run_at(base_url, *shlex.split(command)[1:]).exit_code == 0
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = small_sandbox().rows("20261120", "P00101", "1")
    assert [json.loads(line)["symbol"] for line in lines] == [row["stk_cd"] for row in rows]


def test_the_resume_command_does_not_repeat_the_environment(run_at, closed_port):
    with on_a_port(small_sandbox()) as base_url:
        failed = run_at(base_url, *ROWS, KIWOOM_SHARING=f"redis://:{PASSWORD}@{closed_port}")
    how, command = failed.stderr.splitlines()[-2:]
    assert how == "To try again:"
    assert "--sharing" not in command


def test_the_resume_command_has_no_password(run_at, closed_port):
    with on_a_port(small_sandbox()) as base_url:
        failed = run_at(base_url, *ROWS, sharing=f"redis://me:{PASSWORD}@{closed_port}/0")
    how, command = failed.stderr.splitlines()[-2:]
    assert how == "To try again, with the password for ***:"
    assert shlex.split(command)[-2:] == ["--sharing", f"redis://me:***@{closed_port}/0"]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("files", None),
        ("files:/home/me@work/share", None),
        ("redis://localhost:6379/0?protocol=3", None),
        ("unix:///run/redis.sock?db=1", None),
        ("redis://:secret@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:secret@h", "rediss://me:***@h"),
        # Without a colon it may be the password that was written in place of the user.
        ("redis://secret@h", "redis://***@h"),
        ("unix://me:secret@/run/redis.sock", "unix://me:***@/run/redis.sock"),
        ("redis://h?db=0&password=secret&protocol=3", "redis://h?db=0&password=***&protocol=3"),
        ("rediss://h?ssl_password=secret", "rediss://h?ssl_password=***"),
        # Passwords that were not escaped.
        ("redis://me:sec/ret@h", "redis://me:***@h"),
        ("redis://me:sec@ret?x#y:z@h", "redis://me:***@h"),
        ("redis://:sec/ret@h", "redis://:***@h"),
        ("redis://sec/ret:sec@h", "redis://***@h"),
        ("redis://sec@ret:sec@h", "redis://***@h"),
    ],
)
def test_a_place_is_printed_without_its_password(place, shown):
    assert _clients.without_password(place) == (shown or place)


def test_a_watch_goes_on_when_its_store_fails_later(run_at, tmp_path):
    with on_a_port(incompatible_after(small_sandbox(), 3, tmp_path)) as base_url:
        result = run_at(base_url, "watch", *DAY, "--market", "KOSPI", "--rounds", "2",
                    sharing=f"files:{tmp_path}")  # fmt: skip
    *_, complete, failure = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, complete["item"], failure["item"]) == (0, "complete", "failure")
    assert failure["error"].startswith("SharingError: ")


def test_a_fetch_without_its_store_ends_at_once_and_can_be_continued(run_at, tmp_path, closed_port):
    fetch = ["archive", "fetch", str(tmp_path / "archive"), "--from", "2026-11-19", "--to",
             "2026-11-20"]  # fmt: skip
    with on_a_port(small_sandbox()) as base_url:
        failed = run_at(base_url, *fetch, sharing=f"redis://{closed_port}")
        assert failed.exit_code == 1
        assert "walks failed" not in failed.stderr
        assert failed.stderr.count("SharingError") == 1
        assert "the same command goes on where this stopped" in failed.stderr
        again = run_at(base_url, *fetch, sharing=f"files:{tmp_path / 'there'}")
    assert again.stdout.startswith("4 complete; ")


def test_the_token_command_prints_the_place(run_at, tmp_path):
    with on_a_port(small_sandbox()) as base_url:
        text = run_at(base_url, "token", sharing=f"files:{tmp_path}").stdout
        facts = json.loads(run_at(base_url, "token", "--format", "json",
                              KIWOOM_SHARING=f"files:{tmp_path}").stdout)  # fmt: skip
    place = f"files in {tmp_path}"
    assert f"shared at     {place}: programs that name it take the token from there\n" in text
    assert facts["shared_at"] == place


def test_the_token_command_without_sharing_prints_no_place(run_at):
    with on_a_port(small_sandbox()) as base_url:
        assert "shared at" not in run_at(base_url, "token").stdout
        assert json.loads(run_at(base_url, "token", "--format", "json").stdout)["shared_at"] is None


def start(base_url, *command):
    env = os.environ | {
        "KIWOOM_APP_KEY": APP_KEY, "KIWOOM_SECRET_KEY": SECRET_KEY,
        "KIWOOM_BASE_URL": base_url, "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    return subprocess.Popen(  # noqa: S603
        [*COMMAND, *command], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.alone
@pytest.mark.parametrize("place", ["files", "redis"])
def test_programs_share_one_pace_and_one_token(request, tmp_path, place):
    sharing = f"files:{tmp_path}" if place == "files" else request.getfixturevalue("redis")
    sandbox = Sandbox(kospi_stocks=400)
    with on_a_port(sandbox) as base_url:
        programs = [start(base_url, *ROWS, "--sharing", sharing) for _ in range(2)]
        ended = [(*program.communicate(timeout=60), program.returncode) for program in programs]
    for out, err, code in ended:
        assert (code, err) == (0, "")
        assert out.count("\n") == 400
    token, data = summary(sandbox.arrivals)
    assert (token.calls, token.tokens) == (1, 1)
    assert (data.calls, data.refused) == (16, 0)
    assert data.most_in_a_second <= 5


def test_ctrl_c_with_redis_prints_no_password(redis, tmp_path):
    file = tmp_path / "day.jsonl"
    with on_a_port(Sandbox(kospi_stocks=500)) as base_url:
        program = start(base_url, *ROWS, "--output", str(file), "--sharing", redis)
        wait_until(lambda: file.exists() and file.stat().st_size > 0)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
        assert (program.returncode, out) == (130, "")
        assert "sentinel" not in err
        command = shlex.split(err.splitlines()[-1].replace("***", PASSWORD))[1:]
        again = start(base_url, *command)
        out, err = again.communicate(timeout=60)
        assert (again.returncode, out) == (0, "")
        assert err.startswith(f"{file}: ")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 500


def test_the_doctor_and_the_token_with_redis(run_at, redis):
    with on_a_port(small_sandbox()) as base_url:
        text = run_at(base_url, "token", sharing=redis).stdout
        result = run_at(base_url, "doctor", sharing=redis)
        refused = run_at(base_url, "doctor", sharing=redis.replace(PASSWORD, "wrong"))
    place = f"Redis at {redis.rpartition('@')[2]}"
    assert f"shared at     {place}: " in text
    assert result.exit_code == 0
    assert re.search(rf"^ok        sharing    {place}$", result.stdout, re.MULTILINE)
    assert "1 program in the last minute" in result.stdout
    assert refused.exit_code == 1
    assert f"problem   sharing    SharingError: {place} cannot be used: " in refused.stdout
