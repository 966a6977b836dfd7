"""The cost of a walk, for kiwoom_async, bare HTTP libraries, and the other Kiwoom clients.

`python benchmarks/walk.py [NAME ...]`: each contender in an environment of its own, made on the
first run, and in a process of its own. All run at once and take turns of one walk of 20 pages, so
that other load on the machine slows all of them. No pace: a server on loopback answers as fast as
it is asked. `--rows NUMBER`: the rows of a page, 100 by default.

`python benchmarks/walk.py --fresh [NAME ...]`: a fresh process for each contender and turn, in
which 30 walks are measured after the first; 25 turns.
"""

import argparse
import json
import random
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
from canned_server import FEW_PAGES, ROWS_PER_PAGE

HERE: Final = Path(__file__).parent
ROUNDS: Final = 40
FIRST_ROWS: Final = 9
FRESH_PROCESSES: Final = 25
FRESH_WALKS: Final = 31
MANY_PAGES: Final = 2_000
BASE: Final = "httpx"
# The quickest of the other Kiwoom clients.
RIVAL: Final = "kiwoom-restful"
THIS_PACKAGE: Final = f"--editable={HERE.parent}"
# The versions measured; to measure others, change them here.
ENVIRONMENTS: Final = {
    "httpx": ["httpx==0.28.1"],
    # httpcore looks for sniffio four times a call, and httpx does not bring it any more.
    "httpx and sniffio": ["httpx==0.28.1", "sniffio==1.3.1"],
    "aiohttp": ["aiohttp==3.14.5"],
    "kiwoom_async": [THIS_PACKAGE],
    "kiwoom_async row by row": [THIS_PACKAGE],
    "kiwoom_async FastEngine": [f"{THIS_PACKAGE}[speed]"],
    "kiwoom_async FastEngine row by row": [f"{THIS_PACKAGE}[speed]"],
    "kiwoom-restful": ["kiwoom-restful==0.4.0"],
    "kiwoom-client": ["kiwoom-client==0.4.0"],
    "kiwoom-playground": ["kiwoom-playground==0.3.6"],
    "kiwoom-rest-trade": ["kiwoom-rest-trade==0.1.6"],
}


def python_of(name: str) -> Path:
    """Return the interpreter of a contender's environment; make the environment if needed."""
    folder = HERE / ".environments" / name
    python = folder / "bin" / "python"
    requirements, record = "\n".join(ENVIRONMENTS[name]), folder / "installed"
    if not record.exists() or record.read_text() != requirements:
        print(f"installing {', '.join(ENVIRONMENTS[name])}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *ENVIRONMENTS[name]], check=True)  # noqa: S603
        record.write_text(requirements)
    return python


@frozen
class Contender:
    """A walker in its process, and the figures of each of its walks."""

    name: str
    process: subprocess.Popen[str]
    rows_per_page: int
    first_rows: list[float] = field(factory=list)
    walks: list[dict[str, float]] = field(factory=list)
    stalls: list[float] = field(factory=list)

    def ask(self, command: str) -> dict[str, float]:
        """Send a command; return its figures."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, float]:
        """Return the figures of the next line; SystemExit if the process has ended."""
        assert self.process.stdout is not None  # noqa: S101
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has failed")
        return json.loads(line)  # type: ignore[no-any-return]

    def walk(self) -> None:
        """Do one walk; SystemExit if a row is missing."""
        figures = self.ask("walk")
        if figures["rows"] != FEW_PAGES * self.rows_per_page:
            raise SystemExit(f"{self.name}: {figures['rows']:,} rows came, not all")
        self.walks.append(figures)

    def page_costs(self) -> list[float]:
        """Return the CPU milliseconds of a page, for each walk."""
        return [figures["cpu"] / FEW_PAGES * 1e3 for figures in self.walks]


@contextmanager
def running(name: str, url: str, rows_per_page: int) -> Iterator[Contender]:
    """Run a contender in a fresh process; yield it after its first row."""
    suffix = re.sub(r"\W+", "_", name).strip("_")
    script = HERE / "walkers" / f"with_{suffix}.py"
    command: list[Any] = [python_of(name), script, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        contender = Contender(name, process, rows_per_page)
        contender.first_rows.append(contender.read()["first_row"])
        yield contender


@contextmanager
def canned_server(rows_per_page: int) -> Iterator[str]:
    """Run the canned server in a process of its own; yield its URL."""
    command = [sys.executable, HERE / "canned_server.py", str(MANY_PAGES), str(rows_per_page)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None  # noqa: S101
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def measure(names: list[str], url: str, rows_per_page: int) -> dict[str, dict[str, Any]]:
    """Return the figures of all contenders, which take turns."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(running(name, url, rows_per_page)) for name in names]
        for number in range(ROUNDS + 1):
            for contender in contenders if number % 2 else reversed(contenders):
                contender.walk()
                contender.stalls.append(contender.ask("stall")["stall"])
        for number in range(FIRST_ROWS - 1):
            for contender in contenders if number % 2 else reversed(contenders):
                with running(contender.name, url, rows_per_page) as fresh:
                    contender.first_rows.extend(fresh.first_rows)
        return {contender.name: summary(contender) for contender in contenders}


def summary(contender: Contender) -> dict[str, Any]:
    """Return the figures to keep; the first walk was for warming up."""
    memory, expected = contender.ask("memory"), MANY_PAGES * contender.rows_per_page
    if memory["rows"] != expected:
        raise SystemExit(f"{contender.name}: {memory['rows']:,} rows of {expected:,} came")
    return {
        "milliseconds_a_page": contender.page_costs()[1:],
        "rows_a_second": [walk["rows"] / walk["clock"] for walk in contender.walks[1:]],
        "first_row_milliseconds": [seconds * 1e3 for seconds in contender.first_rows],
        "stall_milliseconds": [seconds * 1e3 for seconds in contender.stalls[1:]],
        "grown_bytes": memory["grown"],
    }


def measure_fresh(names: list[str], url: str, rows_per_page: int) -> dict[str, list[list[float]]]:
    """Return the CPU milliseconds of a page for each contender, fresh process and walk."""
    costs: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(FRESH_PROCESSES):
        for name in random.sample(names, len(names)):
            with running(name, url, rows_per_page) as contender:
                for _ in range(FRESH_WALKS):
                    contender.walk()
                costs[name].append(contender.page_costs()[1:])
    return costs


def table(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: medians, spreads, and ratios round by round."""
    yield (
        "| | CPU a page | of bare httpx | of kiwoom-restful | rows a second | first row "
        "| longest stall | memory |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    costs = {name: result["milliseconds_a_page"] for name, result in results.items()}
    for name, result in results.items():
        yield (
            f"| {name} | {statistics.median(costs[name]):.2f} ms"
            f" | {ratios(costs, name, BASE)} | {ratios(costs, name, RIVAL)}"
            f" | {statistics.median(result['rows_a_second']):,.0f}"
            f" | {spread(result['first_row_milliseconds'], '.0f')} ms"
            f" | {spread(result['stall_milliseconds'], '.1f')} ms"
            f" | {result['grown_bytes'] / 1e6:+.1f} MB |"
        )


def fresh_table(costs: dict[str, list[list[float]]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: medians of processes, and the least of all walks."""
    yield "| | CPU a page | of bare httpx | of kiwoom-restful | least | of kiwoom-restful's |"
    yield "|---|---|---|---|---|---|"
    medians = {name: [*map(statistics.median, processes)] for name, processes in costs.items()}
    least = {name: min(map(min, processes)) for name, processes in costs.items()}
    for name, cost in medians.items():
        of_rival = f"{least[name] / least[RIVAL]:.2f}" if RIVAL in least else ""
        yield (
            f"| {name} | {spread(cost, '.2f')} ms | {ratios(medians, name, BASE)}"
            f" | {ratios(medians, name, RIVAL)} | {least[name]:.2f} ms | {of_rival} |"
        )


def ratios(costs: dict[str, list[float]], name: str, base: str) -> str:
    """Return how a contender's costs compare with another's, turn by turn."""
    if base not in costs:
        return ""
    return spread([mine / its for mine, its in zip(costs[name], costs[base], strict=True)], ".2f")


def spread(values: list[float], form: str) -> str:
    """Return the median with the lowest and the highest value."""
    median = statistics.median(values)
    return f"{median:{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--rows", type=int, default=ROWS_PER_PAGE)
    options = parser.parse_args()
    names = [BASE, *(name for name in options.names or ENVIRONMENTS if name != BASE)]
    for name in names:
        python_of(name)
    with canned_server(options.rows) as url:
        if options.fresh:
            print("\n".join(fresh_table(measure_fresh(names, url, options.rows))))
            return
        results = measure(names, url, options.rows)
    print("\n".join(table(results)))
    if not options.names and options.rows == ROWS_PER_PAGE:
        (HERE / "results" / "walk.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
