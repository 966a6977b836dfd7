"""Options that several commands have."""

from typing import Annotated

import typer

from kiwoom_async import Exchange, Market

Date = Annotated[str | None, typer.Option(help="YYYY-MM-DD or YYYYMMDD, a day in Korea.")]
First = Annotated[
    str | None, typer.Option("--from", help="The first day of a range, instead of --date.")
]
Last = Annotated[str | None, typer.Option("--to", help="The last day of a range, itself included.")]
Markets = Annotated[
    list[Market], typer.Option("--market", case_sensitive=False, help="May be given twice.")
]
Exchanges = Annotated[
    list[Exchange], typer.Option("--exchange", case_sensitive=False, help="May be repeated.")
]
OnSandbox = Annotated[
    bool, typer.Option("--sandbox", help="Ask the simulated exchange: no keys, no network.")
]
Sharing = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="Where programs with one app key share its pace and token: files, files:DIRECTORY or "
        "redis://HOST:PORT. Default: KIWOOM_SHARING.",
        show_default=False,
    ),
]
