"""The font of a figure: one with Hangul if this machine has it.

A font counts as one with Hangul if it has a glyph for "가"; some fonts with a Korean name lack it.
"""

import warnings
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attrs import frozen
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

# Sans-serif screen fonts of macOS, Windows, Debian and Fedora, the most complete first.
_PREFERRED_FAMILIES: Final = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    # matplotlib lists a font collection by its first face, which has the same glyphs.
    "Noto Sans CJK JP",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "NanumGothic",
    "Nanum Gothic",
    "NanumBarunGothic",
    "NanumSquare",
    "UnDotum",
    "Baekmuk Dotum",
)
# Comes with matplotlib, and has the signs that a Korean font may lack.
_FALLBACK_FAMILY: Final = "DejaVu Sans"
_REGULAR_WEIGHT: Final = 400
_BOLD_WEIGHT: Final = 700
_HANGUL_CODE_POINT: Final = ord("가")
_NO_HANGUL_WARNING: Final = (
    "no font with Korean letters was found, so stock codes stand where names should:"
    " pip install 'kiwoom-async[plot]' (or koreanize-matplotlib), or on Debian and Ubuntu:"
    " apt install fonts-nanum. macOS and Windows have such a font. Restart Python afterwards"
)


@frozen
class Font:
    """Font families in the order in which matplotlib looks for each glyph."""

    families: tuple[str, ...]
    has_hangul: bool

    @property
    def bold(self) -> FontProperties:
        """The bold face of the first family, without fallback: for titles, not for stock names.

        Given by file, because matplotlib looks for a weight in all families and logs a warning
        if the fallback has another number for bold.
        """
        family = self.families[0]
        weight = min(_weights(family), key=lambda weight: abs(weight - _BOLD_WEIGHT))
        return FontProperties(fname=_font_file(family, weight))

    def can_draw(self, text: str) -> bool:
        """Return True if every character is printable and has a glyph."""
        code_points = _code_points(self.families)
        return all(char.isprintable() and ord(char) in code_points for char in text)

    def replace_undrawable(self, text: str) -> str:
        """Return the text with a question mark for each character that cannot be drawn."""
        return "".join(char if self.can_draw(char) else "?" for char in text)


@cache
def find_font() -> Font:
    """Return the best font of this machine, with a UserWarning if none has Hangul.

    Searches, and warns, once in a process.
    """
    family = next(_hangul_families(), None)
    if family:
        return Font((family, _FALLBACK_FAMILY), has_hangul=True)
    warnings.warn(_NO_HANGUL_WARNING, UserWarning, stacklevel=2)
    return Font((_FALLBACK_FAMILY,), has_hangul=False)


def _hangul_families() -> Iterator[str]:
    entries = font_manager.fontManager.ttflist
    names = {entry.name for entry in entries}
    for family in _PREFERRED_FAMILIES:
        if family in names and _has_hangul(_font_file(family)):
            yield family
    yield from _koreanize_family()
    # All others come last, because they may be scripts or serifs. A look into one takes 0.2 ms.
    yield from sorted({entry.name for entry in entries if _has_hangul(entry.fname)})


def _has_hangul(file: str) -> bool:
    try:
        return bool(font_manager.get_font(file).get_char_index(_HANGUL_CODE_POINT))
    except (OSError, RuntimeError):
        # The file was removed after matplotlib listed it, or it holds no outlines.
        return False


def _koreanize_family() -> Iterator[str]:
    """Yield NanumGothic of koreanize-matplotlib if that is installed.

    The package is not imported, because its import changes rcParams.
    """
    spec = find_spec("koreanize_matplotlib")
    for folder in (spec and spec.submodule_search_locations) or ():
        files = sorted(Path(folder, "fonts").glob("NanumGothic*.ttf"))
        for file in files:
            font_manager.fontManager.addfont(file)
        if files:
            yield "NanumGothic"


def _weights(family: str) -> list[int]:
    entries = font_manager.fontManager.ttflist
    return [_numeric_weight(entry.weight) for entry in entries if entry.name == family]


def _numeric_weight(weight: int | str) -> int:
    if isinstance(weight, int):
        return weight
    return font_manager.weight_dict.get(weight, _REGULAR_WEIGHT)


def _font_file(family: str, weight: int = _REGULAR_WEIGHT) -> str:
    return font_manager.findfont(FontProperties(family=[family], weight=weight))


@cache
def _code_points(families: tuple[str, ...]) -> frozenset[int]:
    fonts = (font_manager.get_font(_font_file(family)) for family in families)
    return frozenset(code_point for font in fonts for code_point in font.get_charmap())
