"""No secret reaches a log, a repr, an error or a file; sentinels are looked for on every path."""

import asyncio
import json
import logging
import os
import random
import stat
import traceback
from contextlib import suppress

import anyio
import httpx
import pytest
from support.clock import VirtualTimeLoop
from support.exchange import QUERY
from support.fault_proxy import FAULTS, FaultProxy
from support.recorded import recorded
from typer.testing import CliRunner

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    TransportError,
)
from kiwoom_async.cli._app import app
from kiwoom_async.sandbox import Fault, Sandbox

# For tests without sockets.
VIRTUAL_TIME = {"loop_factory": VirtualTimeLoop}
APP_KEY, SECRET_KEY = "sentinel-APP/key+0123456789==", "sentinel-SECRET/key+9876543210=="


class CapturedTexts:
    """Every text that the library has produced; `leaks` returns the secrets found in it."""

    def __init__(self, caplog):
        caplog.set_level(logging.DEBUG)
        self._caplog = caplog
        self.tokens = set()
        self.texts = []

    def event(self, event):
        """Add an event."""
        self.texts += [str(event), repr(event)]

    def error(self, error):
        """Add an exception with its causes, contexts, notes and attributes."""
        todo, seen = [error], set()
        while todo:
            each = todo.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            self.texts += [str(each), repr(each), repr(each.args), repr(vars(each))]
            self.texts += getattr(each, "__notes__", [])
            todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", [])]
        self.texts.append("".join(traceback.format_exception(error)))

    def client(self, kiwoom):
        """Add the reprs of a client and its parts; remember its token."""
        (account,) = kiwoom._calls.accounts
        token = account.tokens.cached
        self.tokens |= {token.value} if token else set()
        self.texts += [repr(kiwoom), str(kiwoom), repr(token), repr(account.keys)]
        self.texts += [
            repr(part) for part in (account, account.tokens, kiwoom._calls, kiwoom._calls._engine)
        ]

    def leaks(self):
        records = self._caplog.records
        logged = [record.getMessage() for record in records]
        logged += [repr(record.args) for record in records]
        text = "\n".join(self.texts + logged)
        return [secret for secret in (APP_KEY, SECRET_KEY, *self.tokens) if secret in text]


@pytest.fixture
def captured(caplog):
    return CapturedTexts(caplog)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    """Wait the minimum between attempts."""
    monkeypatch.setattr(random, "uniform", lambda least, _: least)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_no_fault_reveals_a_secret(captured, page, backend):
    """Every fault of the fault proxy, at the token call, the first page and the second."""

    async def walk(fault):
        sandbox = Sandbox(kospi_stocks=120, requests_per_second=None)
        proxy = FaultProxy(sandbox, lambda request: fault if request.page == page else None)
        options = {"attempts": 2, "timeout": 0.1, "on_event": captured.event}
        async with (
            proxy.serving() as base_url,
            KiwoomClient(APP_KEY, SECRET_KEY, base_url=base_url, requests_per_second=2000,
                         **options) as kiwoom,
        ):  # fmt: skip
            try:
                await kiwoom.collect(QUERY)
            except KiwoomError as error:
                captured.error(error)
            captured.client(kiwoom)

    for fault in FAULTS:
        anyio.run(walk, fault, backend=backend)
    assert captured.leaks() == []
    assert page == 0 or captured.tokens


def echoes(secrets):
    """Return answers that repeat these secrets, each in another place."""
    joined = " ".join(secrets)
    body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
    row = body["stk_prm_trde_prst"][0]
    escaped = "".join(f"\\u{ord(char):04x}" for char in joined)
    return [
        httpx.Response(200, json={"return_code": 7, "return_msg": f"boom {joined}"}),
        httpx.Response(200, json={"return_code": 3, "return_msg": f"[8001:{joined}]"}),
        httpx.Response(200, json={"return_code": joined}),
        httpx.Response(200, content=f'{{"return_code":7,"return_msg":"{escaped}"}}'.encode()),
        httpx.Response(429, json={"return_msg": joined}, headers={"retry-after": secrets[0]}),
        httpx.Response(200, text=joined),
        httpx.Response(503, text=f"<html>{joined}</html>"),
        httpx.Response(400, text=f"<html>Request Blocked {joined}</html>"),
        httpx.Response(307, headers={"location": f"https://x.invalid/{secrets[0]}"}),
        httpx.Response(200, json=body, headers={"cont-yn": "Y", "next-key": secrets[0]}),
        httpx.Response(200, json=body, headers={"cont-yn": secrets[0], "next-key": secrets[0]}),
        httpx.Response(200, json=body | {"stk_prm_trde_prst": [{**row, "buy_cntr_qty": joined}]}),
        httpx.Response(200, json=body | {"stk_prm_trde_prst": joined}),
        httpx.Response(200, json=body | {"tot_1": joined}),
        httpx.Response(200, json={"token": f"bad token {joined}", "return_code": 0}),
        httpx.Response(200, json={"token": 7, "expires_dt": joined, "return_code": 0}),
        httpx.RemoteProtocolError(f"illegal header line: {joined}"),
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {joined}'"),
    ]


@pytest.mark.parametrize("echoed_to", ["the token call", "a page"])
@pytest.mark.parametrize("number", range(len(echoes(["x"]))))
def test_no_echo_of_a_secret_is_revealed(captured, echoed_to, number):
    token = "sentinel-TOKEN/abc+def0123456789=="

    def answer(request):
        if request.url.path == "/oauth2/token" and echoed_to == "a page":
            issued = {"token": token, "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=issued)
        secrets = [APP_KEY, SECRET_KEY] if echoed_to != "a page" else [token, APP_KEY, SECRET_KEY]
        found = echoes(secrets)[number]
        if isinstance(found, Exception):
            raise found
        return found

    async def walk(on_undecoded):
        options = {"attempts": 2, "on_event": captured.event, "on_undecoded": on_undecoded}
        transport = httpx.MockTransport(answer)
        async with KiwoomClient(
            APP_KEY, SECRET_KEY, transport=transport, requests_per_second=2000, **options
        ) as kiwoom:
            try:
                captured.texts.append(repr(await kiwoom.page(QUERY)))
            except KiwoomError as error:
                captured.error(error)
            captured.client(kiwoom)

    captured.tokens.add(token)
    for on_undecoded in ("raise", "deliver"):
        anyio.run(walk, on_undecoded, backend_options=VIRTUAL_TIME)
    assert captured.texts
    assert captured.leaks() == []


def test_no_way_of_using_a_client_reveals_a_secret(captured):
    """Merge, watch, deadlines, cancellation, revoking, closing; with faults in between."""

    async def work():
        faults = [Fault("server_error", call=3), Fault("token_dies", call=6),
                  Fault("code", code="8050", call=12), Fault("rate_limit", call=15)]  # fmt: skip
        sandbox = Sandbox(kospi_stocks=120, kosdaq_stocks=70, faults=faults)
        options = {"transport": httpx.ASGITransport(app=sandbox), "base_url": "http://localhost"}
        queries = [ProgramTradeQuery("2026-11-20", m, e) for m in Market for e in Exchange]
        async with KiwoomClient(
            APP_KEY, SECRET_KEY, requests_per_second=200, on_event=captured.event, **options
        ) as kiwoom:
            async with kiwoom.merge(queries, on_error="deliver") as items:
                async for item in items:
                    captured.texts += [repr(item), str(getattr(item, "cursor", ""))]
            captured.client(kiwoom)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    async for item in kiwoom.watch(queries):
                        captured.texts.append(repr(item))
            with suppress(TransportError):
                await kiwoom.collect(queries[0], deadline=0.001)
            captured.texts.append(repr(kiwoom.estimate(queries)))
            walking = asyncio.create_task(kiwoom.collect(queries[1]))
            await asyncio.sleep(0)
            await kiwoom.revoke_token()
        try:
            await walking
        except (KiwoomError, RuntimeError) as error:
            captured.error(error)
        captured.client(kiwoom)

    anyio.run(work, backend_options=VIRTUAL_TIME)
    assert captured.tokens
    assert captured.leaks() == []


@pytest.mark.parametrize("fault", [None, "code", "server_error", "unreadable_row", "token_dies"])
@pytest.mark.parametrize("command", [["rows"], ["watch", "--rounds", "2"]])
def test_the_command_line_prints_no_secret(captured, monkeypatch, fault, command, tmp_path):
    faults = (
        [Fault(fault, code="8050" if fault == "code" else "", call=2, times=9)] if fault else []
    )
    sandbox = Sandbox(kospi_stocks=120, requests_per_second=None, faults=faults)
    original = KiwoomClient

    def from_env(**options):
        transport = httpx.ASGITransport(app=sandbox)
        options |= {"transport": transport, "base_url": "http://localhost", "attempts": 2}
        return original(APP_KEY, SECRET_KEY, requests_per_second=500, **options)

    monkeypatch.setattr(KiwoomClient, "from_env", from_env)
    output = tmp_path / "out.jsonl"
    arguments = [*command, "--date", "2026-11-20", "--market", "KOSPI"]
    if command == ["rows"]:
        arguments += ["--format", "jsonl", "--output", str(output)]
    result = CliRunner().invoke(app, arguments)
    captured.texts += [result.output, result.stderr, repr(result.exception)]
    captured.tokens |= set(sandbox._access._issued)
    assert captured.leaks() == []
    assert json.dumps(captured.texts)


def test_the_command_line_does_not_print_invalid_keys(monkeypatch):
    monkeypatch.setenv("KIWOOM_APP_KEY", APP_KEY)
    monkeypatch.setenv("KIWOOM_SECRET_KEY", f"{SECRET_KEY}\u0007")
    monkeypatch.setenv("KIWOOM_ENVIRONMENT", "")
    result = CliRunner().invoke(app, ["rows", "--date", "2026-11-20"])
    assert result.exit_code == 2
    assert SECRET_KEY not in result.output + result.stderr
    assert APP_KEY not in result.output + result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_a_client_writes_no_file(tmp_path, monkeypatch):
    """Without sharing, a token is kept in memory only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    async def work():
        async with KiwoomClient.sandbox(Sandbox(kospi_stocks=120)) as kiwoom:
            await kiwoom.page(QUERY)

    anyio.run(work)
    files = [path for path in tmp_path.rglob("*") if stat.S_ISREG(path.stat().st_mode)]
    assert files == []


@pytest.mark.httpx_only
def test_tls_is_verified_regardless_of_the_environment(monkeypatch):
    """No environment variable that httpx knows turns verification off."""
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    kiwoom = KiwoomClient("a", "b")
    [client] = kiwoom._calls._engine._clients
    context = client._transport._pool._ssl_context
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    anyio.run(kiwoom.aclose)
