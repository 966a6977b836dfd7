"""`kiwoom-async archive fetch`: walks of a request into an archive, ka90004's if none is named."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kiwoom_async import Exchange, KiwoomClient, Market, Query
from kiwoom_async.catalog import REQUESTS

from ._archive import open_archive, summary
from ._clients import client_factory
from ._exit import exit_on_error, run, stderr
from ._findings import Findings, listeners
from ._options import (
    DateOption,
    DryRunOption,
    ExchangeOption,
    FolderArgument,
    FromOption,
    HeaderOption,
    MarketOption,
    PaceOption,
    RefreshOption,
    SandboxOption,
    SharingOption,
    ToOption,
)
from ._progress import Progress
from ._queries import build_queries, parse_days
from ._request_group import DEFAULT_REQUEST, PANEL, RequestGroup, add_requests
from ._request_options import RequestArguments, naming_options
from ._walks import estimated_calls

if TYPE_CHECKING:
    from kiwoom_async.archive import Archive


class _FetchGroup(RequestGroup):
    """A command for each request; any other first word is the path of ka90004's command."""

    def names_request(self, args: list[str]) -> bool:
        """Return True for a request's name; for ka90004's own, only with a path behind it."""
        first, *others = args
        # "fetch program-trades --date ..." is its documented use, with a folder of that name.
        is_folder = first == DEFAULT_REQUEST and (not others or others[0].startswith("-"))
        return first in self.commands and (not is_folder or others == ["--help"])


commands = typer.Typer(
    cls=_FetchGroup,
    subcommand_metavar="[REQUEST] PATH [OPTIONS]",
    help=f"""Collect what the archive lacks of a request's walks.

    Without a REQUEST it is {DEFAULT_REQUEST}. Options: kiwoom-async archive fetch REQUEST --help

    Stop it, kill it, run it again: it goes on where it was. Today's walks are provisional, and
    collected again another day; so are walks whose files are missing or damaged. Ends with 3 where
    the archive has all of it, but something does not add up.
    """,
)


@commands.command(DEFAULT_REQUEST, rich_help_panel=PANEL)
def program_trades(  # noqa: PLR0917 - typer calls it by name
    path: FolderArgument,
    date: DateOption = None,
    first: FromOption = None,
    last: ToOption = None,
    market: MarketOption = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [Exchange.KRX],  # noqa: B006
    pace: PaceOption = None,
    dry_run: DryRunOption = False,
    refresh: RefreshOption = False,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """ka90004 종목별프로그램매매현황요청: every stock's program trading of some days.

    All combinations of days, markets and exchanges.
    """
    with exit_on_error():
        queries = build_queries(parse_days(first, last, date), market, exchange)
        make_client = _client_factory(pace, sandbox, sharing, header)
    fetch_queries(path, queries, make_client, dry_run=dry_run, refresh=refresh)


def _fetch_request(
    arguments: RequestArguments,
    *,
    path: FolderArgument,
    pace: PaceOption = None,
    dry_run: DryRunOption = False,
    refresh: RefreshOption = False,
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006 - typer copies defaults
) -> None:
    """Fetch the walks of any request but ka90004."""
    with exit_on_error():
        queries = arguments.queries()
        make_client = _client_factory(pace, sandbox, sharing, header)
    fetch_queries(path, queries, make_client, dry_run=dry_run, refresh=refresh)


add_requests(commands, REQUESTS, _fetch_request)


def _client_factory(
    pace: float | None, sandbox: bool, sharing: str | None, headers: Sequence[str]
) -> Callable[..., KiwoomClient]:
    make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=headers)
    return make_client if pace is None else partial(make_client, requests_per_second=pace)


def fetch_queries(
    path: Path,
    queries: Sequence[Query[Any, Any]],
    make_client: Callable[..., KiwoomClient],
    *,
    dry_run: bool,
    refresh: bool,
) -> None:
    """Fetch queries of any requests into an archive; exit as `archive fetch` does."""
    archive = open_archive(path)
    findings = Findings()
    with exit_on_error(), naming_options(type(queries[0])):
        if dry_run:
            print(archive.plan(make_client(), queries, refresh=refresh))
            return
        run(
            partial(_fetch, archive, queries, make_client, findings, refresh),
            on_stop=partial(_print_how_to_go_on, findings),
        )
    findings.print()
    findings.exit()


async def _fetch(
    archive: "Archive",
    queries: Sequence[Query[Any, Any]],
    make_client: Callable[..., KiwoomClient],
    findings: Findings,
    refresh: bool,
) -> None:
    """Fetch, and print the summary; `findings` are those of the walks that came, then of all."""
    progress = Progress()
    on_event = listeners(progress.on_event, findings.on_event)
    async with make_client(on_event=on_event) as kiwoom:
        plan = archive.plan(kiwoom, queries, refresh=refresh)
        stderr.print(str(plan))
        progress.expect(estimated_calls(kiwoom, plan.queries), plan.kept)
        with progress:
            entries = await archive.fetch(kiwoom, queries, refresh=refresh)
    findings.of_walk.clear()
    for entry in entries:
        findings.add(entry.query, entry.findings)
    print(summary(entries))


def _print_how_to_go_on(findings: Findings) -> None:
    findings.print()
    stderr.print("What has come is kept: the same command goes on where this stopped.")
