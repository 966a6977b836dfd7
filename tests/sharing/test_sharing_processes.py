"""Real processes, a real socket, real files and a real Redis, judged by the exchange's log.

`share_processes.py` does the same for minutes, with more programs.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.redis import redis_server
from support.servers import on_a_port

from kiwoom_async.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "sharing_program.py"
# A walk of STOCKS takes three pages, one of FEW_STOCKS two.
STOCKS, FEW_STOCKS = 120, 60


class Exchange:
    """A simulated exchange on a port, and the programs that call it."""

    def __init__(self, place: str, base_url: str, sandbox: Sandbox) -> None:
        self.place, self.base_url, self.sandbox = place, base_url, sandbox
        self.programs: list[subprocess.Popen[str]] = []

    def start(self, role: str, outage=None, copies=0, **arguments: int) -> subprocess.Popen[str]:
        options = {"place": self.place, "outage": outage or {}} | arguments
        command = [sys.executable, str(PROGRAM), role, self.base_url, json.dumps(options)]
        command += [str(copies)] * bool(copies)
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.programs.append(program)
        return program

    def calls(self, api_id="ka90004"):
        return [arrival for arrival in self.sandbox.arrivals if arrival.api_id == api_id]

    def wait_for_calls(self, count: int) -> None:
        while len(self.calls()) < count:
            time.sleep(0.05)

    def check_pace(self) -> None:
        """Assert that no call was over the limit and none was refused."""
        times = [call.time for call in self.calls()]
        assert not [call for call in self.sandbox.arrivals if call.status == 429]
        assert all(times[at + 5] - times[at] >= 1.0 for at in range(len(times) - 5))


@contextmanager
def running_exchange(place: str, **stocks: int) -> Iterator[Exchange]:
    stocks = {"kospi_stocks": STOCKS, "kosdaq_stocks": 70} | stocks
    sandbox = Sandbox(latency_seconds=0.046, **stocks)
    with on_a_port(sandbox) as base_url:
        exchange = Exchange(place, base_url, sandbox)
        try:
            yield exchange
        finally:
            for program in exchange.programs:
                program.kill()
                program.communicate()


def complete_walks(stocks: int):
    """Return the result of a program that has every row of its three walks once."""
    return {"rows": 3 * stocks, "different": 3 * stocks}


def result_of(program: subprocess.Popen[str]):
    text, _ = program.communicate(timeout=120)
    return json.loads(text)


@pytest.fixture(params=["files", "redis"])
def exchange(request, tmp_path):
    place = f"files:{tmp_path}"
    if request.param == "redis":
        # Tests on one server do not meet: the account depends on the port of the exchange, too.
        place = request.getfixturevalue("redis_url")
    with running_exchange(place, kospi_stocks=FEW_STOCKS) as exchange:
        yield exchange


@pytest.mark.alone
def test_eight_programs_with_three_walks_each_share_one_pace_and_lose_no_row(exchange):
    """Two more are killed and replaced on the way; interactive calls of another get slots soon."""
    killed = [exchange.start("walk", walks=3) for _ in range(2)]
    walkers = [exchange.start("walk", walks=3) for _ in range(6)]
    exchange.wait_for_calls(10)
    asker = exchange.start("ask", calls=8)
    for program in killed:
        program.kill()
        walkers.append(exchange.start("walk", walks=3))
    assert [result_of(program) for program in walkers] == [complete_walks(FEW_STOCKS)] * 8
    waits = sorted(result_of(asker))
    exchange.check_pace()
    assert len(exchange.calls("au10001")) == 1
    # The 95th percentile. Waits for slots do not include how long a busy machine takes.
    assert waits[int(0.95 * len(waits)) - 1] < 0.6


def test_twenty_programs_started_at_once_issue_one_token(exchange):
    text, _ = exchange.start("token", copies=20).communicate(timeout=120)
    assert len(text.splitlines()) == 20
    assert len(set(text.splitlines())) == 1
    assert [arrival.api_id for arrival in exchange.sandbox.arrivals] == ["au10001"]


OUTAGE_OPTIONS = {
    "error": {},
    "wait": {"wait_seconds": 30},
    "local share": {"local_share": 1, "reserved": 2},
}


@pytest.fixture(scope="module")
def outages(tmp_path_factory):
    """The exchange and the results after an outage of five seconds, by the name of the options.

    The outages run at the same time, because they mostly wait.
    """

    def run_outage(options):
        folder = tmp_path_factory.mktemp("redis")
        with redis_server(folder) as server, running_exchange(server.url) as exchange:
            programs = [exchange.start("walk", options, walks=3) for _ in range(2)]
            exchange.wait_for_calls(6)
            server.stop()
            time.sleep(5)
            server.start()
            return exchange, [result_of(program) for program in programs]

    with ThreadPoolExecutor(len(OUTAGE_OPTIONS)) as pool:
        return dict(zip(OUTAGE_OPTIONS, pool.map(run_outage, OUTAGE_OPTIONS.values()), strict=True))


@pytest.mark.alone
@pytest.mark.parametrize("options", OUTAGE_OPTIONS)
def test_during_an_outage_of_redis_walks_continue_or_raise_as_their_options_say(outages, options):
    """And no call is over the limit."""
    exchange, results = outages[options]
    exchange.check_pace()
    for result in results:
        if options != "error":
            assert result == complete_walks(STOCKS)
        else:
            assert result.startswith("SharingError: Redis at 127.0.0.1:")
            assert "pages delivered" in result
