"""The work of `kiwoom-async rows`: merged walks into one output, resumable by a command line."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import define, field

from kiwoom_async import Cursor, KiwoomClient, Page, Query

from ._clients import without_password
from ._conversion import convert_stream, stream_bytes, stream_path
from ._findings import Findings, listeners
from ._formats import Format, format_rows, header, section_line
from ._output import PagedFile, StandardOutput, replacing
from ._progress import Progress
from ._resume import ResumeState, state_path
from ._shell import command_line
from ._walks import estimated_calls


@define
class RowsJob:
    """One `rows` command and its progress.

    queries: at least one, all of one class.
    query_words: the request's name, if it was given, and the options that made the queries.
    output_bytes: the length of the output file, where it is known.
    sharing: the option as it was typed; KIWOOM_SHARING is not repeated when resuming.
    rows: rows written by this command.
    partial_bytes: how much of a page went to standard output before writing failed.
    findings: what the walks' audits have found in this command.
    continued_walks: how many walks this command began in the middle.
    """

    queries: Sequence[Query[Any, Any]]
    query_words: list[str]
    form: Format
    output: Path | None
    sandbox: bool
    state: ResumeState
    output_bytes: int | None = None
    sharing: str | None = None
    rows: int = 0
    partial_bytes: int = 0
    findings: Findings = field(factory=Findings)
    continued_walks: int = 0
    resumed: bool = field(init=False)
    _header_written: bool = field(init=False)
    _last_query: Query[Any, Any] | None = None

    def __attrs_post_init__(self) -> None:
        """A resumed output has its header already."""
        self._header_written = self.resumed = not self.state.nothing_written

    async def run(self, make_client: Callable[..., KiwoomClient]) -> None:
        """Write every page as it arrives; convert a columnar output once all are there."""
        queries = [self.queries[number] for number in self.state.remaining]
        start = {
            self.queries[number]: cursor
            for number, cursor in self.state.unfinished.items()
            if cursor is not None
        }
        self.continued_walks = len(start)
        progress = Progress(rows_to_stdout=self.output is None)
        on_event = listeners(progress.on_event, self.findings.on_event)
        async with make_client(on_event=on_event) as kiwoom:
            progress.expect(
                estimated_calls(kiwoom, queries),
                {query: cursor.page - 1 for query, cursor in start.items()},
            )
            with progress:
                await self._write_pages(kiwoom, queries, start, progress)
        if self.form.converted and self.output is not None:
            convert_stream(self.output, self.form)

    async def _write_pages(
        self,
        kiwoom: KiwoomClient,
        queries: Sequence[Query[Any, Any]],
        start: Mapping[Any, Cursor],
        progress: Progress,
    ) -> None:
        number_of = {query: number for number, query in enumerate(self.queries)}
        output: PagedFile | StandardOutput | None = None
        with ExitStack() as stack:
            async with kiwoom.merge(queries, start=start) as pages:
                async for page in pages:
                    # Opened for the first page, so that a failed start leaves no file.
                    output = output or self._open_output(stack, progress)
                    try:
                        output.write(self._encode(page))
                    finally:
                        self.partial_bytes = getattr(output, "partial_bytes", 0)
                    self.state.page_written(number_of[page.query], page.next)
                    self.output_bytes = output.size if isinstance(output, PagedFile) else None
                    self.rows += len(page.rows)

    def _open_output(self, stack: ExitStack, progress: Progress) -> PagedFile | StandardOutput:
        if self.page_file is None:
            return StandardOutput(progress.write_above)
        file = PagedFile(
            self.page_file, new=not self._header_written, expected_size=self.output_bytes
        )
        return stack.enter_context(file)

    @property
    def row_class(self) -> type[Any]:
        """The class of the rows."""
        row_class: type[Any] = self.queries[0].row_class
        return row_class

    @property
    def page_file(self) -> Path | None:
        """The file that pages are appended to; None for standard output."""
        if self.output is not None and self.form.converted:
            return stream_path(self.output)
        return self.output

    def _encode(self, page: Page) -> str | bytes:
        if not self.form.columnar:
            text = self._encode_text(page)
            return _gzip(text) if self.form is Format.CSV_GZ else text
        try:
            part = stream_bytes(page.rows, self.row_class, first=not self._header_written)
        except ValueError as error:
            raise OSError(f"{error}; .csv, .jsonl and .json hold any number") from error
        self._header_written = True
        return part

    def _encode_text(self, page: Page) -> str:
        text = format_rows(self.form, page.rows, self.row_class)
        in_sections = self.form is Format.TABLE and len(self.queries) > 1
        if in_sections and text and page.query != self._last_query:
            text = section_line(page.query) + text
        if not self._header_written:
            # Korean Excel reads a CSV file without the byte order mark as CP949.
            is_csv = self.form in {Format.CSV, Format.CSV_GZ}
            bom = "\ufeff" if self.output is not None and is_csv else ""
            text = bom + header(self.form, self.row_class) + text
        self._header_written, self._last_query = True, page.query
        return text

    def resume_command(self) -> str:
        """Return the command line that continues this one, without a password.

        Of many queries with an output, the state is written to a file beside it.
        """
        command = ["kiwoom-async", "rows", *self.query_words, "--format", str(self.form)]
        if self.output is not None:
            command += ["--output", str(self.output)]
        if self.sandbox:
            command += ["--sandbox"]
        if self.sharing is not None:
            command += ["--sharing", without_password(self.sharing)]
        if not self.state.nothing_written:
            command += ["--resume", self._resume_value()]
        return command_line(command)

    def _resume_value(self) -> str:
        self.state.findings |= bool(self.findings)
        signature = resume_signature(self.queries, self.form)
        text = self.state.to_text(self.output_bytes, signature)
        if self.output is None or len(self.queries) == 1:
            return text
        path = state_path(self.output)
        try:
            with replacing(path) as file:
                file.write(f"{text}\n".encode("ascii"))
        except OSError:
            # A full disk is no reason to lose the state.
            return text
        return str(path)

    @property
    def hides_password(self) -> bool:
        """True if the resume command lacks a password that this command had."""
        return self.sharing is not None and without_password(self.sharing) != self.sharing


def _gzip(text: str) -> bytes:
    """Return the text as a gzip member; readers take members that follow each other as one."""
    return gzip.compress(text.encode(), mtime=0) if text else b""


def resume_signature(queries: Sequence[Query[Any, Any]], form: Format) -> str:
    """Return the part of a command that the command which resumes it must repeat exactly."""
    return f"{form} {[*queries]}"
