"""What a walk costs, for our client, bare HTTP libraries, and the other Kiwoom clients.

`python benchmarks/walk.py [NAME ...]`: each contender in an environment of its own, made on the
first run, and in a process of its own. All are alive at once and take turns of one walk of 20
pages, so that whatever else the machine does hits all of them. No pace: an exchange on loopback
answers as fast as it is asked, with pages of 100 rows.

`python benchmarks/walk.py --fresh [NAME ...]`: a fresh process for each contender and turn, in
which 30 walks are measured after the first; five turns.
"""

import json
import re
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen
from canned_server import FEW_PAGES, ROWS

HERE: Final = Path(__file__).parent
ROUNDS: Final = 15
FRESH: Final = 5
MANY_PAGES: Final = 2_000
BASE: Final = "httpx"
OURS: Final = f"--editable={HERE.parent}"
# The versions that were measured; whoever wants others says so here.
ENVIRONMENTS: Final = {
    "httpx": ["httpx==0.28.1"],
    # httpcore looks for sniffio four times a call, and httpx does not bring it any more.
    "httpx and sniffio": ["httpx==0.28.1", "sniffio==1.3.1"],
    "aiohttp": ["aiohttp==3.14.5"],
    "kiwoom_async": [OURS],
    "kiwoom_async row by row": [OURS],
    "kiwoom_async FastEngine": [f"{OURS}[speed]"],
    "kiwoom_async FastEngine row by row": [f"{OURS}[speed]"],
    "kiwoom-restful": ["kiwoom-restful==0.4.0"],
    "kiwoom-client": ["kiwoom-client==0.4.0"],
    "kiwoom-playground": ["kiwoom-playground==0.3.6"],
    "kiwoom-rest-trade": ["kiwoom-rest-trade==0.1.6"],
}


def python_of(name: str) -> Path:
    """The interpreter of an environment, which is made if it is not there."""
    folder = HERE / ".environments" / name
    python = folder / "bin" / "python"
    wanted, note = "\n".join(ENVIRONMENTS[name]), folder / "installed"
    if not note.exists() or note.read_text() != wanted:
        print(f"installing {', '.join(ENVIRONMENTS[name])}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *ENVIRONMENTS[name]], check=True)  # noqa: S603
        note.write_text(wanted)
    return python


@frozen
class Contender:
    """A walker in its process, and what it said of each walk."""

    name: str
    process: subprocess.Popen[str]
    first_rows: list[float] = field(factory=list)
    walks: list[dict[str, float]] = field(factory=list)
    stalls: list[float] = field(factory=list)

    def ask(self, what: str) -> dict[str, float]:
        """One thing, and its figures."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.said()

    def said(self) -> dict[str, float]:
        """The next line."""
        assert self.process.stdout is not None  # noqa: S101
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has failed")
        return json.loads(line)  # type: ignore[no-any-return]

    def walk(self) -> None:
        """One walk; SystemExit where a row is missing."""
        found = self.ask("walk")
        if found["rows"] != FEW_PAGES * ROWS:
            raise SystemExit(f"{self.name}: {found['rows']:,} rows came, not all")
        self.walks.append(found)

    def pages_cost(self) -> list[float]:
        """Milliseconds of the processor for a page, of each walk."""
        return [one["processor"] / FEW_PAGES * 1e3 for one in self.walks]


@contextmanager
def running(name: str, url: str) -> Iterator[Contender]:
    """A fresh process, past its first row."""
    known = re.sub(r"\W+", "_", name).strip("_")
    script = HERE / "walkers" / f"with_{known}.py"
    command: list[Any] = [python_of(name), script, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        contender = Contender(name, process)
        contender.first_rows.append(contender.said()["first_row"])
        yield contender


@contextmanager
def canned_exchange() -> Iterator[str]:
    """The URL of an exchange in a process of its own."""
    command = [sys.executable, HERE / "canned_server.py", str(MANY_PAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None  # noqa: S101
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def measured(names: list[str], url: str) -> dict[str, dict[str, Any]]:
    """All figures of all contenders."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(running(name, url)) for name in names]
        for number in range(ROUNDS + 1):
            for one in contenders if number % 2 else reversed(contenders):
                one.walk()
                one.stalls.append(one.ask("stall")["stall"])
        for number in range(FRESH - 1):
            for one in contenders if number % 2 else reversed(contenders):
                with running(one.name, url) as fresh:
                    one.first_rows.extend(fresh.first_rows)
        return {one.name: figures(one) for one in contenders}


def figures(one: Contender) -> dict[str, Any]:
    """What is written down; the first walk was for warming up."""
    grown = one.ask("memory")
    if grown["rows"] != MANY_PAGES * ROWS:
        raise SystemExit(f"{one.name}: {grown['rows']:,} rows of {MANY_PAGES * ROWS:,} came")
    return {
        "milliseconds_a_page": one.pages_cost()[1:],
        "rows_a_second": [found["rows"] / found["clock"] for found in one.walks[1:]],
        "first_row_milliseconds": [seconds * 1e3 for seconds in one.first_rows],
        "stall_milliseconds": [seconds * 1e3 for seconds in one.stalls[1:]],
        "grown_bytes": grown["grown"],
    }


def measured_fresh(names: list[str], url: str) -> dict[str, list[float]]:
    """Return the milliseconds a page of each contender, a figure for each fresh process."""
    costs: dict[str, list[float]] = {name: [] for name in names}
    for number in range(FRESH):
        for name in names if number % 2 else reversed(names):
            with running(name, url) as contender:
                for _ in range(2 * ROUNDS + 1):
                    contender.walk()
                costs[name].append(statistics.median(contender.pages_cost()[1:]))
    return costs


def table(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Markdown: medians with their spread, and the ratio to bare httpx of each round."""
    yield "| | CPU a page | of bare httpx | rows a second | first row | longest stall | memory |"
    yield "|---|---|---|---|---|---|---|"
    base = found[BASE]["milliseconds_a_page"]
    for name, one in found.items():
        cost = one["milliseconds_a_page"]
        ratios = [mine / other for mine, other in zip(cost, base, strict=True)]
        yield (
            f"| {name} | {statistics.median(cost):.2f} ms"
            f" | {spread(ratios, '.2f')}"
            f" | {statistics.median(one['rows_a_second']):,.0f}"
            f" | {spread(one['first_row_milliseconds'], '.0f')} ms"
            f" | {spread(one['stall_milliseconds'], '.1f')} ms"
            f" | {one['grown_bytes'] / 1e6:+.1f} MB |"
        )


def spread(figures: list[float], form: str) -> str:
    """The median, and between which two all were."""
    median = statistics.median(figures)
    return f"{median:{form}} ({min(figures):{form}} to {max(figures):{form}})"


def main() -> None:
    fresh = "--fresh" in sys.argv
    named = [name for name in sys.argv[1:] if name != "--fresh"]
    names = named or list(ENVIRONMENTS)
    for name in names:
        python_of(name)
    if fresh:
        with canned_exchange() as url:
            costs = measured_fresh([BASE, *(name for name in names if name != BASE)], url)
        for name, cost in costs.items():
            ratios = [mine / other for mine, other in zip(cost, costs[BASE], strict=True)]
            print(f"| {name} | {spread(cost, '.2f')} ms | {spread(ratios, '.2f')} |")
        return
    with canned_exchange() as url:
        found = measured([BASE, *(name for name in names if name != BASE)], url)
    print("\n".join(table(found)))
    if not named:
        (HERE / "results" / "walk.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
