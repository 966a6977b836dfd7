"""Which font draws the names: one that has Hangul, or none, and then names become codes.

A font counts only when it has the glyph of "가": many a font is called Korean and is not.
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

# Made for screens, the most complete first; macOS, Windows, Debian and Fedora know one of them.
_USUAL: Final = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    # A collection of fonts is known by its first face, which has the same glyphs.
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
# Comes with matplotlib; draws the signs that a Korean font may lack.
_ALWAYS_THERE: Final = "DejaVu Sans"
_REGULAR: Final = 400
_BOLD: Final = 700
_HANGUL: Final = ord("가")
_MISSING: Final = (
    "no font with Korean letters was found, so stock codes stand where names should:"
    " pip install 'kiwoom-async[plot]' (or koreanize-matplotlib), or on Debian and Ubuntu:"
    " apt install fonts-nanum. macOS and Windows have such a font. Restart Python afterwards"
)


@frozen
class Font:
    """Font families in the order in which each letter is looked for."""

    families: tuple[str, ...]
    hangul: bool

    @property
    def bold(self) -> FontProperties:
        """For titles, of our own words only: a file has no second family for a missing letter.

        A weight by name would be asked of both families, and matplotlib logs a complaint where
        one has another number for its bold.
        """
        weight = min(_weights(self.families[0]), key=lambda each: abs(each - _BOLD))
        return FontProperties(fname=_file(self.families[0], weight))

    def draws(self, text: str) -> bool:
        """Whether every letter has a glyph, and none is a control character."""
        known = _letters(self.families)
        return all(char.isprintable() and ord(char) in known for char in text)

    def drawable(self, text: str) -> str:
        """The text, with a question mark for each letter that has no glyph."""
        return "".join(char if self.draws(char) else "?" for char in text)


@cache
def font() -> Font:
    """The font of this machine, looked for once; warns once where none has Hangul."""
    family = next(_with_hangul(), None)
    if family:
        return Font((family, _ALWAYS_THERE), hangul=True)
    warnings.warn(_MISSING, UserWarning, stacklevel=2)
    return Font((_ALWAYS_THERE,), hangul=False)


def _with_hangul() -> Iterator[str]:
    known = font_manager.fontManager.ttflist
    names = {entry.name for entry in known}
    yield from (name for name in _USUAL if name in names and _has_hangul(_file(name)))
    yield from _shipped()
    # Any other comes last: it may be a script or a serif. Asking one costs 0.2 ms.
    yield from sorted({entry.name for entry in known if _has_hangul(entry.fname)})


def _has_hangul(file: str) -> bool:
    try:
        return bool(font_manager.get_font(file).get_char_index(_HANGUL))
    except (OSError, RuntimeError):
        # The file has gone since matplotlib listed it, or holds no outlines.
        return False


def _weights(family: str) -> list[int]:
    entries = font_manager.fontManager.ttflist
    weights = (entry.weight for entry in entries if entry.name == family)
    return [_number(weight) for weight in weights]


def _number(weight: int | str) -> int:
    return weight if isinstance(weight, int) else font_manager.weight_dict.get(weight, _REGULAR)


def _file(family: str, weight: int = _REGULAR) -> str:
    return font_manager.findfont(FontProperties(family=[family], weight=weight))


def _shipped() -> Iterator[str]:
    """NanumGothic of koreanize-matplotlib, which is not imported: it would change rcParams."""
    spec = find_spec("koreanize_matplotlib")
    for folder in (spec and spec.submodule_search_locations) or ():
        files = sorted(Path(folder, "fonts").glob("NanumGothic*.ttf"))
        for file in files:
            font_manager.fontManager.addfont(file)
        if files:
            yield "NanumGothic"


@cache
def _letters(families: tuple[str, ...]) -> frozenset[int]:
    files = (_file(family) for family in families)
    return frozenset(code for file in files for code in font_manager.get_font(file).get_charmap())
