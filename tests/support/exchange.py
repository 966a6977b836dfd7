"""Small simulated exchanges."""

from typing import Any

from kiwoom_async.sandbox import Fault, Sandbox


def small_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """An exchange without a limit, of three pages a market."""
    defaults: dict[str, Any] = {"requests_per_second": None}
    defaults |= {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))
