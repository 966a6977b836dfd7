"""Every request of the catalogue on the command line: rows, watch, archive fetch and requests."""

import csv
import json
import shlex

import attrs
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from support.exchange import small_sandbox

from kiwoom_async import tables
from kiwoom_async.archive import Archive
from kiwoom_async.catalog import REQUESTS
from kiwoom_async.sandbox import Fault

MARKET = ["--market", "kospi", "--exchange", "KRX"]
OPTIONS = {
    "stock-daily": ["--symbol", "005930", "--until", "2026-11-20"],
    "stock-intraday": ["--symbol", "005930_AL"],
    "market-daily": ["--until", "20261120", *MARKET],
    "market-intraday": [*MARKET, "--interval", "tick"],
    "market-cumulative": ["--since", "2026-11-02", *MARKET],
    "arbitrage-daily": ["--until", "2026-11-20", "--exchange", "nxt"],
    "amount-ranking": MARKET,
    "quantity-ranking": [*MARKET, "--side", "SELL"],
}
STOCK = ["stock-daily", *OPTIONS["stock-daily"], "--sandbox"]


def test_every_request_but_ka90004_has_options_here():
    assert {*OPTIONS, "program-trades"} == {*REQUESTS}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_request_is_written_and_its_formats_agree(run, tmp_path, name):
    words = ["rows", name, *OPTIONS[name], "--sandbox"]
    files = {form: tmp_path / f"rows.{form}" for form in ("csv", "jsonl", "parquet")}
    for file in files.values():
        result = run(*words, "--output", str(file))
        assert result.exit_code == 0, result.stderr
        compared = "everything adds up"
        if name == "arbitrage-daily":  # nothing in its rows depends on each other
            compared = "nothing amiss; no sums were compared"
        assert result.stderr.endswith(f" rows, {compared}\n")
    rows = tables.rows_of(pq.read_table(files["parquet"]), REQUESTS[name].row_class)
    assert len(rows) > 15
    lines = files["jsonl"].read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [row.to_dict() for row in rows]
    records = [*csv.DictReader(files["csv"].read_text(encoding="utf-8-sig").splitlines())]
    assert [*records[0]] == [*rows[0].to_dict()]
    assert [[*record.values()] for record in records] == [
        ["" if value is None else str(value) for value in attrs.astuple(row)] for row in rows
    ]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_request_is_a_table_with_units(run, name):
    result = run("rows", name, *OPTIONS[name], "--sandbox")
    titles, units, *lines = result.stdout.splitlines()
    assert {cell_len(line) for line in (units, *lines)} == {cell_len(titles)}
    assert "won" in units
    assert lines


def test_several_stocks_are_walked_at_once_and_resumed(run, tmp_path):
    file = tmp_path / "stocks.parquet"
    words = ["rows", *STOCK, "--symbol", "000660_NX", "--output", str(file)]
    failed = run(*words, sandbox=small_sandbox(Fault("firewall", "ka90013", call=4)))
    assert failed.exit_code == 1
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert command[:5] == ["kiwoom-async", "rows", "stock-daily", "--symbol", "005930"]
    assert run(*command[1:]).exit_code == 0
    rows = pq.read_table(file).to_pylist()
    symbols = [row["symbol"] for row in rows]
    assert symbols.count("005930") == symbols.count("000660_NX") == len(rows) / 2
    assert len({(row["symbol"], row["date"]) for row in rows}) == len(rows)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("command", [["rows"], ["watch"], ["archive", "fetch"]])
def test_help_lists_the_requests_and_shows_the_options_of_one(run, command):
    listed = " ".join(run(*command, "--help").stdout.split())
    for name, query_class in REQUESTS.items():
        assert f"{name} " in listed
        assert query_class.api_id in listed
    shown = " ".join(run(*command, "stock-daily", "--help").stdout.split())
    for words in ("ka90013 종목일별프로그램매매추이요청", "--symbol", "종목코드",
                  "May be repeated. [required]", "--until", "YYYY-MM-DD", "날짜",
                  "can differ from KRX even in sign", "--sandbox"):  # fmt: skip
        assert words in shown
    shown = " ".join(run(*command, "amount-ranking", "--help").stdout.split())
    assert "매매상위구분. May be repeated. [default: BUY]" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--symbol", "5930"], "--symbol: got '5930'; expected six digits"),
        (["--symbol", "005930", "--until", "2026-11-31"], "--until: got '2026-11-31'; expected"),
        (["--symbol", "005930", "--until", "2999-01-01"], "--until: 2999-01-01 has not come yet"),
        ([], "Missing option '--symbol'"),
    ],
)
@pytest.mark.parametrize("command", [["rows"], ["watch"], ["archive", "fetch"]])
def test_wrong_use_ends_with_2_and_names_the_option(run, tmp_path, command, words, message):
    folder = [str(tmp_path / "archive")] if command[0] == "archive" else []
    sandbox = small_sandbox()
    result = run(*command, "stock-daily", *folder, *words, "--sandbox", sandbox=sandbox)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not sandbox.arrivals


def test_any_request_can_be_watched(run):
    words = ["stock-intraday", "--symbol", "005930", "--symbol", "000660", "--sandbox"]
    result = run("watch", *words, "--rounds", "2")
    assert result.exit_code == 0, result.stderr
    items = [json.loads(line) for line in result.stdout.splitlines()]
    assert {item["later"]["symbol"] for item in items if item["item"] == "change"} == {
        "005930",
        "000660",
    }
    walks = [item for item in items if item["item"] == "complete"]
    assert [(walk["symbol"], walk["walk"]) for walk in walks] == [
        ("005930", 1), ("000660", 1), ("005930", 2), ("000660", 2),
    ]  # fmt: skip
    assert {*walks[0]} == {"item", "symbol", "walk", "changes", "audit"}
    assert walks[0]["changes"] > 200
    assert walks[2]["changes"] == 0


def test_a_failed_walk_of_any_request_says_what_was_asked_for(run):
    broken = small_sandbox(Fault("firewall", "ka90013"))
    result = run("watch", *STOCK, "--rounds", "1", sandbox=broken)
    failure = json.loads(result.stdout.splitlines()[-1])
    assert (result.exit_code, failure["item"]) == (1, "failure")
    assert (failure["symbol"], failure["until"]) == ("005930", "2026-11-20")


def test_any_request_can_be_fetched_into_an_archive(run, tmp_path):
    folder = tmp_path / "archive"
    words = ["archive", "fetch", "stock-daily", str(folder), *STOCK[1:]]
    dry = run(*words, "--dry-run")
    assert dry.stdout.startswith("0 queries done; left: 1 query, ")
    assert not folder.exists()
    failed = run(*words, sandbox=small_sandbox(Fault("firewall", "ka90013", call=3)))
    assert failed.exit_code == 1
    assert "the same command goes on where this stopped" in failed.stderr
    sandbox = small_sandbox()
    result = run(*words, "--symbol", "000660", sandbox=sandbox)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("2 complete; ")
    days = ["--date", "2026-11-20", "--market", "kospi", "--sandbox"]
    assert run("archive", "fetch", str(folder), *days).exit_code == 0
    status = run("archive", "status", str(folder)).stdout.splitlines()
    assert {line.partition(":")[0] for line in status} == {
        "ka90013_program_stock_daily",
        "KOSPI KRX, 2026-11-20 to 2026-11-20",
    }
    assert run("archive", "verify", str(folder)).exit_code == 0
    assert len(Archive(folder).entries()) == 3


def test_a_folder_with_the_name_of_a_request_is_named_by_its_path(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    days = ["--date", "2026-11-20", "--market", "kospi", "--sandbox"]
    assert run("archive", "fetch", "stock-daily", *days).exit_code == 2
    assert run("archive", "fetch", "./stock-daily", *days).exit_code == 0
    assert run("archive", "fetch", "program-trades", "stock-daily", *days).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["stock-daily"]


def test_a_folder_with_the_name_of_ka90004_needs_no_more_than_its_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    days = ["--date", "2026-11-20", "--market", "kospi", "--sandbox"]
    assert run("archive", "fetch", "program-trades", *days).exit_code == 0
    assert run("archive", "fetch", *days, "program-trades").exit_code == 0
    assert run("archive", "fetch", "program-trades", "program-trades", *days).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["program-trades"]
    assert "--from" in run("archive", "fetch", "program-trades", "--help").stdout


def test_requests_marks_those_that_rows_takes(run):
    lines = run("requests", "프로그램매매").stdout.splitlines()
    marked = {line.split()[0]: line.partition("/mrkcond")[2].strip() for line in lines}
    assert marked["ka90013"] == "rows stock-daily"
    assert marked["ka90010"] == "rows market-daily"
    (ranking,) = [line for line in run("requests").stdout.splitlines() if "ka90003" in line]
    assert ranking.endswith("rows amount-ranking, rows quantity-ranking")
    (line,) = run("requests", "ka90005", "--format", "jsonl").stdout.splitlines()
    assert json.loads(line)["names"] == ["market-intraday"]


def test_requests_shows_the_options_and_fields_of_a_single_one(run):
    lines = [" ".join(line.split()) for line in run("requests", "ka90013").stdout.splitlines()]
    assert "--symbol TEXT 종목코드 required, may be repeated" in lines
    assert "--until YYYY-MM-DD 날짜" in lines
    assert "rows: ProgramStockDaily" in lines
    assert "date date 일자 dt" in lines
    assert "sell_quantity int shares 프로그램매도수량 prm_sell_qty" in lines
    assert "price int or None won 현재가 cur_prc" in lines
    assert "exchange KRX|NXT|CONSOLIDATED 거래소구분 stex_tp" in lines
    assert "symbol str of the query" in lines
    both = run("requests", "ka90003").stdout
    assert "rows: ProgramAmountRanking\n" in both
    assert "rows: ProgramQuantityRanking\n" in both
    assert "default BUY, may be repeated" in both
    # The command has more options than the query has fields.
    assert "rows program-trades --help\nrows: ProgramTrade\n" in run("requests", "ka90004").stdout
    assert run("requests", "ka10081").stdout.count("\n") == 1


def test_a_request_is_named_by_its_api_id_too(run):
    words = ["--symbol", "005930", "--until", "2026-11-20", "--sandbox"]
    by_name, by_id = (run("rows", name, *words).stdout for name in ("stock-daily", "ka90013"))
    assert by_id == by_name != ""
    # Two requests have this one.
    assert "No such command 'ka90003'" in run("rows", "ka90003").stderr
