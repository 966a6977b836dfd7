"""Findings: what the audits of a command's walks say does not add up, and its exit code."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import typer
from attrs import define, field

from kiwoom_async import Event, WalkFinished

from ._exit import stderr
from ._text import count_of

# Complete, but something does not add up. 0, 1, 2, 130 and 143 have their meanings in `_exit`.
FINDINGS_CODE: Final = 3


@define
class Findings:
    """The findings of walks, by what each walk was asked for; empty where everything adds up."""

    of_walk: dict[Any, Sequence[str]] = field(factory=dict[Any, Sequence[str]])

    def __bool__(self) -> bool:
        """True if anything was found."""
        return bool(self.of_walk)

    def on_event(self, event: Event) -> None:
        """Take the end of a walk into account, complete or not; to be passed to the client."""
        if isinstance(event, WalkFinished):
            self.add(event.query, event.findings)

    def add(self, query: object, findings: Sequence[str]) -> None:
        """Add what was found in a walk, if anything; a later walk of one query counts."""
        if findings:
            self.of_walk[query] = findings

    def print(self) -> None:
        """Print a line for each walk with findings, on standard error."""
        for query in self.of_walk:
            self.print_walk(query)

    def print_walk(self, query: object) -> None:
        """Print the line of one walk."""
        line = f"{query}: {'; '.join(self.of_walk[query])}"
        stderr.print(line, style="yellow", soft_wrap=True)

    def conclusion(self, walks: int) -> str:
        """Return the end of a sentence about so many walks, and the rows that they brought."""
        if not self.of_walk:
            return ", everything adds up"
        return f"; findings in {len(self.of_walk):,} of {count_of(walks, 'walk')}"

    def exit(self) -> None:
        """End the command with its exit code for findings, if there are any."""
        if self.of_walk:
            raise typer.Exit(FINDINGS_CODE)


def listeners(*each: Callable[[Event], object]) -> Callable[[Event], None]:
    """Return a listener that hands an event to each of these."""

    def on_event(event: Event) -> None:
        for listener in each:
            listener(event)

    return on_event


def findings_of(walks: Iterable[Any]) -> Findings:
    """Return the findings of these walks."""
    findings = Findings()
    for walk in walks:
        findings.add(walk.query, walk.audit.findings)
    return findings
