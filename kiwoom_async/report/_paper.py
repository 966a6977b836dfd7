"""The sheet that every figure is drawn on: size, title above, note below, and a settled layout.

Texts and ticks are made at once, under matplotlib's own defaults and our font, so that neither a
user's rcParams nor the moment of drawing changes a picture.
"""

import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from attrs import frozen
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ._fonts import font
from ._ink import FAINT_INK, GRID, INK

P = ParamSpec("P")
T = TypeVar("T")

WIDE: Final = 11.0
# The width of a phone in CSS pixels (390), less the page's margins.
PHONE: Final = 3.75
_NARROW_BELOW: Final = 6.5
_WIDTHS: Final = (3.0, 30.0)
_MARGIN_INCHES: Final = 0.12
_LINE: Final = 1.4
_POINTS: Final = 72
# matplotlib keeps its settings for the whole process: two threads must not swap them at once.
_one_at_a_time: Final = threading.RLock()


class Picture(Figure):
    """A figure that notebooks show without pyplot; `alt` tells its main numbers in words."""

    alt: str = ""

    def _repr_png_(self) -> bytes:
        return drawn(self, "png")


@frozen
class Heading:
    """The lines above the panels, and the notes below them."""

    title: str
    subtitle: str
    notes: Sequence[str] = ()


@contextmanager
def drawing() -> Iterator[None]:
    """Settings as matplotlib was born, with our font; afterwards the caller's settings are back."""
    ours = {
        "font.family": list(font().families),
        # A stock's name may hold a dollar sign.
        "text.parse_math": False,
        "text.color": INK,
        "axes.edgecolor": FAINT_INK,
        "axes.labelcolor": INK,
        "xtick.color": FAINT_INK,
        "ytick.color": FAINT_INK,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "kiwoom_async",
    }
    with _one_at_a_time, style.context(["default", ours]):
        yield


def on_paper(draw: Callable[P, T]) -> Callable[P, T]:
    """Make a function draw under our settings."""

    @wraps(draw)
    def drawn_so(*args: P.args, **kwargs: P.kwargs) -> T:
        with drawing():
            return draw(*args, **kwargs)

    return drawn_so


def drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file of this kind, the same bytes every time."""
    file = io.BytesIO()
    undated = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with drawing():
        figure.savefig(file, format=kind, metadata=undated)
    return file.getvalue()


def narrow(width: float) -> bool:
    """Whether panels go below each other, and names are cut; ValueError for an odd width."""
    least, most = _WIDTHS
    if isinstance(width, bool) or not isinstance(width, int | float) or not least <= width <= most:
        raise ValueError(f"width: got {width!r}; expected inches, {least:g} to {most:g}")
    return width < _NARROW_BELOW


def text_size(width: float) -> float:
    """Points: a little smaller on a phone, which is held closer."""
    return 9.0 if narrow(width) else 11.0


def paper(width: float, height: float, heading: Heading) -> Picture:
    """An empty figure; `height` inches are for the panels, title and notes come on top."""
    size = text_size(width)
    figure = Picture(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    above = [
        *_lines(figure, heading.title, size * 1.4, INK, font().bold),
        *_lines(figure, heading.subtitle, size, FAINT_INK),
    ]
    below = [
        line
        for note in heading.notes
        if note
        for line in _lines(figure, note, size * 0.88, FAINT_INK)
    ]
    top = _MARGIN_INCHES + _height(above) + 0.08
    bottom = _MARGIN_INCHES + (_height(below) + 0.08 if below else 0)
    whole = height + top + bottom
    figure.set_size_inches(width, whole)
    _set_down(figure, above, _MARGIN_INCHES)
    _set_down(figure, below, whole - bottom + 0.08)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(
            rect=(0, bottom / whole, 1, height / whole), w_pad=_MARGIN_INCHES, h_pad=0.04
        )
    )
    return figure


def _lines(
    figure: Figure, text: str, size: float, colour: str, face: FontProperties | None = None
) -> list[Text]:
    """The text in lines that fit the figure's width; what is in brackets stays together."""
    most = (figure.get_figwidth() - 2 * _MARGIN_INCHES) * figure.dpi
    lines: list[Text] = []
    for word in re.findall(r"\([^)]*\)|\S+", text):
        if lines:
            before = lines[-1].get_text()
            lines[-1].set_text(f"{before} {word}")
            if _extent(lines[-1]).width <= most:
                continue
            lines[-1].set_text(before)
        line = figure.text(0, 0, word, va="top", color=colour, fontproperties=face)
        line.set_fontsize(size)
        lines.append(line)
    return lines


def _height(lines: Sequence[Text]) -> float:
    return sum(float(line.get_fontsize()) for line in lines) * _LINE / _POINTS


def _set_down(figure: Figure, lines: Sequence[Text], inches: float) -> None:
    """Write the lines from this far below the top edge."""
    width, whole = figure.get_size_inches()
    for line in lines:
        line.set_position((_MARGIN_INCHES / width, 1 - inches / whole))
        inches += _height([line])


def renderer_of(figure: Figure) -> RendererAgg:
    """What measures texts in pixels."""
    canvas: Any = figure.canvas  # of Agg, as `paper` has given it
    renderer: RendererAgg = canvas.get_renderer()
    return renderer


def _extent(text: Text) -> Bbox:
    root: Any = text.get_figure(root=True)
    return text.get_window_extent(renderer_of(root))


def measured(axes: Axes, text: str, fontsize: float) -> tuple[float, float]:
    """Width and height of a text in pixels, before it is drawn."""
    probe = axes.text(0, 0, text, fontsize=fontsize)
    extent = _extent(probe)
    probe.remove()
    return extent.width, extent.height


def settle(figure: Figure) -> None:
    """Lay the panels out once and for all; what is added afterwards moves nothing."""
    for _ in range(2):  # tick labels wrap the panels, which move the tick labels
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def shortened(text: str, axes: Axes, most: float, size: float) -> str:
    """The text, cut with an ellipsis where it is wider than so many pixels."""
    if measured(axes, text, fontsize=size)[0] <= most:
        return text
    kept = len(text) - 1
    while kept > 1 and measured(axes, text[:kept].rstrip() + "…", fontsize=size)[0] > most:
        kept -= 1
    return text[:kept].rstrip() + "…"


def nothing_to_draw(width: float, heading: Heading, why: str) -> Picture:
    """A figure that says so."""
    figure = paper(width, 1.6, heading)
    figure.set_layout_engine("none")
    size = text_size(width) * 1.15
    said = figure.text(0.5, 0.5, why, ha="center", va="center", fontsize=size, color=FAINT_INK)
    said.set_y(0.35)
    figure.alt = f"{heading.title}{', ' * bool(heading.subtitle)}{heading.subtitle}: {why}."
    return figure
