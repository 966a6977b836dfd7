"""The work of `kiwoom-async rows`: walks into one output, and the command that resumes them."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import define, field

from kiwoom_async import KiwoomClient, Page, ProgramTrade, ProgramTradeQuery

from ._clients import without_password
from ._columnar import finish, stream_bytes, stream_path
from ._formats import Format, heading, lines, section
from ._left import Left
from ._output import PagedFile, StandardOutput
from ._progress import Progress


@define
class RowsJob:
    """One `rows` command: what was asked, and how far it has come."""

    queries: Sequence[ProgramTradeQuery]
    # The options that made the queries, as they were typed.
    asked: list[str]
    form: Format
    output: Path | None
    sandbox: bool
    left: Left
    # The output's length in bytes, where it is known.
    size: int | None = None
    # The place as it was typed; one of the environment will be there again.
    sharing: str | None = None
    rows: int = 0
    # How much of a page that could not be written whole has gone out.
    cut_bytes: int = 0
    resumed: bool = field(init=False)
    _begun: bool = field(init=False)
    _last_query: ProgramTradeQuery | None = None

    def __attrs_post_init__(self) -> None:
        """A job that goes on has its heading already."""
        self._begun = self.resumed = not self.left.untouched

    async def run(self, make_client: Callable[..., KiwoomClient]) -> None:
        """Write every page as it comes."""
        place_of = {query: place for place, query in enumerate(self.queries)}
        queries = [self.queries[place] for place in self.left.places]
        start = {self.queries[place]: at for place, at in self.left.begun.items() if at is not None}
        progress = Progress(piped=self.output is None)
        async with make_client(on_event=progress.tell) as kiwoom:
            expected = {query: kiwoom.estimate([query]).calls for query in queries}
            progress.expect(expected, {query: at.page - 1 for query, at in start.items()})
            with ExitStack() as opened, progress:
                output: PagedFile | StandardOutput | None = None
                async with kiwoom.merge(queries, start=start) as pages:
                    async for page in pages:
                        # Opened for the first page: a failed start leaves no file.
                        output = output or self._opened(opened, progress)
                        try:
                            output.write(self._content(page))
                        finally:
                            self.cut_bytes = getattr(output, "cut_bytes", 0)
                        self.left.count(place_of[page.query], page.next)
                        self.size = output.size if isinstance(output, PagedFile) else None
                        self.rows += len(page.rows)
        if self.form.columnar and self.output is not None:
            finish(self.output, self.form)

    def _opened(self, opened: ExitStack, progress: Progress) -> PagedFile | StandardOutput:
        if self.file is None:
            return StandardOutput(progress.above)
        new = not self._begun
        return opened.enter_context(PagedFile(self.file, new=new, left_at=self.size))

    @property
    def file(self) -> Path | None:
        """Where pages are written as they come; None for standard output."""
        if self.output is not None and self.form.columnar:
            return stream_path(self.output)
        return self.output

    def _content(self, page: Page[ProgramTrade]) -> str | bytes:
        if not self.form.columnar:
            return self._text(page)
        try:
            piece = stream_bytes(page.rows, first=not self._begun)
        except ValueError as error:
            raise OSError(f"{error}; .csv and .jsonl hold any number") from error
        self._begun = True
        return piece

    def _text(self, page: Page[ProgramTrade]) -> str:
        text = lines(self.form, page.rows)
        several = self.form is Format.TABLE and len(self.queries) > 1
        if several and text and page.query != self._last_query:
            text = section(page.query) + text
        if not self._begun:
            # Excel in Korea takes a file without the mark for CP949.
            mark = "\ufeff" if self.output is not None and self.form is Format.CSV else ""
            text = mark + heading(self.form) + text
        self._begun, self._last_query = True, page.query
        return text

    def resume_command(self) -> str:
        """The command line that goes on where this one stopped."""
        command = ["kiwoom-async", "rows", *self.asked, "--format", str(self.form)]
        if self.output is not None:
            command += ["--output", str(self.output)]
        if self.sandbox:
            command += ["--sandbox"]
        if self.sharing is not None:
            command += ["--sharing", without_password(self.sharing)]
        if not self.left.untouched:
            command += ["--resume", self.left.text(self.size, same(self.queries, self.form))]
        return shlex.join(command)

    @property
    def hides_password(self) -> bool:
        """Whether that command line lacks a password."""
        return self.sharing is not None and without_password(self.sharing) != self.sharing


def same(queries: Sequence[ProgramTradeQuery], form: Format) -> str:
    """What must not change between a command and the one that resumes it."""
    return f"{form} {[str(query) for query in queries]}"
