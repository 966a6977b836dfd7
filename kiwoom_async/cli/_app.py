"""The commands and their options."""

import sys
from functools import partial
from io import TextIOWrapper
from typing import Annotated

import typer
from rich.console import Console

from kiwoom_async import Exchange, KiwoomClient, Market, __version__
from kiwoom_async.sandbox import Sandbox

from ._archive import commands as archive_commands
from ._call import call
from ._clients import client_factory, uses_sharing
from ._demo import print_demo
from ._diagnosis import Diagnosis
from ._doctor import DoctorJob
from ._exit import exit_on_error, run
from ._fetch_command import commands as fetch_commands
from ._findings import findings_of
from ._options import (
    HeaderOption,
    SandboxOption,
    SharingOption,
)
from ._progress import Progress
from ._queries import build_queries, last_weekday
from ._report import report
from ._requests import requests
from ._rows_command import commands as rows_commands
from ._sandbox import sandbox_server
from ._token import TokenFormat, TokenJob
from ._walks import TradeWalk, collect_walks
from ._watch_command import commands as watch_commands

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # A traceback with local variables would print the keys.
    pretty_exceptions_enable=False,
    help="Program trading by stock (Kiwoom ka90004): every row, at the server's pace.",
    epilog="Exit codes: 0 done, 1 failed, 2 used wrongly, 3 complete, but something does not add "
    "up (standard error says what), 130 interrupted, 143 terminated.",
)

app.add_typer(rows_commands, name="rows")
app.add_typer(watch_commands, name="watch")
archive_commands.add_typer(fetch_commands, name="fetch")
app.add_typer(archive_commands, name="archive")
app.command()(report)
app.command()(call)
app.command()(requests)


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
def token(
    form: Annotated[TokenFormat, typer.Option("--format", help="How to write.")] = TokenFormat.TEXT,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """Say until when the token is valid, without showing it; issue one if there is none."""
    job = TokenJob(
        form, in_process=sandbox, uses_sharing=uses_sharing(sandbox=sandbox, sharing=sharing)
    )
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        run(partial(job.run, make_client), on_stop=lambda: None)


@app.command()
def doctor(
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """Check keys, network, sharing, token, clock and a page; say what to do about each problem.

    Ends with 1 where there is a problem. No key is shown, and no token.
    """
    _replace_unencodable_output()
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
    shared = uses_sharing(sandbox=sandbox, sharing=sharing)
    job = DoctorJob(Diagnosis(make_client, in_process=sandbox, uses_sharing=shared))
    run(job.run, on_stop=lambda: None)
    if job.problems:
        raise typer.Exit(1)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Lift the sandbox's limit.")] = False,
) -> None:
    """Walk a day of both markets at once on the sandbox, at production pace (about 23 s).

    Ends with 3 where something does not add up.
    """
    walks: list[TradeWalk] = []

    async def walk() -> None:
        exchange = Sandbox(requests_per_second=None if fast else 5)
        progress = Progress()
        async with KiwoomClient.sandbox(exchange, on_event=progress.on_event) as kiwoom:
            queries = build_queries([last_weekday()], list(Market), [Exchange.CONSOLIDATED])
            walks.extend(await collect_walks(kiwoom, queries, progress))
            print_demo(Console(), walks)

    _replace_unencodable_output()
    run(walk, on_stop=lambda: None)
    findings = findings_of(walks)
    findings.print()
    findings.exit()


def _replace_unencodable_output() -> None:
    """Print "?" for what the output's encoding lacks; for output that is read by people only."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


app.command("sandbox")(sandbox_server)
