"""Which queries a command means: days x markets x exchanges, in Korean time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from kiwoom_async import Exchange, Market, ProgramTradeQuery


def today() -> date:
    """The day it is in Korea."""
    return (datetime.now(UTC) + timedelta(hours=9)).date()


def last_weekday() -> date:
    """The last weekday before today."""
    day = today() - timedelta(days=1)
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return day


def queries_of(
    days: Sequence[date], markets: Sequence[Market], exchanges: Sequence[Exchange]
) -> list[ProgramTradeQuery]:
    """Every combination, day by day."""
    return [
        ProgramTradeQuery(day, market, exchange)
        for day in days
        for market in markets
        for exchange in exchanges
    ]


def days_between(first: str | None, last: str | None, only: str | None) -> list[date]:
    """The days of `--from` and `--to`, both included, or the one of `--date`."""
    if only is not None and first is None and last is None:
        first = last = only
    elif only is not None or first is None or last is None:
        raise ValueError("name one day with --date, or a range with --from and --to")
    begin, end = _day(first), _day(last)
    if end > today():
        raise ValueError(f"date: {end} has not come yet; today is {today()} in Korea")
    if begin > end:
        raise ValueError(f"--from: {begin} is after --to, {end}")
    return [begin + timedelta(days=more) for more in range((end - begin).days + 1)]


def _day(text: str) -> date:
    # A query knows best how a day may be written.
    return ProgramTradeQuery(text, Market.KOSPI, Exchange.KRX).date
