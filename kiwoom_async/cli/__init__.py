"""The command line `kiwoom-async`, built on the public names only.

Exit codes: 0 done (no data is no failure), 1 failed, 2 used wrongly, 3 complete, but something does
not add up, as standard error says, 130 interrupted, 143 terminated.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; name the extra where typer or rich is missing."""
    try:
        from ._app import app  # noqa: PLC0415 - typer and rich are an extra
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(
            "kiwoom-async: the command line is an extra: pip install 'kiwoom-async[cli]',"
            " or in a clone: pip install '.[cli]'"
        )
    app()
