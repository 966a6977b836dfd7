"""`kiwoom-async requests`: the published requests, searched by name."""

from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.cells import set_cell_size

from kiwoom_async import PublishedRequest, published_requests

from ._exit import run, stderr
from ._formats import json_line
from ._output import StandardOutput
from ._request_details import details, names_of

# A Korean letter takes two cells; the longest name has 34.
_NAME_CELLS: Final = 34


class RequestsFormat(StrEnum):
    """The values of `requests --format`."""

    TEXT = "text"
    JSONL = "jsonl"


def requests(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Words of the Korean name, the api-id or the path, such as 프로그램."),
    ] = None,
    form: Annotated[
        RequestsFormat, typer.Option("--format", help="How to write.")
    ] = RequestsFormat.TEXT,
) -> None:
    """List the published requests: api-id, Korean name and path. No keys, no network.

    `call` serves all of them but those that trade; `rows`, `watch` and `archive fetch` those with a
    name of their own, whose options and fields are shown where only one request is found.
    """
    words = " ".join(text or [])
    found = published_requests(words)
    describe = _json if form is RequestsFormat.JSONL else _line
    lines = [*map(describe, found)]
    if len(found) == 1 and form is RequestsFormat.TEXT:
        lines += [text for name in names_of(found[0].api_id) for text in ("\n", details(name))]

    async def write() -> None:
        StandardOutput().write("".join(lines))

    # For its treatment of a closed pipe and of an encoding without Korean.
    run(write, on_stop=lambda: None)
    if not found:
        stderr.print(f"no published request has {words!r} in its api-id, Korean name or path")


def _line(request: PublishedRequest) -> str:
    name = set_cell_size(request.korean_name, _NAME_CELLS)
    return f"{request.api_id}  {name}  {request.path:<20} {_remark(request)}".rstrip() + "\n"


def _json(request: PublishedRequest) -> str:
    return json_line(
        {
            "api_id": request.api_id,
            "korean_name": request.korean_name,
            "path": request.path,
            "trades": request.trades,
            "names": names_of(request.api_id),
        }
    )


def _remark(request: PublishedRequest) -> str:
    if request.trades:
        return "trades: not served"
    return ", ".join(f"rows {name}" for name in names_of(request.api_id))
