"""Reading of drawn figures: their texts, their bars, and whether all of it can be read."""

import datetime
import itertools
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from kiwoom_async.report import (
    buy_against_sell,
    by_market_and_exchange,
    concentration,
    most_bought_and_sold,
)

DAY = datetime.date(2026, 8, 10)
WIDTHS = pytest.mark.parametrize("width", [11.0, 3.75])
FIGURES_OF_A_DAY = (most_bought_and_sold, buy_against_sell, concentration, by_market_and_exchange)


def parse_xml(document):
    """Return the root element; raise ParseError for a document that is not well-formed."""
    return ElementTree.fromstring(document)  # noqa: S314 - made by the test


def texts_and_boxes(figure):
    """Return every text that is drawn, with its box on the canvas."""
    # A figure that nothing was added to since it was laid out need not be laid out again.
    if figure.stale:
        figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and is_shown(text)]
    renderer = figure.canvas.get_renderer()
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in texts
        if text.get_text().strip()
    ]


def is_shown(text):
    """Return False for the label of a tick outside the axis limits, which is never drawn."""
    axes = text.axes
    if axes is None:
        return True
    for axis in (axes.xaxis, axes.yaxis):
        for tick in axis.get_major_ticks():
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return low <= tick.get_loc() <= high
    return True


def all_text(figure):
    """Return all texts that are drawn, joined by spaces."""
    return " ".join(text for text, _ in texts_and_boxes(figure))


def assert_readable(figure):
    """Assert that no text is cut off, and that no two texts overlap."""
    texts = texts_and_boxes(figure)
    assert texts
    canvas = figure.bbox
    for text, box in texts:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= canvas.x1, text
        assert box.y1 <= canvas.y1, text
    for (text, box), (other_text, other_box) in itertools.combinations(texts, 2):
        overlap_x = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        overlap_y = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        # Boxes include the room below a line that only "g" and "y" use.
        assert overlap_x <= 0.5 or overlap_y <= 3, (text, other_text)


def bars(axes):
    """Return length and colour of each horizontal bar."""
    return [(bar.get_width(), to_hex(bar.get_facecolor())) for bar in axes.patches]
