"""The commands: what they take, what they print, how they end.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted.
"""

import os
import shlex
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import anyio
import typer
from attrs import define
from rich.console import Console

from kiwoom_async import (
    Cursor,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
    __version__,
)
from kiwoom_async.sandbox import Sandbox, serve

from ._demo import last_weekday, show, walk_day
from ._formats import Format, writer
from ._progress import Progress

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # A traceback with local variables would print the keys.
    pretty_exceptions_enable=False,
    help="Program trading by stock (Kiwoom ka90004): every row, at the server's pace.",
)
# Messages hold square brackets, which are not rich's.
_errors = Console(stderr=True, highlight=False, markup=False)


@define
class _Rows:
    """One `rows` command: what was asked, and how far it has come."""

    query: ProgramTradeQuery
    form: Format
    output: Path | None
    sandbox: bool
    cursor: Cursor | None
    complete: bool = False

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
            command += ["--resume", str(self.cursor)]
        return shlex.join(command)


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Every row of ka90004."""
    if show_version:
        print(__version__)
        raise typer.Exit


@app.command()
def rows(  # noqa: PLR0917 - typer calls it by name
    date: Annotated[str, typer.Option(help="YYYY-MM-DD or YYYYMMDD, a day in Korea.")],
    market: Annotated[Market, typer.Option(case_sensitive=False)] = Market.KOSPI,
    exchange: Annotated[Exchange, typer.Option(case_sensitive=False)] = Exchange.KRX,
    form: Annotated[Format, typer.Option("--format", help="How to write.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; it must not exist, except to resume.")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Ask the simulated exchange: no keys, no network.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on where an interrupted command left off.")
    ] = None,
) -> None:
    """Write every row of one day, market and exchange.

    Keys come from KIWOOM_APP_KEY and KIWOOM_SECRET_KEY; KIWOOM_ENVIRONMENT may say mock.
    """
    try:
        query = ProgramTradeQuery(date, market, exchange)
        cursor = None if resume is None else Cursor.parse(resume)
        job = _Rows(query, form, output, sandbox, cursor)
        if output is not None and output.exists() and cursor is None:
            _end(f"--output: {output} exists already; name another file or remove it", code=2)
        client = KiwoomClient.sandbox if sandbox else KiwoomClient.from_env
        _run(partial(_write_rows, job, client), on_stop=partial(_print_resume, job))
    except (ValueError, OSError) as error:
        _end(str(error), code=2 if isinstance(error, ValueError) else 1)


async def _write_rows(job: _Rows, client: Callable[[], KiwoomClient]) -> None:
    first_page = 1 if job.cursor is None else job.cursor.page
    async with client() as kiwoom:
        with ExitStack() as opened, Progress(job.query, first_page=first_page) as progress:
            write: Callable[[list[ProgramTrade]], None] | None = None
            async for page in kiwoom.pages(job.query, start=job.cursor):
                if write is None:
                    # Not before there is something to write: a failed start leaves no file.
                    write = _writer(job, opened)
                write(page.rows)
                job.cursor, job.complete = page.next, page.next is None
                progress.count(page)


def _writer(job: _Rows, opened: ExitStack) -> Callable[[list[ProgramTrade]], None]:
    new = job.cursor is None
    if job.output is None:
        # Looked up here: the progress line takes standard output over on a terminal.
        return writer(job.form, sys.stdout, heading=new)
    # Excel in Korea takes a file without the mark for CP949.
    encoding = "utf-8-sig" if new and job.form is Format.CSV else "utf-8"
    mode: Literal["x", "a"] = "x" if new else "a"
    out = opened.enter_context(job.output.open(mode, encoding=encoding, newline=""))
    return writer(job.form, out, heading=new)


def _print_resume(job: _Rows) -> None:
    if job.complete:
        return
    _errors.print("To go on where this stopped:", style="bold")
    _errors.print(job.resume_command(), soft_wrap=True)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Lift the sandbox's limit.")] = False,
) -> None:
    """Walk a day of both markets on the sandbox, at production pace (about 22 s)."""

    async def walk() -> None:
        exchange = Sandbox(requests_per_second=None if fast else 5)
        async with KiwoomClient.sandbox(exchange) as kiwoom:
            show(Console(), await walk_day(kiwoom, last_weekday()))

    _run(walk, on_stop=lambda: None)


@app.command("sandbox")
def sandbox_server(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Loopback, unless you know better.")] = "127.0.0.1",
    limit: Annotated[
        int, typer.Option(min=0, help="Requests a second for each api-id; 0 for no limit.")
    ] = 5,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.046,
    firewall: Annotated[
        bool, typer.Option(help="Block the default User-Agents of aiohttp and urllib.")
    ] = True,
) -> None:
    """Serve the simulated exchange on a port, for any Kiwoom client."""
    exchange = Sandbox(
        requests_per_second=limit or None, latency_seconds=latency, firewall=firewall
    )
    _errors.print(f"KIWOOM_BASE_URL=http://{host}:{port}  (any keys; Ctrl-C ends it)")
    try:
        serve(exchange, host=host, port=port)
    except (ImportError, OSError) as error:
        _end(str(error), code=1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _run(main: Callable[[], Coroutine[Any, Any, None]], *, on_stop: Callable[[], None]) -> None:
    """Run to the end, or say why not and how to go on."""
    try:
        anyio.run(main)
    except KiwoomError as error:
        _errors.print(f"{type(error).__name__}: {error}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _errors.print("interrupted")
        on_stop()
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has left: what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _end(message: str, *, code: int) -> NoReturn:
    _errors.print(f"kiwoom-async: {message}", style="red", soft_wrap=True)
    raise typer.Exit(code)
