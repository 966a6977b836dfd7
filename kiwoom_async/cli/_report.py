"""`kiwoom-async report`: a day, and the days before it, as one page of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kiwoom_async import Exchange, Market, ProgramTradeQuery

from ._clients import client_factory
from ._exit import exit_on_error, fail, printed_warnings, run, stderr
from ._options import ExchangeOption, HeaderOption, MarketOption, SandboxOption, SharingOption
from ._output import require_writable
from ._queries import build_queries, parse_day
from ._text import count_of

if TYPE_CHECKING:
    from ._report_data import ReportData

_FolderArgument = Annotated[
    Path | None,
    typer.Argument(help="An archive's folder. Without it the server is asked for --date."),
]
_DateOption = Annotated[
    str | None, typer.Option(help="A day in Korea; of an archive the latest, if none is named.")
]
_StockOption = Annotated[
    list[str], typer.Option("--stock", help="Of an archive: a code whose flow to draw.")
]


def report(  # noqa: PLR0917 - typer calls it by name
    path: _FolderArgument = None,
    date: _DateOption = None,
    market: MarketOption = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer copies defaults
    exchange: ExchangeOption = [],  # noqa: B006
    days: Annotated[
        int, typer.Option(min=1, help="Of an archive: how many days the flows go back.")
    ] = 60,
    stock: _StockOption = [],  # noqa: B006
    output: Annotated[Path, typer.Option(help="The page; it must not exist.")] = Path(
        "report.html"
    ),
    sandbox: SandboxOption = False,
    sharing: SharingOption = None,
    header: HeaderOption = [],  # noqa: B006
) -> None:
    """Draw a day on one page: most bought and sold, buy against sell, concentration, flows.

    Ends with 3 where every row came, but something does not add up.

    Of an archive all exchanges are taken, of the server KRX, unless --exchange says otherwise.
    """
    _require_new_page(output)
    with exit_on_error():
        if path is not None:
            data = _load_archive(
                path,
                date,
                days=days,
                markets=market,
                exchanges=exchange or list(Exchange),
                stocks=stock,
            )
        elif date is None or stock:
            problem = (
                "--stock needs an archive" if stock else "name a day with --date, or an archive"
            )
            raise ValueError(f"{problem}: kiwoom-async report FOLDER")
        else:
            queries = build_queries([parse_day(date)], market, exchange or [Exchange.KRX])
            data = _fetch(queries, sandbox=sandbox, sharing=sharing, header=header)
        if not data.rows:
            fail(f"no rows of {date}: a holiday, or before the open; nothing is written", code=1)
        data.write_html(output)
    data.findings.print()
    rows = count_of(len(data.rows), "row")
    stderr.print(f"{output}: {rows}{data.findings.conclusion(data.walks)}", soft_wrap=True)
    data.findings.exit()


def _require_new_page(output: Path) -> None:
    if output.exists():
        fail(f"--output: {output} exists already; name another", code=2)
    if output.suffix.lower() not in {".html", ".htm"}:
        fail(f"--output: got {output}; expected a name ending in .html or .htm", code=2)
    with exit_on_error():
        require_writable(output.parent)


def _fetch(
    queries: Sequence[ProgramTradeQuery],
    *,
    sandbox: bool,
    sharing: str | None,
    header: list[str],
) -> "ReportData":
    from ._report_data import fetch_report_data  # noqa: PLC0415 - an extra

    make_client = client_factory(sandbox=sandbox, sharing=sharing, headers=header)
    fetched: list[ReportData] = []

    async def fetch() -> None:
        fetched.append(await fetch_report_data(make_client, queries))

    run(fetch, on_stop=lambda: None)
    return fetched[0]


def _load_archive(
    path: Path,
    date: str | None,
    *,
    days: int,
    markets: Sequence[Market],
    exchanges: Sequence[Exchange],
    stocks: Sequence[str],
) -> "ReportData":
    day = None if date is None else parse_day(date)
    from kiwoom_async.archive import Archive  # noqa: PLC0415 - an extra

    from ._report_archive import ArchiveSelection  # noqa: PLC0415

    with printed_warnings():
        return ArchiveSelection(day, days, markets, exchanges, stocks).load(Archive(path))
