"""Axes of numbers, of amounts and of trading days.

An axis of trading days gives each day the same room, and none to days without trading: on an axis
of dates every weekend would be a hole among the bars, and a year of bars too thin to see. A
dotted line marks each gap longer than a holiday, where days were not collected.
"""

import datetime
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator

from ._canvas import measure_text
from ._style import MUTED_COLOUR, format_tick, to_axis_units

GAP_NOTE: Final = "A dotted line stands where days in between were not given."
# The longest run of days without trading at a Korean exchange, with some to spare.
_MAX_HOLIDAY: Final = datetime.timedelta(days=11)
# More days than this are labelled by month.
_MAX_LABELLED_DAYS: Final = 70
# Not strftime's names, which follow the locale.
_MONTH_NAMES: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def set_ticks(axis: Axis, values: Sequence[float], font_size: float) -> None:
    """Set ticks at these values, labelled with them."""
    axis.set_ticks(values, labels=[format_tick(value) for value in values], fontsize=font_size)


def tick_values(low: float, high: float, max_intervals: int) -> list[float]:
    """Return round numbers in the range, at most `max_intervals` + 1."""
    ticks = MaxNLocator(max_intervals, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack]


def scale_amounts(
    axes: Axes, million_won: Sequence[int], *, margin: float, max_intervals: int, font_size: float
) -> None:
    """Fit the vertical axis to the amounts and zero, with ticks and a grid.

    `margin` is the part of the range that stays free above and below.
    """
    low, high = to_axis_units(min([0, *million_won])), to_axis_units(max([0, *million_won]))
    margin_units = (high - low) * margin or 1
    limits = low - margin_units, high + margin_units
    axes.set_ylim(limits)
    set_ticks(axes.yaxis, tick_values(*limits, max_intervals), font_size)
    axes.grid(axis="y")


def draw_trading_days(
    axes: Axes, days: Sequence[datetime.date], pixels: float, font_size: float
) -> None:
    """Label the horizontal axis, on which the first day is 0 and the next 1, and mark its gaps.

    Labels are days or, of many days, months: as many as fit into `pixels`.
    """
    by_month = len(days) > _MAX_LABELLED_DAYS
    candidates = _month_starts(days) if by_month else range(len(days))
    label_pixels = measure_text(axes, "00-00", font_size)[0] * 1.7
    most_labels = max(2, int(pixels / label_pixels))
    ticks = candidates[:: max(1, math.ceil(len(candidates) / most_labels))]
    tick_days = [days[tick] for tick in ticks]
    labels = [
        _day_label(day, earlier, by_month=by_month)
        for day, earlier in zip(tick_days, [None, *tick_days], strict=False)
    ]
    axes.set_xticks(ticks, labels, fontsize=font_size)
    for index in gap_indices(days):
        axes.axvline(index - 0.5, color=MUTED_COLOUR, linestyle=":", linewidth=1.2)


def gap_indices(days: Sequence[datetime.date]) -> list[int]:
    """Return the indices of the days before which more than a holiday is missing."""
    return [
        index
        for index, (earlier, later) in enumerate(pairwise(days), 1)
        if later - earlier > _MAX_HOLIDAY
    ]


def _month_starts(days: Sequence[datetime.date]) -> list[int]:
    """Return the indices of the first given day of each month but the first.

    The first month may have a single day, and then its label would lie on the next one's.
    """
    months = [(day.year, day.month) for day in days]
    return [index for index in range(1, len(days)) if months[index] != months[index - 1]]


def _day_label(day: datetime.date, earlier: datetime.date | None, *, by_month: bool) -> str:
    """Return the label of a tick, with the year if the tick before is not of the same year."""
    label = _MONTH_NAMES[day.month - 1] if by_month else f"{day:%m-%d}"
    same_year = earlier is not None and earlier.year == day.year
    return label if same_year else f"{label}\n{day.year}"
