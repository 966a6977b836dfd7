"""The identity of this program towards others that share an app key."""

import os
import socket
import sys
from pathlib import Path


def program_id(instance_id: str) -> str:
    """Return the owner of tickets and leases: a forked child differs from its parent."""
    return f"{instance_id}-{os.getpid()}"


def program_name() -> str:
    """Return host, process and script, without the arguments, which may hold secrets."""
    script = Path(sys.argv[0] or "python")
    name = script.parent.name if script.name == "__main__.py" else script.name
    return f"{socket.gethostname()}:{os.getpid()} {name}"
