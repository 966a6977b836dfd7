"""Every Python block of both READMEs runs, as it stands, against the sandbox on a real socket."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import on_a_port

from kiwoom_async.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("README.md", "README.ko.md")
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL), 1
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_program_of_the_readme_runs(block, tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text(block, encoding="utf-8")
    monkeypatch.setenv("KIWOOM_APP_KEY", "readme-app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "readme-secret-key")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    # Small markets: the pace is the real one, and the tests need not wait for it.
    with on_a_port(Sandbox(kospi_stocks=120, kosdaq_stocks=40)) as base_url:
        monkeypatch.setenv("KIWOOM_BASE_URL", base_url)
        run = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", program],
            capture_output=True, timeout=60, encoding="utf-8", check=False,
        )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout


def test_both_readmes_hold_the_same_programs_but_for_their_words():
    counts = [sum(name in str(block.id) for block in BLOCKS) for name in ("README.md", "README.ko")]
    assert counts[0] == counts[1] == 5


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_says_the_two_commands_and_every_error(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for word in ("make demo", "make test", "uv run", r".venv\Scripts", "TransportError",
                 "TransportTimeout", "BlockedError", "ApiError", "AuthError", "RateLimited",
                 "DecodeError", "ContinuationError"):  # fmt: skip
        assert word in text
