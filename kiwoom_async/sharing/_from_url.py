"""A place by its name, for the command line and the environment."""

import os

from kiwoom_async import Sharing
from kiwoom_async.errors import short_repr

from ._files import SharedFiles
from ._redis import SharedRedis

_FILES = "files"


def from_url(place: str) -> Sharing:
    """`files`, `files:DIRECTORY`, or a URL as `SharedRedis` takes it.

    ValueError for anything else. The key that seals tokens is KIWOOM_SHARING_KEY.
    """
    kind, _, rest = place.partition(":")
    if kind == _FILES and (rest or place == _FILES):
        return SharedFiles(rest or None)
    if kind in {"redis", "rediss", "unix"}:
        return SharedRedis(place, encryption_key=os.environ.get("KIWOOM_SHARING_KEY") or None)
    # No more than the kind, and not even that of a URL without its scheme: a password may follow.
    got = "files: without a directory" if kind == _FILES else short_repr(kind)
    if "@" in kind:
        got = "something with an @"
    raise ValueError(f"sharing: got {got}; allowed are files, files:DIRECTORY, redis://HOST:PORT")
