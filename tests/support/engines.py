"""The engines that tests run on."""

from typing import Any

import pytest
from support import decoding

from kiwoom_async import client
from kiwoom_async._io.http import HttpxEngine
from kiwoom_async.speed import FastEngine


def use_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make FastEngine the default where no transport is given, and read every page by it."""

    def new_engine(base_url: str, transport: Any = None) -> Any:
        if transport is None:
            return FastEngine()
        engine = HttpxEngine(base_url, transport)
        engine.decode_page = FastEngine().decode_page  # type: ignore[method-assign]
        return engine

    monkeypatch.setattr(client, "HttpxEngine", new_engine)
    monkeypatch.setattr(decoding, "_engine", FastEngine())
