"""Layout of labels: beside the points they name, without overlaps. Pure geometry, in pixels."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from attrs import frozen

Point = tuple[float, float]
Segment = tuple[Point, Point]

# Distances between a point and its label, tried in this order.
_DISTANCES: Final = (7, 12, 18, 26, 36, 48, 62, 78, 96, 116, 140, 170, 210, 260, 320, 400)
_DIRECTIONS: Final = 24
# Costs are in pixels of distance: a label hides a point to come six pixels closer to its own.
_HIDDEN_POINT_COST: Final = 6.0
_AMBIGUITY_COST: Final = 20.0
# A label closer than this to a point seems to name it.
_AMBIGUITY_DISTANCE: Final = 13.0
_GAP: Final = 2.0
_MARKER_RADIUS: Final = 6.0
_SEGMENT_STEPS: Final = 24


@frozen
class Box:
    """A rectangle with sides parallel to the axes."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Return True if the boxes share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def contains(self, point: Point) -> bool:
        """Return True if the point is inside or on the edge."""
        return self.left <= point[0] <= self.right and self.bottom <= point[1] <= self.top

    def is_within(self, other: "Box") -> bool:
        """Return True if the other box contains all of this one."""
        return other.contains((self.left, self.bottom)) and other.contains((self.right, self.top))

    def closest_point(self, point: Point) -> Point:
        """Return the point of the box that is closest to the given one."""
        return (
            min(max(point[0], self.left), self.right),
            min(max(point[1], self.bottom), self.top),
        )

    def padded(self, margin: float) -> "Box":
        """Return the box with a margin on all sides."""
        return Box(self.left - margin, self.bottom - margin, self.right + margin, self.top + margin)


@frozen
class LabelField:
    """The area for labels, the points that they name, and other points better left visible.

    `other_points` may include the named ones; a point that comes twice costs twice to hide.
    """

    area: Box
    anchors: Sequence[Point]
    other_points: Sequence[Point]


@frozen
class _Placement:
    """A box for a label, and the leader line from the anchor to it."""

    box: Box
    leader: Segment


def place_labels(sizes: Sequence[Point], field: LabelField) -> list[Box | None]:
    """Return a box for each label, or None for a label without a free position.

    `sizes[i]` is width and height of the label of `field.anchors[i]`. Earlier labels choose
    first.
    """
    placed: list[_Placement] = []
    boxes: list[Box | None] = []
    for anchor, size in zip(field.anchors, sizes, strict=True):
        placement = _best_placement(anchor, size, field, placed)
        boxes.append(placement.box if placement else None)
        if placement:
            placed.append(placement)
    return boxes


def _best_placement(
    anchor: Point, size: Point, field: LabelField, placed: Sequence[_Placement]
) -> _Placement | None:
    best, lowest_cost = None, math.inf
    for distance in _DISTANCES:
        if distance >= lowest_cost:
            break
        for box in _boxes_around(anchor, size, distance):
            candidate = _Placement(box, (anchor, box.closest_point(anchor)))
            if not _is_free(candidate, field, placed):
                continue
            cost = distance + _cost(candidate, field)
            if cost < lowest_cost:
                best, lowest_cost = candidate, cost
    return best


def _boxes_around(anchor: Point, size: Point, distance: float) -> Iterator[Box]:
    width, height = size
    for step in range(_DIRECTIONS):
        angle = math.tau * step / _DIRECTIONS
        x = anchor[0] + math.cos(angle) * (distance + width / 2)
        y = anchor[1] + math.sin(angle) * (distance + height / 2)
        yield Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _is_free(candidate: _Placement, field: LabelField, placed: Sequence[_Placement]) -> bool:
    """Return True if the label hides no anchor, and label and leader touch no earlier ones."""
    spaced_box = candidate.box.padded(_GAP)
    anchor_zone = candidate.box.padded(_MARKER_RADIUS)
    if not spaced_box.is_within(field.area):
        return False
    if any(anchor_zone.contains(anchor) for anchor in field.anchors):
        return False
    return not any(
        spaced_box.overlaps(earlier.box)
        or _crosses(candidate.leader, earlier.box.padded(_GAP))
        or _crosses(earlier.leader, spaced_box)
        or _intersect(candidate.leader, earlier.leader)
        for earlier in placed
    )


def _cost(candidate: _Placement, field: LabelField) -> float:
    """Return the cost of the points that the label hides or seems to name."""
    box, leader = candidate.box, candidate.leader
    spaced_box, near_zone = box.padded(_GAP), box.padded(_AMBIGUITY_DISTANCE)
    hidden = sum(spaced_box.contains(point) for point in field.other_points)
    ambiguous = sum(
        near_zone.contains(anchor) or _crosses(leader, Box(*anchor, *anchor).padded(_MARKER_RADIUS))
        for anchor in field.anchors
        if anchor != leader[0]
    )
    return hidden * _HIDDEN_POINT_COST + ambiguous * _AMBIGUITY_COST


def _crosses(segment: Segment, box: Box) -> bool:
    """Return True if the box contains one of 25 points along the segment."""
    (x0, y0), (x1, y1) = segment
    return any(
        box.contains(
            (x0 + (x1 - x0) * step / _SEGMENT_STEPS, y0 + (y1 - y0) * step / _SEGMENT_STEPS)
        )
        for step in range(_SEGMENT_STEPS + 1)
    )


def _intersect(segment: Segment, other: Segment) -> bool:
    a, b = segment
    c, d = other
    return (
        _counterclockwise(a, b, c) != _counterclockwise(a, b, d)
        and _counterclockwise(c, d, a) != _counterclockwise(c, d, b)
    )  # fmt: skip


def _counterclockwise(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])


def spread_labels(wanted: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Return centres between `low` and `high`, `height` apart, as close as possible to `wanted`.

    In the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Less their own heights, the centres only have to be in order: a monotone least-squares fit.
    compressed = _monotone_fit([wanted[index] - rank * height for rank, index in enumerate(order)])
    lowest = low + height / 2
    highest = high - height / 2 - (len(order) - 1) * height
    centres = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        centres[index] = max(min(compressed[rank], highest), lowest) + rank * height
    return centres


def _monotone_fit(values: Sequence[float]) -> list[float]:
    """Return the closest values that never fall, by the pool-adjacent-violators algorithm."""
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    return [fmean(group) for group in groups for _ in group]
