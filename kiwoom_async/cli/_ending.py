"""How a command runs and ends: what it says where, and the exit code.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted, 143 terminated.
"""

import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

import anyio
import typer
from rich.console import Console

from kiwoom_async import ContinuationError, KiwoomError

# Messages hold square brackets, which are not rich's.
errors: Final = Console(stderr=True, highlight=False, markup=False)


# A second Ctrl-C sooner than this is a key held down, not impatience.
_IMPATIENCE_SECONDS: Final = 0.5


def run(main: Callable[[], Coroutine[Any, Any, None]], *, on_stop: Callable[[], None]) -> None:
    """Run to the end, or say why not and how to go on."""
    stop = _Stop()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            anyio.run(stop.stopping, main)
    except KiwoomError as error:
        errors.print(f"{type(error).__name__}: {error}", style="red", soft_wrap=True)
        on_stop()
        if isinstance(error, ContinuationError):
            errors.print("If it comes again, start over, without --resume, into another file.")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        # What follows must be read: a key that is held down does not cut it short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        errors.print("terminated" if stop.terminated else "interrupted")
        on_stop()
        raise typer.Exit(143 if stop.terminated else 130) from None
    except BrokenPipeError:
        # Whoever read our output has left: what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except (OSError, UnicodeEncodeError) as error:
        errors.print(f"kiwoom-async: {_reason(error)}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None


class _Stop:
    """Ctrl-C and a polite kill, both of which end the work as a cancellation."""

    def __init__(self) -> None:
        self.terminated = False
        self._first = math.inf
        self._cancel: Any = None

    async def stopping(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the work; the event loop's own way to take Ctrl-C stands behind ours."""
        self._cancel = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(self._cancel):
            await main()
            return
        before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        for one in before:
            signal.signal(one, self._take)
        try:
            await main()
        finally:
            if not self._asked:
                for one, handler in before.items():
                    signal.signal(one, handler)

    @property
    def _asked(self) -> bool:
        return self._first < math.inf

    def _take(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self._asked and now - self._first < _IMPATIENCE_SECONDS:
            return
        self._first = min(now, self._first)
        self.terminated |= number == signal.SIGTERM
        self._cancel(signal.SIGINT, frame)


def end(message: str, *, code: int) -> NoReturn:
    """Say why, and leave with the code."""
    errors.print(f"kiwoom-async: {message}", style="red", soft_wrap=True)
    raise typer.Exit(code)


def _reason(error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, OSError):
        return str(error)
    strange = error.object[error.start : error.end]
    return (
        f"the output's encoding, {error.encoding}, cannot show {strange!a}; for standard output "
        "set PYTHONIOENCODING=utf-8, or name a file with --output"
    )


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    # Not through `errors`: a live table on the same terminal makes room for plain writes only.
    print(f"warning: {message}", file=sys.stderr)
