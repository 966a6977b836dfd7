"""Which client a command makes: one of the environment, that shares or not, or a simulated one."""

import os
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from kiwoom_async import KiwoomClient
from kiwoom_async.sharing import from_url

# Whatever stands before the last @ of a URL, but for the user's name. A password that was not
# escaped may hold any character.
_USER_AND_PASSWORD: Final = re.compile(r"(?<=://)([^:@/]*:)?.*@")
_PASSWORD_IN_QUERY: Final = re.compile(r"(?<=[?&])([^=&]*password=)[^&]*", re.IGNORECASE)


def client_of(*, sandbox: bool, sharing: str | None) -> Callable[..., KiwoomClient]:
    """What makes it; ValueError for a place that is none, ImportError for want of an extra."""
    if not sandbox:
        if sharing is None:
            return KiwoomClient.from_env
        return partial(KiwoomClient.from_env, sharing=from_url(sharing))
    if sharing is not None:
        raise ValueError(
            "--sharing: the exchange of --sandbox is this process's own, so nobody can share it; "
            "for a rehearsal start kiwoom-async sandbox, and name it in KIWOOM_BASE_URL"
        )
    return KiwoomClient.sandbox


def shares(*, sandbox: bool, sharing: str | None) -> bool:
    """Whether that client shares anything."""
    return not sandbox and bool(sharing or os.environ.get("KIWOOM_SHARING"))


def without_password(place: str) -> str:
    """A place's name as it may be printed."""
    place = _USER_AND_PASSWORD.sub(lambda found: f"{found[1] or ''}***@", place)
    return _PASSWORD_IN_QUERY.sub(r"\1***", place)
