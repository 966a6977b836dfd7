"""`kiwoom-async doctor`: runs the checks and prints each finding as it comes."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from attrs import define, field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._checks import CHECKS
from ._diagnosis import Diagnosis, Finding, Status
from ._output import StandardOutput, stdout_is_terminal
from ._text import count_of, printable

_STYLES: Final = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.PROBLEM: "bold red",
    Status.SKIPPED: "dim",
    Status.NOT_TRIED: "dim",
}
_COLUMN_CELLS: Final = 10


@define
class DoctorJob:
    """One `doctor` command; `findings` are those of the checks so far, by name."""

    diagnosis: Diagnosis
    findings: dict[str, Finding] = field(factory=dict)

    async def run(self) -> None:
        """Run and print every check whose needs are met, then a summary."""
        printer = FindingPrinter()
        try:
            for check in CHECKS:
                with printer.busy(check.name):
                    blocked = any(not self._passed(need) for need in check.needs)
                    finding = self._not_tried() if blocked else await check.run(self.diagnosis)
                self.findings[check.name] = finding
                printer.print_finding(check.name, finding)
        finally:
            await self.diagnosis.aclose()
        printer.print_summary(self.summary())

    @property
    def problems(self) -> int:
        """The number of problems so far."""
        return self._count(Status.PROBLEM)

    def summary(self) -> str:
        """Return the last line: problems, warnings and the pace."""
        counts = [
            count_of(self._count(status), noun)
            for status, noun in ((Status.PROBLEM, "problem"), (Status.WARNING, "warning"))
            if self._count(status)
        ]
        if untried := self._count(Status.NOT_TRIED):
            counts.append(f"{untried} not tried")
        return f"{', '.join(counts) or 'all is well'}; {self._pace()}"

    def _pace(self) -> str:
        has_client = self._passed("settings")
        pace = self.diagnosis.kiwoom.requests_per_second if has_client else math.inf
        if math.isinf(pace):
            return "no pace is set"
        return f"the pace is {pace:g} requests/s for each api-id"

    def _passed(self, name: str) -> bool:
        return self.findings[name].status not in {Status.PROBLEM, Status.NOT_TRIED}

    def _not_tried(self) -> Finding:
        first_failed = next(name for name in self.findings if not self._passed(name))
        return Finding(Status.NOT_TRIED, f"because of {first_failed}")

    def _count(self, status: Status) -> int:
        return sum(finding.status is status for finding in self.findings.values())


class FindingPrinter:
    """Prints findings: in coloured columns on a terminal, as plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False) if stdout_is_terminal() else None
        self._plain = StandardOutput()

    def busy(self, name: str) -> AbstractContextManager[object]:
        """Show, on a terminal, that this check is running."""
        return nullcontext() if self._console is None else self._console.status(f"{name} ...")

    def print_finding(self, name: str, finding: Finding) -> None:
        """Print a finding, of one line or several."""
        status = finding.status
        advice = [f"-> {finding.advice}"] if finding.advice else []
        lines = [printable(line) for line in (finding.message, *finding.details, *advice)]
        if self._console is None:
            separator = f"\n{'':{2 * _COLUMN_CELLS + 1}}"
            columns = f"{status:<{_COLUMN_CELLS}}{name:<{_COLUMN_CELLS + 1}}"
            self._plain.write(f"{columns}{separator.join(lines)}\n")
            return
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=_COLUMN_CELLS - 1)
        table.add_column(width=_COLUMN_CELLS)
        table.add_column()
        table.add_row(Text(status, _STYLES[status]), name, Text("\n".join(lines)))
        self._console.print(table)

    def print_summary(self, summary: str) -> None:
        """Print the last line."""
        if self._console is None:
            self._plain.write(f"{summary}\n")
        else:
            self._console.print(summary, style="bold", soft_wrap=True)
