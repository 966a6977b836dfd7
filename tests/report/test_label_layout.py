"""Labels find positions that are free and close to what they name."""

import itertools

import pytest

from kiwoom_async.report._label_layout import Box, LabelField, place_labels, spread_labels


def test_labels_find_free_positions_or_none():
    area = Box(0, 0, 300, 100)
    points = [(150, 50), (152, 50), (150, 52)]
    boxes = place_labels([(60, 12)] * 3, LabelField(area, points, points))
    assert all(box and box.is_within(area) for box in boxes)
    assert not any(box.overlaps(other) for box, other in itertools.combinations(boxes, 2))
    assert place_labels([(400, 12)], LabelField(area, [(150, 50)], [])) == [None]


def test_labels_of_line_ends_are_spread_as_close_to_them_as_possible():
    assert spread_labels([10, 50, 90], 12, 0, 100) == [10, 50, 90]
    assert spread_labels([50, 50, 50], 12, 0, 100) == [38, 50, 62]
    assert spread_labels([52, 50, 51], 12, 0, 100) == pytest.approx([63, 39, 51])
    assert spread_labels([99, 98], 12, 0, 100) == pytest.approx([94, 82])
    assert spread_labels([1, 2], 12, 0, 100) == pytest.approx([6, 18])
