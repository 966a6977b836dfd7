"""The rooms of the house: who may look into whom, read from the imports themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kiwoom_async

PACKAGE = Path(__file__).parent.parent / "kiwoom_async"

# Each room and all that it may import of ours; the order is from the ground up.
ROOMS = {
    "_version": set(),
    "_errors": set(),
    "_policy": {"_errors"},
    "_wire": {"_errors"},
    "_msgspec": set(),
    "_columns": {"_msgspec", "_wire"},
    "_protocol": {"_errors", "_version", "_wire"},
    "_redaction": {"_protocol"},
    "_body": {"_errors"},
    "_continuation": {"_errors", "_wire"},
    "_extras": set(),
    "_notebook": set(),
    "_tabular": {"_extras", "tables"},
    "_endpoint": {"_continuation", "_notebook", "_tabular"},
    "_pages": {
        "_columns", "_continuation", "_endpoint", "_errors", "_protocol", "_tabular", "_wire",
    },
    "_estimate": {"_endpoint"},
    "_events": {"_errors"},
    "program_trades": {"_columns", "_endpoint", "_errors", "_wire"},
    # ---- no I/O, no clock, no event loop above this line
    "_pace": set(),
    "_merge": set(),
    "_lifetime": set(),
    "_locking": set(),
    "_httpx": {"_body", "_protocol"},
    "_transport": {"_errors", "_httpx", "_protocol"},
    "_token": {"_errors", "_protocol"},
    "_sharing": {"_pace", "_token"},
    "_accounts": {"_continuation", "_errors", "_pace", "_protocol", "_sharing", "_token"},
    "_calls": {
        "_accounts", "_errors", "_events", "_lifetime", "_pace", "_policy", "_protocol",
        "_redaction", "_transport",
    },
    "_walks": {"_continuation", "_endpoint", "_errors", "_events", "_pace"},
    "_merging": {"_continuation", "_endpoint", "_errors", "_merge", "_pace", "_walks"},
    "_watch": {"_endpoint", "_errors", "_estimate", "_merging", "_pace", "_walks"},
    "client": {
        "_accounts", "_calls", "_continuation", "_endpoint", "_errors", "_estimate", "_events",
        "_merging", "_pace", "_pages", "_protocol", "_sharing", "_transport", "_walks", "_watch",
        "_wire", "sandbox", "sharing",
    },
    "__init__": {
        "_continuation", "_endpoint", "_errors", "_estimate", "_events", "_merging", "_pace",
        "_protocol", "_sharing", "_tabular", "_token", "_version", "_watch", "client",
        "program_trades",
    },
    "__main__": {"cli"},
    # ---- optional extras below this line
    "tables": {"_extras"},
    "_compiled": {"_body"},
    "speed": {"_body", "_compiled", "_extras", "_protocol"},
}  # fmt: skip
# Files and folders that need an extra; the core may name one inside a function only.
OPTIONAL = {"_compiled", "speed", "tables"}
WINGS = {"archive", "cli", "report", "sandbox", "sharing"}
LAZY = {"client": {"sandbox", "sharing"}, "_tabular": {"tables"}, "__main__": {"cli"}}
PURE = [room for room in list(ROOMS) if list(ROOMS).index(room) < list(ROOMS).index("_pace")]
IMPURE_MODULES = {
    "anyio",
    "asyncio",
    "httpx",
    "os",
    "random",
    "socket",
    "threading",
    "time",
    "trio",
}
DEPENDENCIES = {"anyio", "attrs", "cattrs", "httpx"}
EXTRAS = {
    "cryptography", "duckdb", "holidays", "httptools", "matplotlib", "msgspec", "pandas",
    "platformdirs", "polars", "pyarrow", "redis", "typer", "uvicorn",
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Every module that a file names, ours as `.room`, whether at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {"." * node.level + name for name in names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def strangers(path: Path) -> set[str]:
    """The top-level modules of others that a file imports."""
    names = {name.partition(".")[0] for name in imports(path) if not name.startswith(".")}
    return names - sys.stdlib_module_names


def test_every_file_has_its_room():
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_looks_only_where_the_drawing_says(room):
    ours = {name[1:] for name in imports(PACKAGE / f"{room}.py") if name.startswith(".")}
    assert ours <= ROOMS[room]


def test_the_drawing_has_no_circle():
    # A wing stands above all rooms, and a room that names it does so lazily.
    built = WINGS | {"tables"}
    for room, may in ROOMS.items():
        assert may <= built, room
        built.add(room)


@pytest.mark.parametrize("room", PURE)
def test_the_pure_half_has_no_clock_no_io_and_no_event_loop(room):
    assert not {name.partition(".")[0] for name in imports(PACKAGE / f"{room}.py")} & IMPURE_MODULES
    source = (PACKAGE / f"{room}.py").read_text(encoding="utf-8")
    assert not any(
        isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(ast.parse(source))
    )
    assert ".now(" not in source
    assert ".today(" not in source


def test_two_files_of_the_core_and_two_of_an_extra_know_httpx():
    knowing = {path.stem for path in PACKAGE.rglob("*.py") if "httpx" in strangers(path)}
    assert knowing == {"_compiled", "_httpx", "_transport", "speed"}


@pytest.mark.parametrize("room", ["_pace", "_merge", "_token"])
def test_pace_merge_and_token_know_no_library_but_anyio(room):
    assert strangers(PACKAGE / f"{room}.py") == {"anyio"}


def test_the_core_needs_four_packages():
    # The others stand behind TYPE_CHECKING, and msgspec is used where it is installed.
    rooms = [path for path in PACKAGE.glob("*.py") if path.stem not in OPTIONAL]
    core = set().union(*(strangers(path) for path in rooms))
    assert (
        core - {"typing_extensions", "attr", "msgspec", "pyarrow", "pandas", "polars"}
        == DEPENDENCIES
    )


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after `code`."""
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        name if "kiwoom_async" in name else name.partition(".")[0] for name in run.stdout.split()
    }


def test_importing_the_package_imports_no_extra():
    assert not loaded_by("from kiwoom_async import *") & EXTRAS


def test_a_name_is_loaded_when_it_is_asked_for():
    assert not loaded_by("import kiwoom_async") & DEPENDENCIES
    assert "httpx" not in loaded_by("from kiwoom_async import Market, RateLimited")
    assert "httpx" in loaded_by("from kiwoom_async import KiwoomClient")


def test_modules_with_public_names_need_no_import_of_their_own():
    code = "import kiwoom_async as k; print(k.program_trades.Market, k.client.KiwoomClient)"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert "Market" in run.stdout


def test_every_public_name_has_the_home_that_type_checkers_see():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen.pop("__version__") == "_version"
    assert seen == kiwoom_async._HOME_OF
    assert sorted(kiwoom_async.__all__) == sorted([*seen, "__version__"])
    assert set(dir(kiwoom_async)) >= set(kiwoom_async.__all__)
    for name in kiwoom_async.__all__:
        assert getattr(kiwoom_async, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'KiwoomClinet'"):
        kiwoom_async.KiwoomClinet  # noqa: B018


def test_the_sandbox_knows_nothing_of_the_client():
    for path in (PACKAGE / "sandbox").glob("*.py"):
        assert not {name for name in imports(path) if name.startswith("..")}, path
        assert "kiwoom_async" not in strangers(path), path
        assert strangers(path) <= {"anyio", "attrs", "uvicorn"}, path


def test_the_command_line_uses_public_names_only():
    wings = ("archive", "report", "sandbox", "sharing", "tables")
    public = {"kiwoom_async", *(f"kiwoom_async.{wing}" for wing in wings)}
    for path in (PACKAGE / "cli").glob("*.py"):
        names = imports(path)
        assert {name for name in names if name.startswith("kiwoom_async")} <= public, path
        assert not {name for name in names if name.startswith("..")}, path


def test_the_archive_stands_on_the_public_names_and_the_tables():
    for path in (PACKAGE / "archive").glob("*.py"):
        names = {name for name in imports(path) if name.startswith(("kiwoom_async", ".."))}
        rooms = {"kiwoom_async._extras", "kiwoom_async._locking"}
        assert names <= {"kiwoom_async", *rooms, "kiwoom_async.tables"}, path
        others = strangers(path) - {"kiwoom_async"}
        assert others <= {"anyio", "attrs", "duckdb", "holidays", "pyarrow"}, path


def test_sharing_stands_on_the_public_names_and_what_pace_and_token_promise():
    rooms = "_errors", "_extras", "_locking", "_pace", "_token", "_wire"
    allowed = {"kiwoom_async", *(f"kiwoom_async.{room}" for room in rooms)}
    for path in (PACKAGE / "sharing").glob("*.py"):
        names = {name for name in imports(path) if name.startswith(("kiwoom_async", ".."))}
        assert names <= allowed, path
        known = {"_redis": {"redis"}, "_seal": {"cryptography"}, "_files": {"platformdirs"}}
        others = strangers(path) - {"kiwoom_async"}
        assert others <= {"anyio", "attrs", "cattrs"} | known.get(path.stem, set()), path


def test_the_report_uses_public_names_and_draws_without_pyplot():
    for path in (PACKAGE / "report").glob("*.py"):
        names = imports(path)
        ours = {name for name in names if name.startswith("kiwoom_async")}
        assert ours <= {"kiwoom_async", "kiwoom_async._extras"}, path
        assert not {name for name in names if name.startswith("..")}, path
        assert strangers(path) <= {"attrs", "matplotlib", "kiwoom_async"}, path
        assert "pyplot" not in path.read_text(encoding="utf-8").replace("without pyplot", ""), path


def test_nothing_below_imports_the_wings_but_lazily():
    above = {f".{name}" for name in WINGS | OPTIONAL}
    for room in set(ROOMS) - OPTIONAL:
        allowed = {f".{name}" for name in LAZY.get(room, ())}
        assert above & imports(PACKAGE / f"{room}.py") <= allowed
        tree = ast.parse((PACKAGE / f"{room}.py").read_text(encoding="utf-8"))
        eager = {f".{node.module}" for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert room == "__main__" or not eager & above


def test_a_stranger_and_a_circle_would_be_seen(tmp_path):
    """The reader of imports reads what it is meant to."""
    file = tmp_path / "one.py"
    file.write_text(
        "import requests.api\ndef f():\n    from .cli import main\n    from . import _x\n"
    )
    assert imports(file) == {"requests.api", ".cli", "._x"}
    assert strangers(file) == {"requests"}
