"""What is left of a list of queries that are walked at once, as text that resumes it."""

import re
from typing import Self

from attrs import define, field

from kiwoom_async import Cursor

# "3=CURSOR" goes on with the query at place 3, "3" begins it; "+12" says that none from place 12
# on has been begun; "@4711" is the output's length in bytes. A cursor alone is place 0's.
_FORM = re.compile(r"(?P<places>[^+@]*)(\+(?P<fresh>[0-9]{1,9}))?(@(?P<size>[0-9]{1,18}))?")


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

    def text(self, size: int | None) -> str:
        """For the command line, with the output's length in bytes where that is known."""
        begun = sorted(self.begun.items())
        places = [f"{place}={cursor}" if cursor else f"{place}" for place, cursor in begun]
        if self.total == 1:
            places = [str(self.begun[0])]
        fresh = "" if self.fresh == self.total else f"+{self.fresh}"
        return f"{','.join(places)}{fresh}{'' if size is None else f'@{size}'}"

    @classmethod
    def parse(cls, text: str, total: int) -> tuple[Self, int | None]:
        """What `text` printed: for a list of the same length."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"--resume: {text!r} is not, or not all of, what was printed")
        fresh = total if match["fresh"] is None else int(match["fresh"])
        places = filter(None, match["places"].split(","))
        left = cls(total, dict(map(_place, places)), fresh)
        if fresh > total or any(place >= fresh for place in left.begun) or not left.places:
            raise ValueError(f"--resume: {text!r} is of another command: it names other queries")
        return left, None if match["size"] is None else int(match["size"])


def _place(text: str) -> tuple[int, Cursor | None]:
    place, _, cursor = text.rpartition("=")
    if place.isdecimal():
        return int(place), Cursor.parse(cursor)
    return (int(text), None) if text.isdecimal() else (0, Cursor.parse(text))
