"""`kiwoom-async sandbox`: the simulated exchange on a port, and a summary of its calls."""

from collections.abc import Iterator
from typing import Annotated

import typer

from kiwoom_async.sandbox import Recorded, Sandbox, Traffic, serve, summary

from ._exit import fail, stderr
from ._text import count_of, printable


def sandbox_server(  # noqa: PLR0917 - typer calls it by name
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Loopback, unless you know better.")] = "127.0.0.1",
    limit: Annotated[
        int, typer.Option(min=0, help="Requests a second for each api-id; 0 for no limit.")
    ] = 5,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.046,
    firewall: Annotated[
        bool, typer.Option(help="Block the default User-Agents of aiohttp and urllib.")
    ] = True,
    recorded: Annotated[
        list[str] | None,
        typer.Option(
            metavar="API_ID=FILE",
            help="Serve the answer in a JSON file for this request, in pages of its list."
            " May be repeated.",
        ),
    ] = None,
    page_size: Annotated[int, typer.Option(min=1, help="Rows a page of recorded answers.")] = 100,
) -> None:
    """Serve the simulated exchange on a port, for any Kiwoom client.

    Ctrl-C ends it and sums up the calls, to show if several programs kept the pace together.
    """
    exchange = Sandbox(
        requests_per_second=limit or None,
        latency_seconds=latency,
        firewall=firewall,
        recorded=[_read_recorded(text, page_size) for text in recorded or ()],
    )
    code = 0
    try:
        serve(exchange, host=host, port=port, ready=_print_base_url)
    except (ImportError, OSError) as error:
        fail(str(error), code=1)
    except KeyboardInterrupt:
        # A shell's background job ignores SIGINT; there `serve` returns without this exception.
        code = 130
    for line in _summary_lines(exchange):
        stderr.print(line, soft_wrap=True)
    raise typer.Exit(code)


def _read_recorded(text: str, page_size: int) -> Recorded:
    api_id, separator, path = text.partition("=")
    if not (api_id and separator and path):
        fail(
            f"--recorded: got {text!r}; expected API_ID=FILE, such as ka10081=candles.json", code=2
        )
    try:
        return Recorded(api_id, path, page_size=page_size)
    except (OSError, ValueError) as error:
        fail(f"--recorded {text}: {error}", code=2)


def _print_base_url(base_url: str) -> None:
    stderr.print(f"KIWOOM_BASE_URL={base_url}  (any keys; Ctrl-C ends it)", soft_wrap=True)


def _summary_lines(exchange: Sandbox) -> Iterator[str]:
    arrivals = exchange.arrivals
    if not arrivals:
        yield "no calls came"
    if len(arrivals) == arrivals.maxlen:
        yield f"of the last {len(arrivals):,} calls:"
    for traffic in summary(arrivals):
        yield _traffic_line(traffic)


def _traffic_line(traffic: Traffic) -> str:
    caller = f"app key {traffic.caller}" if traffic.caller else "unknown key"
    calls = count_of(traffic.calls, "call")
    facts = f"{calls}, at most {traffic.most_in_a_second} in a second, {traffic.refused} refused"
    tokens = f", {count_of(traffic.tokens, 'token')} issued" if traffic.tokens else ""
    return f"{caller:<13}{printable(traffic.api_id) or 'no api-id':<10}{facts} with 429{tokens}"
