"""Every Python program of both READMEs and of the page on other requests runs unchanged."""

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
    """Return the Python blocks of a README."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


class WithoutText(ast.NodeTransformer):
    """Empties every string of a program."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node


def structure_of(program):
    """Return the syntax tree of a program without its strings and comments, as text."""
    return ast.dump(WithoutText().visit(ast.parse(program)))


ENGLISH, KOREAN = programs_of("README.md"), programs_of("README.ko.md")
NUMBERED = [(f"README.md-{number}", block) for number, block in enumerate(ENGLISH, 1)]
# A Korean program that differs in strings and comments only is not run a second time.
NUMBERED += [
    (f"README.ko.md-{number}", block)
    for number, block in enumerate(KOREAN, 1)
    if structure_of(block) not in {*map(structure_of, ENGLISH)}
]
NUMBERED += [
    (f"another-request.md-{number}", block)
    for number, block in enumerate(programs_of("docs/another-request.md"), 1)
]
BLOCKS = [pytest.param(block, id=name) for name, block in NUMBERED]
PROGRAMS = [block for block in BLOCKS if "FastAPI(" not in block.values[0]]
SERVICES = [block for block in BLOCKS if block not in PROGRAMS]


def environment(base_url, name, state_folder):
    """Return the environment of a program; each has its own app key, and so its own pace."""
    keys = {"KIWOOM_APP_KEY": f"{name}-app-key", "KIWOOM_SECRET_KEY": "readme-secret-key"}
    here = {
        "KIWOOM_BASE_URL": base_url,
        "PYTHONIOENCODING": "utf-8",
        "XDG_STATE_HOME": state_folder,
    }
    return os.environ | keys | here


@pytest.fixture(scope="module")
def base_url():
    """Serve a sandbox with small markets, because the programs run at the real pace."""
    exchange = Sandbox(kospi_stocks=120, kosdaq_stocks=40, trades_per_second=50)
    with on_a_port(exchange) as url:
        yield url


@pytest.fixture(scope="module")
def closed_market_url():
    """Serve the same when nothing moves between two pages, so that every sum adds up."""
    with on_a_port(Sandbox(kospi_stocks=120, kosdaq_stocks=40)) as url:
        yield url


@pytest.fixture(scope="module")
def runs(base_url, closed_market_url, tmp_path_factory):
    """Run all programs, four at a time, because they mostly wait for the pace."""
    folder = tmp_path_factory.mktemp("programs")

    def run(number, block):
        program = folder / str(number) / "program.py"
        program.parent.mkdir()
        program.write_text(block, encoding="utf-8")
        url = base_url if ".watch(" in block else closed_market_url
        return subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", program], capture_output=True,
            env=environment(url, f"p{number}", folder), timeout=60, encoding="utf-8",
            check=False, cwd=program.parent,
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
        while keys_of(f"http://127.0.0.1:{port}/complete") != {"KOSPI", "KOSDAQ"}:
            assert time.monotonic() < end
            assert service.poll() is None
            time.sleep(0.1)
        unknown = httpx.get(f"http://127.0.0.1:{port}/net-buying/unknown")
        known = httpx.get(f"http://127.0.0.1:{port}/net-buying/005930")
    finally:
        service.send_signal(signal.SIGINT)
        out, err = service.communicate(timeout=20)
    assert unknown.status_code == 404
    # The service queries today, which may be a weekend.
    assert known.status_code == 404 or known.json()["name"] == "삼성전자"
    assert (service.returncode in {0, -signal.SIGINT, 130}, out, err) == (True, "", "")


def test_the_programs_of_a_readme_are_strictly_typed(tmp_path):
    for at, block in enumerate(BLOCKS):
        (tmp_path / f"program_{at}.py").write_text(block.values[0], encoding="utf-8")
    check = [sys.executable, "-m", "mypy", "--strict", "."]
    run = subprocess.run(check, capture_output=True, cwd=tmp_path, text=True, check=False)  # noqa: S603
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def keys_of(url):
    """Return the keys of an answer, none while the service does not answer."""
    try:
        return set(httpx.get(url).json())
    except httpx.TransportError:
        return set()


def test_both_readmes_have_the_same_number_of_programs():
    assert len(ENGLISH) == len(KOREAN) == 12
    english, korean = (programs_of(f"docs/another-request{end}") for end in (".md", ".ko.md"))
    assert [*map(structure_of, english)] == [*map(structure_of, korean)]
    assert len(BLOCKS) < 12 + 6 + len(programs_of("docs/another-request.md"))


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_names_the_commands_and_every_error(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for word in ("make demo", "make test", "uv run", r".venv\Scripts", "TransportError",
                 "TransportTimeout", "BlockedError", "ApiError", "AuthError", "RateLimited",
                 "DecodeError", "ContinuationError", "SharingError"):  # fmt: skip
        assert word in text
