"""The command line in this process."""

from typing import Any

import pytest
from support.exchange import small_sandbox
from typer.testing import CliRunner

from kiwoom_async import KiwoomClient
from kiwoom_async.cli._app import app
from kiwoom_async.cli._exit import stderr
from kiwoom_async.sandbox import Sandbox


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line in this process, on a small sandbox or on one that the test chooses."""
    monkeypatch.setenv("COLUMNS", "200")
    # This one has read the variable already; a long path would be broken into lines.
    monkeypatch.setattr(stderr, "width", 200)
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY", "KIWOOM_SHARING"):
        monkeypatch.delenv(name, raising=False)
    original = KiwoomClient.sandbox

    def run(*arguments: str, sandbox: Sandbox | None = None, make: Any = original) -> Any:
        simulated = sandbox or small_sandbox()

        def client_of(*_: object, **options: Any) -> KiwoomClient:
            client: KiwoomClient = make(simulated, **options)
            return client

        monkeypatch.setattr(KiwoomClient, "sandbox", client_of)
        return CliRunner().invoke(app, list(arguments))

    return run
