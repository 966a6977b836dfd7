"""The check of `kiwoom-async doctor` for the environment's settings; it never shows a key."""

import os
import re
import unicodedata
from collections.abc import Iterator
from itertools import count
from typing import Final, TypeAlias

from ._diagnosis import Diagnosis, Finding, Status

# The names of the variables of an app key and its secret key.
KeyVariables: TypeAlias = tuple[str, str]

_FIRST_KEY: Final[KeyVariables] = ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY")
_NUMBERED_VARIABLE: Final = re.compile("KIWOOM_(APP|SECRET)_KEY_[0-9]+")


async def check_settings(diagnosis: Diagnosis) -> Finding:
    """Find out if the keys are set and a client can be made, and make it."""
    if diagnosis.in_process:
        diagnosis.open_client()
        return Finding(Status.SKIPPED, "the simulated exchange needs none")
    if missing := [name for pair in _key_pairs() for name in pair if not os.environ.get(name)]:
        message = f"{' and '.join(missing)} not set"
        return Finding(Status.PROBLEM, message, "set both to the keys of the REST API portal")
    try:
        diagnosis.open_client()
    except ValueError as error:
        return Finding(Status.PROBLEM, str(error), _invalid_character())
    except ModuleNotFoundError as error:
        return Finding(Status.PROBLEM, f"no client can be made: {error}")
    except (OSError, ImportError) as error:
        advice = "check SSL_CERT_FILE, SSL_CERT_DIR and the proxy in the environment"
        return Finding(Status.PROBLEM, f"no client can be made: {error}", advice)
    return _describe_settings(diagnosis)


def _key_pairs() -> list[KeyVariables]:
    """Return the variables that `KiwoomClient.from_env` reads, a pair for each app key."""
    pairs: list[KeyVariables] = [_FIRST_KEY]
    for number in count(2):
        pair = f"{_FIRST_KEY[0]}_{number}", f"{_FIRST_KEY[1]}_{number}"
        if not any(os.environ.get(name) for name in pair):
            break
        pairs.append(pair)
    return pairs


def _describe_settings(diagnosis: Diagnosis) -> Finding:
    pairs = _key_pairs()
    keys = [
        ", ".join(f"{name} of {_describe_key(os.environ[name])}" for name in pair) for pair in pairs
    ]
    host = f"environment {diagnosis.kiwoom.environment.value}, {diagnosis.kiwoom.base_url}"
    doubt = next(_doubts(pairs), "")
    status = Status.WARNING if doubt else Status.OK
    if len(pairs) == 1:
        return Finding(status, f"{keys[0]}; {host}", doubt)
    return Finding(status, f"{len(pairs)} app keys; {host}", doubt, details=keys)


def _doubts(pairs: list[KeyVariables]) -> Iterator[str]:
    for pair in pairs:
        keys = [os.environ[name] for name in pair]
        prefix = "" if len(pairs) == 1 else f"{' and '.join(pair)}: "
        if any(_is_quoted(key) for key in keys):
            yield f"{prefix}the quotation marks are probably not part of the key"
        if len({_without_invisible(key) for key in keys}) == 1:
            yield f"{prefix}both are the same: one key was probably pasted twice"
    if unread := _unread_variable(pairs):
        yield f"{unread} is not read: the numbers go on from 2 without a gap"


def _unread_variable(pairs: list[KeyVariables]) -> str:
    """Return a variable of a key that is set but not read, "" for none."""
    read = {name for pair in pairs for name in pair}
    for name, key in sorted(os.environ.items()):
        if key and _NUMBERED_VARIABLE.fullmatch(name) and name not in read:
            return name
    return ""


def _describe_key(key: str) -> str:
    length = len(_without_invisible(key))
    removed = len(key) - length
    pasted = f" ({removed} invisible ones left out)" if removed else ""
    return f"{length} characters{pasted}{' in quotation marks' if _is_quoted(key) else ''}"


def _without_invisible(key: str) -> str:
    # Cf: characters such as the zero-width space and the byte order mark.
    return "".join(char for char in key if unicodedata.category(char) != "Cf").strip()


def _is_quoted(key: str) -> bool:
    key = _without_invisible(key)
    return len(key) > 1 and key[0] == key[-1] and key[0] in "\"'"


def _invalid_character() -> str:
    """Return which character of which key is invalid, without showing it; "" if none is."""
    for name in (name for pair in _key_pairs() for name in pair):
        key = _without_invisible(os.environ.get(name, ""))
        for position, char in enumerate(key, 1):
            if not "!" <= char <= "~":
                kind = "a space" if char.isspace() else "unprintable or not ASCII"
                found = f"character {position} of {name} is {kind}"
                return f"{found}; copy the key from the portal again"
    return ""
