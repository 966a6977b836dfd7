"""How a command runs and ends: what it says where, and the exit code.

Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted.
"""

import os
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

import anyio
import typer
from rich.console import Console

from kiwoom_async import ContinuationError, KiwoomError

# Messages hold square brackets, which are not rich's.
errors: Final = Console(stderr=True, highlight=False, markup=False)


def run(main: Callable[[], Coroutine[Any, Any, None]], *, on_stop: Callable[[], None]) -> None:
    """Run to the end, or say why not and how to go on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            anyio.run(main)
    except ContinuationError as error:
        errors.print(f"ContinuationError: {error}", style="red", soft_wrap=True)
        errors.print("Start the walk again, without --resume.", style="bold")
        raise typer.Exit(1) from None
    except KiwoomError as error:
        errors.print(f"{type(error).__name__}: {error}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        errors.print("interrupted")
        on_stop()
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has left: what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except (OSError, UnicodeEncodeError) as error:
        errors.print(f"kiwoom-async: {_reason(error)}", style="red", soft_wrap=True)
        on_stop()
        raise typer.Exit(1) from None


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
    errors.print(f"warning: {message}", soft_wrap=True)
