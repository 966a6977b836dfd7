"""The clock, and the days of Korea."""

import datetime

from kiwoom_async._protocol.times import KST


def utc_now() -> datetime.datetime:
    """Return the current time, UTC."""
    return datetime.datetime.now(datetime.UTC)


def korean_day(moment: datetime.datetime) -> datetime.date:
    """Return the day that it is in Korea at a moment."""
    return moment.astimezone(KST).date()
