"""`rows` of several markets, exchanges and days: at once, complete, resumable, with a line each."""

import csv
import json
import random
import shlex
from collections import defaultdict
from itertools import chain

import pytest
from support.exchange import small_sandbox as small

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
from kiwoom_async.cli import _progress, _queries
from kiwoom_async.cli._resume import ResumeState
from kiwoom_async.sandbox import Fault

RANGE = ["--from", "2026-11-19", "--to", "2026-11-22"]
BOTH = ["--market", "KOSPI", "--market", "KOSDAQ"]
CODES = {"KOSPI": "P00101", "KOSDAQ": "P10102", "KRX": "1", "NXT": "2", "CONSOLIDATED": "3"}


def truth(day, market, exchange="KRX"):
    rows = small().rows(day.replace("-", ""), CODES[market], CODES[exchange])
    return [row["stk_cd"] for row in rows]


def by_query(records):
    found = defaultdict(list)
    for record in records:
        found[record["date"], record["market"], record["exchange"]].append(record["symbol"])
    return found


def expected(days=("2026-11-19", "2026-11-20"), exchanges=("KRX",)):
    return {
        (day, market, exchange): truth(day, market, exchange)
        for day in days
        for market in ("KOSPI", "KOSDAQ")
        for exchange in exchanges
    }


def test_a_range_of_both_markets_is_every_row_once(run):
    result = run("rows", *RANGE, *BOTH, "--format", "jsonl", "--sandbox")
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    # The last two days are a weekend.
    assert by_query(records) == expected()
    assert result.stderr == ""


def test_six_queries_as_csv_have_one_heading(run):
    exchanges = [word for name in Exchange for word in ("--exchange", name)]
    result = run("rows", "--date", "20261120", *BOTH, *exchanges, "--format", "csv", "--sandbox")
    records = list(csv.DictReader(result.stdout.splitlines()))
    assert by_query(records) == expected(("2026-11-20",), tuple(Exchange))


def test_a_table_says_above_each_page_whose_it_is(run):
    result = run("rows", "--date", "2026-11-20", *BOTH, "--sandbox")
    heading, *lines = result.stdout.splitlines()
    assert heading.startswith("symbol")
    found, query = defaultdict(list), None
    for line in lines:
        if line.startswith("-- "):
            query = tuple(line[3:].split())
        else:
            found[query].append(line.split()[0])
    assert found == expected(("2026-11-20",))


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
@pytest.mark.parametrize("call", [1, 2, 4, 7, 11, 14])
def test_after_an_error_the_printed_command_completes_the_file(run, tmp_path, form, call):
    file = tmp_path / "days"
    arguments = ["rows", *RANGE, *BOTH, "--format", form, "--sandbox", "--output", str(file)]
    failed = run(*arguments, sandbox=small(Fault("firewall", call=call)))
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
        assert sorted(symbols) == sorted(chain.from_iterable(expected().values()))
    else:
        lines = text.splitlines()
        records = csv.DictReader(lines) if form == "csv" else map(json.loads, lines)
        assert by_query(records) == expected()
    again = run(*command[1:])
    assert again.exit_code == 2
    assert not partial or "was it resumed already?" in again.stderr


def test_a_walk_may_be_interrupted_at_every_call_and_still_ends_complete(run, tmp_path):
    """Each resumed command fails one call later; every row is there once in the end."""
    file = tmp_path / "days.jsonl"
    command = ["rows", *RANGE, *BOTH, "--format", "jsonl", "--sandbox", "--output", str(file)]
    for _ in range(40):
        result = run(*command, sandbox=small(Fault("firewall", call=3)))
        if result.exit_code == 0:
            break
        assert result.exit_code == 1
        command = shlex.split(result.stderr.splitlines()[-1])[1:]
    else:
        raise AssertionError("no progress")
    records = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert by_query(records) == expected()


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
        ([*RANGE, "--resume", "7"], "is not, or not all of, what was printed"),
        ([*RANGE, "--resume", "1+2@9~00000000"], "lacks a part, or was printed for another"),
        ([*RANGE, "--output", "no/such/directory"], "there is no directory no/such"),
        (["--from", "0001-01-01", "--to", "9999-12-31", *BOTH], "has not come yet"),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(run, arguments, message):
    result = run("rows", *arguments, "--sandbox")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_range_without_data_says_so(run):
    result = run("rows", "--from", "2026-11-21", "--to", "2026-11-22", "--sandbox")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert "no data for any of the 2 queries" in result.stderr


def test_long_work_is_counted_in_days():
    earlier = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    progress = progress_of(
        delivered(KOSPI, 1), delivered(KOSPI, 2), expected={KOSPI: 50, earlier: 2_000_000}
    )
    assert (
        progress.lines(0.2)[-1]
        == "0 of 2 queries done · 100 rows · 5.0 calls/s · about 4.6 days left"
    )


# ---- what is left


def cursor(page):
    return Cursor("ka90004", (("dt", "20261120"),), f"K{page}", page)


def test_what_is_left_survives_its_text():
    chance = random.Random(3).random
    for _ in range(300):
        left = ResumeState(total=1 + int(9 * chance()))
        for _ in range(int(30 * chance())):
            if left.remaining:
                place = left.remaining[int(min(3, len(left.remaining)) * chance())]
                left.page_written(place, None if chance() < 0.3 else cursor(2 + int(9 * chance())))
        if left.remaining and not left.nothing_written:
            size = int(1e6 * chance()) if chance() < 0.5 else None
            assert ResumeState.parse(left.to_text(size, "rows"), left.total, "rows") == (left, size)


def test_a_page_that_overtakes_leaves_the_earlier_ones_to_be_done():
    left = ResumeState(total=5)
    left.page_written(2, cursor(2))
    assert left.remaining == [0, 1, 2, 3, 4]
    left.page_written(0, None)
    left.page_written(2, None)
    assert left.remaining == [1, 3, 4]
    assert left.to_text(None, "rows").startswith("1+3~")


def test_one_query_may_be_resumed_by_a_cursor_alone():
    left = ResumeState(total=1)
    left.page_written(0, cursor(2))
    assert ResumeState.parse(str(cursor(2)), 1, "rows") == (left, None)
    with pytest.raises(ValueError, match="is not, or not all of, what was printed"):
        ResumeState.parse(str(cursor(2)), 2, "rows")


def test_a_text_that_is_damaged_or_of_another_command_is_not_taken_for_less_work():
    left = ResumeState(total=9)
    for place in (0, 1, 2, 4):
        left.page_written(place, cursor(place + 2))
    text = left.to_text(4711, "rows")
    assert ResumeState.parse(text, 9, "rows") == (left, 4711)
    head, tail = text.index(",") + 1, text.rindex("+")
    for damaged in (text[:tail], text[head:], text[:-1], text[1:], text.replace("+5", "+9")):
        with pytest.raises(ValueError, match="--resume: "):
            ResumeState.parse(damaged, 9, "rows")
    with pytest.raises(ValueError, match="was printed for another command"):
        ResumeState.parse(text, 9, "other rows")


def test_the_text_of_another_range_or_format_is_refused(run, tmp_path):
    file = tmp_path / "days"
    asked = ["rows", *RANGE, "--format", "jsonl", "--sandbox", "--output", str(file)]
    failed = run(*asked, sandbox=small(Fault("firewall", call=3)))
    *_, resume = shlex.split(failed.stderr.splitlines()[-1])
    for others in (["--to", "2026-11-21"], ["--format", "csv"], BOTH):
        result = run(*asked, *others, "--resume", resume)
        assert result.exit_code == 2
        assert "was printed for another command" in result.stderr


def test_days_without_rows_before_an_error_leave_a_file_to_go_on_with(run, tmp_path):
    """The weekend answers, then all fails: nothing is written yet, and still something is done."""
    file = tmp_path / "days.jsonl"
    asked = ["rows", "--from", "2026-11-14", "--to", "2026-11-16", "--format", "jsonl",
             "--sandbox", "--output", str(file)]  # fmt: skip
    failed = run(*asked, sandbox=small(Fault("firewall", call=3, times=9)))
    resumed = run(*shlex.split(failed.stderr.splitlines()[-1])[1:])
    assert (resumed.exit_code, resumed.stderr) == (0, "")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 120


def test_a_range_includes_both_its_ends():
    days = _queries.parse_days("2026-02-27", "20260302", None)
    assert [f"{day:%m%d}" for day in days] == ["0227", "0228", "0301", "0302"]
    assert _queries.parse_days(None, None, "20260302") == days[-1:]


# ---- progress

KOSPI, KOSDAQ = _queries.build_queries(
    _queries.parse_days(None, None, "2026-11-20"), list(Market), [Exchange.KRX]
)


def delivered(query, number, rows=50, *, last=False):
    return PageDelivered(query=query, number=number, rows=rows, last=last)


def progress_of(*events, expected=None, skipped=None):
    progress = _progress.Progress()
    progress.expect(expected or {KOSPI: 50}, skipped)
    for event in events:
        progress.on_event(event)
    return progress


def test_one_query_is_one_line():
    """Fifty pages are expected; eleven in two seconds leave some eight seconds."""
    pages = [delivered(KOSPI, number) for number in range(1, 61)]
    whole = "KOSPI KRX · page 11 · 550 rows · 5.0 calls/s · about 8 s left"
    assert progress_of(*pages[:11]).lines(2.0) == [whole]
    assert progress_of(*pages[:1]).lines(0.0) == ["KOSPI KRX · page 1 · 50 rows"]
    assert progress_of(*pages).lines(2.0)[0].endswith("about 0 s left")


def test_a_resumed_walk_expects_what_is_left():
    pages = [delivered(KOSPI, number) for number in range(31, 42)]
    line = "KOSPI KRX · page 41 · 550 rows · 5.0 calls/s · about 2 s left"
    assert progress_of(*pages, skipped={KOSPI: 30}).lines(2.0) == [line]


def test_several_queries_are_a_line_each_and_one_for_all():
    progress = progress_of(
        delivered(KOSPI, 1), delivered(KOSDAQ, 1, 30), delivered(KOSPI, 2, 20, last=True),
        expected={KOSPI: 2, KOSDAQ: 61},
    )  # fmt: skip
    assert progress.lines(0.4) == [
        "KOSPI KRX · page 2 · 70 rows · about 0 s left",
        # Both take turns, so that each has half of the rate.
        "KOSDAQ KRX · page 1 · 30 rows · about 24 s left",
        "1 of 2 queries done · 100 rows · 5.0 calls/s · about 12 s left",
    ]
    progress.on_event(WalkFinished(query=KOSPI, pages=2, rows=70, complete=True))
    assert len(progress.lines(0.4)) == 2


def test_days_are_named_when_they_differ():
    earlier = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    progress = progress_of(delivered(earlier, 1), expected={KOSPI: 2, earlier: 61})
    assert progress.lines(0.0)[0] == "2026-11-19 KOSPI KRX · page 1 · 50 rows"


def test_trouble_is_shown_until_the_next_attempt():
    trouble = CallRetried(
        api_id="ka90004", query=KOSPI, attempt=1, error=TransportTimeout("slow"), seconds=1.25
    )
    progress = progress_of(
        SlotWaited(api_id="ka90004", query=KOSPI, seconds=0.0), delivered(KOSPI, 1), trouble
    )
    assert progress.lines(0.0) == [
        "KOSPI KRX · page 1 · 50 rows · TransportTimeout, again in 1.2 s"
    ]
    progress.on_event(CallSent(api_id="ka90004", query=KOSPI, attempt=2))
    assert progress.lines(0.0) == ["KOSPI KRX · page 1 · 50 rows"]


def test_many_queries_do_not_fill_the_screen():
    queries = _queries.build_queries(
        _queries.parse_days("2026-11-02", "2026-11-20", None), list(Market), list(Exchange)
    )
    events = [delivered(query, 1) for query in queries]
    progress = progress_of(*events, expected=dict.fromkeys(queries, 50))
    assert len(progress.lines(0.0)) == 9
