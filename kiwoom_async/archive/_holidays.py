"""What a day without data was, where a calendar knows it: a remark, never a decision."""

import datetime
from functools import cache
from typing import Any, Final

from kiwoom_async.errors import require_extra

with require_extra("archive", "holidays"):
    import holidays

_WEEKEND: Final = {5: "Saturday", 6: "Sunday"}


def holiday_name(day: datetime.date) -> str:
    """The name of the weekend day or the exchange's holiday, "" where none is known."""
    return _WEEKEND.get(day.weekday()) or str(_calendar().get(day) or "")


@cache
def _calendar() -> Any:
    return holidays.financial_holidays("XKRX")
