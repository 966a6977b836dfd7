"""A small sandbox for tests."""

from typing import Any

from kiwoom_async.sandbox import Fault, Sandbox


def small_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """Return a sandbox without a rate limit, with three pages in each market."""
    defaults: dict[str, Any] = {"requests_per_second": None}
    defaults |= {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))
