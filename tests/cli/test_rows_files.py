"""`rows --output`: the same values in Parquet, Arrow, CSV and JSON lines, and back again."""

import shlex
import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.exchange import small_sandbox as small

from kiwoom_async import ProgramTrade, tables
from kiwoom_async.cli import _columnar
from kiwoom_async.cli._formats import Format, choose_format
from kiwoom_async.sandbox import Fault

DAYS = ["--from", "2026-11-19", "--to", "2026-11-21", "--market", "KOSPI", "--market", "KOSDAQ"]
SCHEMA = dict(pl.from_arrow(tables.to_arrow([], ProgramTrade)).schema)
READERS = {
    "parquet": lambda file: tables.rows_of(pq.read_table(file), ProgramTrade),
    "arrow": lambda file: tables.rows_of(pa.ipc.open_file(file).read_all(), ProgramTrade),
    "csv": lambda file: tables.rows_of(pl.read_csv(file, schema=SCHEMA), ProgramTrade),
    "jsonl": lambda file: tables.rows_of(jsonl(file), ProgramTrade),
}


def jsonl(file):
    as_text = SCHEMA | {"turnover_share": pl.String}
    return pl.read_ndjson(file, schema=as_text).cast(SCHEMA)


def in_order(rows):
    """Pages of several queries are mixed; within a query they are in order."""
    return sorted(rows, key=lambda row: (row.date, row.market, row.exchange))


@pytest.fixture
def rows(run, tmp_path):
    """What the command writes into a file of that name, and how it ended."""

    def write(name, *options, sandbox=None):
        file = tmp_path / name
        result = run("rows", *DAYS, "--sandbox", "--output", str(file), *options, sandbox=sandbox)
        return file, result

    return write


def test_every_file_brings_the_same_rows_back(rows):
    found = {}
    for form, read in READERS.items():
        file, result = rows(f"days.{form}")
        assert (result.exit_code, result.output) == (0, "")
        found[form] = in_order(read(file))
    assert len(found["parquet"]) == 2 * (120 + 70)
    assert found["parquet"] == found["arrow"] == found["csv"] == found["jsonl"]
    frame = pd.read_csv(rows("again.csv")[0], dtype={"symbol": str})
    assert sorted(frame["symbol"]) == sorted(row.symbol for row in found["csv"])
    assert frame["net_buy_amount"].sum() == sum(row.net_buy_amount for row in found["csv"])


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("call", range(1, 13))
def test_after_an_error_the_printed_command_completes_the_file(run, rows, form, call, tmp_path):
    name = f"days.{form}"
    file, failed = rows(name, sandbox=small(Fault("firewall", call=call)))
    assert failed.exit_code == 1
    assert not file.exists()
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert run(*command[1:]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    fresh, _ = rows(f"fresh.{form}")
    assert in_order(READERS[form](file)) == in_order(READERS[form](fresh))
    again = run(*command[1:])
    assert again.exit_code == 2
    assert "is not there to be resumed" in again.stderr or "exists already" in again.stderr


def test_a_day_without_data_is_a_file_with_columns_and_no_rows(run, tmp_path):
    for form in ("parquet", "arrow"):
        file = tmp_path / f"sunday.{form}"
        result = run("rows", "--date", "2026-11-15", "--sandbox", "--output", str(file))
        assert result.exit_code == 0
        assert "no data for 2026-11-15" in result.stderr
        assert READERS[form](file) == []
    assert pq.read_schema(tmp_path / "sunday.parquet").names[0] == "symbol"


def test_columns_say_their_units_in_both_files(rows):
    for form, schema_of in (
        ("parquet", pq.read_schema),
        ("arrow", lambda file: pa.ipc.open_file(file).schema),
    ):
        schema = schema_of(rows(f"units.{form}")[0])
        assert schema.field("buy_quantity").metadata[b"unit"] == b"thousand shares"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.parquet", ["--format", "csv"], "--output names a .parquet file"),
        ("a.CSV", ["--format", "jsonl"], "--output names a .csv file"),
        ("none/a.arrow", [], "there is no directory"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(rows, name, options, message):
    sandbox = small()
    file, result = rows(name, *options, sandbox=sandbox)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not sandbox.arrivals
    assert not file.exists()


def test_columns_need_a_file(run):
    result = run("rows", *DAYS, "--sandbox", "--format", "arrow")
    assert result.exit_code == 2
    assert "--format arrow needs a file" in result.stderr


def test_a_file_and_a_half_made_one_are_never_overwritten(rows, tmp_path):
    file, _ = rows("days.parquet")
    before = file.read_bytes()
    _, again = rows("days.parquet")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    assert file.read_bytes() == before
    left, failed = rows("left.parquet", sandbox=small(Fault("firewall", call=3)))
    assert failed.exit_code == 1
    _, anew = rows("left.parquet")
    assert "left.parquet.part exists already" in anew.stderr
    assert [path.name for path in tmp_path.glob("left*")] == [f"{left.name}.part"]


def test_when_the_last_step_fails_the_rows_are_still_there(rows, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(_columnar, "_convert", full)
    file, result = rows("days.parquet")
    assert result.exit_code == 1
    assert "no space left" in result.stderr
    assert f"{file}.part, which is an Arrow stream" in " ".join(result.stderr.split())
    assert not file.exists()
    table = pa.ipc.open_stream(f"{file}.part").read_all()
    assert table.num_rows == 2 * (120 + 70)


def test_many_pages_become_few_groups(monkeypatch, rows):
    monkeypatch.setattr(_columnar, "_GROUP_ROWS", 150)
    file, _ = rows("days.parquet")
    groups = pq.ParquetFile(file).metadata.num_row_groups
    assert 2 <= groups <= 4
    assert pq.read_table(file).num_rows == 2 * (120 + 70)


def test_without_the_extra_nothing_is_sent_and_it_is_named(tmp_path):
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


def test_a_form_is_named_by_the_file_or_by_the_option(tmp_path):
    assert choose_format(None, None) is Format.TABLE
    assert choose_format(None, tmp_path / "x.txt") is Format.TABLE
    assert choose_format(None, tmp_path / "x.JSONL") is Format.JSONL
    assert choose_format(Format.CSV, tmp_path / "x.csv") is Format.CSV
    assert choose_format(Format.PARQUET, tmp_path / "x") is Format.PARQUET
