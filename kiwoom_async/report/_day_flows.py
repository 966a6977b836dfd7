"""Daily program trading of whole markets, summed from the rows of their stocks."""

import datetime
from collections import defaultdict
from collections.abc import Sequence

from attrs import frozen

from kiwoom_async import Exchange, Market, ProgramTrade

from ._selection import drop_duplicates, validated_list


@frozen(kw_only=True)
class DayFlow:
    """Amounts that programs bought and sold in one market at one exchange on one day.

    In million won.
    """

    date: datetime.date
    market: Market
    exchange: Exchange
    buy_amount: int
    sell_amount: int

    @property
    def net_buy_amount(self) -> int:
        """Buy minus sell amount, million won."""
        return self.buy_amount - self.sell_amount


def day_flows(rows: Sequence[ProgramTrade]) -> list[DayFlow]:
    """Return the sums of each day, market and exchange that has rows, in this order.

    A stock that comes twice on a day counts once, with its later row.
    """
    groups = defaultdict[tuple[datetime.date, Market, Exchange], list[ProgramTrade]](list)
    for row in drop_duplicates(validated_list("rows", rows, ProgramTrade)):
        groups[row.date, row.market, row.exchange].append(row)
    return sorted((_sum_rows(*key, group) for key, group in groups.items()), key=_sort_key)


def _sum_rows(
    date: datetime.date, market: Market, exchange: Exchange, rows: Sequence[ProgramTrade]
) -> DayFlow:
    return DayFlow(
        date=date,
        market=market,
        exchange=exchange,
        buy_amount=sum(row.buy_amount for row in rows),
        sell_amount=sum(row.sell_amount for row in rows),
    )


def _sort_key(flow: DayFlow) -> tuple[datetime.date, int, int]:
    return flow.date, list(Market).index(flow.market), list(Exchange).index(flow.exchange)
