"""`kiwoom-async call`: any request that reads, its answer as JSON."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer
from attrs import define, field

from kiwoom_async import ContinuationError, Cursor, KiwoomClient, Reply

from ._clients import client_factory, without_password
from ._exit import exit_on_error, run, stderr
from ._findings import FINDINGS_CODE
from ._formats import json_line
from ._options import HeaderOption, SandboxOption, SharingOption
from ._output import StandardOutput, stdout_is_terminal
from ._shell import command_line

_ApiIdArgument = Annotated[
    str, typer.Argument(metavar="API-ID", help="As `kiwoom-async requests` lists them.")
]
_FieldsArgument = Annotated[
    list[str], typer.Argument(metavar="[NAME=VALUE]...", help="The fields of the request's body.")
]
_PathOption = Annotated[
    str | None, typer.Option(help="Of a request that is not among the published ones.")
]
_ResumeOption = Annotated[
    str | None, typer.Option(help="Go on at the page whose cursor an earlier command printed.")
]


def call(  # noqa: PLR0917 - typer calls it by name
    api_id: _ApiIdArgument,
    fields: _FieldsArgument = [],  # noqa: B006 - typer copies defaults
    all_pages: Annotated[
        bool, typer.Option("--all-pages", help="A line of JSON for each page, to the last.")
    ] = False,
    path: _PathOption = None,
    resume: _ResumeOption = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """Print the answer to any request that reads as JSON: kiwoom-async call ka10001 stk_cd=005930.

    Indented on a terminal, one line where output is piped. Ends with 3 where the server began
    again instead of ending. Requests that trade are refused.
    """
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        cursor = None if resume is None else Cursor.parse(resume)
        words = [api_id, *fields, *([] if path is None else ["--path", path])]
        words += ["--sandbox"] if sandbox else []
        words += ["--all-pages"] if all_pages else []
        job = CallJob(api_id, _parse_fields(fields), path, words, sharing, cursor)
        work = job.write_all_pages if all_pages else job.write_one
        run(partial(work, make_client), on_stop=job.print_how_to_go_on)
    if job.restarted:
        raise typer.Exit(FINDINGS_CODE)


def _parse_fields(fields: Sequence[str]) -> dict[str, str]:
    """Return the body that NAME=VALUE words make; ValueError for other words."""
    body: dict[str, str] = {}
    for word in fields:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise ValueError(f"got {word!r}; expected NAME=VALUE, such as stk_cd=005930")
        if name in body:
            raise ValueError(f"{name}: comes twice")
        body[name] = value
    return body


@define
class CallJob:
    """One `call` command and its progress.

    words: what the command line said, without --sharing, to be repeated when resuming.
    cursor: the page that comes next; None before the first one, and behind the last.
    pages: how many were written.
    restarted: the server began again, right after an empty page, instead of ending.
    """

    api_id: str
    body: dict[str, str]
    path: str | None
    words: list[str]
    sharing: str | None
    cursor: Cursor | None
    pages: int = 0
    restarted: bool = False
    _output: StandardOutput = field(factory=StandardOutput)
    # Hashes of each row's text, and of that of all rows of each page.
    _rows_seen: set[int] = field(factory=set[int])
    _pages_seen: set[int] = field(factory=set[int])

    async def write_one(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Write one answer; say on standard error if there are more pages."""
        async with make_client() as kiwoom:
            reply = await self._ask(kiwoom)
        if stdout_is_terminal():
            self._output.write(json.dumps(reply.body, ensure_ascii=False, indent=2) + "\n")
        else:
            self._output.write(json_line(reply.body))
        if reply.restarted:
            self._report_restart("these rows came before")
        if reply.next is not None:
            self.cursor = reply.next
            stderr.print("There are more pages, all of them with --all-pages; the next one:")
            stderr.print(self._resume_command(), soft_wrap=True)

    async def write_all_pages(self, make_client: Callable[[], KiwoomClient]) -> None:
        """Write a line for each page, without the rows with which the server begins again."""
        async with make_client() as kiwoom:
            while True:
                reply = await self._ask(kiwoom)
                self._write_page(reply)
                self.cursor = reply.next
                if reply.next is None:
                    return

    async def _ask(self, kiwoom: KiwoomClient) -> Reply:
        return await kiwoom.call(self.api_id, self.body, cursor=self.cursor, path=self.path)

    def _write_page(self, reply: Reply) -> None:
        rows = [hash(json_line(row)) for row in reply.rows]
        if reply.restarted and self._rows_seen.issuperset(rows):
            self._report_restart("its rows, which came before, are left out")
            return
        page = hash(tuple(rows))
        if rows and page in self._pages_seen and reply.next is not None:
            raise ContinuationError(
                "a page has the rows of an earlier one and announces another: the server goes "
                "round in circles"
            )
        self._output.write(json_line(reply.body))
        self.pages += 1
        self._rows_seen.update(rows)
        self._pages_seen.add(page)
        if reply.restarted:
            # Values move while the market is open, and a resumed command has not seen the others.
            self._report_restart("the rows of the last line probably came before")

    def _report_restart(self, rows: str) -> None:
        self.restarted = True
        text = f"the server began again after an empty page, which was taken for the end; {rows}"
        stderr.print(f"{self.api_id}: {text}", style="yellow", soft_wrap=True)

    def print_how_to_go_on(self) -> None:
        """Print the command that continues this one, if any page was written."""
        if self.pages and self.cursor is not None:
            hidden = self.sharing is not None and without_password(self.sharing) != self.sharing
            password = ", with the password for ***" if hidden else ""
            stderr.print(f"To go on where this stopped{password}:", style="bold")
            stderr.print(self._resume_command(), soft_wrap=True)
        if self._output.partial_bytes:
            stderr.print(
                f"The next page had begun: drop the last {self._output.partial_bytes:,} bytes of "
                "what was written."
            )

    def _resume_command(self) -> str:
        sharing = [] if self.sharing is None else ["--sharing", without_password(self.sharing)]
        words = ["kiwoom-async", "call", *self.words, *sharing, "--resume", str(self.cursor)]
        return command_line(words)
