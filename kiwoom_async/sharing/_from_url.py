"""A shared store from a text: for the command line and the environment."""

import os

from kiwoom_async import Sharing
from kiwoom_async.errors import short_repr

from ._files import SharedFiles
from ._redis import SharedRedis

_FILES = "files"


def from_url(place: str) -> Sharing:
    """Return the sharing for `files`, `files:DIRECTORY`, or a URL as `SharedRedis` takes it.

    KIWOOM_SHARING_KEY is the `encryption_key` of SharedRedis. Raises ValueError for other texts.
    """
    scheme, _, directory = place.partition(":")
    if scheme == _FILES and (directory or place == _FILES):
        return SharedFiles(directory or None)
    if scheme in {"redis", "rediss", "unix"}:
        return SharedRedis(place, encryption_key=os.environ.get("KIWOOM_SHARING_KEY") or None)
    # Shows the scheme only, and not even that if it holds an @: a password may be part of the rest.
    got = "files: without a directory" if scheme == _FILES else short_repr(scheme)
    if "@" in scheme:
        got = "something with an @"
    raise ValueError(f"sharing: got {got}; allowed are files, files:DIRECTORY, redis://HOST:PORT")
