"""The commands: what they take, what they print, how they end.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted.
"""

import os
import sys
import warnings
from collections.abc import Callable, Coroutine
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import anyio
import typer
from rich.console import Console

from kiwoom_async import (
    ContinuationError,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    __version__,
)
from kiwoom_async.sandbox import Sandbox, serve

from ._demo import last_weekday, show, walk_day
from ._formats import Format
from ._rows import RowsJob, parsed_resume

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    # A traceback with local variables would print the keys.
    pretty_exceptions_enable=False,
    help="Program trading by stock (Kiwoom ka90004): every row, at the server's pace.",
)
# Messages hold square brackets, which are not rich's.
_errors = Console(stderr=True, highlight=False, markup=False)


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
    date: Annotated[str, typer.Option(help="YYYY-MM-DD or YYYYMMDD, a day in Korea.")],
    market: Annotated[Market, typer.Option(case_sensitive=False)] = Market.KOSPI,
    exchange: Annotated[Exchange, typer.Option(case_sensitive=False)] = Exchange.KRX,
    form: Annotated[Format, typer.Option("--format", help="How to write.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file; it must not exist, except to resume.")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Ask the simulated exchange: no keys, no network.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on where an interrupted command left off.")
    ] = None,
) -> None:
    """Write every row of one day, market and exchange.

    Keys come from KIWOOM_APP_KEY and KIWOOM_SECRET_KEY; KIWOOM_ENVIRONMENT may say mock.
    """
    try:
        cursor, size = (None, None) if resume is None else parsed_resume(resume)
        job = RowsJob(
            ProgramTradeQuery(date, market, exchange), form, output, sandbox, cursor, size
        )
        if output is not None and output.exists() != (cursor is not None):
            problem = "is not there to be resumed" if cursor else "exists already; name another"
            _end(f"--output: {output} {problem}", code=2)
        client = KiwoomClient.sandbox if sandbox else KiwoomClient.from_env
        _run(partial(job.run, client), on_stop=partial(_say_how_to_go_on, job))
    except ValueError as error:
        _end(str(error), code=2)
    if job.rows == 0:
        _errors.print(f"no data for {job.query}: a holiday, or before the open")


def _say_how_to_go_on(job: RowsJob) -> None:
    if not job.complete:
        how = "To go on where this stopped:" if job.cursor else "To try again:"
        _errors.print(how, style="bold")
        _errors.print(job.resume_command(), soft_wrap=True)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Lift the sandbox's limit.")] = False,
) -> None:
    """Walk a day of both markets on the sandbox, at production pace (about 22 s)."""

    async def walk() -> None:
        exchange = Sandbox(requests_per_second=None if fast else 5)
        async with KiwoomClient.sandbox(exchange) as kiwoom:
            show(Console(), await walk_day(kiwoom, last_weekday()))

    if isinstance(sys.stdout, TextIOWrapper):
        # The bars and some names are not in every code page, and a demo is for eyes only.
        sys.stdout.reconfigure(errors="replace")
    _run(walk, on_stop=lambda: None)


@app.command("sandbox")
def sandbox_server(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Loopback, unless you know better.")] = "127.0.0.1",
    limit: Annotated[
        int, typer.Option(min=0, help="Requests a second for each api-id; 0 for no limit.")
    ] = 5,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.046,
    firewall: Annotated[
        bool, typer.Option(help="Block the default User-Agents of aiohttp and urllib.")
    ] = True,
) -> None:
    """Serve the simulated exchange on a port, for any Kiwoom client."""
    exchange = Sandbox(
        requests_per_second=limit or None, latency_seconds=latency, firewall=firewall
    )
    try:
        serve(exchange, host=host, port=port, ready=_announce)
    except (ImportError, OSError) as error:
        _end(str(error), code=1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _announce(base_url: str) -> None:
    _errors.print(f"KIWOOM_BASE_URL={base_url}  (any keys; Ctrl-C ends it)", soft_wrap=True)


def _run(main: Callable[[], Coroutine[Any, Any, None]], *, on_stop: Callable[[], None]) -> None:
    """Run to the end, or say why not and how to go on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            anyio.run(main)
    except ContinuationError as error:
        _errors.print(f"ContinuationError: {error}", style="red", soft_wrap=True)
        _errors.print("Start the walk again, without --resume.", style="bold")
        raise typer.Exit(1) from None
    except KiwoomError as error:
        _errors.print(f"{type(error).__name__}: {error}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _errors.print("interrupted")
        on_stop()
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has left: what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except (OSError, UnicodeEncodeError) as error:
        _errors.print(f"kiwoom-async: {_reason(error)}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None


def _reason(error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, OSError):
        return str(error)
    strange = error.object[error.start : error.end]
    return (
        f"the output's encoding, {error.encoding}, cannot show {strange!a}; for standard output "
        "set PYTHONIOENCODING=utf-8, or name a file with --output"
    )


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _errors.print(f"warning: {message}", soft_wrap=True)


def _end(message: str, *, code: int) -> NoReturn:
    _errors.print(f"kiwoom-async: {message}", style="red", soft_wrap=True)
    raise typer.Exit(code)
