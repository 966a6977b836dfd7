"""The commands and their options; long, because each option is an argument with its help."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery, __version__
from kiwoom_async.sandbox import Sandbox

from ._archive import commands as archive_commands
from ._call import call
from ._clients import client_factory, uses_sharing
from ._conversion import require_pyarrow
from ._demo import print_demo
from ._diagnosis import Diagnosis
from ._doctor import DoctorJob
from ._exit import exit_on_error, fail, run, stderr
from ._findings import FINDINGS_CODE, findings_of
from ._formats import Format, choose_format
from ._options import (
    DateOption,
    ExchangeOption,
    FromOption,
    HeaderOption,
    MarketOption,
    SandboxOption,
    SharingOption,
    ToOption,
)
from ._output import require_writable
from ._progress import Progress
from ._queries import build_queries, last_weekday, parse_day, parse_days, today_in_korea
from ._report import report
from ._requests import requests
from ._resume import ResumeState, read_state
from ._rows import RowsJob, resume_signature
from ._sandbox import sandbox_server
from ._text import count_of
from ._token import TokenFormat, TokenJob
from ._walks import TradeWalk, collect_walks
from ._watch import WatchJob

# In each market of the sandbox, so that a watch has changes to show.
_TRADES_PER_SECOND: Final = 20

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # A traceback with local variables would print the keys.
    pretty_exceptions_enable=False,
    help="Program trading by stock (Kiwoom ka90004): every row, at the server's pace.",
    epilog="Exit codes: 0 done, 1 failed, 2 used wrongly, 3 complete, but something does not add "
    "up (standard error says what), 130 interrupted, 143 terminated.",
)

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
def rows(  # noqa: PLR0917 - typer calls it by name
    date: DateOption = None,
    first: FromOption = None,
    last: ToOption = None,
    market: MarketOption = [Market.KOSPI],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [Exchange.KRX],  # noqa: B006
    form: Annotated[
        Format | None, typer.Option("--format", help="How to write, if the file's name won't say.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write to this .csv, .csv.gz, .jsonl, .ndjson, .json, .parquet or .arrow file; it "
            "must not exist, except to resume."
        ),
    ] = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on where an interrupted command left off: the text or the file "
            "that it printed."
        ),
    ] = None,
) -> None:
    """Write every row of some days, markets and exchanges: all their combinations, at once.

    Ends with 3 where every row came, but something does not add up.

    Keys come from KIWOOM_APP_KEY and KIWOOM_SECRET_KEY; KIWOOM_ENVIRONMENT may say mock.
    """
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        queries = build_queries(parse_days(first, last, date), market, exchange)
        days = ["--date", date] if date else ["--from", str(first), "--to", str(last)]
        options = [*days, *_repeat("--market", market), *_repeat("--exchange", exchange)]
        state, output_bytes, state_file = ResumeState(len(queries)), None, None
        form = choose_format(form, output)
        if resume is not None:
            signature = resume_signature(queries, form)
            text, state_file = read_state(resume)
            state, output_bytes = ResumeState.parse(text, len(queries), signature)
        job = RowsJob(queries, options, form, output, sandbox, state, output_bytes, sharing)
        _check_output(job, resumed=resume is not None)
        run(partial(job.run, make_client), on_stop=partial(_print_how_to_go_on, job))
        if state_file is not None:
            with suppress(OSError):
                state_file.unlink()
    job.findings.print()
    if conclusion := _conclusion(job):
        stderr.print(conclusion, soft_wrap=True)
    if job.state.findings:
        raise typer.Exit(FINDINGS_CODE)
    job.findings.exit()


def _conclusion(job: RowsJob) -> str:
    """Return the last line of a command that is complete, "" where there is nothing to say."""
    file = "" if job.output is None else f"{job.output}: "
    earlier = "; findings in what came before --resume" if job.state.findings else ""
    if job.rows == 0 and not job.resumed and not job.findings:
        walks = job.queries
        what = walks[0] if len(walks) == 1 else f"any of the {len(walks)} queries"
        return f"{file}no data for {what}: a holiday, or before the open"
    if not file:
        return earlier.removeprefix("; ")
    conclusion = job.findings.conclusion(len(job.queries))
    if job.continued_walks and not job.findings:
        begun = count_of(job.continued_walks, "walk")
        conclusion = f", nothing found in them; the sums of {begun} begun before are not compared"
    rows = f"{job.rows:,} more rows" if job.resumed else count_of(job.rows, "row")
    return f"{file}{rows}{conclusion}{earlier}"


def _repeat(option: str, values: Sequence[StrEnum]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _check_output(job: RowsJob, *, resumed: bool) -> None:
    """Raise ValueError, before anything is sent, if the output cannot be written."""
    if job.output is None or job.page_file is None:
        return
    if job.page_file.exists() != resumed:
        problem = "is not there to be resumed" if resumed else "exists already; name another"
        raise ValueError(f"--output: {job.page_file} {problem}")
    if job.form.converted and job.output.exists():
        raise ValueError(f"--output: {job.output} exists already; name another")
    require_writable(job.output.parent, job.page_file if resumed else None)
    if job.form.columnar:
        require_pyarrow()


def _print_how_to_go_on(job: RowsJob) -> None:
    job.findings.print()
    if job.state.remaining:
        how = "To try again" if job.state.nothing_written else "To go on where this stopped"
        password = ", with the password for ***" if job.hides_password else ""
        stderr.print(f"{how}{password}:", style="bold")
        stderr.print(job.resume_command(), soft_wrap=True)
    if job.partial_bytes:
        stderr.print(
            f"The next page had begun: drop the last {job.partial_bytes:,} bytes of what was "
            "written."
        )


@app.command()
def watch(  # noqa: PLR0917 - typer calls it by name
    date: Annotated[
        str | None, typer.Option(help="A day in Korea; today, or the sandbox's last weekday.")
    ] = None,
    market: MarketOption = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [Exchange.KRX],  # noqa: B006
    every: Annotated[
        float, typer.Option(min=0, help="Seconds from one round to the next, at least.")
    ] = 0.0,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many rounds; never, without it.")
    ] = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """Show what changes: a table that updates in place, or JSON lines where output is piped.

    Pages that came incomplete are named on standard error, and end it with 3. Sums are not
    compared: the market moves while it is read.
    """
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        if sandbox:
            make_client = _trading_sandbox

        def make_queries() -> list[ProgramTradeQuery]:
            day = parse_day(date or str(last_weekday() if sandbox else today_in_korea()))
            return build_queries([day], market, exchange)

        make_queries()  # raises for a wrong date before a client is made
        job = WatchJob(make_queries, every, rounds)
        run(partial(job.run, make_client), on_stop=job.print_all_findings)
        job.print_all_findings()
    if not job.any_complete:
        fail("no walk was complete", code=1)
    job.findings.exit()


def _trading_sandbox(**options: Any) -> KiwoomClient:
    return KiwoomClient.sandbox(Sandbox(trades_per_second=_TRADES_PER_SECOND), **options)


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
