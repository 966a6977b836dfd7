"""The progress through a list of queries that are walked at once, as text for `--resume`.

Where there are many queries the text is long, and lies in a file beside the output.
"""

import re
import zlib
from pathlib import Path
from typing import Final, Self

from attrs import define, field

from kiwoom_async import Cursor

from ._text import excerpt

# Queries are numbered from 0. "3=CURSOR" continues query 3, "3" begins it; "+12" says that no
# query from 12 on has begun; "@4711" is the output's length in bytes; ":findings" says that the
# audits found something so far. "~" and a checksum end it, so that a text that was copied in part,
# or comes from another command, never means less work.
_FORMAT = re.compile(
    r"(?P<body>(?P<queries>[^+@~]*)\+(?P<begun>[0-9]{1,9})(@(?P<bytes>[0-9]{1,18}))?"
    r"(?P<findings>:findings)?)"
    r"~(?P<checksum>[0-9a-f]{8})"
)
_STATE_SUFFIX: Final = ".resume"


@define
class ResumeState:
    """The queries of a list that are not finished, each with the cursor of its next page.

    unfinished: those among the first `begun` queries; None for a query without its first page.
    begun: no page of the queries from this number on has been written.
    findings: True if the walks' audits found anything up to here.
    """

    total: int
    unfinished: dict[int, Cursor | None] = field(factory=dict)
    begun: int = 0
    findings: bool = False

    def page_written(self, number: int, next_cursor: Cursor | None) -> None:
        """Record a page of query `number`; `next_cursor` is None after its last page."""
        for skipped in range(self.begun, number + 1):
            self.unfinished[skipped] = None
        self.begun = max(self.begun, number + 1)
        self.unfinished[number] = next_cursor
        if next_cursor is None:
            del self.unfinished[number]

    @property
    def remaining(self) -> list[int]:
        """The numbers of the queries that are not finished, in order."""
        return [*sorted(self.unfinished), *range(self.begun, self.total)]

    @property
    def nothing_written(self) -> bool:
        """True until the first page is written."""
        return self.begun == 0

    def to_text(self, output_bytes: int | None, signature: str) -> str:
        """Return the value of `--resume`, with the output's length where it is known.

        Only a command of the same `signature` can parse it.
        """
        queries = [
            f"{number}={cursor}" if cursor else f"{number}"
            for number, cursor in sorted(self.unfinished.items())
        ]
        length = "" if output_bytes is None else f"@{output_bytes}"
        findings = ":findings" if self.findings else ""
        body = f"{','.join(queries)}+{self.begun}{length}{findings}"
        return f"{body}~{_checksum(body, signature)}"

    @classmethod
    def parse(cls, text: str, total: int, signature: str) -> tuple[Self, int | None]:
        """Return the state, and the output's length or None, from the text of `to_text`.

        For a single query the text may also be a cursor alone. Raises ValueError if the text is
        damaged or comes from a command of another signature.
        """
        text = text.strip()
        if total == 1 and "~" not in text:
            return cls(1, {0: Cursor.parse(text)}, 1), None
        match = _FORMAT.fullmatch(text)
        if match is None:
            raise ValueError(
                f"--resume: got {excerpt(text)}; expected the whole text that was printed, or "
                "the file that was named"
            )
        if match["checksum"] != _checksum(match["body"], signature):
            raise ValueError(
                f"--resume: {excerpt(text)} lacks a part, or was printed for another command: "
                "the request, its options and the format must be the same"
            )
        queries = filter(None, match["queries"].split(","))
        state = cls(
            total, dict(map(_parse_query, queries)), int(match["begun"]), bool(match["findings"])
        )
        return state, None if match["bytes"] is None else int(match["bytes"])


def state_path(output: Path) -> Path:
    """Return the path of the file in which a state lies, beside the output."""
    return output.with_name(f"{output.name}{_STATE_SUFFIX}")


def read_state(resume: str) -> tuple[str, Path | None]:
    """Return the text of a state, and the file that it was read from, if any.

    resume: the value of `--resume`, which is either. Raises ValueError for a file that is gone.
    """
    if _FORMAT.fullmatch(resume.strip()):
        return resume, None
    path = Path(resume)
    try:
        return path.read_text(encoding="ascii"), path
    except (OSError, ValueError):
        if path.suffix == _STATE_SUFFIX:
            raise ValueError(
                f"--resume: {path} is not there to be resumed; was it resumed already?"
            ) from None
        return resume, None


def _checksum(body: str, signature: str) -> str:
    return f"{zlib.crc32(f'{body} {signature}'.encode()):08x}"


def _parse_query(text: str) -> tuple[int, Cursor | None]:
    number, _, cursor = text.partition("=")
    return int(number), Cursor.parse(cursor) if cursor else None
