"""Decoding by the engine under test."""

from typing import Any

from kiwoom_async._protocol import pages

_engine: Any = pages


def decode_page(*arguments: Any, **options: Any) -> Any:
    """Return the page, as the engine under test reads it."""
    return _engine.decode_page(*arguments, **options)
