"""Commands that take a request by name, ka90004 where no name is given."""

import re
from collections.abc import Callable, Mapping
from inspect import cleandoc
from typing import Any, Final

import typer
from typer.core import TyperGroup

from kiwoom_async import Query, published_requests
from kiwoom_async.catalog import REQUESTS

from ._request_options import request_command

DEFAULT_REQUEST: Final = "program-trades"
# The heading in help.
PANEL: Final = "Requests"
_LINE_END_WITHIN_PARAGRAPH: Final = re.compile(r"(?<!\n)\n(?!\n|\w+: )\s*")


class RequestGroup(TyperGroup):
    """A command for each request, by its name; ka90004's where a command begins with an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ka90004's name in front where no request is named."""
        named = bool(args) and (args[0] == "--help" or self.names_request(args))
        return super().parse_args(ctx, args if named else [DEFAULT_REQUEST, *args])

    def names_request(self, args: list[str]) -> bool:
        """Return True if the first word stands for a request, be there one of that name or not."""
        return not args[0].startswith("-")

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a request's name, or of its api-id where only one has it."""
        names = [name for name, request in REQUESTS.items() if request.api_id == cmd_name]
        return super().get_command(ctx, names[0] if len(names) == 1 else cmd_name)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the words behind the command in its usage; click would put options first."""
        return [self.subcommand_metavar]


def add_requests(
    commands: typer.Typer,
    requests: Mapping[str, type[Query[Any, Any]]],
    work: Callable[..., None],
) -> None:
    """Add a command for each request; `work` takes RequestArguments and options of its own."""
    for name, query_class in requests.items():
        if name == DEFAULT_REQUEST:
            continue
        command = request_command(name, query_class, work)
        commands.command(name, help=_help(query_class), rich_help_panel=PANEL)(command)


def _help(query_class: type[Query[Any, Any]]) -> str:
    """Return the api-id, the Korean name and what the query's docstring says."""
    api_id = query_class.api_id
    names = [each.korean_name for each in published_requests(api_id) if each.api_id == api_id]
    # A line for each paragraph, and for each field that is described.
    text = _LINE_END_WITHIN_PARAGRAPH.sub(" ", cleandoc(query_class.__doc__ or ""))
    return f"{' '.join([api_id, *names])}: {text}"
