"""What is left of a list of queries that are walked at once, as text that resumes it."""

import re
import zlib
from typing import Self

from attrs import define, field

from kiwoom_async import Cursor

# "3=CURSOR" goes on with the query at place 3, "3" begins it; "+12" says that none from place 12
# on has been begun; "@4711" is the output's length in bytes; "~" and a sum end it, so that a text
# that lost its head or tail in copying, or is of another command, is not taken for less work.
_FORM = re.compile(
    r"(?P<all>(?P<places>[^+@~]*)\+(?P<fresh>[0-9]{1,9})(@(?P<size>[0-9]{1,18}))?)"
    r"~(?P<sum>[0-9a-f]{8})"
)


@define
class Left:
    """The places of a list that are not done, and where each is to go on."""

    total: int
    # None where the first page is still to come.
    begun: dict[int, Cursor | None] = field(factory=dict)
    fresh: int = 0

    def count(self, place: int, following: Cursor | None) -> None:
        """A page has been written; `following` is where its query goes on."""
        for earlier in range(self.fresh, place + 1):
            self.begun[earlier] = None
        self.fresh = max(self.fresh, place + 1)
        self.begun[place] = following
        if following is None:
            del self.begun[place]

    @property
    def places(self) -> list[int]:
        """Those to be walked, in order."""
        return [*sorted(self.begun), *range(self.fresh, self.total)]

    @property
    def untouched(self) -> bool:
        """Whether no page has been written at all."""
        return self.fresh == 0

    def text(self, size: int | None, command: str) -> str:
        """For the command line, with the output's length in bytes where that is known.

        `command` is what the text is for: with any other it will not do.
        """
        begun = sorted(self.begun.items())
        places = [f"{place}={cursor}" if cursor else f"{place}" for place, cursor in begun]
        whole = f"{','.join(places)}+{self.fresh}{'' if size is None else f'@{size}'}"
        return f"{whole}~{_sum(whole, command)}"

    @classmethod
    def parse(cls, text: str, total: int, command: str) -> tuple[Self, int | None]:
        """What `text` printed for the same command; for one query, a cursor alone."""
        text = text.strip()
        if total == 1 and "~" not in text:
            return cls(1, {0: Cursor.parse(text)}, 1), None
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"--resume: {text!r} is not, or not all of, what was printed")
        if match["sum"] != _sum(match["all"], command):
            raise ValueError(
                f"--resume: {text!r} lacks a part, or was printed for another command: the days, "
                "markets, exchanges and the format must be the same"
            )
        places = filter(None, match["places"].split(","))
        left = cls(total, dict(map(_place, places)), int(match["fresh"]))
        return left, None if match["size"] is None else int(match["size"])


def _sum(text: str, command: str) -> str:
    return f"{zlib.crc32(f'{text} {command}'.encode()):08x}"


def _place(text: str) -> tuple[int, Cursor | None]:
    place, _, cursor = text.partition("=")
    return int(place), Cursor.parse(cursor) if cursor else None
