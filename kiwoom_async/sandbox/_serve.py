"""The sandbox on a port, for clients that are not in this process."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ._app import Sandbox


def serve(
    sandbox: "Sandbox",
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted. Needs uvicorn, which the extra `sandbox` brings.

    `ready` is told the base URL as soon as the port is ours; port 0 takes any that is free.
    OSError when the port is taken, KeyboardInterrupt when interrupted.
    """
    try:
        import uvicorn  # noqa: PLC0415 - optional: only a sandbox on a port needs it
    except ImportError as missing:
        raise ImportError(
            "serving the sandbox needs uvicorn: pip install 'kiwoom-async[sandbox]',"
            " or in a clone: pip install '.[sandbox]'"
        ) from missing
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        # uvicorn spells ASGI in TypedDicts of its own.
        config = uvicorn.Config(cast("Any", sandbox), log_level="warning")
        if ready is not None:
            name = f"[{host}]" if ":" in host else host
            ready(f"http://{name}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listener])
