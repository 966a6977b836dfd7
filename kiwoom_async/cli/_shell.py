"""Command lines to paste into the shell in use."""

import os
import re
import shlex
from collections.abc import Sequence
from typing import Final

_NEEDS_NO_QUOTES: Final = re.compile(r"[\w./:\\-]+")


def command_line(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """Return the words as a command line: for sh, or for both cmd.exe and PowerShell.

    The latter two agree on double quotes only; a word with a double quote, $, % or ` in it, which
    no file of ours has, may mean something to one of them.
    """
    return " ".join(map(_windows_word, words)) if windows else shlex.join(words)


def _windows_word(word: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(word):
        return word
    # A program takes a backslash before a quote for an escape, so those are doubled.
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'
