"""A shared store: one JSON object that many programs change, each change whole or not at all.

Stores block for as long as a file or a server takes; `ThreadRunner` calls them in threads.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from cattrs import BaseValidationError, Converter

from kiwoom_async import SharingError

T = TypeVar("T")

_CONVERTER: Final = Converter()
# The format of what is stored. A version that stores other fields needs another number: each
# version refuses the other's data.
FORMAT: Final = 1

# Takes the stored object (None if there is none) and the store's clock in milliseconds; returns the
# object to store (None to leave it as it is) and the result. It may be called more than once.
Change: TypeAlias = Callable[[dict[str, Any] | None, float], tuple[dict[str, Any] | None, T]]


class SharedStore(Protocol):
    """A JSON object that programs share; `name` is for error texts.

    Raises SharingError if the store cannot be used or is of another format.
    """

    name: str

    def update(self, change: Change[T]) -> T:
        """Apply the change while no other program applies one; return its result."""
        ...

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """Return the stored object and the store's clock in milliseconds."""
        ...


def check_format(data: Any, store_name: str) -> dict[str, Any]:
    """Return the stored object; raise SharingError if another version stored it."""
    stored_format = data.get("format") if isinstance(data, dict) else None
    if stored_format != FORMAT or not isinstance(data, dict):
        raise SharingError(
            f"{store_name} is of format {stored_format!r}, and this version of kiwoom_async uses "
            f"{FORMAT}: stop the programs of the other version, then delete it"
        )
    return data


def structure(data: dict[str, Any], cls: type[T], store_name: str) -> T:
    """Return the stored object as `cls`; raise SharingError if its fields do not fit."""
    try:
        return _CONVERTER.structure(data, cls)
    except BaseValidationError as error:
        raise SharingError(f"{store_name} holds unexpected data; delete it") from error
