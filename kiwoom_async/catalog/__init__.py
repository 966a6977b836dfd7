"""The declared requests, one file for each."""

from typing import Any, Final

from kiwoom_async._protocol.query import Query

from .program_trades import ProgramTradeQuery

# The query class of each request, by its name on the command line.
REQUESTS: Final[dict[str, type[Query[Any, Any]]]] = {"program-trades": ProgramTradeQuery}
