"""Labels in a figure: measured, placed beside their points, joined to them by a line."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from ._ink import FAINT_INK
from ._paper import measured
from ._placing import Box, Crowd, Point, places

# A label closer than this needs no line to its point.
_CLOSE: Final = 11.0
_STEP: Final = 4.0


@frozen
class Label:
    """A text that names a point, given in the axes' data."""

    at: Point
    text: str
    colour: str


def write_labels(
    axes: Axes, labels: Sequence[Label], others: Sequence[Point], size: float
) -> list[Label]:
    """Those written, the first having chosen first; `others` are pixels better not covered.

    A label that finds no free place is left out: it would make two unreadable.
    """
    frame = axes.get_window_extent()
    room = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    named = [pixel(axes, *label.at) for label in labels]
    sizes = [measured(axes, label.text, fontsize=size) for label in labels]
    boxes = places(sizes, Crowd(room, named, others))
    for label, point, box in zip(labels, named, boxes, strict=True):
        if box:
            _write(axes, label, point, box, size)
    return [label for label, box in zip(labels, boxes, strict=True) if box]


def _write(axes: Axes, label: Label, point: Point, box: Box, size: float) -> None:
    to_data = axes.transData.inverted().transform
    touched = box.wider(1).nearest(point)
    if math.dist(point, touched) > _CLOSE:
        ends = zip(label.at, to_data(touched), strict=True)
        axes.plot(*ends, color=FAINT_INK, linewidth=0.7, zorder=2.4)
    x, y = to_data(((box.left + box.right) / 2, (box.bottom + box.top) / 2))
    axes.text(
        x,
        y,
        label.text,
        fontsize=size,
        ha="center",
        va="center",
        color=label.colour,
        zorder=4,
        # So that letters can be read above points. A rim would be prettier, at twice the bytes.
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
    )


def pixel(axes: Axes, x: float, y: float) -> Point:
    """Where a point of the data lies on the canvas."""
    across, up = axes.transData.transform((x, y))
    return float(across), float(up)


def along(axes: Axes, points: Iterable[Point]) -> list[Point]:
    """Pixels close together on a line through these points of the data."""
    corners = [pixel(axes, *point) for point in points]
    found = []
    for start, end in pairwise(corners):
        steps = max(1, int(math.dist(start, end) / _STEP))
        found += [
            (
                start[0] + (end[0] - start[0]) * step / steps,
                start[1] + (end[1] - start[1]) * step / steps,
            )
            for step in range(steps)
        ]
    return found
