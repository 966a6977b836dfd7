"""What a shared place can do, whatever it is made of: steps, each of them whole or not at all.

They block for as long as a file or a server takes, and are called in threads.
"""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from anyio import CapacityLimiter, current_time, sleep
from anyio.to_thread import run_sync
from cattrs import BaseValidationError, Converter

from kiwoom_async import SharingError

T = TypeVar("T")

_CONVERTER: Final = Converter()
# A place that is away is tried again so often.
_AGAIN_SECONDS: Final = 0.25
# Of what is kept at a place. Another version that keeps other facts has another number, and each
# refuses the other's.
FORMAT: Final = 1

# Told the facts, None for none, and the place's clock in milliseconds; gives what to keep, None for
# what is there already, and its result.
Step: TypeAlias = Callable[[dict[str, Any] | None, float], tuple[dict[str, Any] | None, T]]


class Place(Protocol):
    """A JSON object somewhere. SharingError where it is out of reach, or of another format.

    `where` is what to call it.
    """

    where: str

    def change(self, step: Step[T]) -> T:
        """Take the step while nobody else takes one."""
        ...

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """The facts as they stand, and the clock."""
        ...


def checked_format(facts: Any, where: str) -> dict[str, Any]:
    """The facts; SharingError when another version has written them."""
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT or not isinstance(facts, dict):
        raise SharingError(
            f"{where} is of format {found!r}, and this version of kiwoom_async keeps {FORMAT}: "
            "end the programs of the other version, then delete it"
        )
    return facts


def structured(facts: dict[str, Any], kind: type[T], where: str) -> T:
    """The facts as values; SharingError for facts that nobody here has written."""
    try:
        return _CONVERTER.structure(facts, kind)
    except BaseValidationError as error:
        raise SharingError(f"{where} holds what no program writes there; delete it") from error


class Errands:
    """Steps at a place, in threads that nobody else can keep busy.

    A place that is away is waited for as long as was declared.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._threads = CapacityLimiter(4)
        self._wait_seconds = wait_seconds

    async def run(self, step: Callable[..., T], *facts: object) -> T:
        """What the step gives; a cancelled caller does not wait for it."""
        given_up_at = current_time() + self._wait_seconds
        while True:
            try:
                # What is then given to nobody is passed over like that of a program that died.
                return await run_sync(step, *facts, abandon_on_cancel=True, limiter=self._threads)
            except SharingError:
                if current_time() >= given_up_at:
                    raise
            await sleep(_AGAIN_SECONDS)


def program_id(pace_or_token: str) -> str:
    """Whose tickets and leases are whose, also in a process that was forked off."""
    return f"{pace_or_token}-{os.getpid()}"


def program_name() -> str:
    """What others are told of this program: host, process, script; no argument of it."""
    script = Path(sys.argv[0] or "python")
    name = script.parent.name if script.name == "__main__.py" else script.name
    return f"{socket.gethostname()}:{os.getpid()} {name}"
