"""Every Python block of both READMEs runs, as it stands, against the sandbox on a real socket."""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.servers import on_a_port

from kiwoom_async.sandbox import Sandbox

ROOT = Path(__file__).parent.parent.parent


def programs_of(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


class Wordless(ast.NodeTransformer):
    """A program without what it says; comments are not in it anyway."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node


def without_words(program):
    return ast.dump(Wordless().visit(ast.parse(program)))


ENGLISH, KOREAN = programs_of("README.md"), programs_of("README.ko.md")
NUMBERED = [(f"README.md-{number}", block) for number, block in enumerate(ENGLISH, 1)]
# A Korean program that differs in its words only is run as the English one.
NUMBERED += [
    (f"README.ko.md-{number}", block)
    for number, block in enumerate(KOREAN, 1)
    if without_words(block) not in {*map(without_words, ENGLISH)}
]
BLOCKS = [pytest.param(block, id=name) for name, block in NUMBERED]
PROGRAMS = [block for block in BLOCKS if "FastAPI(" not in block.values[0]]
SERVICES = [block for block in BLOCKS if block not in PROGRAMS]


def environment(base_url, name, room):
    """An app key for each program, so that none waits for another's pace."""
    keys = {"KIWOOM_APP_KEY": f"{name}-app-key", "KIWOOM_SECRET_KEY": "readme-secret-key"}
    here = {"KIWOOM_BASE_URL": base_url, "PYTHONIOENCODING": "utf-8", "XDG_STATE_HOME": room}
    return os.environ | keys | here


@pytest.fixture(scope="module")
def base_url():
    """Small markets that move: the pace is the real one, and the tests need not wait for it."""
    exchange = Sandbox(kospi_stocks=120, kosdaq_stocks=40, trades_per_second=50)
    with on_a_port(exchange) as url:
        yield url


@pytest.fixture(scope="module")
def closed_market_url():
    """The same when nothing moves between two pages, so that every sum adds up."""
    with on_a_port(Sandbox(kospi_stocks=120, kosdaq_stocks=40)) as url:
        yield url


@pytest.fixture(scope="module")
def runs(base_url, closed_market_url, tmp_path_factory):
    """All programs, a few at a time: most of their time is waiting for the pace."""

    room = tmp_path_factory.mktemp("programs")

    def run(number, block):
        program = room / str(number) / "program.py"
        program.parent.mkdir()
        program.write_text(block, encoding="utf-8")
        url = base_url if ".watch(" in block else closed_market_url
        return subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", program], env=environment(url, f"p{number}", room),
            capture_output=True, timeout=60, encoding="utf-8", check=False, cwd=program.parent,
        )  # fmt: skip

    blocks = [block.values[0] for block in PROGRAMS]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(blocks, pool.map(run, range(len(blocks)), blocks), strict=True))


@pytest.mark.parametrize("block", PROGRAMS)
def test_a_program_of_the_readme_runs(block, runs):
    run = runs[block]
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout
    if "on_signal" in block:
        assert run.stdout.count("KOSDAQ") == 3
        assert "signal:" in run.stdout or "신호:" in run.stdout


@pytest.mark.parametrize("block", SERVICES)
def test_the_service_of_the_readme_starts_serves_and_stops(block, base_url, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(block, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "uvicorn", "--app-dir", program.parent, "--port", str(port),
         "--log-level", "warning", "program:app"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env=environment(base_url, "service", tmp_path),
    )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while answered(f"http://127.0.0.1:{port}/complete") != {"KOSPI", "KOSDAQ"}:
            assert time.monotonic() < end
            assert service.poll() is None
            time.sleep(0.1)
        unknown = httpx.get(f"http://127.0.0.1:{port}/net-buying/nobody")
        known = httpx.get(f"http://127.0.0.1:{port}/net-buying/005930")
    finally:
        service.send_signal(signal.SIGINT)
        out, err = service.communicate(timeout=20)
    assert unknown.status_code == 404
    # It asks for today, which may be a weekend.
    assert known.status_code == 404 or known.json()["name"] == "삼성전자"
    assert (service.returncode in {0, -signal.SIGINT, 130}, out, err) == (True, "", "")


def test_the_programs_of_a_readme_are_strictly_typed(tmp_path):
    for at, block in enumerate(BLOCKS):
        (tmp_path / f"program_{at}.py").write_text(block.values[0], encoding="utf-8")
    check = [sys.executable, "-m", "mypy", "--strict", "."]
    run = subprocess.run(check, capture_output=True, cwd=tmp_path, text=True, check=False)  # noqa: S603
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def answered(url):
    """The keys of an answer; none while nobody answers."""
    try:
        return set(httpx.get(url).json())
    except httpx.TransportError:
        return set()


def test_both_readmes_hold_as_many_programs():
    assert len(ENGLISH) == len(KOREAN) == 12
    assert len(BLOCKS) < 12 + 6


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_says_the_two_commands_and_every_error(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for word in ("make demo", "make test", "uv run", r".venv\Scripts", "TransportError",
                 "TransportTimeout", "BlockedError", "ApiError", "AuthError", "RateLimited",
                 "DecodeError", "ContinuationError", "SharingError"):  # fmt: skip
        assert word in text
