"""The client of a command: from the environment, with or without sharing, or simulated."""

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from kiwoom_async import KiwoomClient
from kiwoom_async.sharing import from_url

# All before the last @ of a URL, except the user name. A password that was not escaped may
# contain any character.
_USER_AND_PASSWORD: Final = re.compile(r"(?<=://)([^:@/]*:)?.*@")
_PASSWORD_IN_QUERY: Final = re.compile(r"(?<=[?&])([^=&]*password=)[^&]*", re.IGNORECASE)


def client_factory(
    *, sandbox: bool, sharing: str | None, headers: Sequence[str] = ()
) -> Callable[..., KiwoomClient]:
    """Return the callable that makes the client.

    Raises ValueError for a `--sharing` or a `--header` that is malformed, for a `--sharing` with
    `--sandbox`, and ImportError where its extra is missing.
    """
    options: dict[str, Any] = {}
    if headers:
        options["headers"] = _parse_headers(headers)
    if not sandbox:
        if sharing is not None:
            options["sharing"] = from_url(sharing)
        return partial(KiwoomClient.from_env, **options)
    if sharing is not None:
        raise ValueError(
            "--sharing: the exchange of --sandbox is this process's own and cannot be shared; "
            "to rehearse sharing start kiwoom-async sandbox, and name it in KIWOOM_BASE_URL"
        )
    return partial(KiwoomClient.sandbox, **options)


def _parse_headers(lines: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            # Not quoted: it may be the value.
            raise ValueError("--header: expected 'NAME: VALUE', with a colon")
        if name.strip() in headers:
            raise ValueError(f"--header: {name.strip()} comes twice")
        headers[name.strip()] = value.strip()
    return headers


def uses_sharing(*, sandbox: bool, sharing: str | None) -> bool:
    """Return True if that client shares its pace and token."""
    return not sandbox and bool(sharing or os.environ.get("KIWOOM_SHARING"))


def without_password(place: str) -> str:
    """Return a value of `--sharing` with *** for its password."""
    place = _USER_AND_PASSWORD.sub(lambda match: f"{match[1] or ''}***@", place)
    return _PASSWORD_IN_QUERY.sub(r"\1***", place)
