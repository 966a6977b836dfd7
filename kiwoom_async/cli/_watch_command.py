"""`kiwoom-async watch`: what changes in the rows of a request, ka90004's where none is named."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final

import typer

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery, Query
from kiwoom_async.catalog import REQUESTS
from kiwoom_async.sandbox import Sandbox

from ._clients import client_factory
from ._exit import exit_on_error, fail, run
from ._options import ExchangeOption, HeaderOption, MarketOption, SandboxOption, SharingOption
from ._queries import build_queries, last_weekday, parse_day, today_in_korea
from ._request_group import DEFAULT_REQUEST, PANEL, RequestGroup, add_requests
from ._request_options import RequestArguments, naming_options
from ._watch import WatchJob

# In each market of the sandbox, so that a watch has changes to show.
_TRADES_PER_SECOND: Final = 20

commands = typer.Typer(
    cls=RequestGroup,
    subcommand_metavar="[REQUEST] [OPTIONS]",
    help=f"""Show what changes: as JSON lines, and of {DEFAULT_REQUEST} as a table on a terminal.

    Without a REQUEST it is {DEFAULT_REQUEST}. Options: kiwoom-async watch REQUEST --help

    Pages that came incomplete are named on standard error, and end it with 3. Sums are not
    compared: the market moves while it is read.
    """,
)

EveryOption = Annotated[
    float, typer.Option(min=0, help="Seconds from one round to the next, at least.")
]
RoundsOption = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many rounds; never, without it.")
]


@commands.command(DEFAULT_REQUEST, rich_help_panel=PANEL)
def program_trades(  # noqa: PLR0917 - typer calls it by name
    date: Annotated[
        str | None, typer.Option(help="A day in Korea; today, or the sandbox's last weekday.")
    ] = None,
    market: MarketOption = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [Exchange.KRX],  # noqa: B006
    every: EveryOption = 0.0,
    rounds: RoundsOption = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """ka90004 종목별프로그램매매현황요청: every stock's program trading of a day.

    A table that updates in place, or JSON lines where output is piped.
    """

    def make_queries() -> list[ProgramTradeQuery]:
        day = parse_day(date or str(last_weekday() if sandbox else today_in_korea()))
        return build_queries([day], market, exchange)

    _watch(make_queries, every, rounds, sandbox, sharing, header)


def _watch_request(
    arguments: RequestArguments,
    *,
    every: EveryOption = 0.0,
    rounds: RoundsOption = None,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006 - typer copies defaults
) -> None:
    """Watch any request but ka90004."""
    # Made anew for each round: some queries hold the day on which they were made.
    _watch(arguments.queries, every, rounds, sandbox, sharing, header)


add_requests(commands, REQUESTS, _watch_request)


def _watch(  # noqa: PLR0917 - the commands' options, in their order
    make_queries: Callable[[], Sequence[Query[Any, Any]]],
    every: float,
    rounds: int | None,
    sandbox: bool,
    sharing: str | None,
    header: list[str],
) -> None:
    with exit_on_error():
        make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
        if sandbox:
            make_client = _trading_sandbox
        # Raises for a wrong date before a client is made.
        query = make_queries()[0]
        job = WatchJob(make_queries, every, rounds, isinstance(query, ProgramTradeQuery))
        with naming_options(type(query)):
            run(partial(job.run, make_client), on_stop=job.print_all_findings)
        job.print_all_findings()
    if not job.any_complete:
        fail("no walk was complete", code=1)
    job.findings.exit()


def _trading_sandbox(**options: Any) -> KiwoomClient:
    return KiwoomClient.sandbox(Sandbox(trades_per_second=_TRADES_PER_SECOND), **options)
