"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from kiwoom_async import Exchange, Market

DateOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD or YYYYMMDD, a day in Korea.")]
FromOption = Annotated[
    str | None, typer.Option("--from", help="The first day of a range, instead of --date.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="The last day of a range, itself included.")
]
MarketOption = Annotated[
    list[Market], typer.Option("--market", case_sensitive=False, help="May be given twice.")
]
ExchangeOption = Annotated[
    list[Exchange], typer.Option("--exchange", case_sensitive=False, help="May be repeated.")
]
SandboxOption = Annotated[
    bool, typer.Option("--sandbox", help="Ask the simulated exchange: no keys, no network.")
]
SharingOption = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="Where programs with one app key share its pace and token: files, files:DIRECTORY or "
        "redis://HOST:PORT. Default: KIWOOM_SHARING.",
        show_default=False,
    ),
]
HeaderOption = Annotated[
    list[str],
    typer.Option(
        "--header",
        metavar="'NAME: VALUE'",
        help="A header for a relay in front of the API; may be repeated. Default: KIWOOM_HEADERS, "
        "which a list of processes does not show.",
        show_default=False,
    ),
]
FolderArgument = Annotated[Path, typer.Argument(help="The archive's folder.", show_default=False)]
PaceOption = Annotated[
    float | None,
    typer.Option(min=0.01, help="Requests a second; lower, where other programs use the key."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and leave.")]
RefreshOption = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Collect again what has no day of its own and was collected today."
    ),
]
