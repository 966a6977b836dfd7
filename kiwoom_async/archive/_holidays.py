"""Names of days without trading; they are shown to users and decide nothing."""

import datetime
from functools import cache
from typing import Any, Final

from kiwoom_async.errors import require_extra

with require_extra("archive", "holidays"):
    import holidays

_WEEKEND: Final = {5: "Saturday", 6: "Sunday"}


def holiday_name(day: datetime.date) -> str:
    """Return the name of the weekend day or exchange holiday, "" for any other day."""
    return _WEEKEND.get(day.weekday()) or str(_exchange_calendar().get(day) or "")


@cache
def _exchange_calendar() -> Any:
    return holidays.financial_holidays("XKRX")
