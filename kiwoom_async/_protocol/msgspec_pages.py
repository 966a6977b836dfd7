"""What msgspec reads in less time, where it is installed, as by the extra `speed`.

Pure, and the only file that knows it. Nothing here decides what is right: whatever is not as usual
is a ValueError, and read again without it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from types import ModuleType

Columns = list[tuple[str, ...]]
PageReader = Callable[[bytes], tuple[Columns, dict[str, str]]]

# More digits than any amount has; less than fit into 64 bits, as bounds of msgspec must.
_MOST: Final = 10**18


@cache
def page_reader(rows_key: str, row: tuple[str, ...], beside: tuple[str, ...]) -> PageReader | None:
    """What finds the columns of a page's rows, and the texts that stand `beside` them.

    None without msgspec. For pages that say success, whose rows have these names and no other, and
    all values of which are text.
    """
    if (msgspec := _library()) is None:
        return None
    one_row = msgspec.defstruct("Row", [(name, str) for name in row], gc=False)
    texts: list[tuple[str, Any, Any]] = [(name, str | None, None) for name in beside]
    names = [("return_code", int), (rows_key, list.__class_getitem__(one_row)), *texts]
    decode = msgspec.json.Decoder(msgspec.defstruct("Page", names)).decode

    def read(body: bytes) -> tuple[Columns, dict[str, str]]:
        page = decode(body)
        rows = getattr(page, rows_key)
        stated = {name: value for name in beside if (value := getattr(page, name)) is not None}
        # A colon for each name and none elsewhere: then no name is unknown, and none stands twice.
        if page.return_code != 0 or body.count(b":") != len(rows) * len(row) + len(stated) + 2:
            raise ValueError("a page that is not as usual")
        return [*zip(*map(msgspec.structs.astuple, rows), strict=True)], stated

    return read


@cache
def integers() -> Callable[[Sequence[str]], list[int]] | None:
    """What reads a column of whole numbers; None without msgspec."""
    if (msgspec := _library()) is None:
        return None
    number = Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
    decode = msgspec.json.Decoder(list.__class_getitem__(number)).decode

    def read(column: Sequence[str]) -> list[int]:
        # As a list of JSON, which knows no plus, but blanks behind one, and a minus.
        together = "," + ",".join(column)
        if "+-" in together or len(together.split()) != 1:
            raise ValueError("a number that is not as usual")
        numbers: list[int] = decode(f"[{together.replace(',+', ',')[1:]}]")
        if len(numbers) != len(column):
            raise ValueError("a comma in a number")
        return numbers

    return read


@cache
def _library() -> "ModuleType | None":
    try:
        import msgspec  # noqa: PLC0415 - an extra
    except ImportError:  # one that is there and does not load costs time only, too
        return None
    return msgspec
