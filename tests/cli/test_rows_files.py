"""`rows --output`: Parquet, Arrow, CSV and JSON lines files contain the same values."""

import decimal
import errno
import gzip
import json
import os
import shlex
import subprocess
import sys
from functools import partial

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.exchange import small_sandbox as small

from kiwoom_async import ProgramTrade, tables
from kiwoom_async.cli import _conversion, _output
from kiwoom_async.cli._formats import Format, choose_format
from kiwoom_async.sandbox import Fault

DAYS = ["--from", "2026-11-19", "--to", "2026-11-21", "--market", "KOSPI", "--market", "KOSDAQ"]
SCHEMA = dict(pl.from_arrow(tables.to_arrow([], ProgramTrade)).schema)
SUFFIXES = "expected a name ending in .csv, .csv.gz, .jsonl, .ndjson, .json, .parquet or .arrow"
READERS = {
    "parquet": lambda file: tables.rows_of(pq.read_table(file), ProgramTrade),
    "arrow": lambda file: tables.rows_of(pa.ipc.open_file(file).read_all(), ProgramTrade),
    "csv": lambda file: tables.rows_of(pl.read_csv(file, schema=SCHEMA), ProgramTrade),
    "csv.gz": lambda file: tables.rows_of(pl.read_csv(file, schema=SCHEMA), ProgramTrade),
    "jsonl": lambda file: tables.rows_of(read_jsonl(file), ProgramTrade),
    "ndjson": lambda file: tables.rows_of(read_jsonl(file), ProgramTrade),
}


def read_jsonl(file):
    as_text = SCHEMA | {"turnover_share": pl.String}
    return pl.read_ndjson(file, schema=as_text).cast(SCHEMA)


def read_array(file):
    """Return the rows of a file that is one JSON array."""
    records = json.loads(file.read_text(encoding="utf-8"), parse_float=decimal.Decimal)
    lines = file.with_suffix(".lines")
    lines.write_text("".join(json.dumps(each, default=float) + "\n" for each in records))
    return tables.rows_of(read_jsonl(lines), ProgramTrade) if records else []


READERS["json"] = read_array


def sorted_by_query(rows):
    """Undo the mixing of the pages of several queries; within a query they are in order."""
    return sorted(rows, key=lambda row: (row.date, row.market, row.exchange))


@pytest.fixture
def write_rows(run, tmp_path):
    """Run the command with an output of that name; return the file and the result."""

    def write(name, *options, sandbox=None):
        file = tmp_path / name
        result = run("rows", *DAYS, "--sandbox", "--output", str(file), *options, sandbox=sandbox)
        return file, result

    return write


def test_every_format_preserves_the_rows(write_rows):
    written = {}
    for form, read in READERS.items():
        file, result = write_rows(f"days.{form}")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"{file}: 380 rows, everything adds up\n"
        written[form] = sorted_by_query(read(file))
    assert len(written["parquet"]) == 2 * (120 + 70)
    assert all(rows == written["parquet"] for rows in written.values())
    frame = pd.read_csv(write_rows("again.csv")[0], dtype={"symbol": str})
    assert sorted(frame["symbol"]) == sorted(row.symbol for row in written["csv"])
    assert frame["net_buy_amount"].sum() == sum(row.net_buy_amount for row in written["csv"])


@pytest.mark.parametrize("form", ["parquet", "arrow", "json"])
@pytest.mark.parametrize("call", range(1, 13, 2))
def test_after_an_error_the_printed_command_completes_the_file(
    run, write_rows, form, call, tmp_path
):
    name = f"days.{form}"
    file, failed = write_rows(name, sandbox=small(Fault("firewall", call=call)))
    assert failed.exit_code == 1
    assert not file.exists()
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert run(*command[1:]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert file.stat().st_size > 1000
    fresh, _ = write_rows(f"fresh.{form}")
    assert sorted_by_query(READERS[form](file)) == sorted_by_query(READERS[form](fresh))
    again = run(*command[1:])
    assert again.exit_code == 2
    assert "is not there to be resumed" in again.stderr or "exists already" in again.stderr


def test_a_day_without_data_gives_columns_without_rows(run, tmp_path):
    for form in ("parquet", "arrow", "json"):
        file = tmp_path / f"sunday.{form}"
        result = run("rows", "--date", "2026-11-15", "--sandbox", "--output", str(file))
        assert result.exit_code == 0
        assert "no data for 2026-11-15" in result.stderr
        assert READERS[form](file) == []
    assert pq.read_schema(tmp_path / "sunday.parquet").names[0] == "symbol"


def test_columns_carry_their_units_as_metadata(write_rows):
    for form, schema_of in (
        ("parquet", pq.read_schema),
        ("arrow", lambda file: pa.ipc.open_file(file).schema),
    ):
        schema = schema_of(write_rows(f"units.{form}")[0])
        assert schema.field("buy_quantity").metadata[b"unit"] == b"thousand shares"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.parquet", ["--format", "csv"], "--output names a .parquet file"),
        ("a.CSV", ["--format", "jsonl"], "--output names a .csv file"),
        ("none/a.arrow", [], "there is no directory"),
        ("a.json", ["--format", "jsonl"], "--output names a .json file"),
        ("a.csv", ["--format", "csv.gz"], "--output names a .csv file"),
        ("a.xlsx", [], SUFFIXES),
        ("a.feather", [], SUFFIXES),
        ("a.txt", [], SUFFIXES),
        ("a", [], SUFFIXES),
        ("a.jsonl.gz", [], SUFFIXES),
        ("csv", [], SUFFIXES),
        ("a.csv.", [], SUFFIXES),
        ("a.xlsx", ["--format", "csv"], SUFFIXES),
        ("a.jsonl.gz", ["--format", "jsonl"], SUFFIXES),
    ],
)
def test_an_unusable_output_is_refused_before_anything_is_sent(write_rows, name, options, message):
    sandbox = small()
    file, result = write_rows(name, *options, sandbox=sandbox)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not sandbox.arrivals
    assert not file.exists()


@pytest.mark.parametrize("form", ["parquet", "arrow", "json", "csv.gz"])
def test_formats_that_need_a_file_are_refused_without_one(run, form):
    result = run("rows", *DAYS, "--sandbox", "--format", form)
    assert result.exit_code == 2
    assert f"--format {form} needs a file" in result.stderr


@pytest.mark.parametrize("call", [1, 2, 4, 7, 11])
def test_a_compressed_file_is_resumed_page_by_page(run, write_rows, call):
    file, failed = write_rows("days.csv.gz", sandbox=small(Fault("firewall", call=call)))
    assert failed.exit_code == 1
    before = file.read_bytes() if file.exists() else b""
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0
    assert file.read_bytes().startswith(before)
    fresh, _ = write_rows("fresh.csv")
    read = READERS["csv"]
    assert sorted_by_query(read(file)) == sorted_by_query(read(fresh))
    text = gzip.decompress(file.read_bytes()).decode()
    assert (text.count("\ufeff"), text.count("symbol")) == (1, 1)


def test_a_file_that_is_one_array_has_a_line_for_each_row(write_rows):
    file, _ = write_rows("days.json")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 380 + 2)
    assert "현대차" in lines[1]


@pytest.mark.parametrize("name", ["day.csv", "day.parquet", "day.json"])
def test_a_directory_that_cannot_be_written_is_found_before_the_first_call(
    write_rows, unwritable, name
):
    sandbox = small()
    _, result = write_rows(str(unwritable / name), sandbox=sandbox)
    assert result.exit_code == 2
    assert f"--output: nothing can be written to {unwritable}: " in result.stderr
    assert "name another" in result.stderr
    assert not sandbox.arrivals


def test_a_report_for_a_directory_that_cannot_be_written_makes_no_call(run, unwritable):
    sandbox = small()
    output = ["--output", str(unwritable / "page.html")]
    result = run("report", "--date", "2026-11-20", "--sandbox", *output, sandbox=sandbox)
    assert result.exit_code == 2
    assert f"--output: nothing can be written to {unwritable}: " in result.stderr
    assert not sandbox.arrivals


def test_a_fetch_into_a_directory_that_cannot_be_written_makes_no_call(run, unwritable):
    sandbox = small()
    folder = str(unwritable / "archive")
    result = run("archive", "fetch", folder, *DAYS, "--sandbox", sandbox=sandbox)
    assert result.exit_code == 1
    assert str(unwritable) in result.stderr
    assert not sandbox.arrivals


@pytest.fixture
def unwritable(tmp_path, monkeypatch):
    """A directory on a file system that is read-only, whatever the user may do elsewhere."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    os_open, mkdir = os.open, os.mkdir

    def refuse(function, path, *arguments, **options):
        if str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return function(path, *arguments, **options)

    monkeypatch.setattr(os, "open", partial(refuse, os_open))
    monkeypatch.setattr(os, "mkdir", partial(refuse, mkdir))
    return folder


@pytest.mark.parametrize("name", ["day.json", "day.parquet", "day.arrow"])
def test_a_full_disk_names_the_file_that_was_being_written(write_rows, monkeypatch, name):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_output.os, "fsync", fail)
    file, result = write_rows(name)
    assert result.exit_code == 1
    assert f"No space left on device: '{file}'" in result.stderr
    assert f"every row is in {file}.part, which " in result.stderr


def test_a_full_disk_names_the_page_of_the_report(run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    file = tmp_path / "page.html"
    result = run("report", "--date", "2026-11-20", "--sandbox", "--output", str(file))
    assert result.exit_code == 1
    assert f"No space left on device: '{file}'" in result.stderr
    assert not list(tmp_path.iterdir())


def test_complete_and_partial_files_are_never_overwritten(write_rows, tmp_path):
    file, _ = write_rows("days.parquet")
    before = file.read_bytes()
    _, again = write_rows("days.parquet")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    assert file.read_bytes() == before
    interrupted, failed = write_rows("left.parquet", sandbox=small(Fault("firewall", call=3)))
    assert failed.exit_code == 1
    _, repeated = write_rows("left.parquet")
    assert "left.parquet.part exists already" in repeated.stderr
    names = {path.name for path in tmp_path.glob("left*")}
    assert names == {f"{interrupted.name}.part", f"{interrupted.name}.resume"}


def test_a_failed_conversion_keeps_the_rows(write_rows, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(_conversion, "_convert", fail)
    file, result = write_rows("days.parquet")
    assert result.exit_code == 1
    assert "no space left" in result.stderr
    assert f"{file}.part, which is an Arrow stream" in " ".join(result.stderr.split())
    assert not file.exists()
    table = pa.ipc.open_stream(f"{file}.part").read_all()
    assert table.num_rows == 2 * (120 + 70)


def test_many_pages_become_few_row_groups(monkeypatch, write_rows):
    monkeypatch.setattr(_conversion, "_GROUP_ROWS", 150)
    file, _ = write_rows("days.parquet")
    groups = pq.ParquetFile(file).metadata.num_row_groups
    assert 2 <= groups <= 4
    assert pq.read_table(file).num_rows == 2 * (120 + 70)


def test_a_missing_extra_is_named_and_nothing_is_written(tmp_path):
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from kiwoom_async.cli import main\n"
        f"sys.argv = ['kiwoom-async', 'rows', '--date', '2026-11-20', '--sandbox', "
        f"'--output', {str(tmp_path / 'day.parquet')!r}]\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert run.returncode == 1
    assert "pyarrow is not installed: pip install 'kiwoom-async[arrow]'" in run.stderr
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())


def test_the_format_comes_from_the_option_or_the_suffix(tmp_path):
    assert choose_format(None, None) is Format.TABLE
    assert choose_format(Format.TABLE, tmp_path / "x.txt") is Format.TABLE
    assert choose_format(Format.CSV, tmp_path / "x") is Format.CSV
    assert choose_format(Format.CSV, tmp_path / "x.csv.gz") is Format.CSV_GZ
    assert choose_format(None, tmp_path / "2026.11.20.NDJSON") is Format.JSONL
    assert choose_format(None, tmp_path / "x.JSONL") is Format.JSONL
    assert choose_format(Format.CSV, tmp_path / "x.csv") is Format.CSV
    assert choose_format(Format.PARQUET, tmp_path / "x") is Format.PARQUET
