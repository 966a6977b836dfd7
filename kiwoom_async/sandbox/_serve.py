"""The sandbox on a port, for clients in other processes."""

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
    """Serve until interrupted. Needs uvicorn, which the extra `sandbox` installs.

    `ready` is called with the base URL once the port is bound; port 0 binds any free port. Raises
    OSError when the port is taken, KeyboardInterrupt when interrupted.
    """
    try:
        import uvicorn  # noqa: PLC0415 - optional: needed only to serve on a port
    except ImportError as missing:
        raise ImportError(
            "serving the sandbox needs uvicorn: pip install 'kiwoom-async[sandbox]',"
            " or in a clone: pip install '.[sandbox]'"
        ) from missing
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        # The cast is for type checkers: uvicorn has its own TypedDicts for ASGI messages.
        config = uvicorn.Config(cast("Any", sandbox), log_level="warning")
        if ready is not None:
            url_host = f"[{host}]" if ":" in host else host
            ready(f"http://{url_host}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listener])
