"""The days that have data: weekdays up to today, finished or still trading."""

import re
from datetime import date
from typing import Final

from attrs import frozen

from ._live_market import LiveMarkets
from ._market import SUFFIXES, Day, finished_day
from ._pages import Query, TotalsOn

EIGHT_DIGITS: Final = re.compile("[0-9]{8}")
_SATURDAY: Final = 5


@frozen
class MarketData:
    """The number of stocks by `mrkt_tp`, the pages that repeat totals, and the moving markets.

    `history_days` is the length of daily series; `live_markets` is None if every day is a finished
    one.
    """

    stock_counts: dict[str, int]
    totals_on: TotalsOn
    history_days: int
    live_markets: LiveMarkets | None = None

    def day(self, query: Query, today: date, time: float | None = None) -> Day | None:
        """Return the day of a query, None if the server has no data for it.

        A moving market is returned as of `time`, or as last sent if `time` is None.
        """
        count = self.stock_counts.get(query.mrkt_tp)
        if not count or query.stex_tp not in SUFFIXES or not _is_trading_day(query.dt, today):
            return None
        key = (query.dt, query.mrkt_tp, query.stex_tp)
        if self.live_markets is None:
            return finished_day(*key, count)
        if time is None:
            return self.live_markets.last_day(*key) or finished_day(*key, count)
        return self.live_markets.day(*key, count, time)


def _is_trading_day(dt: str, today: date) -> bool:
    """Return True for a weekday up to today; False for any other date or text."""
    if not EIGHT_DIGITS.fullmatch(dt):
        return False
    try:
        day = date(int(dt[:4]), int(dt[4:6]), int(dt[6:]))
    except ValueError:
        return False
    return day <= today and day.weekday() < _SATURDAY
