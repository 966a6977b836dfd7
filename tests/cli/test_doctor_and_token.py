"""`doctor` and `token`: findings, advice and exit codes; neither prints a secret.

One long file, because all of it uses the same fixture and the same parser of the output.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

import anyio
import httpx
import pytest
import uvicorn
from attrs import evolve
from support.exchange import small_sandbox
from support.servers import on_a_port
from typer.testing import CliRunner

from kiwoom_async import (
    CallEnded,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    Priority,
    Program,
    ProgramTradeQuery,
    SharingReport,
)
from kiwoom_async._io.rate_limit import LocalRateLimiter
from kiwoom_async._io.tokens import NullTokenStore
from kiwoom_async._protocol.times import KST
from kiwoom_async.cli import _checks, _clients, _diagnosis, _network
from kiwoom_async.cli._app import app
from kiwoom_async.sandbox import Fault

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
APP_KEY, SECRET_KEY = "sentinel-APP/key+0123456789==", "sentinel-SECRET/key+9876543210=="
CHECKS = ["settings", "DNS", "TLS", "sharing", "firewall", "token", "IP address", "clock", "page"]
IN_PROCESS = ["skipped"] * 4
ON_LOOPBACK = ["ok"] * 3 + ["skipped"]
COMMAND = [sys.executable, "-W", "error", "-m", "kiwoom_async"]


@pytest.fixture(autouse=True)
def no_waits_and_no_environment(monkeypatch):
    """Retry at once, and ignore the machine's environment."""
    monkeypatch.setattr(random, "uniform", lambda least, _: least)
    for name in ("KIWOOM_ENVIRONMENT", "KIWOOM_BASE_URL", "SSL_CERT_FILE", "SSL_CERT_DIR",
                 "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
                 "KIWOOM_SHARING"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_at(monkeypatch):
    """Run a command, else `doctor`, at a base URL; check that no key is printed."""

    def run_at(base_url, *command, **variables):
        variables = {
            "KIWOOM_APP_KEY": APP_KEY, "KIWOOM_SECRET_KEY": SECRET_KEY,
            "KIWOOM_BASE_URL": base_url, **variables,
        }  # fmt: skip
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(app, list(command or ["doctor"]))
        for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY"):
            assert variables[name] == "" or variables[name] not in result.output + result.stderr
        assert result.stderr == "" or command
        return result

    return run_at


def findings(result):
    """Return the status and the text of each check as printed, by name."""
    parts = re.split(r"^([a-z ]{10})(\S[\w ]{9}) ", result.stdout, flags=re.MULTILINE)
    assert parts[0] == ""
    parsed = {
        name.strip(): (status.strip(), text)
        for status, name, text in zip(*[iter(parts[1:])] * 3, strict=True)
    }
    assert list(parsed) == CHECKS
    return parsed


def statuses(result):
    return [status for status, _ in findings(result).values()]


def summary(result):
    return result.stdout.splitlines()[-1]


def test_all_is_well_in_process(run):
    result = run("doctor", "--sandbox")
    assert (result.exit_code, result.stderr) == (0, "")
    assert statuses(result) == [*IN_PROCESS, *["ok"] * 5]
    by_name = findings(result)
    assert re.match(
        r"valid until .* KST, 2\d h \d+ min .* presumably just now", by_name["token"][1]
    )
    assert "the token ends within 24 h, as it must" in by_name["clock"][1]
    assert re.search(r"KOSPI KRX: 50 rows, more pages .* took 0\.\d\d\d s", by_name["page"][1])
    assert summary(result) == "all is well; no pace is set"


def test_all_is_well_on_a_port_and_piped_output_is_plain(run_at):
    sandbox = small_sandbox(requests_per_second=5)
    with on_a_port(sandbox) as base_url:
        result = run_at(base_url, FORCE_COLOR="1", KIWOOM_ENVIRONMENT="mock")
    assert result.exit_code == 0
    assert statuses(result) == [*ON_LOOPBACK, *["ok"] * 5]
    by_name = findings(result)
    lengths = f"KIWOOM_APP_KEY of {len(APP_KEY)} characters, KIWOOM_SECRET_KEY of {len(SECRET_KEY)}"
    assert lengths in by_name["settings"][1]
    assert f"environment mock, {base_url}" in by_name["settings"][1]
    assert "nothing to look up" in by_name["DNS"][1]
    assert "no TLS on loopback" in by_name["TLS"][1]
    assert re.match(r"at most \d\.\d s from the server's", by_name["clock"][1])
    assert summary(result) == "all is well; the pace is 1 requests/s for each api-id"
    assert "\x1b" not in result.stdout
    assert not [token for token in sandbox._access._issued if token in result.stdout]


UNREGISTERED_ADDRESS = ["ok", "skipped", "problem", "skipped", "not tried"]
NO_TOKEN = ["ok", "problem", "skipped", "skipped", "not tried"]
BLOCKED = ["problem", "not tried", "not tried", "skipped", "not tried"]


@pytest.mark.parametrize(
    ("fault", "expected", "check", "words"),
    [
        (Fault("firewall", "au10001", times=9), BLOCKED, "firewall", "refuses this program's User"),
        (Fault("maintenance_html", "au10001", times=9), BLOCKED, "firewall", "try again later"),
        (Fault("redirect", "au10001", times=9), BLOCKED, "firewall", "check base_url"),
        (Fault("empty_body", "au10001", times=9), BLOCKED, "firewall", "a proxy, a VPN"),
        (Fault("code", "au10001", code="8001"), NO_TOKEN, "token", "check the app"),
        (Fault("code", "au10001", code="8002"), NO_TOKEN, "token", "check the app"),
        (Fault("code", "au10001", code="8030"), NO_TOKEN, "token", "mock keys"),
        (Fault("code", "au10001", code="8031"), NO_TOKEN, "token",
         "are the keys for production? KIWOOM_ENVIRONMENT says which"),
        (Fault("rate_limit", "au10001", times=9), NO_TOKEN, "token", "lower requ"),
        (Fault("code", "au10001", code="8050"), UNREGISTERED_ADDRESS,
         "IP address", "register this machine's public IP address"),
        (Fault("code", code="8050"), ["ok", "ok", "problem", "ok", "not tried"],
         "IP address", "an account can register ten"),
        (Fault("code", code="8005", times=9), ["ok", "ok", "skipped", "ok", "problem"],
         "page", "another program may have revoked the token"),
        (Fault("code", code="8031"), ["ok", "ok", "skipped", "ok", "problem"], "page", "mock keys"),
        (Fault("maintenance_html", times=9), ["ok", "ok", "skipped", "ok", "problem"],
         "page", "maintenance"),
        (Fault("unreadable_row"), ["ok", "ok", "skipped", "ok", "problem"], "page", "DecodeError"),
        (Fault("rate_limit", times=9), ["ok", "ok", "skipped", "ok", "problem"],
         "page", "something else is using this app key"),
    ],
)  # fmt: skip
def test_each_fault_is_found_by_its_check(run, fault, expected, check, words):
    result = run("doctor", "--sandbox", sandbox=small_sandbox(fault))
    assert result.exit_code == 1
    assert statuses(result) == [*IN_PROCESS, *expected]
    assert findings(result)[check][0] == "problem"
    assert words in findings(result)[check][1]
    assert summary(result).startswith("1 problem")
    for status, text in findings(result).values():
        assert status != "not tried" or text.startswith(f"because of {check}\n")


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        (Fault("server_error"), "page", "because of BlockedError: "),
        (Fault("rate_limit"), "page", "because of RateLimited: "),
        (Fault("token_dies"), "page", "because of AuthError: "),
        (Fault("server_error", "au10001"), "token", "because of BlockedError: "),
    ],
)
def test_a_call_that_succeeds_at_the_second_attempt_is_a_warning(run, fault, check, words):
    result = run("doctor", "--sandbox", sandbox=small_sandbox(fault))
    assert result.exit_code == 0
    assert [name for name, (status, _) in findings(result).items() if status == "warning"] == [
        check
    ]
    assert words in findings(result)[check][1]
    assert summary(result).startswith("1 warning; ")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KIWOOM_APP_KEY": ""}, "KIWOOM_APP_KEY not set\n"),
        ({"KIWOOM_SECRET_KEY": ""}, "KIWOOM_SECRET_KEY not set\n"),
        ({"KIWOOM_APP_KEY": "", "KIWOOM_SECRET_KEY": ""}, "_APP_KEY and KIWOOM_SECRET_KEY not set"),
        ({"KIWOOM_APP_KEY": "senti nel"}, "character 6 of KIWOOM_APP_KEY is a space; copy"),
        ({"KIWOOM_SECRET_KEY": "sent\u0007inel"}, "character 5 of KIWOOM_SECRET_KEY is unprint"),
        ({"KIWOOM_SECRET_KEY": "sentinel-열쇠"}, "character 10 of KIWOOM_SECRET_KEY is unprint"),
        ({"KIWOOM_ENVIRONMENT": "moock"}, "allowed are production, mock"),
        ({"KIWOOM_BASE_URL": "http://api.kiwoom.com"}, "allowed are https, and http for loopback"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "SSL_CERT_FILE: got '/no/such/file'"),
    ],
)
def test_settings_that_allow_no_client_are_a_problem(run_at, variables, words):
    result = run_at("https://api.kiwoom.invalid", **variables)
    assert result.exit_code == 1
    assert statuses(result) == ["problem", *["not tried"] * 8]
    assert words in findings(result)["settings"][1]
    assert summary(result) == "1 problem, 8 not tried; no pace is set"


@pytest.mark.parametrize(
    ("variables", "status", "words"),
    [
        ({"KIWOOM_APP_KEY": "\u200bsentinel-1\ufeff \n"}, "ok",
         "KIWOOM_APP_KEY of 10 characters (4 invisible ones left out), "),
        ({"KIWOOM_APP_KEY": "'sentinel-1'"}, "warning",
         "the quotation marks are probably not part of the key"),
        ({"KIWOOM_APP_KEY": f"{SECRET_KEY}"}, "warning", "both are the same"),
    ],
)  # fmt: skip
def test_pasted_characters_and_quotation_marks_are_reported(run_at, variables, status, words):
    result = run_at("https://api.kiwoom.invalid", **variables)
    assert findings(result)["settings"][0] == status
    assert words in findings(result)["settings"][1]


def test_an_unknown_host(run_at):
    result = run_at("https://api.kiwoom.invalid")
    assert result.exit_code == 1
    assert statuses(result) == ["ok", "problem", *["not tried"] * 7]
    assert "api.kiwoom.invalid is not found: " in findings(result)["DNS"][1]
    assert "check the network" in findings(result)["DNS"][1]


def test_a_host_that_resolves(run_at):
    with on_a_port(small_sandbox()) as base_url:
        result = run_at(base_url.replace("127.0.0.1", "localhost"))
    assert result.exit_code == 0
    assert re.match(r"localhost is at .*127\.0\.0\.1", findings(result)["DNS"][1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_closed_port(run_at, host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run_at(f"http://{host}:{port}")
    assert result.exit_code == 1
    assert statuses(result) == ["ok", "ok", "problem", *["not tried"] * 6]
    assert f"port {port}: Connection refused\n" in findings(result)["TLS"][1]


def test_a_tls_handshake_that_times_out(run_at, monkeypatch):
    monkeypatch.setattr(_network, "_TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = run_at(f"https://127.0.0.1:{silent.getsockname()[1]}")
    assert statuses(result) == ["ok", "ok", "problem", *["not tried"] * 6]
    assert "no answer within 0.3 s" in findings(result)["TLS"][1]


def test_a_server_without_tls(run_at):
    with on_a_port(small_sandbox()) as base_url:
        result = run_at(base_url.replace("http", "https"))
    assert statuses(result) == ["ok", "ok", "problem", *["not tried"] * 6]
    assert "connected, but no TLS: " in findings(result)["TLS"][1]


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"HTTPS_PROXY": "http://user:sentinel-password@127.0.0.1:1"}, "skipped"),
        ({"ALL_PROXY": "127.0.0.1:1"}, "skipped"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "api.kiwoom.invalid"}, "problem"),
    ],
)
def test_dns_and_tls_are_left_to_a_proxy(run_at, variables, status):
    result = run_at("https://api.kiwoom.invalid", **variables)
    assert result.exit_code == 1
    assert findings(result)["DNS"][0] == status
    if status == "skipped":
        assert findings(result)["TLS"][1].startswith("left to the proxy 127.0.0.1:1, ")
        assert findings(result)["firewall"][0] == "problem"
    assert "sentinel-password" not in result.stdout


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files of a key and of a self-signed certificate for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, signed = str(folder / "key.pem"), str(folder / "signed.pem")
    subprocess.run(  # noqa: S603
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",  # noqa: S607
         "-nodes", "-keyout", key, "-out", signed, "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, signed


@contextmanager
def serve_tls(sandbox, key, signed):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        sandbox, loop="asyncio", log_level="critical", ssl_keyfile=key, ssl_certfile=signed
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_an_untrusted_certificate(run_at, certificate):
    with serve_tls(small_sandbox(), *certificate) as base_url:
        result = run_at(base_url)
    assert statuses(result) == ["ok", "ok", "problem", *["not tried"] * 6]
    assert re.search(r"no TLS: self.signed certificate", findings(result)["TLS"][1])
    assert "SSL_CERT_FILE" in findings(result)["TLS"][1]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_certificate_trusted_by_the_environment(run_at, certificate, variable, tmp_path):
    """The check trusts the same certificates as the calls."""
    key, signed = certificate
    trusted = signed
    if variable == "SSL_CERT_DIR":
        shutil.copy(signed, tmp_path / "signed.pem")
        subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)  # noqa: S603, S607
        trusted = str(tmp_path)
    with serve_tls(small_sandbox(), key, signed) as base_url:
        result = run_at(base_url, **{variable: trusted})
    assert result.exit_code == 0
    assert statuses(result) == [*ON_LOOPBACK, *["ok"] * 5]
    expires = datetime.now(UTC) + timedelta(days=2)
    assert re.match(rf"TLSv1\.\d; .* valid until {expires:%Y-%m-%d}", findings(result)["TLS"][1])


def with_date_header(sandbox, ahead):
    """Return the sandbox with a Date header that is so many seconds ahead of this clock."""

    async def app(scope, receive, send):
        async def send_dated(message):
            if message["type"] == "http.response.start":
                moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=ahead)
                header = (b"date", format_datetime(moment, usegmt=True).encode())
                message = message | {"headers": [*message["headers"], header]}
            await send(message)

        await sandbox(scope, receive, send_dated)

    app.requests_per_second = None
    return app


@pytest.mark.parametrize(
    ("ahead", "status", "words"),
    [
        (0, "ok", "at most "),
        (-4, "ok", "at most "),
        (20, "warning", "s behind the server's\n"),
        (-20, "warning", "s ahead of the server's\n"),
        (3600, "problem", "at least 3,"),
        (-3600, "problem", "at least 3,"),
    ],
)
def test_the_clock_is_compared_with_the_date_header(run, ahead, status, words):
    result = run("doctor", "--sandbox", sandbox=with_date_header(small_sandbox(), ahead))
    assert findings(result)["clock"][0] == status
    assert words in findings(result)["clock"][1]
    assert result.exit_code == (status == "problem")
    if status != "ok":
        assert "which day it is in Korea" in findings(result)["clock"][1]


def test_the_date_header_of_a_firewall_is_used_too(run):
    sandbox = with_date_header(small_sandbox(Fault("firewall", "au10001", times=9)), 3600)
    result = run("doctor", "--sandbox", sandbox=sandbox)
    assert statuses(result)[4:] == ["problem", "not tried", "not tried", "problem", "not tried"]
    assert summary(result).startswith("2 problems, 3 not tried; ")


@pytest.mark.parametrize(
    ("ahead", "status", "words"),
    [
        (0, "ok", "the token ends within 24 h, as it must"),
        (-23 * 3600, "ok", "the token ends within 24 h, as it must"),
        (30, "warning", "s behind the server's"),
        (7200, "problem", "at least 7,"),
        (-25 * 3600, "problem", "at least 3,"),
    ],
)
def test_without_a_date_header_the_clock_is_compared_with_the_token(run, ahead, status, words):
    sandbox = small_sandbox(now=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
    result = run("doctor", "--sandbox", sandbox=sandbox)
    assert findings(result)["clock"][0] == status
    assert words in findings(result)["clock"][1]


def test_a_fast_clock_of_this_machine_is_a_problem(run_at, monkeypatch):
    def fast_clock():
        return datetime.now(UTC) + timedelta(seconds=95)

    monkeypatch.setattr(_diagnosis, "now", fast_clock)
    monkeypatch.setattr(_checks, "now", fast_clock)
    with on_a_port(small_sandbox()) as base_url:
        result = run_at(base_url)
    assert re.match(r"at least 9[345] s ahead of the server's\n", findings(result)["clock"][1])
    assert (result.exit_code, statuses(result).count("problem")) == (1, 1)


def test_a_holiday_is_fine(run, monkeypatch):
    monkeypatch.setattr(_diagnosis, "last_weekday", lambda: date(2026, 11, 15))
    result = run("doctor", "--sandbox")
    assert result.exit_code == 0
    assert "2026-11-15 KOSPI KRX: no rows: a holiday, which is fine" in findings(result)["page"][1]


def test_a_day_of_one_page(run):
    result = run("doctor", "--sandbox", sandbox=small_sandbox(kospi_stocks=7))
    assert "7 rows, the only page" in findings(result)["page"][1]


def test_no_call_is_made_twice(run):
    sandbox = small_sandbox()
    run("doctor", "--sandbox", sandbox=sandbox)
    assert [arrival.api_id for arrival in sandbox.arrivals] == ["au10001", "ka90004"]
    refusing = small_sandbox(Fault("code", "au10001", code="8001", times=9))
    run("doctor", "--sandbox", sandbox=refusing)
    assert [arrival.api_id for arrival in refusing.arrivals] == ["au10001"]


def test_control_characters_of_the_server_are_replaced(run):
    def answer(_):
        body = {"return_code": 7, "return_msg": "\x1b[31mred\x07\nok        page       forged"}
        return httpx.Response(200, json=body)

    def make(_, **options):
        return KiwoomClient("a", "b", transport=httpx.MockTransport(answer), **options)

    result = run("doctor", "--sandbox", make=make)
    assert statuses(result)[4:] == ["ok", "problem", "skipped", "skipped", "not tried"]
    assert "[31mred  ok        page       forged" in findings(result)["token"][1]
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", result.stdout)


def test_on_a_terminal_the_findings_are_coloured_and_fit(run, monkeypatch):
    monkeypatch.setattr("kiwoom_async.cli._doctor.stdout_is_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = run("doctor", "--sandbox", sandbox=small_sandbox(Fault("code", code="8050")))
    assert result.exit_code == 1
    assert "\x1b[" in result.stdout
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", result.stdout)
    assert max(map(len, plain.splitlines())) <= 80  # one line of Korean sentences
    assert re.search(r"^problem   IP address AuthError: ka90004: ", plain, re.MULTILINE)


def test_an_ascii_output_shows_the_rest():
    # The message of code 8050 is Korean.
    with on_a_port(small_sandbox(Fault("code", "au10001", code="8050"))) as base_url:
        result = subprocess.run(  # noqa: S603
            [*COMMAND, "doctor"], env=environment(base_url, PYTHONIOENCODING="ascii"),
            capture_output=True, encoding="ascii", check=False, timeout=60,
        )  # fmt: skip
    assert (result.returncode, result.stderr) == (1, "")
    assert "[8050:" in result.stdout


def environment(base_url, **variables):
    keys = {"KIWOOM_APP_KEY": APP_KEY, "KIWOOM_SECRET_KEY": SECRET_KEY}
    return os.environ | keys | {"KIWOOM_BASE_URL": base_url, **variables}


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_the_doctor(signal_number, code):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, "doctor"],
            env=environment(f"http://127.0.0.1:{silent.getsockname()[1]}"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        # Each line is flushed after its check; the next check is never answered.
        lines = [process.stdout.readline() for _ in ON_LOOPBACK]
        time.sleep(0.2)
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=20)
    assert [line[:10].strip() for line in lines] == ON_LOOPBACK
    assert (process.returncode, out) == (code, "")
    assert err == ("interrupted\n" if signal_number == signal.SIGINT else "terminated\n")


def numbered_keys(*numbers, app_key=APP_KEY, secret_key=SECRET_KEY):
    """Return the variables of more app keys, which differ by their number."""
    return {
        f"KIWOOM_{kind}_KEY_{number}": f"{key}{number}"
        for number in numbers
        for kind, key in (("APP", app_key), ("SECRET", secret_key))
    }


def test_several_app_keys_are_listed(run_at):
    with on_a_port(small_sandbox()) as base_url:
        result = run_at(base_url, **numbered_keys(2, 3))
    assert result.exit_code == 0
    status, text = findings(result)["settings"]
    assert (status, text.splitlines()[0]) == (
        "ok", f"3 app keys; environment production, {base_url}"
    )  # fmt: skip
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        "KIWOOM_APP_KEY", "KIWOOM_APP_KEY_2", "KIWOOM_APP_KEY_3"
    ]  # fmt: skip
    assert f"KIWOOM_SECRET_KEY_3 of {len(SECRET_KEY) + 1} characters" in text
    assert "sentinel" not in result.stdout


@pytest.mark.parametrize(
    ("variables", "status", "words"),
    [
        ({"KIWOOM_APP_KEY_2": "one"}, "problem", "KIWOOM_SECRET_KEY_2 not set"),
        ({"KIWOOM_SECRET_KEY_2": "one"}, "problem", "KIWOOM_APP_KEY_2 not set"),
        (numbered_keys(2) | {"KIWOOM_APP_KEY_2": APP_KEY}, "problem", "number 2 came before"),
        (numbered_keys(2) | {"KIWOOM_APP_KEY_2": "senti nel"}, "problem",
         "character 6 of KIWOOM_APP_KEY_2 is a space; copy"),
        (numbered_keys(2) | {"KIWOOM_SECRET_KEY_2": "'one'"}, "warning",
         "KIWOOM_APP_KEY_2 and KIWOOM_SECRET_KEY_2: the quotation marks are probably not"),
        (numbered_keys(2, secret_key=APP_KEY), "warning",
         "KIWOOM_APP_KEY_2 and KIWOOM_SECRET_KEY_2: both are the same"),
        (numbered_keys(2, 4), "warning", "KIWOOM_APP_KEY_4 is not read: the numbers go on from 2"),
        (numbered_keys(3), "warning", "KIWOOM_APP_KEY_3 is not read"),
        ({"KIWOOM_APP_KEY_3": ""}, "ok", "environment production"),
    ],
)  # fmt: skip
def test_each_app_key_is_checked_like_the_first(run_at, variables, status, words):
    result = run_at("https://api.kiwoom.invalid", **variables)
    assert findings(result)["settings"][0] == status
    assert words in findings(result)["settings"][1]


def test_a_program_without_sharing_is_told_the_variable(run_at):
    with on_a_port(small_sandbox()) as base_url:
        status, text = findings(run_at(base_url))["sharing"]
    assert status == "skipped"
    assert "this program shares nothing; KIWOOM_SHARING says where" in text


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_programs_that_share_are_listed(run_at, tmp_path, by):
    place = f"files:{tmp_path}"
    sandbox = small_sandbox()
    with on_a_port(sandbox) as base_url:
        options = ["doctor", "--sharing", place] if by == "option" else ["doctor"]
        result = run_at(base_url, *options, **({} if by == "option" else {"KIWOOM_SHARING": place}))
    assert result.exit_code == 0
    status, text = findings(result)["sharing"]
    assert status == "ok"
    place_line, account_line, program_line, token_line = (
        line.strip() for line in text.splitlines()
    )
    (account,) = (folder.name for folder in tmp_path.iterdir())
    assert place_line == f"files in {tmp_path}"
    assert account_line == f"app key, fingerprint {account}: 1 program in the last minute"
    program = re.escape(f"{socket.gethostname()}:{os.getpid()} ") + r"\S+"
    assert re.fullmatch(rf"{program} \(this doctor\): au10001 \d\.\d s ago", program_line)
    assert re.fullmatch(
        rf"token valid until 20.* KST, 2\d h \d+ min from now; issued by {program}", token_line
    )
    (issued,) = sandbox._access._issued
    assert issued not in result.stdout


class FakeSharing:
    """Sharing with fixed reports."""

    reports: ClassVar[list[SharingReport]] = []

    def __init__(self):
        self._remaining = list(self.reports)

    def rate_limiter(self, *_):
        return LocalRateLimiter(5)

    def token_store(self, _):
        return NullTokenStore()

    async def report(self, account):
        return evolve(self._remaining.pop(0), account=account)


@pytest.fixture
def sharing_lines(run_at, monkeypatch):
    """Run the doctor with these reports; return the lines of the sharing check."""

    def sharing_lines(*reports, **variables):
        monkeypatch.setattr(FakeSharing, "reports", reports)
        monkeypatch.setattr(_clients, "from_url", lambda _: FakeSharing())
        with on_a_port(small_sandbox()) as base_url:
            result = run_at(base_url, "doctor", "--sharing", "files", **variables)
        status, text = findings(result)["sharing"]
        assert status == "ok"
        return [line.strip() for line in text.splitlines()]

    return sharing_lines


def program(name, api_id, seconds_ago, *waiting):
    return Program(name=name, api_id=api_id, seconds_ago=seconds_ago, waiting=waiting)


def test_programs_waiting_calls_and_limits_are_listed(sharing_lines):
    report = SharingReport(
        place="a place",
        account="",
        programs=(
            program("one:1 a.py", "au10001", 12.04),
            program("one:1 a.py", "ka90004", 0.2, Priority.INTERACTIVE, Priority.BULK),
            program("two:2 b.py", "ka90004", -0.01, Priority.BULK),
        ),
        limits=(("ka90004", 3.0),),
        token_expires=datetime(2026, 11, 20, 15, tzinfo=KST),
        token_by="two:2 b.py",
    )
    place, account, *lines = sharing_lines(report)
    assert (place, account.partition(": ")[2]) == ("a place", "2 programs in the last minute")
    token = lines.pop()
    assert lines == [
        "one:1 a.py: au10001 12.0 s ago, ka90004 0.2 s ago (waiting: interactive and bulk)",
        "two:2 b.py: ka90004 0.0 s ago (waiting: bulk)",
        "a 429 has named a limit of 3 requests/s for ka90004",
    ]
    assert token.startswith("token valid until 2026-11-20 15:00:00 KST, ")
    assert token.endswith("; issued by two:2 b.py")


def test_each_app_key_has_its_own_report(sharing_lines):
    first = SharingReport(place="a place", account="", programs=(program("one:1 a", "x", 1.0),))
    lines = sharing_lines(first, SharingReport(place="a place", account=""), **numbered_keys(2))
    assert [line.partition(",")[0] for line in lines] == [
        "a place", "app key 1", "one:1 a: x 1.0 s ago", "no token is kept there",
        "app key 2", "no token is kept there",
    ]  # fmt: skip
    assert lines[4].endswith(": 0 programs in the last minute")


def test_control_characters_of_another_program_are_replaced(sharing_lines):
    forged = program("\x1b[31mred\nok        page       forged", "x", 1.0)
    report = SharingReport(place="a place", account="", programs=(forged,))
    assert "[31mred ok        page       forged: x 1.0 s ago" in sharing_lines(report)


def test_an_unreachable_store_is_found_before_any_call(run_at, tmp_path):
    (tmp_path / "file").touch()
    sandbox = small_sandbox()
    with on_a_port(sandbox) as base_url:
        result = run_at(base_url, KIWOOM_SHARING=f"files:{tmp_path / 'file'}")
    assert result.exit_code == 1
    assert statuses(result) == ["ok", "ok", "ok", "problem", *["not tried"] * 5]
    text = findings(result)["sharing"][1]
    assert text.startswith(f"SharingError: {tmp_path / 'file'}")
    assert "-> is the server up and within reach, or the directory writable" in text
    assert findings(result)["firewall"][1] == "because of sharing\n"
    assert not sandbox.arrivals


def test_a_store_that_cannot_be_written_is_a_problem(run_at, tmp_path):
    place = f"files:{tmp_path}"
    with on_a_port(small_sandbox()) as base_url:
        run_at(base_url, "token", KIWOOM_SHARING=place)
        (account,) = tmp_path.iterdir()
        (account / "token.lock").unlink()
        (account / "token.lock").mkdir()
        result = run_at(base_url, KIWOOM_SHARING=place)
    assert statuses(result) == ["ok", "ok", "ok", "problem", *["not tried"] * 5]
    assert "token.json cannot be used: " in findings(result)["sharing"][1]


def test_a_store_with_an_unreadable_queue_is_a_problem(run_at, tmp_path):
    """The token is usable, but the queue was written by another version."""
    place = f"files:{tmp_path}"
    with on_a_port(small_sandbox()) as base_url:
        run_at(base_url, "token", KIWOOM_SHARING=place)
        (account,) = tmp_path.iterdir()
        (account / "ka90004.json").write_text('{"format": 99}')
        result = run_at(base_url, KIWOOM_SHARING=place)
    assert statuses(result) == ["ok", "ok", "ok", "problem", *["not tried"] * 5]
    assert "is of format 99, and this version" in findings(result)["sharing"][1]


def test_without_the_api_sharing_is_not_tried(run_at, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run_at(f"http://127.0.0.1:{port}", KIWOOM_SHARING=f"files:{tmp_path}")
    assert statuses(result) == ["ok", "ok", "problem", *["not tried"] * 6]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere:sentinel", "sharing: got 'nowhere'; allowed are files, files:DIRECTORY, redis"),
        ("redis://:sentinel@host:port", "url: expected redis://"),
    ],
)
def test_a_malformed_place_in_the_environment_is_a_problem_of_the_settings(run_at, place, words):
    result = run_at("https://api.kiwoom.invalid", KIWOOM_SHARING=place)
    assert statuses(result) == ["problem", *["not tried"] * 8]
    assert words in findings(result)["settings"][1]
    assert "sentinel" not in result.stdout


def test_a_missing_extra_is_the_only_problem_named(run_at, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    result = run_at("https://api.kiwoom.invalid", KIWOOM_SHARING="redis://127.0.0.1:1")
    assert statuses(result) == ["problem", *["not tried"] * 8]
    text = findings(result)["settings"][1]
    assert (
        "no client can be made: redis is not installed: pip install 'kiwoom-async[redis]'" in text
    )
    assert "SSL_CERT" not in text


def test_token_as_text(run):
    result = run("token", "--sandbox")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["token", "host", "valid until", "first issued", "shared"]
    facts = {line[:14].strip(): line[14:] for line in result.stdout.splitlines()}
    assert list(facts) == names
    assert facts["host"] == "the simulated exchange, in this process"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d [\d:]{8} KST, 2\d h \d+ min from now",
                        facts["valid until"])  # fmt: skip
    assert facts["first issued"] == "presumably just now"


@pytest.mark.parametrize(
    ("ago_minutes", "left"),
    [(5 * 60, r"(19 h 0|18 h 59) min"), (23 * 60 + 30, r"(30|29) min \d+ s"),
     (24 * 60 - 0.5, r"\d+ s")],
)  # fmt: skip
def test_a_token_issued_before_is_recognised(run, ago_minutes, left):
    sandbox = small_sandbox(now=lambda: datetime.now(UTC) - timedelta(minutes=ago_minutes))
    result = run("token", "--sandbox", sandbox=sandbox)
    assert re.search(rf"KST, {left} from now\n", result.stdout)
    assert re.search(r"presumably 20.* KST, so this one was there already\n", result.stdout)


def test_a_token_that_has_expired_by_this_clock(run):
    sandbox = small_sandbox(now=lambda: datetime.now(UTC) - timedelta(days=1, seconds=90))
    assert "KST, 1 min 3" in run("token", "--sandbox", sandbox=sandbox).stdout
    assert " s ago\n" in run("token", "--sandbox", sandbox=sandbox).stdout


def test_token_as_json_without_the_token_itself(run_at):
    sandbox = small_sandbox()
    with on_a_port(sandbox) as base_url:
        facts = json.loads(run_at(base_url, "token", "--format", "json").stdout)
        text = run_at(base_url, "token").stdout
    assert (facts["base_url"], facts["environment"]) == (base_url, "production")
    assert 86_300 < facts.pop("seconds_left") <= 86_400
    assert facts["sandbox"] is False
    until = datetime.fromisoformat(facts["valid_until"])
    assert until - datetime.fromisoformat(facts["presumably_issued"]) == timedelta(hours=24)
    assert until.utcoffset() == timedelta(hours=9)
    assert f"host          {base_url}, production\n" in text
    (token,) = sandbox._access._issued
    assert token not in text + str(facts)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("8001", "check the app key"), ("8050", "register this machine's public IP")],
)
def test_a_refused_token_exits_with_1(run, fault, words):
    result = run("token", "--sandbox", sandbox=small_sandbox(Fault("code", "au10001", code=fault)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "AuthError: au10001: " in result.stderr
    assert words in result.stderr


def test_token_without_keys(run_at):
    result = run_at("https://api.kiwoom.invalid", "token", KIWOOM_APP_KEY="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "KIWOOM_APP_KEY" in result.stderr


@pytest.mark.anyio
async def test_token_expires_calls_once():
    sandbox = small_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        expires = await kiwoom.token_expires()
        await kiwoom.page(QUERY)
        assert await kiwoom.token_expires() == expires
    assert expires.tzinfo is KST
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)
    assert [arrival.api_id for arrival in sandbox.arrivals] == ["au10001", "ka90004"]


@pytest.mark.anyio
async def test_token_expires_of_a_closed_client_raises():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        await kiwoom.token_expires()
    with pytest.raises(RuntimeError, match="is closed"):
        await kiwoom.token_expires()


@pytest.mark.anyio
async def test_closing_ends_token_expires_with_an_error():
    failed = []

    async def request_token(kiwoom):
        with pytest.raises(RuntimeError, match="is closed"):
            await kiwoom.token_expires()
        failed.append(kiwoom)

    sandbox = small_sandbox(Fault("slow", "au10001", seconds=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        group.start_soon(request_token, kiwoom)
        group.start_soon(request_token, kiwoom)
        await anyio.sleep(1)
        await kiwoom.aclose()
    assert len(failed) == 2


def test_a_client_has_its_base_url_and_pace_as_attributes():
    kiwoom = KiwoomClient("a", "b", base_url="https://kiwoom.invalid/", requests_per_second=2)
    assert (kiwoom.base_url, kiwoom.requests_per_second) == ("https://kiwoom.invalid", 2)
    assert kiwoom.environment.value == "production"
    anyio.run(kiwoom.aclose)


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [None, "maintenance_html"])
async def test_call_ended_has_the_server_time_of_answers_and_errors(fault):
    faults = [Fault(fault, times=9)] if fault else []
    events = []
    async with KiwoomClient.sandbox(
        with_date_header(small_sandbox(*faults), 600), on_event=events.append
    ) as kiwoom:
        with suppress(KiwoomError):
            await kiwoom.page(QUERY)
    ended = [event for event in events if isinstance(event, CallEnded)]
    assert [call.error is not None for call in ended] == [False, fault is not None]
    for call in ended:
        assert call.server_time.tzinfo is KST
        assert 590 < (call.server_time - datetime.now(UTC)).total_seconds() <= 601


@pytest.mark.anyio
async def test_call_ended_has_no_server_time_without_a_date_header():
    events = []
    async with KiwoomClient.sandbox(small_sandbox(), on_event=events.append) as kiwoom:
        await kiwoom.page(QUERY)
    assert {event.server_time for event in events if isinstance(event, CallEnded)} == {None}
