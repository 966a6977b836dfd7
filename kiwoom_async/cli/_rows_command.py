"""`kiwoom-async rows`: every row of a request, ka90004's where none is named."""

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kiwoom_async import Exchange, Market, ProgramTradeQuery, Query
from kiwoom_async.catalog import REQUESTS

from ._clients import client_factory
from ._conversion import require_pyarrow
from ._exit import exit_on_error, run, stderr
from ._findings import FINDINGS_CODE
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
from ._queries import build_queries, parse_days
from ._request_group import DEFAULT_REQUEST, PANEL, RequestGroup, add_requests
from ._request_options import RequestArguments, naming_options
from ._resume import ResumeState, read_state
from ._rows import RowsJob, resume_signature
from ._text import count_of

commands = typer.Typer(
    cls=RequestGroup,
    subcommand_metavar="[REQUEST] [OPTIONS]",
    help=f"""Write every row of a request: as a table to read, or into a file.

    Without a REQUEST it is {DEFAULT_REQUEST}. Options: kiwoom-async rows REQUEST --help

    Ends with 3 where every row came, but something does not add up.

    Keys come from KIWOOM_APP_KEY and KIWOOM_SECRET_KEY; KIWOOM_ENVIRONMENT may say mock.
    """,
)

FormatOption = Annotated[
    Format | None, typer.Option("--format", help="How to write, if the file's name won't say.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        help="Write to this .csv, .csv.gz, .jsonl, .ndjson, .json, .parquet or .arrow file; it "
        "must not exist, except to resume."
    ),
]
ResumeOption = Annotated[
    str | None,
    typer.Option(
        help="Go on where an interrupted command left off: the text or the file that it printed."
    ),
]


@commands.command(DEFAULT_REQUEST, rich_help_panel=PANEL)
def program_trades(  # noqa: PLR0917 - typer calls it by name
    date: DateOption = None,
    first: FromOption = None,
    last: ToOption = None,
    market: MarketOption = [Market.KOSPI],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [Exchange.KRX],  # noqa: B006
    form: FormatOption = None,
    output: OutputOption = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
    resume: ResumeOption = None,
) -> None:
    """ka90004 종목별프로그램매매현황요청: every stock's program trading of some days.

    All combinations of days, markets and exchanges come at once.
    """
    with exit_on_error():
        queries = build_queries(parse_days(first, last, date), market, exchange)
    days = ["--date", date] if date else ["--from", str(first), "--to", str(last)]
    words = [*days, *_repeat("--market", market), *_repeat("--exchange", exchange)]
    _write_rows(queries, words, form, output, sandbox, sharing, header, resume)


def _repeat(option: str, values: Sequence[StrEnum]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def write_request(
    arguments: RequestArguments,
    *,
    form: FormatOption = None,
    output: OutputOption = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006 - typer copies defaults
    resume: ResumeOption = None,
) -> None:
    """Write every row of any request but ka90004."""
    with exit_on_error():
        queries = arguments.queries()
    _write_rows(queries, arguments.words, form, output, sandbox, sharing, header, resume)


add_requests(commands, REQUESTS, write_request)


def _write_rows(  # noqa: PLR0917 - the commands' options, in their order
    queries: Sequence[Query[Any, Any]],
    words: list[str],
    form: Format | None,
    output: Path | None,
    sandbox: bool,
    sharing: str | None,
    header: list[str],
    resume: str | None,
) -> None:
    """Write the rows of queries of one request, which these words of a command line make."""
    with exit_on_error(), naming_options(type(queries[0])):
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        state, output_bytes, state_file = ResumeState(len(queries)), None, None
        form = choose_format(form, output)
        if resume is not None:
            signature = resume_signature(queries, form)
            text, state_file = read_state(resume)
            state, output_bytes = ResumeState.parse(text, len(queries), signature)
        job = RowsJob(queries, words, form, output, sandbox, state, output_bytes, sharing)
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
        is_trade = isinstance(walks[0], ProgramTradeQuery)
        reason = ": a holiday, or before the open" if is_trade else ""
        return f"{file}no data for {what}{reason}"
    if not file:
        return earlier.removeprefix("; ")
    conclusion = job.findings.conclusion(len(job.queries))
    if type(job.queries[0]).checks is Query.checks and not job.findings:
        conclusion = ", nothing amiss; no sums were compared"
    if job.continued_walks and not job.findings:
        begun = count_of(job.continued_walks, "walk")
        conclusion = f", nothing found in them; the sums of {begun} begun before are not compared"
    rows = f"{job.rows:,} more rows" if job.resumed else count_of(job.rows, "row")
    return f"{file}{rows}{conclusion}{earlier}"


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
