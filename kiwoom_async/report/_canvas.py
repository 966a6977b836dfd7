"""The empty figure that all others start from: size, settings, title, notes and layout.

Texts and ticks are made at once, under matplotlib's defaults and our font, so that neither a
user's rcParams nor the moment of drawing changes a figure.
"""

import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from attrs import frozen
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ._fonts import find_font
from ._style import GRID_COLOUR, MUTED_COLOUR, TEXT_COLOUR, bilingual

SCREEN_WIDTH_INCHES: Final = 11.0
# A phone is 390 CSS pixels wide; the page's margins are taken off.
PHONE_WIDTH_INCHES: Final = 3.75
PIXELS_PER_INCH: Final = 100
_NARROW_BELOW_INCHES: Final = 6.5
_WIDTH_LIMITS_INCHES: Final = (3.0, 30.0)
_MARGIN_INCHES: Final = 0.12
_TEXT_GAP_INCHES: Final = 0.08
_LINE_SPACING: Final = 1.4
_POINTS_PER_INCH: Final = 72
# matplotlib's settings are global to the process, so threads take turns at changing them.
_settings_lock: Final = threading.RLock()


class Picture(Figure):
    """A figure that notebooks show without pyplot; `alt` is a text with its main numbers."""

    alt: str = ""

    def _repr_png_(self) -> bytes:
        return render(self, "png")


@frozen
class Heading:
    """The lines above the panels, and the notes below them."""

    title: str
    subtitle: str
    notes: Sequence[str] = ()


@contextmanager
def figure_settings() -> Iterator[None]:
    """Apply matplotlib's defaults, our font and our colours; restore the caller's settings.

    Decorates the functions that draw.
    """
    settings = {
        "font.family": list(find_font().families),
        # A stock's name may hold a dollar sign.
        "text.parse_math": False,
        "text.color": TEXT_COLOUR,
        "axes.edgecolor": MUTED_COLOUR,
        "axes.labelcolor": TEXT_COLOUR,
        "xtick.color": MUTED_COLOUR,
        "ytick.color": MUTED_COLOUR,
        "grid.color": GRID_COLOUR,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.fonttype": "path",
        # The same ids in each file of the same figure.
        "svg.hashsalt": "kiwoom_async",
    }
    with _settings_lock, style.context(["default", settings]):
        yield


def render(figure: Figure, file_format: str) -> bytes:
    """Return the figure as a PNG or SVG file, with the same bytes at each call."""
    file = io.BytesIO()
    undated = {"Date": None, "Creator": None} if file_format == "svg" else {"Software": None}
    with figure_settings():
        figure.savefig(file, format=file_format, metadata=undated)
    return file.getvalue()


def is_narrow(width: float) -> bool:
    """Return True if a figure of this width, in inches, is laid out for a phone.

    Raises ValueError for anything but a number within the limits.
    """
    least, most = _WIDTH_LIMITS_INCHES
    if isinstance(width, bool) or not isinstance(width, int | float) or not least <= width <= most:
        raise ValueError(f"width: got {width!r}; expected inches, {least:g} to {most:g}")
    return width < _NARROW_BELOW_INCHES


def base_font_size(width: float) -> float:
    """Return the size of most texts in points: smaller on a phone, which is held closer."""
    return 9.0 if is_narrow(width) else 11.0


def new_figure(width: float, panel_height: float, heading: Heading) -> Picture:
    """Return a figure with its heading and notes, and `panel_height` inches for the panels."""
    font_size = base_font_size(width)
    figure = Picture(figsize=(width, panel_height), dpi=PIXELS_PER_INCH)
    FigureCanvasAgg(figure)
    title_font = find_font().bold
    above = [
        *_wrap_text(figure, heading.title, font_size * 1.4, TEXT_COLOUR, title_font),
        *_wrap_text(figure, heading.subtitle, font_size, MUTED_COLOUR),
    ]
    below = [
        line
        for note in heading.notes
        for line in _wrap_text(figure, note, font_size * 0.88, MUTED_COLOUR)
    ]
    top = _MARGIN_INCHES + _height_inches(above) + _TEXT_GAP_INCHES
    bottom = _MARGIN_INCHES + (_height_inches(below) + _TEXT_GAP_INCHES if below else 0)
    height = panel_height + top + bottom
    figure.set_size_inches(width, height)
    _stack_lines(figure, above, _MARGIN_INCHES)
    _stack_lines(figure, below, height - bottom + _TEXT_GAP_INCHES)
    panels = (0, bottom / height, 1, panel_height / height)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=panels, w_pad=_MARGIN_INCHES, h_pad=0.04))
    return figure


def no_trades_figure(width: float, heading: Heading) -> Picture:
    """Return a figure that says that there is nothing to draw."""
    message = bilingual("no program trades", "프로그램 매매 없음")
    figure = new_figure(width, 1.6, heading)
    figure.set_layout_engine("none")
    figure.text(
        0.5,
        0.35,
        message,
        ha="center",
        va="center",
        fontsize=base_font_size(width) * 1.15,
        color=MUTED_COLOUR,
    )
    figure.alt = f"{', '.join(filter(None, (heading.title, heading.subtitle)))}: {message}."
    return figure


def _wrap_text(
    figure: Figure, text: str, font_size: float, colour: str, font: FontProperties | None = None
) -> list[Text]:
    """Return the text in lines that fit the figure's width; brackets are not broken."""
    max_pixels = (figure.get_figwidth() - 2 * _MARGIN_INCHES) * figure.dpi
    lines: list[Text] = []
    for word in re.findall(r"\([^)]*\)|\S+", text):
        if lines:
            shorter = lines[-1].get_text()
            lines[-1].set_text(f"{shorter} {word}")
            if _text_extent(lines[-1]).width <= max_pixels:
                continue
            lines[-1].set_text(shorter)
        line = figure.text(0, 0, word, va="top", color=colour, fontproperties=font)
        line.set_fontsize(font_size)
        lines.append(line)
    return lines


def _height_inches(lines: Sequence[Text]) -> float:
    return sum(float(line.get_fontsize()) for line in lines) * _LINE_SPACING / _POINTS_PER_INCH


def _stack_lines(figure: Figure, lines: Sequence[Text], top_inches: float) -> None:
    """Set the lines below each other, the first this far below the figure's top edge."""
    width, height = figure.get_size_inches()
    for line in lines:
        line.set_position((_MARGIN_INCHES / width, 1 - top_inches / height))
        top_inches += _height_inches([line])


def measure_text(axes: Axes, text: str, font_size: float) -> tuple[float, float]:
    """Return width and height of the text in pixels, without drawing it."""
    probe = axes.text(0, 0, text, fontsize=font_size)
    extent = _text_extent(probe)
    probe.remove()
    return extent.width, extent.height


def _text_extent(text: Text) -> Bbox:
    figure: Any = text.get_figure(root=True)
    # new_figure gave it an Agg canvas, which has a renderer before anything is drawn.
    return text.get_window_extent(figure.canvas.get_renderer())


def truncate_text(axes: Axes, text: str, max_pixels: float, font_size: float) -> str:
    """Return the text, cut with an ellipsis if it is wider than `max_pixels`."""
    if measure_text(axes, text, font_size)[0] <= max_pixels:
        return text
    length = len(text) - 1
    while length > 1 and measure_text(axes, _ellipsis(text, length), font_size)[0] > max_pixels:
        length -= 1
    return _ellipsis(text, length)


def _ellipsis(text: str, length: int) -> str:
    return text[:length].rstrip() + "…"


def freeze_layout(figure: Figure) -> None:
    """Lay out the panels, and let nothing that is added afterwards move them."""
    # Twice, because tick labels and panels depend on each other.
    for _ in range(2):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
