"""A fixture that runs the command line in this process."""

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
    """Run a command in this process, on a small sandbox unless the test passes another."""
    monkeypatch.setenv("COLUMNS", "200")
    # This console read COLUMNS when it was made; a long path would be broken into lines.
    monkeypatch.setattr(stderr, "width", 200)
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY", "KIWOOM_SHARING"):
        monkeypatch.delenv(name, raising=False)
    from_sandbox = KiwoomClient.sandbox

    def run(*arguments: str, sandbox: Sandbox | None = None, make: Any = from_sandbox) -> Any:
        simulated = sandbox or small_sandbox()

        def make_client(*_: object, **options: Any) -> KiwoomClient:
            client: KiwoomClient = make(simulated, **options)
            return client

        monkeypatch.setattr(KiwoomClient, "sandbox", make_client)
        return CliRunner().invoke(app, list(arguments))

    return run
