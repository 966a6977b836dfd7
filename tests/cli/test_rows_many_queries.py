"""`rows` of several markets, exchanges and days at once: completeness, resuming, progress."""

import csv
import errno
import json
import random
import re
import shlex
from collections import defaultdict
from functools import partial
from itertools import chain

import pytest
from support.exchange import small_sandbox

from kiwoom_async import (
    CallRetried,
    CallSent,
    Cursor,
    Exchange,
    Market,
    PageDelivered,
    ProgramTradeQuery,
    SlotWaited,
    TransportTimeout,
    WalkFinished,
)
from kiwoom_async.cli import _progress, _queries, _rows
from kiwoom_async.cli._resume import ResumeState
from kiwoom_async.cli._shell import command_line
from kiwoom_async.sandbox import Fault

RANGE = ["--from", "2026-11-19", "--to", "2026-11-22"]
BOTH = ["--market", "KOSPI", "--market", "KOSDAQ"]
CODES = {"KOSPI": "P00101", "KOSDAQ": "P10102", "KRX": "1", "NXT": "2", "CONSOLIDATED": "3"}


def server_symbols(day, market, exchange="KRX"):
    rows = small_sandbox().rows(day.replace("-", ""), CODES[market], CODES[exchange])
    return [row["stk_cd"] for row in rows]


def symbols_by_query(records):
    symbols = defaultdict(list)
    for record in records:
        symbols[record["date"], record["market"], record["exchange"]].append(record["symbol"])
    return symbols


def expected_symbols(days=("2026-11-19", "2026-11-20"), exchanges=("KRX",)):
    return {
        (day, market, exchange): server_symbols(day, market, exchange)
        for day in days
        for market in ("KOSPI", "KOSDAQ")
        for exchange in exchanges
    }


def test_a_range_of_both_markets_gives_every_row_once(run):
    result = run("rows", *RANGE, *BOTH, "--format", "jsonl", "--sandbox")
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    # The last two days are a weekend.
    assert symbols_by_query(records) == expected_symbols()
    assert result.stderr == ""


def test_six_queries_as_csv_have_one_header(run):
    exchanges = [word for name in Exchange for word in ("--exchange", name)]
    result = run("rows", "--date", "20261120", *BOTH, *exchanges, "--format", "csv", "--sandbox")
    records = list(csv.DictReader(result.stdout.splitlines()))
    assert symbols_by_query(records) == expected_symbols(("2026-11-20",), tuple(Exchange))


def test_a_table_of_several_queries_has_a_line_above_each_page(run):
    result = run("rows", "--date", "2026-11-20", *BOTH, "--sandbox")
    heading, *lines = result.stdout.splitlines()
    assert heading.startswith("symbol")
    symbols, query = defaultdict(list), None
    for line in lines:
        if line.startswith("-- "):
            query = tuple(line[3:].split())
        else:
            symbols[query].append(line.split()[0])
    assert symbols == expected_symbols(("2026-11-20",))


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
@pytest.mark.parametrize("call", [1, 2, 4, 7, 11, 14])
def test_after_an_error_the_printed_command_completes_the_file(run, tmp_path, form, call):
    file = tmp_path / "days"
    arguments = ["rows", *RANGE, *BOTH, "--format", form, "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small_sandbox(Fault("firewall", call=call)))
    assert failed.exit_code == 1
    command = shlex.split(failed.stderr.splitlines()[-1])
    partial = file.read_bytes() if file.exists() else b""
    resumed = run(*command[1:])
    assert resumed.exit_code == 0, resumed.stderr
    assert file.read_bytes().startswith(partial)
    text = file.read_text(encoding="utf-8-sig")
    if form == "table":
        assert text.count("symbol") == 1
        symbols = [line.split()[0] for line in text.splitlines()[1:] if not line.startswith("--")]
        assert sorted(symbols) == sorted(chain.from_iterable(expected_symbols().values()))
    else:
        lines = text.splitlines()
        records = csv.DictReader(lines) if form == "csv" else map(json.loads, lines)
        assert symbols_by_query(records) == expected_symbols()
    again = run(*command[1:])
    assert again.exit_code == 2
    assert not partial or "was it resumed already?" in again.stderr


def test_a_walk_resumed_again_and_again_ends_complete(run, tmp_path):
    """Each command fails at its third call; in the end every row is there once."""
    file = tmp_path / "days.jsonl"
    command = ["rows", *RANGE, *BOTH, "--format", "jsonl", "--sandbox", "--output", str(file)]
    for _ in range(40):
        result = run(*command, sandbox=small_sandbox(Fault("firewall", call=3)))
        if result.exit_code == 0:
            break
        assert result.exit_code == 1
        command = shlex.split(result.stderr.splitlines()[-1])[1:]
    else:
        raise AssertionError("no progress")
    records = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert symbols_by_query(records) == expected_symbols()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2026-11-20"], "name one day with --date, or a range with --from and --to"),
        (["--to", "2026-11-20"], "name one day with --date, or a range with --from and --to"),
        ([*RANGE, "--date", "2026-11-20"], "name one day with --date, or a range"),
        (["--from", "2026-11-20", "--to", "2026-11-19"], "2026-11-20 is after --to, 2026-11-19"),
        (["--from", "2026-11-31", "--to", "2026-12-01"], "is no day of the calendar"),
        (["--from", "2026-11-20", "--to", "2126-11-19"], "has not come yet"),
        (["--date", "2026-11-20", "--market", "KOSPI", "--market", "KOSPI"], "comes twice"),
        ([*RANGE, "--resume", "7"], "expected the whole text that was printed"),
        ([*RANGE, "--resume", "1+2@9~00000000"], "lacks a part, or was printed for another"),
        ([*RANGE, "--output", "no/such/days.csv"], "there is no directory no/such"),
        (["--from", "0001-01-01", "--to", "9999-12-31", *BOTH], "has not come yet"),
    ],
)
def test_wrong_use_exits_with_2_and_the_reason(run, arguments, message):
    result = run("rows", *arguments, "--sandbox")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_range_without_data_says_so(run):
    result = run("rows", "--from", "2026-11-21", "--to", "2026-11-22", "--sandbox")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert "no data for any of the 2 queries" in result.stderr


def test_a_long_time_left_is_shown_in_days():
    earlier = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    progress = progress_after(
        delivered(KOSPI, 1), delivered(KOSPI, 2), expected={KOSPI: 50, earlier: 2_000_000}
    )
    assert (
        progress.lines(0.2)[-1]
        == "0 of 2 queries done · 100 rows · 5.0 calls/s · about 4.6 days left"
    )


def cursor(page):
    return Cursor("ka90004", (("dt", "20261120"),), f"K{page}", page)


def test_a_resume_state_survives_its_text():
    chance = random.Random(3).random
    for _ in range(300):
        state = ResumeState(total=1 + int(9 * chance()))
        for _ in range(int(30 * chance())):
            if state.remaining:
                number = state.remaining[int(min(3, len(state.remaining)) * chance())]
                state.page_written(
                    number, None if chance() < 0.3 else cursor(2 + int(9 * chance()))
                )
        if state.remaining and not state.nothing_written:
            size = int(1e6 * chance()) if chance() < 0.5 else None
            text = state.to_text(size, "rows")
            assert ResumeState.parse(text, state.total, "rows") == (state, size)


def test_earlier_queries_remain_when_a_later_one_begins_first():
    state = ResumeState(total=5)
    state.page_written(2, cursor(2))
    assert state.remaining == [0, 1, 2, 3, 4]
    state.page_written(0, None)
    state.page_written(2, None)
    assert state.remaining == [1, 3, 4]
    assert state.to_text(None, "rows").startswith("1+3~")


def test_one_query_may_be_resumed_by_a_cursor_alone():
    state = ResumeState(total=1)
    state.page_written(0, cursor(2))
    assert ResumeState.parse(str(cursor(2)), 1, "rows") == (state, None)
    with pytest.raises(ValueError, match="expected the whole text that was printed"):
        ResumeState.parse(str(cursor(2)), 2, "rows")


def test_a_damaged_or_foreign_resume_text_is_refused():
    state = ResumeState(total=9)
    for number in (0, 1, 2, 4):
        state.page_written(number, cursor(number + 2))
    text = state.to_text(4711, "rows")
    assert ResumeState.parse(text, 9, "rows") == (state, 4711)
    head, tail = text.index(",") + 1, text.rindex("+")
    for damaged in (text[:tail], text[head:], text[:-1], text[1:], text.replace("+5", "+9")):
        with pytest.raises(ValueError, match="--resume: "):
            ResumeState.parse(damaged, 9, "rows")
    with pytest.raises(ValueError, match="was printed for another command"):
        ResumeState.parse(text, 9, "other rows")


def test_a_resume_text_of_another_range_or_format_is_refused(run, tmp_path):
    file = tmp_path / "days"
    command = ["rows", *RANGE, "--format", "jsonl", "--sandbox", "--output", str(file)]
    failed = run(*command, sandbox=small_sandbox(Fault("firewall", call=3)))
    *_, resume = shlex.split(failed.stderr.splitlines()[-1])
    assert resume == f"{file}.resume"
    for options in (["--to", "2026-11-21"], ["--format", "csv"], BOTH):
        result = run(*command, *options, "--resume", resume)
        assert result.exit_code == 2
        assert "was printed for another command" in result.stderr


def test_the_state_of_many_queries_lies_in_a_file_until_all_has_come(run, tmp_path):
    file = tmp_path / "of two markets.jsonl"
    command = ["rows", *RANGE, *BOTH, "--sandbox", "--output", str(file)]
    failed = run(*command, sandbox=small_sandbox(Fault("firewall", call=5)))
    assert failed.exit_code == 1
    line = failed.stderr.splitlines()[-1]
    assert len(line) < 400
    assert shlex.split(line)[-2:] == ["--resume", f"{file}.resume"]
    once_more = run(*shlex.split(line)[1:], sandbox=small_sandbox(Fault("firewall", call=3)))
    assert once_more.exit_code == 1
    assert once_more.stderr.splitlines()[-1] == line
    assert run(*shlex.split(line)[1:]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    records = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert symbols_by_query(records) == expected_symbols()


def test_the_text_in_the_file_may_be_passed_itself(run, tmp_path):
    file = tmp_path / "days.jsonl"
    command = ["rows", *RANGE, *BOTH, "--sandbox", "--output", str(file)]
    run(*command, sandbox=small_sandbox(Fault("firewall", call=5)))
    text = (tmp_path / "days.jsonl.resume").read_text(encoding="ascii")
    assert run(*command, "--resume", text).exit_code == 0


@pytest.mark.parametrize("content", ["", "1+2@9~00000000", "a,b\n1,2\n", "삼성전자"])
def test_a_file_that_holds_no_state_is_refused(run, tmp_path, content):
    file, state = tmp_path / "days.jsonl", tmp_path / "state"
    file.write_text("mine")
    state.write_text(content, encoding="utf-8")
    options = ["--sandbox", "--output", str(file), "--resume", str(state)]
    result = run("rows", *RANGE, *options)
    assert (result.exit_code, "--resume: " in result.stderr) == (2, True)
    assert (file.read_text(), state.exists()) == ("mine", True)


def test_where_no_file_can_hold_the_state_the_text_is_printed(run, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "days.jsonl"
    command = ["rows", *RANGE, *BOTH, "--sandbox", "--output", str(file)]
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        failed = run(*command, sandbox=small_sandbox(Fault("firewall", call=5)))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert run(*shlex.split(failed.stderr.splitlines()[-1])[1:]).exit_code == 0


def test_on_standard_output_the_state_is_text(run):
    failed = run("rows", *RANGE, "--sandbox", sandbox=small_sandbox(Fault("firewall", call=3)))
    *_, resume = shlex.split(failed.stderr.splitlines()[-1])
    assert "~" in resume


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rows", "--date", "2026-11-20"], "rows --date 2026-11-20"),
        (["--output", r"C:\data\day.csv"], r"--output C:\data\day.csv"),
        (["--output", r"C:\my data\day.csv"], r'--output "C:\my data\day.csv"'),
        (["--output", "C:\\my data\\"], '--output "C:\\my data\\\\"'),
        (["--output", "한글.csv"], "--output 한글.csv"),
        (["--resume", "0=k1.a_b-c+1@77~00c0ffee"], '--resume "0=k1.a_b-c+1@77~00c0ffee"'),
        (["--sharing", "redis://me:***@host:6379"], '--sharing "redis://me:***@host:6379"'),
        (["it's", ""], '"it\'s" ""'),
        (['a "b" \\"'], '"a \\"b\\" \\\\\\""'),
    ],
)
def test_on_windows_double_quotes_serve_both_of_its_shells(words, line):
    assert command_line(words, windows=True) == line


def test_elsewhere_a_command_is_quoted_for_sh():
    words = ["rows", "--output", "it's $HOME `x`.csv", "--resume", "0=k1.a+1"]
    assert shlex.split(command_line(words, windows=False)) == words


def test_on_windows_the_printed_command_has_no_single_quote(run, monkeypatch):
    monkeypatch.setattr(_rows, "command_line", partial(command_line, windows=True))
    sandbox = small_sandbox(Fault("firewall", call=3))
    failed = run("rows", "--date", "2026-11-20", "--sandbox", sandbox=sandbox)
    line = failed.stderr.splitlines()[-1]
    assert "'" not in line
    assert re.search(r' --resume "0=k1\.[^"]+"$', line)


def test_an_error_after_days_without_rows_leaves_a_file_to_resume(run, tmp_path):
    """The weekend is complete, then every call fails: the file is empty, but two days are done."""
    file = tmp_path / "days.jsonl"
    command = ["rows", "--from", "2026-11-14", "--to", "2026-11-16", "--format", "jsonl",
             "--sandbox", "--output", str(file)]  # fmt: skip
    failed = run(*command, sandbox=small_sandbox(Fault("firewall", call=3, times=9)))
    resumed = run(*shlex.split(failed.stderr.splitlines()[-1])[1:])
    assert resumed.exit_code == 0
    assert resumed.stderr == f"{file}: 120 more rows, everything adds up\n"
    assert len(file.read_text(encoding="utf-8").splitlines()) == 120


def test_a_range_includes_its_first_and_last_day():
    days = _queries.parse_days("2026-02-27", "20260302", None)
    assert [f"{day:%m%d}" for day in days] == ["0227", "0228", "0301", "0302"]
    assert _queries.parse_days(None, None, "20260302") == days[-1:]


KOSPI, KOSDAQ = _queries.build_queries(
    _queries.parse_days(None, None, "2026-11-20"), list(Market), [Exchange.KRX]
)


def delivered(query, number, rows=50, *, last=False):
    return PageDelivered(query=query, number=number, rows=rows, last=last)


def progress_after(*events, expected=None, pages_before=None):
    progress = _progress.Progress()
    progress.expect(expected or {KOSPI: 50}, pages_before)
    for event in events:
        progress.on_event(event)
    return progress


def test_one_query_has_one_line():
    """Eleven of 50 pages in 2 s leave about 8 s."""
    pages = [delivered(KOSPI, number) for number in range(1, 61)]
    line = "KOSPI KRX · page 11 · 550 rows · 5.0 calls/s · about 8 s left"
    assert progress_after(*pages[:11]).lines(2.0) == [line]
    assert progress_after(*pages[:1]).lines(0.0) == ["KOSPI KRX · page 1 · 50 rows"]
    assert progress_after(*pages).lines(2.0)[0].endswith("about 0 s left")


def test_a_resumed_walk_counts_only_its_remaining_pages():
    pages = [delivered(KOSPI, number) for number in range(31, 42)]
    line = "KOSPI KRX · page 41 · 550 rows · 5.0 calls/s · about 2 s left"
    assert progress_after(*pages, pages_before={KOSPI: 30}).lines(2.0) == [line]


def test_several_queries_have_a_line_each_and_a_summary():
    progress = progress_after(
        delivered(KOSPI, 1), delivered(KOSDAQ, 1, 30), delivered(KOSPI, 2, 20, last=True),
        expected={KOSPI: 2, KOSDAQ: 61},
    )  # fmt: skip
    assert progress.lines(0.4) == [
        "KOSPI KRX · page 2 · 70 rows · about 0 s left",
        # The two walks take turns, so each has half of the rate.
        "KOSDAQ KRX · page 1 · 30 rows · about 24 s left",
        "1 of 2 queries done · 100 rows · 5.0 calls/s · about 12 s left",
    ]
    progress.on_event(WalkFinished(query=KOSPI, pages=2, rows=70, complete=True))
    assert len(progress.lines(0.4)) == 2


def test_dates_are_shown_when_they_differ():
    earlier = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    progress = progress_after(delivered(earlier, 1), expected={KOSPI: 2, earlier: 61})
    assert progress.lines(0.0)[0] == "2026-11-19 KOSPI KRX · page 1 · 50 rows"


def test_a_retry_is_shown_until_the_next_attempt():
    retried = CallRetried(
        api_id="ka90004", query=KOSPI, attempt=1, error=TransportTimeout("slow"), seconds=1.25
    )
    progress = progress_after(
        SlotWaited(api_id="ka90004", query=KOSPI, seconds=0.0), delivered(KOSPI, 1), retried
    )
    assert progress.lines(0.0) == [
        "KOSPI KRX · page 1 · 50 rows · TransportTimeout, again in 1.2 s"
    ]
    progress.on_event(CallSent(api_id="ka90004", query=KOSPI, attempt=2))
    assert progress.lines(0.0) == ["KOSPI KRX · page 1 · 50 rows"]


def test_at_most_eight_walks_are_shown():
    queries = _queries.build_queries(
        _queries.parse_days("2026-11-02", "2026-11-20", None), list(Market), list(Exchange)
    )
    events = [delivered(query, 1) for query in queries]
    progress = progress_after(*events, expected=dict.fromkeys(queries, 50))
    assert len(progress.lines(0.0)) == 9
