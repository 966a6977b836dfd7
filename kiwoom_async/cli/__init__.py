"""The command line, `kiwoom-async`: stands above the public names and uses nothing else."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; says which extra is missing where one is."""
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
