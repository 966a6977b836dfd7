"""A rehearsal: what the sandbox says, at its end, about the programs that called it."""

from collections import deque
from functools import partial

import pytest
from support.exchange import small_sandbox as small
from typer.testing import CliRunner

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.cli import _app, _sandbox
from kiwoom_async.sandbox import Arrival, Traffic, summary


def arrived(time, api_id="ka90004", **facts):
    ordinary = {"status": 200, "code": None, "cont_yn": "", "next_key": "", "fault": None}
    return Arrival(time=time, api_id=api_id, **(ordinary | {"body": {}, "caller": 1} | facts))


issued = partial(arrived, api_id="au10001")


def test_traffic_is_told_for_each_app_key_and_api_id():
    """As the limit is: calls of one do not stand in the way of another's."""
    log = [issued(0.0), arrived(0.1), arrived(0.2, caller=2), arrived(0.3), issued(0.4, caller=2)]
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
        # Over the border between two whole seconds.
        ([0.9, 0.95, 1.1, 1.2, 7.0], 4),
        # Another event loop, whose clock began later.
        ([100.0, 100.1, 3.0, 3.1, 3.2], 3),
    ],
)
def test_the_busiest_second_is_any_second(times, most):
    (traffic,) = summary(arrived(time) for time in times)
    assert (traffic.calls, traffic.most_in_a_second) == (len(times), most)


def test_a_refused_call_has_come_all_the_same():
    (traffic,) = summary([arrived(0.0), arrived(0.1, status=429, code="1700")])
    assert (traffic.calls, traffic.most_in_a_second, traffic.refused) == (2, 2, 1)


def test_only_an_answer_with_a_token_counts_as_one():
    log = [issued(0.0), issued(1.0, code="8001"), issued(2.0, status=429, code="1700"),
           issued(3.0, fault="maintenance_html")]  # fmt: skip
    (traffic,) = summary(log)
    assert (traffic.calls, traffic.refused, traffic.tokens) == (4, 1, 1)


def test_nothing_has_come():
    assert summary([]) == []


def ended(monkeypatch, *log, most=None):
    """What the command prints after an interrupt, when the log is this one."""

    def serve(sandbox, **_):
        sandbox.arrivals = deque(log, maxlen=most)
        raise KeyboardInterrupt

    monkeypatch.setattr(_sandbox, "serve", serve)
    result = CliRunner().invoke(_app.app, ["sandbox"])
    assert (result.exit_code, result.stdout) == (130, "")
    return result.stderr.splitlines()


def test_ctrl_c_says_what_has_come(monkeypatch):
    log = [issued(0.0), *(arrived(number / 4) for number in range(1200)), arrived(900.0, caller=0)]
    assert ended(monkeypatch, *log, arrived(901.0, status=429, code="1700")) == [
        "unknown key  ka90004   1 call, at most 1 in a second, 0 refused with 429",
        "app key 1    au10001   1 call, at most 1 in a second, 0 refused with 429, 1 token issued",
        "app key 1    ka90004   1,201 calls, at most 4 in a second, 1 refused with 429",
    ]


def test_ctrl_c_before_any_call_says_so(monkeypatch):
    assert ended(monkeypatch) == ["no calls came"]


def test_an_exchange_that_ends_without_an_interrupt_says_what_has_come_too(monkeypatch):
    """As a background job of a shell, which is deaf to interrupts."""
    monkeypatch.setattr(_sandbox, "serve", lambda *_, **__: None)
    result = CliRunner().invoke(_app.app, ["sandbox"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no calls came\n")


def test_a_log_that_has_forgotten_says_so(monkeypatch):
    first, _ = ended(monkeypatch, *map(arrived, range(30)), most=20)
    assert first == "of the last 20 calls:"


def test_a_stranger_s_header_does_nothing_to_a_terminal(monkeypatch):
    (line,) = ended(monkeypatch, arrived(0.0, api_id="\x1b[31mred\n", caller=0))
    assert line.startswith("unknown key   [31mred")


@pytest.mark.anyio
async def test_the_sandbox_s_own_log_can_be_summed_up():
    sandbox = small(requests_per_second=5)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.collect(ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX))
    token, data = summary(sandbox.arrivals)
    assert (token.tokens, data.calls, data.refused) == (1, 3, 0)
