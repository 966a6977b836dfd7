"""`kiwoom-async rows` of one query: formats, exit codes, resuming, and what a failure leaves."""

import csv
import errno
import io
import json
import shlex
import sys
from functools import partial
from pathlib import Path

import attrs
import pytest
from rich.cells import cell_len
from support.exchange import small_sandbox

import kiwoom_async
from kiwoom_async import Exchange, Market, PriceMove, ProgramTrade, ProgramTradeQuery
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async.cli import _formats, _output, _resume, _rows, _rows_command
from kiwoom_async.sandbox import Fault, Sandbox

DAY = ["--date", "2026-11-20"]
QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
COLUMNS = tuple(field.name for field in attrs.fields(ProgramTrade))


def server_symbols(market="P00101", exchange="1"):
    return [row["stk_cd"] for row in small_sandbox().rows("20261120", market, exchange)]


def test_rows_as_json_lines(run):
    result = run("rows", *DAY, "--format", "jsonl", "--sandbox")
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["symbol"] for record in records] == server_symbols()
    assert records[0]["date"] == "2026-11-20"
    assert records[0]["market"] == "KOSPI"
    assert isinstance(records[0]["turnover_share"], float)
    assert {record["move"] for record in records} <= {*PriceMove, None}
    assert result.stderr == ""


def test_ka90004_may_be_named_like_any_other_request(run):
    words = [*DAY, "--format", "jsonl", "--sandbox"]
    named, unnamed = run("rows", "program-trades", *words), run("rows", *words)
    assert (named.exit_code, named.stdout) == (0, unnamed.stdout)


def test_rows_as_csv(run):
    result = run("rows", *DAY, "--format", "csv", "--sandbox", "--market", "kosdaq")
    records = list(csv.DictReader(result.stdout.splitlines()))
    assert [record["symbol"] for record in records] == server_symbols("P10102")
    assert tuple(records[0]) == COLUMNS


def test_rows_as_a_table(run):
    result = run("rows", *DAY, "--sandbox", "--exchange", "CONSOLIDATED")
    heading, *lines = result.stdout.splitlines()
    assert heading.split()[:3] == ["symbol", "name", "price"]
    assert {cell_len(line) for line in lines} == {79}
    assert [line.split()[0] for line in lines] == server_symbols(exchange="3")


def test_a_csv_file_begins_with_a_byte_order_mark_and_is_never_overwritten(run, tmp_path):
    file = tmp_path / "day.csv"
    assert run("rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)).exit_code == 0
    assert file.read_bytes().startswith("\ufeffsymbol,".encode())
    again = run("rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file))
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == 121


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_after_an_error_the_printed_command_completes_the_file(run, tmp_path, form):
    file = tmp_path / "day"
    arguments = ["rows", *DAY, "--format", form, "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small_sandbox(Fault("firewall", call=3)))
    assert failed.exit_code == 1
    assert "BlockedError: " in failed.stderr
    partial = file.read_text(encoding="utf-8")
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert command[:2] == ["kiwoom-async", "rows"]
    assert run(*command[1:]).exit_code == 0
    whole = file.read_text(encoding="utf-8")
    again = run(*command[1:])
    assert (again.exit_code, file.read_text(encoding="utf-8")) == (2, whole)
    assert "was it resumed already?" in again.stderr
    assert whole.startswith(partial)
    fresh = tmp_path / "fresh"
    run(*arguments[:-1], str(fresh))
    assert file.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows"], "name one day with --date, or a range"),
        (["rows", "--date", "2026-02-30", "--sandbox"], "is no day of the calendar"),
        (["rows", "--date", "2999-01-01", "--sandbox"], "has not come yet"),
        (["rows", *DAY, "--market", "KONEX"], "KONEX"),
        (["rows", *DAY, "--format", "xml"], "xml"),
        (["rows", *DAY, "--sandbox", "--resume", "k1.x"], "cursor: "),
        (["rows", *DAY], "KIWOOM_APP_KEY"),
        (["nonsense"], "nonsense"),
        (["rows", "program-trade", *DAY], "Did you mean 'program-trades'?"),
        (["rows", "--sandbox", "program-trades", *DAY], "unexpected extra argument"),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_day_without_data_is_an_empty_file_in_a_format_without_header(run, tmp_path):
    file = tmp_path / "sunday.jsonl"
    sunday = ["rows", "--date", "2026-11-15", "--format", "jsonl", "--sandbox"]
    result = run(*sunday, "--output", str(file))
    assert (result.exit_code, file.read_bytes()) == (0, b"")
    assert "no data for 2026-11-15" in result.stderr


def test_a_failed_start_leaves_no_file_and_its_command_can_be_repeated(run, tmp_path):
    file = tmp_path / "day.csv"
    arguments = ["rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small_sandbox(Fault("code", code="8050", api_id="au10001")))
    assert failed.exit_code == 1
    assert "[8050:" in failed.stderr
    assert "register this machine's public IP address" in failed.stderr
    assert not file.exists()
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0
    assert file.exists()


def test_a_day_without_data_is_a_csv_header_without_rows(run):
    result = run("rows", "--date", "2026-11-15", "--format", "csv", "--sandbox")
    assert (result.exit_code, result.stdout) == (0, ",".join(COLUMNS) + "\n")
    assert "no data for 2026-11-15 KOSPI KRX" in result.stderr


def test_a_file_to_resume_must_exist(run, tmp_path):
    output = ["--output", str(tmp_path / "gone.csv")]
    result = run("rows", *DAY, "--sandbox", *output, "--resume", str(first_cursor(QUERY)))
    assert result.exit_code == 2
    assert "is not there to be resumed" in result.stderr


def test_a_resumed_walk_on_standard_output_has_no_header(run):
    resume = ["--resume", str(first_cursor(QUERY))]
    result = run("rows", *DAY, "--format", "csv", "--sandbox", *resume)
    assert result.stdout.startswith(server_symbols()[0])


class FullDisk(io.FileIO):
    """A file on a disk that is full after a hundred bytes of the third write."""

    writes = 0

    def write(self, data):
        self.writes += 1
        if self.writes == 3:
            return super().write(bytes(data)[:100])
        if self.writes == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_leaves_whole_pages_and_the_command_that_resumes(run, tmp_path, monkeypatch):
    file = tmp_path / "day.csv"
    arguments = ["rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, mode, **_: FullDisk(path, mode))
        failed = run(*arguments)
    assert failed.exit_code == 1
    assert f"No space left on device: '{file}'" in failed.stderr
    assert len(file.read_text(encoding="utf-8").splitlines()) == 101
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0
    whole = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
    assert [line["symbol"] for line in whole] == server_symbols()


def test_a_disk_that_is_full_from_the_start_leaves_no_file(run, tmp_path, monkeypatch):
    file = tmp_path / "day.csv"
    arguments = ["rows", *DAY, "--format", "csv", "--sandbox", "--output", str(file)]
    with monkeypatch.context() as patch:
        patch.setattr(FullDisk, "writes", 3)
        patch.setattr(Path, "open", lambda path, mode, **_: FullDisk(path, mode))
        failed = run(*arguments)
    assert (failed.exit_code, file.exists()) == (1, False)
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0


@pytest.mark.parametrize("size", ["", "x", "-5", "1x", "1@2", " 1"])
def test_a_resume_text_with_a_damaged_length_is_refused(run, tmp_path, size):
    file = tmp_path / "day"
    file.write_text("1")
    resume = f"{first_cursor(QUERY)}@{size}"
    result = run("rows", *DAY, "--sandbox", "--output", str(file), "--resume", resume)
    assert (result.exit_code, file.read_text()) == (2, "1")


def test_an_interrupt_during_a_write_leaves_whole_pages(tmp_path, monkeypatch):
    with _output.PagedFile(tmp_path / "f", new=True) as file:
        file.write("whole")
        monkeypatch.setattr(file, "_raw", InterruptedFile(file._raw))
        with pytest.raises(KeyboardInterrupt):
            file.write("half a page")
    assert (tmp_path / "f").read_text() == "whole"


class InterruptedFile:
    """A raw file whose write is interrupted after four bytes."""

    def __init__(self, raw):
        self.raw = raw

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def write(self, data):
        self.raw.write(bytes(data)[:4])
        raise KeyboardInterrupt


def test_a_continuation_error_advises_to_start_over_if_it_repeats(run):
    result = run("rows", *DAY, "--sandbox", sandbox=small_sandbox(Fault("empty_key", call=2)))
    assert result.exit_code == 1
    assert "--resume" in result.stderr.splitlines()[-2]
    assert result.stderr.splitlines()[-1].startswith("If it comes again, start over")


def test_a_warning_is_printed_without_source_code(run):
    sandbox = Sandbox(kospi_stocks=1)
    make = partial(kiwoom_async.KiwoomClient.sandbox, environment=kiwoom_async.Environment.MOCK)
    arguments = ["rows", *DAY, "--sandbox", "--exchange", "NXT"]
    result = run(*arguments, sandbox=sandbox, make=make)
    assert result.exit_code == 0
    assert "warning: the specification says that the mock host" in result.stderr
    assert ".py" not in result.stderr


def test_a_complete_walk_prints_no_resume_command(capsys):
    complete = _resume.ResumeState(total=1, begun=1)
    job = _rows.RowsJob([QUERY], DAY, _formats.Format.CSV, None, True, complete)
    _rows_command._print_how_to_go_on(job)
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_created_exits_with_1(run, tmp_path):
    file = tmp_path / f"{'x' * 300}.csv"
    result = run("rows", *DAY, "--sandbox", "--output", str(file))
    assert result.exit_code == 1
    assert "File name too long" in result.stderr


class SlowPipe(io.RawIOBase):
    """A pipe that takes 100 bytes a write, and is closed after `limit` bytes."""

    def __init__(self, limit=10**9):
        self.taken = b""
        self._limit = limit

    def writable(self):
        return True

    def write(self, data):
        if len(self.taken) >= self._limit:
            raise OSError(errno.EPIPE, "the reader has left")
        self.taken += bytes(data[:100])
        return min(100, len(data))


def test_unbuffered_output_is_written_completely(monkeypatch):
    """Under PYTHONUNBUFFERED a pipe may take part of a write."""
    raw = SlowPipe()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    _output.StandardOutput().write("가나다라\n" * 200)
    assert raw.taken.decode() == "가나다라\n" * 200


def test_the_bytes_of_a_partial_page_are_counted(monkeypatch):
    raw = SlowPipe(limit=300)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    output = _output.StandardOutput()
    with pytest.raises(OSError, match="the reader has left"):
        output.write("x" * 1000)
    assert output.partial_bytes == 300


def test_a_partial_page_is_removed_from_a_redirected_file(tmp_path, monkeypatch):
    class FullFile(io.FileIO):
        def write(self, data):
            super().write(bytes(data[:100]))
            raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "out"
    file.write_text("whole page\n", encoding="utf-8")
    raw = FullFile(file, "ab")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    output = _output.StandardOutput()
    with pytest.raises(OSError, match="No space left"):
        output.write("x" * 1000)
    raw.close()
    assert output.partial_bytes == 0
    assert file.read_text(encoding="utf-8") == "whole page\n"


def test_a_cursor_of_another_query_exits_with_1_and_the_reason(run):
    other = first_cursor(ProgramTradeQuery("20261119", Market.KOSPI, Exchange.KRX))
    result = run("rows", *DAY, "--sandbox", "--resume", str(other))
    assert result.exit_code == 1
    assert "belongs to another query" in result.stderr
