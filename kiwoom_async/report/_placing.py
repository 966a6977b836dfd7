"""Where labels go: beside their points, never on each other. Pure geometry, in pixels."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from attrs import frozen

Point = tuple[float, float]

_RINGS: Final = (7, 12, 18, 26, 36, 48, 62, 78, 96, 116, 140, 170, 210, 260, 320, 400)
_DIRECTIONS: Final = 24
# How many pixels further away a label rather goes than to hide another point.
_COST_OF_A_POINT: Final = 6.0
# So close to a point, a label seems to name it.
_NEAR: Final = 13.0
_COST_OF_A_MISTAKE: Final = 20.0
_GAP: Final = 2.0
_MARK: Final = 6.0


@frozen
class Box:
    """A rectangle along the axes."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Whether they share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def holds(self, point: Point) -> bool:
        """Whether the point is inside or on the edge."""
        return self.left <= point[0] <= self.right and self.bottom <= point[1] <= self.top

    def within(self, other: "Box") -> bool:
        """Whether it sticks out nowhere."""
        return other.holds((self.left, self.bottom)) and other.holds((self.right, self.top))

    def nearest(self, point: Point) -> Point:
        """The point of the rectangle that is closest to this one."""
        return (
            min(max(point[0], self.left), self.right),
            min(max(point[1], self.bottom), self.top),
        )

    def wider(self, by: float) -> "Box":
        """The rectangle with this margin around it."""
        return Box(self.left - by, self.bottom - by, self.right + by, self.top + by)


@frozen
class Crowd:
    """What labels must heed: the room they have, the points they name, and all other points."""

    room: Box
    named: Sequence[Point]
    others: Sequence[Point]


def places(sizes: Sequence[Point], crowd: Crowd) -> list[Box | None]:
    """A box for each label (width, height) in turn; None for one that finds no free place.

    The label of `crowd.named[i]` is `sizes[i]`. Earlier ones choose first.
    """
    taken: list[Box] = []
    leaders: list[tuple[Point, Point]] = []
    found: list[Box | None] = []
    for point, size in zip(crowd.named, sizes, strict=True):
        box = _best(point, size, crowd, taken, leaders)
        found.append(box)
        if box:
            taken.append(box)
            leaders.append((point, box.nearest(point)))
    return found


def _best(
    point: Point,
    size: Point,
    crowd: Crowd,
    taken: Sequence[Box],
    leaders: Sequence[tuple[Point, Point]],
) -> Box | None:
    best, lowest = None, math.inf
    for radius in _RINGS:
        if radius >= lowest:
            break
        for box in _around(point, size, radius):
            if not _free(box, point, crowd, taken, leaders):
                continue
            cost = radius + _disturbs(box, point, crowd)
            if cost < lowest:
                best, lowest = box, cost
    return best


def _disturbs(box: Box, point: Point, crowd: Crowd) -> float:
    hidden = sum(box.wider(_GAP).holds(other) for other in crowd.others)
    near, leader = box.wider(_NEAR), (point, box.nearest(point))
    mistaken = sum(
        near.holds(other) or _crosses(leader, Box(*other, *other).wider(_MARK))
        for other in crowd.named
        if other != point
    )
    return hidden * _COST_OF_A_POINT + mistaken * _COST_OF_A_MISTAKE


def _around(point: Point, size: Point, radius: float) -> Iterator[Box]:
    """Boxes that keep this distance from the point, on all sides."""
    width, height = size
    for step in range(_DIRECTIONS):
        angle = math.tau * step / _DIRECTIONS
        x = point[0] + math.cos(angle) * (radius + width / 2)
        y = point[1] + math.sin(angle) * (radius + height / 2)
        yield Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _free(
    box: Box,
    point: Point,
    crowd: Crowd,
    taken: Sequence[Box],
    leaders: Sequence[tuple[Point, Point]],
) -> bool:
    roomy = box.wider(_GAP)
    if not roomy.within(crowd.room) or any(roomy.overlaps(other) for other in taken):
        return False
    if any(box.wider(_MARK).holds(named) for named in crowd.named):
        return False
    leader = (point, box.nearest(point))
    if any(_crosses(leader, other.wider(_GAP)) for other in taken):
        return False
    return not any(_crosses(other, roomy) or _meet(leader, other) for other in leaders)


def _crosses(line: tuple[Point, Point], box: Box) -> bool:
    """Whether a line runs through a box, at one of many steps."""
    (x0, y0), (x1, y1) = line
    return any(
        box.holds((x0 + (x1 - x0) * step / 24, y0 + (y1 - y0) * step / 24)) for step in range(25)
    )


def _meet(line: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    a, b = line
    c, d = other
    return _side(a, b, c) != _side(a, b, d) and _side(c, d, a) != _side(c, d, b)


def _side(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])


def spread(wanted: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Places along a line, as close to those wanted as they can be, `height` from each other."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Without their heights the labels need only keep their order: each group that would not is
    # put at the mean of what its members want.
    groups: list[list[float]] = []
    for place, index in enumerate(order):
        groups.append([wanted[index] - place * height])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    kept = [fmean(group) for group in groups for _ in group]
    most = high - height / 2 - (len(order) - 1) * height
    found = [0.0] * len(wanted)
    for place, index in enumerate(order):
        found[index] = max(min(kept[place], most), low + height / 2) + place * height
    return found
