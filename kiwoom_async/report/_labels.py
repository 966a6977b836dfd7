"""Labels in a figure: at the ends of bars, and beside points with a leader line."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen
from matplotlib.axes import Axes

from ._canvas import measure_text
from ._label_layout import Box, LabelField, Point, place_labels
from ._style import MUTED_COLOUR

_BAR_LABEL_GAP_POINTS: Final = 3
# A label closer than this needs no leader line.
_LEADER_FROM_PIXELS: Final = 11.0
_SAMPLE_PIXELS: Final = 4.0


@frozen
class Label:
    """A text that names a point, given in data coordinates."""

    anchor: Point
    text: str
    colour: str


def draw_bar_label(axes: Axes, text: str, end: Point, font_size: float) -> None:
    """Write the text to the right of a horizontal bar's end, given in data coordinates."""
    axes.annotate(
        text,
        end,
        xytext=(_BAR_LABEL_GAP_POINTS, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=font_size,
    )


def draw_labels(
    axes: Axes, labels: Sequence[Label], other_pixels: Sequence[Point], font_size: float
) -> list[Label]:
    """Draw the labels and return those drawn; the first ones choose their positions first.

    A label without a free position is left out, because it would make two unreadable.
    `other_pixels` are points better left visible.
    """
    frame = axes.get_window_extent()
    area = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    anchors = [to_pixels(axes, label.anchor) for label in labels]
    sizes = [measure_text(axes, label.text, font_size) for label in labels]
    boxes = place_labels(sizes, LabelField(area, anchors, other_pixels))
    drawn = []
    for label, anchor, box in zip(labels, anchors, boxes, strict=True):
        if box:
            _draw_leader(axes, label, anchor, box)
            _draw_text(axes, label, box, font_size)
            drawn.append(label)
    return drawn


def _draw_leader(axes: Axes, label: Label, anchor: Point, box: Box) -> None:
    end = box.padded(1).closest_point(anchor)
    if math.dist(anchor, end) > _LEADER_FROM_PIXELS:
        end_data = axes.transData.inverted().transform(end)
        xs, ys = zip(label.anchor, end_data, strict=True)
        axes.plot(xs, ys, color=MUTED_COLOUR, linewidth=0.7, zorder=2.4)


def _draw_text(axes: Axes, label: Label, box: Box, font_size: float) -> None:
    centre = ((box.left + box.right) / 2, (box.bottom + box.top) / 2)
    x, y = axes.transData.inverted().transform(centre)
    axes.text(
        x,
        y,
        label.text,
        fontsize=font_size,
        ha="center",
        va="center",
        color=label.colour,
        zorder=4,
        # Keeps letters readable above points. An outline of the letters would double the bytes.
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
    )


def to_pixels(axes: Axes, point: Point) -> Point:
    """Return the position on the canvas of a point in data coordinates."""
    x, y = axes.transData.transform(point)
    return float(x), float(y)


def polyline_pixels(axes: Axes, points: Iterable[Point]) -> list[Point]:
    """Return pixels about four apart along the line through points in data coordinates."""
    corners = [to_pixels(axes, point) for point in points]
    pixels = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        steps = max(1, int(math.dist((x0, y0), (x1, y1)) / _SAMPLE_PIXELS))
        pixels += [
            (x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps) for step in range(steps)
        ]
    return pixels
