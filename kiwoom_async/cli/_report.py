"""`kiwoom-async report`: a day, and the days before it, as one page of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kiwoom_async import Exchange, Market, ProgramTradeQuery

from ._clients import client_of
from ._days import days_between, queries_of
from ._ending import end, errors, run
from ._options import Exchanges, Markets, OnSandbox, Sharing

if TYPE_CHECKING:
    from ._pictures import Material


def report(  # noqa: PLR0917 - typer calls it by name
    path: Annotated[
        Path | None,
        typer.Argument(help="An archive's folder. Without it the server is asked for --date."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="A day in Korea; of an archive the latest, if none is named.")
    ] = None,
    market: Markets = [Market.KOSPI, Market.KOSDAQ],  # noqa: B006 - typer's way to say a default
    exchange: Exchanges = [],  # noqa: B006
    days: Annotated[
        int, typer.Option(min=1, help="Of an archive: how many days the flows go back.")
    ] = 60,
    stock: Annotated[
        list[str], typer.Option("--stock", help="Of an archive: a code whose flow to draw.")
    ] = [],  # noqa: B006
    output: Annotated[Path, typer.Option(help="The page; it must not exist.")] = Path(
        "report.html"
    ),
    sandbox: OnSandbox = False,
    sharing: Sharing = None,
) -> None:
    """Draw a day on one page: most bought and sold, buy against sell, concentration, flows.

    Of an archive all exchanges are taken, of the server KRX, unless --exchange says otherwise.
    """
    if output.exists() or not output.parent.is_dir():
        problem = "exists already; name another" if output.exists() else "is in no directory"
        end(f"--output: {output} {problem}", code=2)
    if output.suffix.lower() not in {".html", ".htm"}:
        end(f"--output: {output} will be a page; name it .html", code=2)
    if path is None and (date is None or stock):
        what = "--stock needs an archive" if stock else "name a day with --date, or an archive"
        end(f"{what}: kiwoom-async report FOLDER", code=2)
    try:
        if path is None:
            queries = queries_of(days_between(None, None, date), market, exchange or [Exchange.KRX])
            material = _of_server(queries, sandbox=sandbox, sharing=sharing)
        else:
            day = None if date is None else days_between(None, None, date)[0]
            part: dict[str, Any] = {"day": day, "days": days, "markets": market, "stocks": stock}
            material = _of_archive(path, **part, exchanges=exchange or list(Exchange))
        if not material.rows:
            end(f"no rows of {date}: a holiday, or before the open; nothing is written", code=1)
        material.write(output)
    except ValueError as error:
        end(str(error), code=2)
    except (ImportError, OSError) as error:
        end(str(error), code=1)
    errors.print(f"{output}: {len(material.rows):,} rows", highlight=False)


def _of_server(
    queries: Sequence[ProgramTradeQuery], *, sandbox: bool, sharing: str | None
) -> "Material":
    from ._pictures import of_server  # noqa: PLC0415 - an extra

    client = client_of(sandbox=sandbox, sharing=sharing)
    made: list[Material] = []

    async def ask() -> None:
        made.append(await of_server(client, queries))

    run(ask, on_stop=lambda: None)
    return made[0]


def _of_archive(path: Path, **part: Any) -> "Material":
    from kiwoom_async.archive import Archive  # noqa: PLC0415 - an extra

    from ._archived import Part  # noqa: PLC0415

    return Part(**part).material(Archive(path))
