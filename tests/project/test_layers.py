"""The folders are the architecture: which part may import which, checked by reading the imports.

Nothing imports upwards: wings -> client -> _io -> _protocol -> errors.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kiwoom_async

PACKAGE = Path(kiwoom_async.__file__).parent

PUBLIC = "kiwoom_async"  # the public names, re-exported by __init__.py
# Each file or folder directly in the package, and what of the package it may import.
CORE = {
    "_version": set(),
    "errors": set(),
    "notebook": set(),
    "_protocol": {"_version", "errors"},
    "events": {"_protocol", "errors"},
    "catalog": {"_protocol", "errors"},
    "_io": {"_protocol", "errors", "events"},
    "client": {"_io", "_protocol", "errors", "events"},
    "__init__": {"_io", "_protocol", "_version", "catalog", "client", "errors", "events"},
}
WINGS = {
    "tables": {"_protocol", "errors"},
    "sandbox": set(),
    "speed": {"_io", "_protocol", "errors"},
    "sharing": {PUBLIC, "_io", "_protocol", "errors"},
    "archive": {PUBLIC, "_io", "_protocol", "errors", "tables"},
    "report": {PUBLIC, "errors"},
    "cli": {PUBLIC, "archive", "catalog", "report", "sandbox", "sharing", "tables"},
    "__main__": {"cli"},
}
# Imported by the core inside functions only.
ON_DEMAND = {
    "_protocol": {"notebook", "tables"},
    "client": {"sandbox", "sharing"},
}  # fmt: skip
# Third-party packages that each part may import; the core needs four.
PACKAGES = {
    "errors": set(),
    "_protocol": {"attrs", "cattrs"},
    "catalog": {"attrs"},
    "events": {"attrs"},
    "_io": {"anyio", "attrs", "httpx"},
    "client": {"anyio", "attrs"},
    "notebook": {"attrs"},
    "tables": {"attrs", "pandas", "polars", "pyarrow"},
    "sandbox": {"anyio", "attrs", "uvicorn"},
    "speed": {"anyio", "attrs", "httptools", "httpx", "msgspec"},
    "sharing": {"anyio", "attrs", "cattrs", "cryptography", "platformdirs", "redis"},
    "archive": {"anyio", "attrs", "duckdb", "holidays", "pyarrow"},
    "report": {"attrs", "matplotlib"},
}
# Imported for type checkers only.
TYPE_CHECKING_ONLY = {"_protocol": {"pandas", "polars", "pyarrow"}}
# ka90005 and ka90008 must be sent the present day: their queries take it when they are made.
KNOWS_THE_DAY = PACKAGE / "catalog" / "codes.py"
IMPURE = {"anyio", "asyncio", "httpx", "os", "random", "socket", "threading", "time", "trio"}
EXTRAS = {
    "cryptography", "duckdb", "holidays", "httptools", "matplotlib", "msgspec", "pandas",
    "platformdirs", "polars", "pyarrow", "redis", "typer", "uvicorn",
}  # fmt: skip


def files(part: str) -> list[Path]:
    """Return the files of a folder or module directly in the package."""
    folder = PACKAGE / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{part}.py"]


def imports(path: Path, root: Path = PACKAGE) -> set[tuple[str, bool]]:
    """Return the absolute name of every imported module, and if the import is in a function."""
    package = ["kiwoom_async", *path.relative_to(root).parent.parts]
    found: set[tuple[str, bool]] = set()

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.Import):
            found.update((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found.update((".".join([*(base or []), name]), inside) for name in names if module)
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        # Imports for type checkers count as those inside a function.
        inside = inside or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def own_imports(path: Path) -> set[tuple[str, bool]]:
    """Return the parts of the package that a file imports."""
    found = set()
    for name, inside in imports(path):
        parts = name.split(".")
        if parts[0] == "kiwoom_async":
            found.add((parts[1] if len(parts) > 1 else PUBLIC, inside))
    return found


def third_party_imports(path: Path) -> set[str]:
    """Return the third-party packages that a file imports."""
    names = {name.partition(".")[0] for name, _ in imports(path)}
    return names - sys.stdlib_module_names - {"kiwoom_async", "typing_extensions"}


def test_every_file_and_folder_is_in_the_tables():
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__pycache__"} == {*CORE, *WINGS}
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 18


@pytest.mark.parametrize("part", [*CORE, *WINGS])
def test_nothing_imports_upwards(part):
    allowed = (CORE | WINGS)[part] | {part}
    for path in files(part):
        for name, inside in own_imports(path):
            lazily = inside and name in ON_DEMAND.get(part, ())
            assert name in allowed or lazily, f"{path} imports {name}"


def test_the_allowed_imports_have_no_cycle():
    built = {PUBLIC}
    for part, allowed in (CORE | WINGS).items():
        assert allowed <= built, part
        built.add(part)


@pytest.mark.parametrize("part", PACKAGES)
def test_each_part_imports_only_its_third_party_packages(part):
    for path in files(part):
        extra = third_party_imports(path) - PACKAGES[part] - TYPE_CHECKING_ONLY.get(part, set())
        assert not extra, path


@pytest.mark.parametrize("path", [*files("_protocol"), *files("catalog")], ids=lambda p: p.stem)
def test_the_pure_half_has_no_clock_no_io_and_no_event_loop(path):
    assert not {name.partition(".")[0] for name, _ in imports(path)} & IMPURE
    source = path.read_text(encoding="utf-8")
    assert not any(
        isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(ast.parse(source))
    )
    assert source.count(".now(") == (path == KNOWS_THE_DAY)
    assert ".today(" not in source


def test_the_command_line_uses_public_names_only():
    for path in files("cli"):
        for name, _ in imports(path):
            parts = name.split(".")
            within = parts[:2] == ["kiwoom_async", "cli"]
            assert within or parts[0] != "kiwoom_async" or len(parts) <= 2, f"{path}: {name}"


def test_the_report_draws_without_pyplot():
    for path in files("report"):
        assert not any("pyplot" in name for name, _ in imports(path)), path


def loaded_by(code: str) -> set[str]:
    """Return the packages that a new interpreter has loaded after `code`."""
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_importing_the_package_imports_no_extra():
    assert not loaded_by("from kiwoom_async import *") & EXTRAS


def test_the_public_names_exist_and_are_sorted():
    assert sorted(kiwoom_async.__all__) == kiwoom_async.__all__
    assert set(dir(kiwoom_async)) >= set(kiwoom_async.__all__)
    for name in kiwoom_async.__all__:
        assert getattr(kiwoom_async, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'KiwoomClinet'"):
        kiwoom_async.KiwoomClinet  # noqa: B018


def test_imports_are_read_at_every_level(tmp_path):
    file = tmp_path / "_io" / "one.py"
    file.parent.mkdir()
    file.write_text(
        "import requests.api\nfrom .. import client\ndef f():\n    from ..cli import main\n"
        "from . import calls\nfrom .calls import Calls\n"
    )
    assert imports(file, tmp_path) == {
        ("requests.api", False),
        ("kiwoom_async.client", False),
        ("kiwoom_async.cli", True),
        ("kiwoom_async._io.calls", False),
    }
