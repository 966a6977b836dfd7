"""The check of `kiwoom-async doctor` that looks at the environment; it shows no key."""

import os
import re
import unicodedata
from collections.abc import Iterator
from itertools import count
from typing import Final, TypeAlias

from ._case import Case, Finding, Status

# The names of an app key's two variables.
Pair: TypeAlias = tuple[str, str]

_KEYS: Final[Pair] = ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY")
_NUMBERED: Final = re.compile("KIWOOM_(APP|SECRET)_KEY_[0-9]+")


async def settings(case: Case) -> Finding:
    """Whether there are keys, and a client can be made of them."""
    if case.in_process:
        case.begin()
        return Finding(Status.SKIPPED, "the simulated exchange needs none")
    if missing := [name for pair in _pairs() for name in pair if not os.environ.get(name)]:
        what = f"{' and '.join(missing)} not set"
        return Finding(Status.PROBLEM, what, "set both to the keys of the REST API portal")
    try:
        case.begin()
    except ValueError as error:
        return Finding(Status.PROBLEM, str(error), _how_to_paste())
    except ModuleNotFoundError as error:
        return Finding(Status.PROBLEM, f"no client can be made: {error}")
    except (OSError, ImportError) as error:
        advice = "check SSL_CERT_FILE, SSL_CERT_DIR and the proxy in the environment"
        return Finding(Status.PROBLEM, f"no client can be made: {error}", advice)
    return _as_understood(case)


def _pairs() -> list[Pair]:
    """The variables that are looked at: a pair for each app key."""
    pairs: list[Pair] = [_KEYS]
    for number in count(2):
        pair = f"{_KEYS[0]}_{number}", f"{_KEYS[1]}_{number}"
        if not any(os.environ.get(name) for name in pair):
            break
        pairs.append(pair)
    return pairs


def _as_understood(case: Case) -> Finding:
    pairs = _pairs()
    forms = [", ".join(f"{name} of {_form(os.environ[name])}" for name in pair) for pair in pairs]
    where = f"environment {case.kiwoom.environment.value}, {case.kiwoom.base_url}"
    doubt = next(_doubts(pairs), "")
    status = Status.WARNING if doubt else Status.OK
    if len(pairs) == 1:
        return Finding(status, f"{forms[0]}; {where}", doubt)
    return Finding(status, f"{len(pairs)} app keys; {where}", doubt, details=forms)


def _doubts(pairs: list[Pair]) -> Iterator[str]:
    for pair in pairs:
        keys = [os.environ[name] for name in pair]
        which = "" if len(pairs) == 1 else f"{' and '.join(pair)}: "
        if any(_quoted(key) for key in keys):
            yield f"{which}the quotation marks are probably not the key's"
        if len({_without_invisible(key) for key in keys}) == 1:
            yield f"{which}both are the same: one is probably the other's"
    if unread := _unread(pairs):
        yield f"{unread} is not read: the numbers go on from 2 without a gap"


def _unread(pairs: list[Pair]) -> str:
    """A key's variable that nothing looks at, "" for none."""
    read = {name for pair in pairs for name in pair}
    set_ = (name for name, key in sorted(os.environ.items()) if key and _NUMBERED.fullmatch(name))
    return next((name for name in set_ if name not in read), "")


def _form(key: str) -> str:
    meant = len(_without_invisible(key))
    added = f" (and {len(key) - meant} of pasting, left out)" if len(key) > meant else ""
    return f"{meant} characters{added}{' in quotation marks' if _quoted(key) else ''}"


def _without_invisible(key: str) -> str:
    return "".join(char for char in key if unicodedata.category(char) != "Cf").strip()


def _quoted(key: str) -> bool:
    key = _without_invisible(key)
    return len(key) > 1 and key[0] == key[-1] and key[0] in "\"'"


def _how_to_paste() -> str:
    """Which character of which key is none, without showing it."""
    for name in (name for pair in _pairs() for name in pair):
        key = _without_invisible(os.environ.get(name, ""))
        for place, char in enumerate(key, 1):
            if not "!" <= char <= "~":
                kind = "a space" if char.isspace() else "unprintable or not ASCII"
                at = f"character {place} of {name} is {kind}"
                return f"{at}; copy the key from the portal again"
    return ""
