"""The queries of a command: days x markets x exchanges, with dates in Korean time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from kiwoom_async import Exchange, Market, ProgramTradeQuery


def today_in_korea() -> date:
    """Return today's date in Korea (UTC+9, no daylight saving time)."""
    return (datetime.now(UTC) + timedelta(hours=9)).date()


def last_weekday() -> date:
    """Return the last weekday before today."""
    day = today_in_korea() - timedelta(days=1)
    while day.weekday() > 4:
        day -= timedelta(days=1)
    return day


def build_queries(
    days: Sequence[date], markets: Sequence[Market], exchanges: Sequence[Exchange]
) -> list[ProgramTradeQuery]:
    """Return a query for every combination, day by day."""
    return [
        ProgramTradeQuery(day, market, exchange)
        for day in days
        for market in markets
        for exchange in exchanges
    ]


def parse_days(first: str | None, last: str | None, only: str | None) -> list[date]:
    """Return the days from `--from` to `--to`, both included, or the one day of `--date`.

    Raises ValueError for an incomplete range, one that ends before it begins, or a future day.
    """
    if only is not None and first is None and last is None:
        return parse_days(only, only, None)
    if only is not None or first is None or last is None:
        raise ValueError("name one day with --date, or a range with --from and --to")
    begin, end = _parse_day(first), _parse_day(last)
    if end > today_in_korea():
        raise ValueError(f"date: {end} has not come yet; today is {today_in_korea()} in Korea")
    if begin > end:
        raise ValueError(f"--from: {begin} is after --to, {end}")
    return [begin + timedelta(days=offset) for offset in range((end - begin).days + 1)]


def parse_day(text: str) -> date:
    """Return the day of `--date`; raises ValueError as `parse_days` does."""
    return parse_days(None, None, text)[0]


def _parse_day(text: str) -> date:
    # The query class defines the date formats that are accepted.
    return ProgramTradeQuery(text, Market.KOSPI, Exchange.KRX).date
