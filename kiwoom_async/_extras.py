"""Packages that are extras: what to install when one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(extra: str, *packages: str) -> Iterator[None]:
    """Around the import of `packages`: a missing one is named with its extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise ModuleNotFoundError(
            f"{error.name} is not installed: pip install 'kiwoom-async[{extra}]',"
            f" or in a clone: pip install '.[{extra}]'",
            name=error.name,
        ) from None
