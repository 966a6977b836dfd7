"""The work of `kiwoom-async rows`: a walk into an output, and the command that resumes it."""

import re
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from attrs import define

from kiwoom_async import Cursor, KiwoomClient, ProgramTradeQuery

from ._formats import Format, heading, lines
from ._output import Output, PagedFile, StandardOutput
from ._progress import Progress


@define
class RowsJob:
    """One `rows` command: what was asked, and how far it has come."""

    query: ProgramTradeQuery
    form: Format
    output: Path | None
    sandbox: bool
    cursor: Cursor | None
    # The output's length in bytes at the cursor, where it is known.
    size: int | None
    rows: int = 0
    complete: bool = False

    async def run(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Write every page as it comes."""
        first_page = 1 if self.cursor is None else self.cursor.page
        piped = self.output is None
        async with make_client() as kiwoom:
            with ExitStack() as opened, Progress(self.query, first_page, piped=piped) as progress:
                output: Output | None = None
                async for page in kiwoom.pages(self.query, start=self.cursor):
                    # Opened for the first page: a failed start leaves no file.
                    output = output or self._opened(opened)
                    output.write(self._heading() + lines(self.form, page.rows))
                    self.cursor, self.complete = page.next, page.next is None
                    self.size = output.size if isinstance(output, PagedFile) else None
                    self.rows += len(page.rows)
                    progress.count(page)

    def _opened(self, opened: ExitStack) -> Output:
        if self.output is None:
            return StandardOutput()
        new = self.cursor is None
        return opened.enter_context(PagedFile(self.output, new=new, left_at=self.size))

    def _heading(self) -> str:
        if self.cursor is not None:
            return ""
        # Excel in Korea takes a file without the mark for CP949.
        mark = "\ufeff" if self.output is not None and self.form is Format.CSV else ""
        return mark + heading(self.form)

    def resume_command(self) -> str:
        """The command line that goes on where this one stopped."""
        command = ["kiwoom-async", "rows", "--date", str(self.query.date)]
        command += ["--market", str(self.query.market), "--exchange", str(self.query.exchange)]
        command += ["--format", str(self.form)]
        if self.output is not None:
            command += ["--output", str(self.output)]
        if self.sandbox:
            command += ["--sandbox"]
        if self.cursor is not None:
            left_at = "" if self.size is None else f"@{self.size}"
            command += ["--resume", f"{self.cursor}{left_at}"]
        return shlex.join(command)


def parsed_resume(text: str) -> tuple[Cursor, int | None]:
    """The cursor and the file's length that `resume_command` printed; a cursor may come alone."""
    cursor, mark, size = text.strip().partition("@")
    if mark and not re.fullmatch("[0-9]{1,18}", size):
        raise ValueError(f"--resume: '@{size}' at its end is not the length of a file")
    return Cursor.parse(cursor), int(size) if mark else None
