"""The sandbox on a port, for clients that are not in this process."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ._app import Sandbox


def serve(sandbox: "Sandbox", *, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve until interrupted. Needs uvicorn, which the extra `sandbox` brings."""
    try:
        import uvicorn  # noqa: PLC0415 - optional: only a sandbox on a port needs it
    except ImportError as missing:
        raise ImportError(
            "serving the sandbox needs uvicorn: pip install 'kiwoom-async[sandbox]'"
        ) from missing
    # uvicorn spells ASGI in TypedDicts of its own.
    uvicorn.run(cast("Any", sandbox), host=host, port=port)
