"""Sandboxes for tests, the queries that tests send them, and what they have received."""

import datetime
from collections.abc import Iterator
from typing import Any

from kiwoom_async import Exchange, Market, ProgramTradeQuery
from kiwoom_async._protocol.encode import request_body
from kiwoom_async.sandbox import Arrival, Fault, Sandbox

DAY = datetime.date(2026, 11, 20)
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
SIX_QUERIES = [ProgramTradeQuery(DAY, market, venue) for market in Market for venue in Exchange]


def small_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """Return a sandbox without a rate limit, with three pages in each market."""
    return limited_sandbox(*faults, **({"requests_per_second": None} | options))


def limited_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """Return a sandbox with the real rate limit, with three pages in each market."""
    defaults: dict[str, Any] = {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))


def five_page_sandbox(*faults: Fault, **options: Any) -> Sandbox:
    """Return a sandbox with the real rate limit; KOSPI is five pages, the last one not full."""
    return limited_sandbox(*faults, **({"kospi_stocks": 230} | options))


def stock_codes(sandbox: Sandbox, query: ProgramTradeQuery = QUERY) -> list[str]:
    """Return the stock codes of a query's rows, in the server's order."""
    return [row["stk_cd"] for row in sandbox.rows(*request_body(query).values())]


def page_calls(sandbox: Sandbox) -> list[Arrival]:
    """Return the requests of pages that arrived."""
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "ka90004"]


def token_calls(sandbox: Sandbox) -> list[Arrival]:
    """Return the requests of new tokens that arrived."""
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "au10001"]


def weekday_queries(count: int) -> Iterator[ProgramTradeQuery]:
    """Yield this many queries of KOSPI, one for each weekday back from DAY."""
    day, yielded = DAY, 0
    while yielded < count:
        if day.weekday() < 5:
            yielded += 1
            yield ProgramTradeQuery(day, Market.KOSPI, Exchange.KRX)
        day -= datetime.timedelta(days=1)
