"""The time of imports beyond `import httpx`, each in a fresh interpreter.

In the environment that `walk.py` makes, where nothing is installed that httpx would import for its
command line.
"""

import os
import statistics
import subprocess
import time
from typing import Final

from walk import python_of

ROUNDS: Final = 15
BASE: Final = "import httpx"
CASES: Final = (
    BASE,
    "import httpx, anyio, attrs, cattrs",
    "import kiwoom_async",
    "from kiwoom_async import Market, RateLimited",
    # All that a program needs for a call.
    "from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery",
)
# Modules are compiled once, as in an installation, even if this machine's settings forbid it.
ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def milliseconds(code: str) -> float:
    """Return the time of an interpreter that runs the code."""
    started_at = time.perf_counter()
    command = [python_of("kiwoom_async"), "-c", code]
    subprocess.run(command, check=True, env=ENVIRONMENT)  # noqa: S603
    return (time.perf_counter() - started_at) * 1e3


def main() -> None:
    times: dict[str, list[float]] = {code: [] for code in CASES}
    order = list(CASES)
    for _ in range(ROUNDS + 1):
        for code in order:
            times[code].append(milliseconds(code))
        order.reverse()
    for code in CASES:
        extra = [time_ - base for time_, base in zip(times[code], times[BASE], strict=True)][1:]
        print(
            f"{code}: {statistics.median(times[code]):.0f} ms, {statistics.median(extra):+.0f} ms"
            f" ({min(extra):+.0f} to {max(extra):+.0f}) to {BASE}"
        )


if __name__ == "__main__":
    main()
