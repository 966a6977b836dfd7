"""Trading days along an axis: one place a day, whatever the calendar says in between.

Days without trading take no room. On an axis of dates every weekend would be a hole among the
bars, and the bars of a year too thin to see. Where more than a holiday is missing, days were not
collected: a dotted line says so.
"""

import datetime
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes

from ._ink import FAINT_INK
from ._paper import measured

# The longest run of days without trading at a Korean exchange, with some to spare.
_LONGEST_HOLIDAY: Final = datetime.timedelta(days=11)
_LONG: Final = 70
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
GAP_NOTE: Final = "A dotted line stands where days in between were not given."


def gaps(days: Sequence[datetime.date]) -> list[int]:
    """The places before which more than a holiday is missing."""
    return [
        at for at, (one, next_) in enumerate(pairwise(days), 1) if next_ - one > _LONGEST_HOLIDAY
    ]


def mark_days(axes: Axes, days: Sequence[datetime.date], pixels: float, size: float) -> None:
    """Ticks with dates, as many as fit into so many pixels; months where the days are many."""
    places = _month_starts(days) if len(days) > _LONG else list(range(len(days)))
    widest = measured(axes, "00-00", fontsize=size)[0] * 1.7
    step = max(1, -(-len(places) // max(2, int(pixels / widest))))
    shown = places[::step]
    texts = [_text(days, at, before) for at, before in zip(shown, [None, *shown], strict=False)]
    axes.set_xticks(shown, texts, fontsize=size)
    for at in gaps(days):
        axes.axvline(at - 0.5, color=FAINT_INK, linestyle=":", linewidth=1.2)


def _month_starts(days: Sequence[datetime.date]) -> list[int]:
    months = [(day.year, day.month) for day in days]
    # The first month's first day may be its last: then its label would lie on the next one's.
    return [at for at in range(1, len(days)) if months[at] != months[at - 1]]


def _text(days: Sequence[datetime.date], at: int, before: int | None) -> str:
    day = days[at]
    said = _MONTHS[day.month - 1] if len(days) > _LONG else f"{day:%m-%d}"
    same_year = before is not None and days[before].year == day.year
    return said if same_year else f"{said}\n{day.year}"
