"""What importing takes beyond `import httpx`, each in a fresh interpreter.

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
    # What a program asks for that makes a call.
    "from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery",
)


# Modules are compiled once, as where they are installed, whatever this machine has set.
ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def milliseconds(code: str) -> float:
    began = time.perf_counter()
    command = [python_of("kiwoom_async"), "-c", code]
    subprocess.run(command, check=True, env=ENVIRONMENT)  # noqa: S603
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    taken: dict[str, list[float]] = {code: [] for code in CASES}
    order = list(CASES)
    for _ in range(ROUNDS + 1):
        for code in order:
            taken[code].append(milliseconds(code))
        order.reverse()
    for code in CASES:
        more = [mine - other for mine, other in zip(taken[code], taken[BASE], strict=True)][1:]
        print(
            f"{code}: {statistics.median(taken[code]):.0f} ms, {statistics.median(more):+.0f} ms"
            f" ({min(more):+.0f} to {max(more):+.0f}) to {BASE}"
        )


if __name__ == "__main__":
    main()
