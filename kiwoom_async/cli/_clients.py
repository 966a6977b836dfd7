"""The client of a command: from the environment, with or without sharing, or simulated."""

import os
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from kiwoom_async import KiwoomClient
from kiwoom_async.sharing import from_url

# All before the last @ of a URL, except the user name. A password that was not escaped may
# contain any character.
_USER_AND_PASSWORD: Final = re.compile(r"(?<=://)([^:@/]*:)?.*@")
_PASSWORD_IN_QUERY: Final = re.compile(r"(?<=[?&])([^=&]*password=)[^&]*", re.IGNORECASE)


def client_factory(*, sandbox: bool, sharing: str | None) -> Callable[..., KiwoomClient]:
    """Return the callable that makes the client.

    Raises ValueError for a `--sharing` that is malformed, or combined with `--sandbox`, and
    ImportError where its extra is missing.
    """
    if not sandbox:
        if sharing is None:
            return KiwoomClient.from_env
        return partial(KiwoomClient.from_env, sharing=from_url(sharing))
    if sharing is not None:
        raise ValueError(
            "--sharing: the exchange of --sandbox is this process's own and cannot be shared; "
            "to rehearse sharing start kiwoom-async sandbox, and name it in KIWOOM_BASE_URL"
        )
    return KiwoomClient.sandbox


def uses_sharing(*, sandbox: bool, sharing: str | None) -> bool:
    """Return True if that client shares its pace and token."""
    return not sandbox and bool(sharing or os.environ.get("KIWOOM_SHARING"))


def without_password(place: str) -> str:
    """Return a value of `--sharing` with *** for its password."""
    place = _USER_AND_PASSWORD.sub(lambda match: f"{match[1] or ''}***@", place)
    return _PASSWORD_IN_QUERY.sub(r"\1***", place)
