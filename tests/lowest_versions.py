"""Print the lowest versions that pyproject.toml allows, as requirements for pip.

`pip install -e . $(python tests/lowest_versions.py)`; `make lowest` runs tests with them.
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest_versions() -> list[str]:
    """Return `name==version` for each package that the project or one of its extras needs."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(each for name in extras for each in extras[name])]
    tools = set(extras["dev"])
    pinned = []
    for requirement in needed:
        match = re.fullmatch(r"([A-Za-z0-9_-]+)>=([0-9.]+)(,<[0-9.]+)?", requirement)
        if match and requirement not in tools:
            pinned.append(f"{match[1]}=={match[2]}")
    return sorted(set(pinned))


if __name__ == "__main__":
    print(*lowest_versions())
