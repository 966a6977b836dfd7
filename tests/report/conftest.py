"""Rows of simulated exchanges, collected once for all tests of figures."""

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTrade, ProgramTradeQuery

# So that a failing assert_readable shows its values.
pytest.register_assert_rewrite("report.drawing")

from report.drawing import DAY  # noqa: E402 - to be imported after the line above


def collect(
    days: Sequence[datetime.date], exchanges: Sequence[Exchange], **sandbox_options: Any
) -> list[ProgramTrade]:
    """Return all rows of both markets for these days and exchanges."""

    async def collect_all() -> list[ProgramTrade]:
        async with KiwoomClient.sandbox(small_sandbox(**sandbox_options)) as kiwoom:
            queries = itertools.product(days, Market, exchanges)
            walks = [await kiwoom.collect(ProgramTradeQuery(*query)) for query in queries]
            return [row for walk in walks for row in walk.rows]

    return anyio.run(collect_all)


@pytest.fixture(scope="session")
def rows() -> list[ProgramTrade]:
    """A day of both markets at all exchanges."""
    return collect([DAY], list(Exchange))


@pytest.fixture(scope="session")
def full_day() -> list[ProgramTrade]:
    """A day of as many stocks as the real exchanges have."""
    return collect([DAY], [Exchange.CONSOLIDATED], kospi_stocks=2472, kosdaq_stocks=1820)


@pytest.fixture(scope="session")
def many_days() -> list[ProgramTrade]:
    """Twelve weeks of 90 stocks."""
    dates = (DAY - datetime.timedelta(days=back) for back in range(84))
    weekdays = [date for date in dates if date.weekday() < 5]
    return collect(weekdays, [Exchange.CONSOLIDATED], kospi_stocks=60, kosdaq_stocks=30)
