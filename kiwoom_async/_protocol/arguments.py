"""Arguments: checked where a query or client is made, before anything is sent."""

import datetime as dt
import re
from enum import Enum
from typing import TypeVar

from kiwoom_async.errors import short_repr

E = TypeVar("E", bound=Enum)


def checked_day(name: str, value: dt.date | str) -> dt.date:
    """Return the day that a date, "YYYY-MM-DD" or "YYYYMMDD" names; ValueError for others."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}(-?)[0-9]{2}\1[0-9]{2}", value, re.ASCII):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{name}: {value!r} is no day of the calendar") from error
    raise ValueError(
        f"{name}: got {short_repr(value)}; allowed are a datetime.date, 'YYYY-MM-DD' or 'YYYYMMDD'"
    )


def checked_member(name: str, value: object, allowed: type[E]) -> E:
    """Return a member of the enum; ValueError for anything else."""
    if isinstance(value, allowed):
        return value
    choices = ", ".join(f"{allowed.__name__}.{member.name}" for member in allowed)
    raise ValueError(f"{name}: got {short_repr(value)}; allowed are {choices}")


def checked_positive(name: str, value: float) -> float:
    """Return a number above zero; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name}: got {short_repr(value)}; expected a number above zero")
    return float(value)


def checked_not_negative(name: str, value: float) -> float:
    """Return a number from zero; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"{name}: got {short_repr(value)}; expected zero or a number above it")
    return float(value)


def checked_count(name: str, value: int) -> int:
    """Return a whole number from 1; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: got {short_repr(value)}; expected a whole number from 1")
    return value
