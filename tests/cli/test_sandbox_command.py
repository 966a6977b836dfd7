"""`kiwoom-async sandbox`: its options, and the summary of the calls at its end."""

import json
import socket
import sys
from collections import deque
from functools import partial

import pytest
from support.bare_client import logged_in
from support.exchange import small_sandbox
from support.family import ask
from typer.testing import CliRunner

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.cli import _app, _sandbox
from kiwoom_async.sandbox import Arrival, Traffic, summary


def arrival(time, api_id="ka90004", **facts):
    defaults = {"status": 200, "code": None, "cont_yn": "", "next_key": "", "fault": None}
    return Arrival(time=time, api_id=api_id, **(defaults | {"body": {}, "caller": 1} | facts))


token_request = partial(arrival, api_id="au10001")


def test_traffic_is_counted_for_each_app_key_and_api_id():
    """The server limits each app key and api-id by itself."""
    log = [
        token_request(0.0),
        arrival(0.1),
        arrival(0.2, caller=2),
        arrival(0.3),
        token_request(0.4, caller=2),
    ]
    assert summary(log) == [
        Traffic(caller=1, api_id="au10001", calls=1, refused=0, most_in_a_second=1, tokens=1),
        Traffic(caller=1, api_id="ka90004", calls=2, refused=0, most_in_a_second=2, tokens=0),
        Traffic(caller=2, api_id="au10001", calls=1, refused=0, most_in_a_second=1, tokens=1),
        Traffic(caller=2, api_id="ka90004", calls=1, refused=0, most_in_a_second=1, tokens=0),
    ]


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([5.0], 1),
        ([0.0, 0.2, 0.4, 0.6, 0.8], 5),
        ([0.0, 0.2, 0.4, 0.6, 0.8, 0.99], 6),
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 5),
        # Across the boundary of two whole seconds.
        ([0.9, 0.95, 1.1, 1.2, 7.0], 4),
        # Of two event loops; the clock of the second began later.
        ([100.0, 100.1, 3.0, 3.1, 3.2], 3),
    ],
)
def test_the_busiest_second_may_begin_at_any_call(times, most):
    (traffic,) = summary(arrival(time) for time in times)
    assert (traffic.calls, traffic.most_in_a_second) == (len(times), most)


def test_a_refused_call_is_counted():
    (traffic,) = summary([arrival(0.0), arrival(0.1, status=429, code="1700")])
    assert (traffic.calls, traffic.most_in_a_second, traffic.refused) == (2, 2, 1)


def test_only_an_answer_with_a_token_counts_as_issued():
    log = [
        token_request(0.0),
        token_request(1.0, code="8001"),
        token_request(2.0, status=429, code="1700"),
        token_request(3.0, fault="maintenance_html"),
    ]
    (traffic,) = summary(log)
    assert (traffic.calls, traffic.refused, traffic.tokens) == (4, 1, 1)


def test_no_calls_give_no_traffic():
    assert summary([]) == []


def summary_after_ctrl_c(monkeypatch, *log, maxlen=None):
    """Return the lines that the command prints after an interrupt, given these arrivals."""

    def serve(sandbox, **_):
        sandbox.arrivals = deque(log, maxlen=maxlen)
        raise KeyboardInterrupt

    monkeypatch.setattr(_sandbox, "serve", serve)
    result = CliRunner().invoke(_app.app, ["sandbox"])
    assert (result.exit_code, result.stdout) == (130, "")
    return result.stderr.splitlines()


def test_ctrl_c_prints_a_summary(monkeypatch):
    log = [
        token_request(0.0),
        *(arrival(number / 4) for number in range(1200)),
        arrival(900.0, caller=0),
    ]
    assert summary_after_ctrl_c(monkeypatch, *log, arrival(901.0, status=429, code="1700")) == [
        "unknown key  ka90004   1 call, at most 1 in a second, 0 refused with 429",
        "app key 1    au10001   1 call, at most 1 in a second, 0 refused with 429, 1 token issued",
        "app key 1    ka90004   1,201 calls, at most 4 in a second, 1 refused with 429",
    ]


def test_ctrl_c_without_calls_says_so(monkeypatch):
    assert summary_after_ctrl_c(monkeypatch) == ["no calls came"]


def test_an_end_without_an_interrupt_prints_the_summary_too(monkeypatch):
    """A background job of a shell ignores SIGINT and is stopped otherwise."""
    monkeypatch.setattr(_sandbox, "serve", lambda *_, **__: None)
    result = CliRunner().invoke(_app.app, ["sandbox"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no calls came\n")


def test_a_full_log_says_that_it_holds_the_last_calls_only(monkeypatch):
    first, _ = summary_after_ctrl_c(monkeypatch, *map(arrival, range(30)), maxlen=20)
    assert first == "of the last 20 calls:"


def test_control_characters_in_a_header_are_replaced(monkeypatch):
    (line,) = summary_after_ctrl_c(monkeypatch, arrival(0.0, api_id="\x1b[31mred\n", caller=0))
    assert line.startswith("unknown key   [31mred")


@pytest.mark.anyio
async def test_the_arrivals_of_a_sandbox_can_be_summarised():
    sandbox = small_sandbox(requests_per_second=5)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.collect(ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX))
    token, data = summary(sandbox.arrivals)
    assert (token.tokens, data.calls, data.refused) == (1, 3, 0)


def test_the_sandbox_command_passes_its_options_on(run, monkeypatch):
    served = []

    def serve(sandbox, *, ready, **address):
        served.append((sandbox, address))
        ready("http://127.0.0.1:9000")

    monkeypatch.setattr(_sandbox, "serve", serve)
    result = run("sandbox", "--port", "9000", "--limit", "0")
    assert result.exit_code == 0
    assert served[0][1] == {"host": "127.0.0.1", "port": 9000}
    assert served[0][0].requests_per_second is None
    assert "KIWOOM_BASE_URL=http://127.0.0.1:9000" in result.stderr


def test_the_sandbox_command_on_a_port_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("sandbox", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "in use" in result.stderr
    assert "KIWOOM_BASE_URL" not in result.stderr


def test_the_sandbox_command_names_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("sandbox")
    assert result.exit_code == 1
    assert "pip install 'kiwoom-async[sandbox]'" in result.stderr


@pytest.mark.anyio
async def test_the_sandbox_command_serves_recorded_answers(monkeypatch, tmp_path):
    served = []
    monkeypatch.setattr(_sandbox, "serve", lambda sandbox, **_: served.append(sandbox))
    candles = [{"dt": "20261120"}, {"dt": "20261119"}, {"dt": "20261118"}]
    (tmp_path / "candles.json").write_text(json.dumps({"rows": candles}), encoding="utf-8")
    (tmp_path / "stock.json").write_text('{"per": "1.5"}', encoding="utf-8")
    options = [f"--recorded=ka10081={tmp_path}/candles.json", "--page-size=2"]
    options.append(f"--recorded=ka10001={tmp_path}/stock.json")
    assert CliRunner().invoke(_app.app, ["sandbox", *options]).exit_code == 0
    client = await logged_in(served[0])
    reply = await ask(client, "ka10081", path="/api/dostk/chart")
    assert (reply.json()["rows"], reply.headers["cont-yn"]) == (candles[:2], "Y")
    assert (await ask(client, "ka10001", path="/api/dostk/stkinfo")).json()["per"] == "1.5"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("candles.json", "got 'candles.json'; expected API_ID=FILE, such as ka10081=candles.json"),
        ("=candles.json", "expected API_ID=FILE"),
        ("ka10081=", "expected API_ID=FILE"),
        ("ka10081=missing.json", "missing.json"),
        (f"ka10081={__file__}", "is no JSON"),
    ],
)
def test_the_sandbox_command_refuses_what_it_cannot_serve(run, option, problem):
    result = run("sandbox", "--recorded", option)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.stderr
