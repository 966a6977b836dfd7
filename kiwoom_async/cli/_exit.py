"""Running a command, its messages on standard error, and its exit code.

The exit codes are listed in `kiwoom_async.cli`; that for findings is in `_findings`.
"""

import logging
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import anyio
import typer
from rich.console import Console

from kiwoom_async import ContinuationError, KiwoomError, WalkFinished

# No markup: messages contain square brackets.
stderr: Final = Console(stderr=True, highlight=False, markup=False)

# An interrupt this soon after the first comes from a key held down; a later one is passed on.
_KEY_REPEAT_SECONDS: Final = 0.5


def run(main: Callable[[], Coroutine[Any, Any, None]], *, on_stop: Callable[[], None]) -> None:
    """Run `main` in an event loop; print a failure and exit with its code.

    `on_stop` is called after the message of a failure, an interrupt or a termination.
    """
    handler = _SignalHandler()
    try:
        with printed_warnings():
            anyio.run(handler.run, main)
    except KiwoomError as error:
        _print_error(f"{type(error).__name__}: {error}")
        on_stop()
        if isinstance(error, ContinuationError):
            stderr.print("If it comes again, start over, without --resume, into another file.")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        # A key that is held down must not cut short the command that `on_stop` prints.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stderr.print("terminated" if handler.terminated else "interrupted")
        on_stop()
        raise typer.Exit(143 if handler.terminated else 130) from None
    except BrokenPipeError:
        # The reader of our output has closed it: what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except (OSError, UnicodeEncodeError) as error:
        _print_error(f"kiwoom-async: {_describe(error)}")
        on_stop()
        raise typer.Exit(1) from None


class _SignalHandler:
    """SIGINT and SIGTERM as cancellation: both call the event loop's own SIGINT handler."""

    def __init__(self) -> None:
        self.terminated = False
        self._first_signal_at = math.inf
        self._cancel: Any = None

    async def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `main` under the handlers; without them where the loop has none of its own."""
        self._cancel = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(self._cancel):
            await main()
            return
        previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in previous:
            signal.signal(number, self._handle)
        try:
            await main()
        finally:
            if not self._signalled:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    @property
    def _signalled(self) -> bool:
        return self._first_signal_at < math.inf

    def _handle(self, number: int, frame: object) -> None:
        # First: of two signals that came while the process stood still, SIGINT is handled first.
        self.terminated |= number == signal.SIGTERM
        now = time.monotonic()
        if self._signalled and now - self._first_signal_at < _KEY_REPEAT_SECONDS:
            return
        self._first_signal_at = min(now, self._first_signal_at)
        self._cancel(signal.SIGINT, frame)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exit with 2 after a ValueError (wrong use), with 1 after an ImportError or OSError."""
    try:
        yield
    except ValueError as error:
        fail(str(error), code=2)
    except (ImportError, OSError) as error:
        fail(str(error), code=1)


def fail(message: str, *, code: int) -> NoReturn:
    """Print the message on standard error and exit with the code."""
    _print_error(f"kiwoom-async: {message}")
    raise typer.Exit(code)


def _print_error(message: str) -> None:
    stderr.print(message, style="red", soft_wrap=True)


def _describe(error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, OSError):
        return str(error)
    unencodable = error.object[error.start : error.end]
    return (
        f"the output's encoding, {error.encoding}, cannot show {unencodable!a}; for standard "
        "output set PYTHONIOENCODING=utf-8, or name a file with --output"
    )


@contextmanager
def printed_warnings() -> Iterator[None]:
    """Print each warning once, and the library's log of warnings, as lines on standard error."""
    printed: set[str] = set()

    def show_once(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in printed:
            printed.add(str(message))
            _print_warning(str(message))

    handler = _LogOfWarnings(logging.WARNING)
    logger = logging.getLogger("kiwoom_async")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show_once
            yield
    finally:
        logger.removeHandler(handler)


class _LogOfWarnings(logging.Handler):
    """Stands in for logging's handler of last resort, which would print findings once more."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, unless it is the end of a walk: the command prints its findings."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        if not any(isinstance(argument, WalkFinished) for argument in arguments):
            _print_warning(record.getMessage())


def _print_warning(message: str) -> None:
    # Not through `stderr`: a live table on the same terminal makes room for plain writes only.
    print(f"warning: {message}", file=sys.stderr)
