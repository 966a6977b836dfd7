"""The commands: what they take, and what they mean by it."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from kiwoom_async import (
    Exchange,
    KiwoomClient,
    Market,
    __version__,
)
from kiwoom_async.sandbox import Sandbox

from ._archive import commands as archive_commands
from ._case import Case
from ._clients import client_of, shares
from ._columnar import import_columnar
from ._days import days_between, last_weekday, queries_of, today
from ._demo import show, walk_all
from ._doctor import DoctorJob
from ._ending import end, errors, run
from ._formats import Format, format_of
from ._left import Left
from ._options import Date, Exchanges, First, Last, Markets, OnSandbox, Sharing
from ._progress import Progress
from ._rehearsal import sandbox_server
from ._report import report
from ._rows import RowsJob, same
from ._token import TokenFormat, TokenJob
from ._watch import WatchJob

# Of each market of the sandbox, so that a watch of it has something to show.
_TRADES_PER_SECOND: Final = 20

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # A traceback with local variables would print the keys.
    pretty_exceptions_enable=False,
    help="Program trading by stock (Kiwoom ka90004): every row, at the server's pace.",
)


app.add_typer(archive_commands, name="archive")
app.command()(report)


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
    date: Date = None,
    first: First = None,
    last: Last = None,
    market: Markets = [Market.KOSPI],  # noqa: B006 - typer's way to say a default
    exchange: Exchanges = [Exchange.KRX],  # noqa: B006
    form: Annotated[
        Format | None, typer.Option("--format", help="How to write, if the file's name won't say.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write to this .csv, .jsonl, .parquet or .arrow file; it must not exist, "
            "except to resume."
        ),
    ] = None,
    sandbox: OnSandbox = False,
    sharing: Sharing = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on where an interrupted command left off.")
    ] = None,
) -> None:
    """Write every row of some days, markets and exchanges: all their combinations, at once.

    Keys come from KIWOOM_APP_KEY and KIWOOM_SECRET_KEY; KIWOOM_ENVIRONMENT may say mock.
    """
    try:
        client = client_of(sandbox=sandbox, sharing=sharing)
        queries = queries_of(days_between(first, last, date), market, exchange)
        days = ["--date", date] if date else ["--from", first, "--to", last]
        asked = [*days, *_repeated("--market", market), *_repeated("--exchange", exchange)]
        total = len(queries)
        left, size = Left(total), None
        form = format_of(form, output)
        if resume is not None:
            left, size = Left.parse(resume, total, same(queries, form))
        job = RowsJob(queries, asked, form, output, sandbox, left, size, sharing=sharing)
        _check_output(job, resumed=resume is not None)
        run(partial(job.run, client), on_stop=partial(_say_how_to_go_on, job))
    except ValueError as error:
        end(str(error), code=2)
    except (ImportError, OSError) as error:
        end(str(error), code=1)
    if job.rows == 0 and not job.resumed:
        what = queries[0] if total == 1 else f"any of the {total} queries"
        errors.print(f"no data for {what}: a holiday, or before the open")


def _check_output(job: RowsJob, *, resumed: bool) -> None:
    """Refuse a file that is in the way, or is not there, or cannot be, before anything is sent."""
    if job.output is None or job.file is None:
        return
    if job.file.exists() != resumed:
        problem = "is not there to be resumed" if resumed else "exists already; name another"
        raise ValueError(f"--output: {job.file} {problem}")
    if job.form.columnar and job.output.exists():
        raise ValueError(f"--output: {job.output} exists already; name another")
    if not job.output.parent.is_dir():
        raise ValueError(f"--output: there is no directory {job.output.parent}")
    if job.form.columnar:
        import_columnar()


def _repeated(option: str, values: Sequence[StrEnum]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _say_how_to_go_on(job: RowsJob) -> None:
    if job.left.places:
        how = "To try again" if job.left.untouched else "To go on where this stopped"
        errors.print(f"{how}{', with the password for ***' * job.hides_password}:", style="bold")
        errors.print(job.resume_command(), soft_wrap=True)
    if job.cut_bytes:
        errors.print(
            f"The next page had begun: drop the last {job.cut_bytes:,} bytes of what was written."
        )


@app.command()
def watch(  # noqa: PLR0917 - typer calls it by name
    date: Annotated[
        str | None, typer.Option(help="A day in Korea; today, or the sandbox's last weekday.")
    ] = None,
    market: Markets = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer's way to say a default
    exchange: Exchanges = [Exchange.KRX],  # noqa: B006
    every: Annotated[
        float, typer.Option(min=0, help="Seconds from one round to the next, at least.")
    ] = 0.0,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many rounds; never, without it.")
    ] = None,
    sandbox: OnSandbox = False,
    sharing: Sharing = None,
) -> None:
    """Show what changes: a table that updates in place, or JSON lines where output is piped."""

    def moving() -> KiwoomClient:
        return KiwoomClient.sandbox(Sandbox(trades_per_second=_TRADES_PER_SECOND))

    day = date or str(last_weekday() if sandbox else today())
    try:
        client = client_of(sandbox=sandbox, sharing=sharing)
        job = WatchJob(queries_of(days_between(None, None, day), market, exchange), every, rounds)
        run(partial(job.run, moving if sandbox else client), on_stop=lambda: None)
    except ValueError as error:
        end(str(error), code=2)
    except ImportError as error:
        end(str(error), code=1)
    if not job.complete:
        end("no walk was complete", code=1)


@app.command()
def token(
    form: Annotated[TokenFormat, typer.Option("--format", help="How to write.")] = TokenFormat.TEXT,
    sandbox: OnSandbox = False,
    sharing: Sharing = None,
) -> None:
    """Say until when the token is valid, never the token itself; one is issued if none lives."""
    job = TokenJob(form, in_process=sandbox, shares=shares(sandbox=sandbox, sharing=sharing))
    try:
        client = client_of(sandbox=sandbox, sharing=sharing)
        run(partial(job.run, client), on_stop=lambda: None)
    except ValueError as error:
        end(str(error), code=2)
    except ImportError as error:
        end(str(error), code=1)


@app.command()
def doctor(sandbox: OnSandbox = False, sharing: Sharing = None) -> None:
    """Check keys, network, sharing, token, clock and a page; say what to do about each problem.

    Ends with 1 where there is a problem. No key is shown, and no token.
    """
    _for_eyes_only()
    try:
        client = client_of(sandbox=sandbox, sharing=sharing)
    except ValueError as error:
        end(str(error), code=2)
    except ImportError as error:
        end(str(error), code=1)
    job = DoctorJob(Case(client, sandbox, shares(sandbox=sandbox, sharing=sharing)))
    run(job.run, on_stop=lambda: None)
    if job.problems:
        raise typer.Exit(1)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Lift the sandbox's limit.")] = False,
) -> None:
    """Walk a day of both markets at once on the sandbox, at production pace (about 23 s)."""

    async def walk() -> None:
        exchange = Sandbox(requests_per_second=None if fast else 5)
        progress = Progress()
        async with KiwoomClient.sandbox(exchange, on_event=progress.tell) as kiwoom:
            queries = queries_of([last_weekday()], list(Market), [Exchange.CONSOLIDATED])
            show(Console(), await walk_all(kiwoom, queries, progress))

    _for_eyes_only()
    run(walk, on_stop=lambda: None)


def _for_eyes_only() -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        # Bars, names and messages are not in every code page, and no program reads them.
        sys.stdout.reconfigure(errors="replace")


app.command("sandbox")(sandbox_server)
