"""`kiwoom-async doctor`: goes through the checks, and prints each as it is done."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from attrs import define, field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._case import Case, Finding, Status
from ._checks import CHECKS
from ._output import StandardOutput
from ._watch import on_terminal
from ._words import counted, printable

_STYLES: Final = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.PROBLEM: "bold red",
    Status.SKIPPED: "dim",
    Status.NOT_TRIED: "dim",
}
_CELLS: Final = 10


@define
class DoctorJob:
    """One `doctor` command."""

    case: Case
    findings: dict[str, Finding] = field(factory=dict)

    async def run(self) -> None:
        """Check by check, then how it stands."""
        sheet = Sheet()
        try:
            for check in CHECKS:
                with sheet.busy(check.name):
                    blocked = any(not self._well(need) for need in check.needs)
                    finding = self._not_tried() if blocked else await check.look(self.case)
                self.findings[check.name] = finding
                sheet.show(check.name, finding)
        finally:
            await self.case.aclose()
        sheet.close(self.summary())

    @property
    def problems(self) -> int:
        """How many."""
        return self._count(Status.PROBLEM)

    def summary(self) -> str:
        """One line."""
        said = [
            counted(self._count(status), what)
            for status, what in ((Status.PROBLEM, "problem"), (Status.WARNING, "warning"))
            if self._count(status)
        ]
        if untried := self._count(Status.NOT_TRIED):
            said.append(f"{untried} not tried")
        return f"{', '.join(said) or 'all is well'}; {self._pace()}"

    def _pace(self) -> str:
        pace = self.case.kiwoom.requests_per_second if self._well("settings") else math.inf
        if math.isinf(pace):
            return "no pace is set"
        return f"the pace is {pace:g} requests/s for each api-id"

    def _well(self, name: str) -> bool:
        return self.findings[name].status not in {Status.PROBLEM, Status.NOT_TRIED}

    def _not_tried(self) -> Finding:
        first = next(name for name in self.findings if not self._well(name))
        return Finding(Status.NOT_TRIED, f"because of {first}")

    def _count(self, status: Status) -> int:
        return sum(finding.status is status for finding in self.findings.values())


class Sheet:
    """Where findings are printed: in columns on a terminal, as plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False) if on_terminal() else None
        self._plain = StandardOutput()

    def busy(self, name: str) -> AbstractContextManager[object]:
        """Show, where somebody looks, what is going on."""
        return nullcontext() if self._console is None else self._console.status(f"{name} ...")

    def show(self, name: str, finding: Finding) -> None:
        """Print a finding."""
        status = finding.status
        advice = [f"-> {finding.advice}"] if finding.advice else []
        lines = [printable(line) for line in (finding.found, *finding.details, *advice)]
        if self._console is None:
            margin = f"\n{'':{2 * _CELLS + 1}}"
            self._plain.write(f"{status:<{_CELLS}}{name:<{_CELLS + 1}}{margin.join(lines)}\n")
            return
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=_CELLS - 1)
        table.add_column(width=_CELLS)
        table.add_column()
        table.add_row(Text(status, _STYLES[status]), name, Text("\n".join(lines)))
        self._console.print(table)

    def close(self, summary: str) -> None:
        """Print the last line."""
        if self._console is None:
            self._plain.write(f"{summary}\n")
        else:
            self._console.print(summary, style="bold", soft_wrap=True)
