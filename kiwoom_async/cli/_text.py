"""Text for a terminal: counts with their nouns, and untrusted text made harmless."""

from typing import Final

_MAX_SHOWN: Final = 60


def count_of(number: int, noun: str) -> str:
    """Return the number and its noun, in the plural unless the number is 1."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return the text with a space for each control character that a terminal might obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def excerpt(text: str) -> str:
    """Return the text in quotation marks, its end left out where it is long."""
    return repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}..."
