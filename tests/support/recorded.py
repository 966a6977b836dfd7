"""Bodies as recorded from the real server, or printed in its specification."""

import json
from pathlib import Path
from typing import Any

WIRE = Path(__file__).parent.parent / "wire"


def recorded(name: str) -> Any:
    """A body as recorded from the real server, or printed in its specification."""
    return json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
