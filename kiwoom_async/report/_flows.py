"""A day's program trading of a market as a whole, added up from rows. Pure."""

import datetime
from collections import defaultdict
from collections.abc import Sequence

from attrs import frozen

from kiwoom_async import Exchange, Market, ProgramTrade

from ._choice import checked, each_once


@frozen(kw_only=True)
class DayFlow:
    """What programs bought and sold in one market at one exchange on one day, in million won."""

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
    """The sums of every day, market and exchange that has rows, by date, market, exchange.

    A stock that came twice in a walk counts once, with its later row.
    """
    groups = defaultdict[tuple[datetime.date, Market, Exchange], list[ProgramTrade]](list)
    for row in each_once(checked("rows", rows, ProgramTrade)):
        groups[row.date, row.market, row.exchange].append(row)
    flows = [_flow(*place, group) for place, group in groups.items()]
    return sorted(flows, key=_order)


def _flow(
    date: datetime.date, market: Market, exchange: Exchange, rows: Sequence[ProgramTrade]
) -> DayFlow:
    return DayFlow(
        date=date,
        market=market,
        exchange=exchange,
        buy_amount=sum(row.buy_amount for row in rows),
        sell_amount=sum(row.sell_amount for row in rows),
    )


def _order(flow: DayFlow) -> tuple[datetime.date, int, int]:
    return flow.date, list(Market).index(flow.market), list(Exchange).index(flow.exchange)
