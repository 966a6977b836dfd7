"""Recorded answers of the real server, and examples from its specification."""

import json
from pathlib import Path
from typing import Any

WIRE = Path(__file__).parent.parent / "wire"


def recorded(name: str) -> Any:
    """Return the JSON body recorded in `wire/<name>.json`."""
    return json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
