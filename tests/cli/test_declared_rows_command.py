"""`rows` of a declared request: options from its fields, every kind of value in every format."""

import csv
import datetime as dt
import gzip
import json
import shlex
from decimal import Decimal
from enum import Enum

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from attrs import evolve, field, frozen, validators
from support.exchange import small_sandbox
from typer.testing import CliRunner

from kiwoom_async import KiwoomClient, Query, hundredths, tables, wire
from kiwoom_async.cli._request_group import RequestGroup, add_requests
from kiwoom_async.cli._rows_command import write_request
from kiwoom_async.sandbox import Fault, Recorded

NO_SUMS = ", nothing amiss; no sums were compared"
KST = dt.timezone(dt.timedelta(hours=9))


class Trend(Enum):
    """A direction, whose names are not its values."""

    RISING = 1
    FALLING = 2


TRENDS = {Trend.RISING: "2", Trend.FALLING: "5"}


@frozen
class Everything:
    """A row with a field of every kind."""

    number: int | None = field(metadata=wire("no", unit="won"))
    name: str | None = field(metadata=wire("nm"))
    share: Decimal | None = field(metadata=wire("shr", unit="percent", decimals=2))
    index: Decimal | None = field(metadata=wire("idx", read=hundredths))
    exact: Decimal | None = field(metadata=wire("exact", decimals=8))
    ratio: float | None = field(metadata=wire("rt"))
    halted: bool | None = field(metadata=wire("hlt"))
    day: dt.date | None = field(metadata=wire("dt"))
    time: dt.time | None = field(metadata=wire("tm"))
    moment: dt.datetime | None = field(metadata=wire("at"))
    trend: Trend | None = field(metadata=wire("trd", codes=TRENDS))
    code: str
    since: dt.date | None


@frozen
class EverythingQuery(Query[Everything]):
    """All there is of a stock.

    most: how many
        there are.
    A sentence that goes on
    after its line.
    """

    api_id = "ka10081"
    path = "/api/dostk/chart"
    rows_key = "rows"

    code: str = field(metadata=wire("cd", "종목코드"))
    since: dt.date | None = field(default=None, metadata=wire("dt", "일자"))
    trend: Trend = field(default=Trend.FALLING, metadata=wire("trd", "방향", codes=TRENDS))
    adjusted: bool = field(default=True, metadata=wire("adj", "수정주가"))
    most: int = field(default=7, validator=validators.ge(1), metadata=wire("most", unit="won"))
    least: Decimal = field(default=Decimal("0.5"), metadata=wire("least"))
    at: dt.time | None = field(default=None, metadata=wire("tm"))
    moment: dt.datetime | None = field(default=None, metadata=wire("at"))
    kind: str = field(default="x", init=False, metadata=wire("kind"))

    def __attrs_post_init__(self) -> None:
        """Refuse some values, as the queries of the catalogue do."""
        if self.code == "none":
            raise ValueError(f"code: got {self.code!r}; expected a stock")


SENT = {
    "no": "-75000",
    "nm": '삼성 "전자", 우',
    "shr": "+0.10",
    "idx": "-33885",
    "exact": "1234567890.12345678",
    "rt": "0.1",
    "hlt": "1",
    "dt": "20261120",
    "tm": "090001",
    "at": "20261120153000",
    "trd": "5",
}
BLANK = dict.fromkeys(SENT, "") | {"no": "7"}
ROW = Everything(
    -75000, '삼성 "전자", 우', Decimal("0.10"), Decimal("-338.85"),
    Decimal("1234567890.12345678"), 0.1, True, dt.date(2026, 11, 20), dt.time(9, 0, 1),
    dt.datetime(2026, 11, 20, 15, 30, tzinfo=KST), Trend.FALLING, "005930", None,
)  # fmt: skip
BLANK_ROW = Everything(7, *[None] * 10, "005930", None)
# No two rows are the same.
ROWS = [evolve(row, number=row.number + offset) for offset in range(4) for row in (ROW, BLANK_ROW)]


def answer(pairs):
    """Return the body of an answer with so many rows of each kind."""
    rows = [SENT | {"no": f"{-75000 + offset}"} for offset in range(pairs)]
    blank = [BLANK | {"no": f"{7 + offset}"} for offset in range(pairs)]
    return {"rows": [row for pair in zip(rows, blank, strict=True) for row in pair]}


def exchange(*faults, pairs=4, **match):
    """Return a sandbox that answers with eight rows on four pages."""
    recorded = Recorded("ka10081", answer(pairs), page_size=2, match=match)
    return small_sandbox(*faults, recorded=[recorded])


@pytest.fixture
def run_declared(run, monkeypatch):
    """Run a command line on which the request is declared as `everything`."""
    commands = typer.Typer(cls=RequestGroup, add_completion=False)
    add_requests(commands, {"everything": EverythingQuery}, write_request)
    app = typer.Typer()
    app.add_typer(commands, name="rows")
    from_sandbox = KiwoomClient.sandbox

    def run(*arguments, sandbox=None):
        simulated = sandbox or exchange()
        monkeypatch.setattr(
            KiwoomClient, "sandbox", lambda **options: from_sandbox(simulated, **options)
        )
        return CliRunner().invoke(app, ["rows", "everything", *arguments])

    return run


STOCK = ["--code", "005930", "--sandbox"]


def read_json(text):
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def from_parquet(file):
    return tables.rows_of(pq.read_table(file), Everything)


def from_arrow(file):
    return tables.rows_of(pa.ipc.open_file(file).read_all(), Everything)


@pytest.mark.parametrize(("form", "read"), [("parquet", from_parquet), ("arrow", from_arrow)])
def test_columnar_files_hold_every_kind_of_value(run_declared, tmp_path, form, read):
    file = tmp_path / f"stock.{form}"
    result = run_declared(*STOCK, "--output", str(file))
    assert (result.exit_code, result.stderr) == (0, f"{file}: 8 rows{NO_SUMS}\n")
    assert read(file) == ROWS


def test_text_files_hold_every_kind_of_value_exactly(run_declared, tmp_path):
    for form in ("csv", "csv.gz"):
        file = tmp_path / f"stock.{form}"
        assert run_declared(*STOCK, "--output", str(file)).exit_code == 0
        data = file.read_bytes() if form == "csv" else gzip.decompress(file.read_bytes())
        first, blank, *_ = csv.DictReader(data.decode("utf-8-sig").splitlines())
        assert first == {
            "number": "-75000", "name": '삼성 "전자", 우', "share": "0.10", "index": "-338.85",
            "exact": "1234567890.12345678", "ratio": "0.1", "halted": "true",
            "day": "2026-11-20", "time": "09:00:01", "moment": "2026-11-20T15:30:00+09:00",
            "trend": "FALLING", "code": "005930", "since": "",
        }  # fmt: skip
        assert {*blank.values()} == {"7", "005930", ""}
    schema = dict(pl.from_arrow(tables.to_arrow([], Everything)).schema)
    of_text = schema | {"time": pl.String, "moment": pl.String}
    frame = pl.read_csv(tmp_path / "stock.csv", schema=of_text)
    assert frame["exact"].to_list() == [row.exact for row in ROWS]
    assert frame["halted"].to_list() == [True, None] * 4


def test_json_files_hold_every_kind_of_value_exactly(run_declared, tmp_path):
    lines, array = tmp_path / "stock.jsonl", tmp_path / "stock.json"
    for file in (lines, array):
        assert run_declared(*STOCK, "--output", str(file)).exit_code == 0
    first, blank, *_ = read_json(lines.read_text(encoding="utf-8"))
    assert first == {
        "number": -75000, "name": '삼성 "전자", 우', "share": Decimal("0.1"),
        "index": Decimal("-338.85"), "exact": Decimal("1234567890.12345678"),
        "ratio": Decimal("0.1"), "halted": True, "day": "2026-11-20", "time": "09:00:01",
        "moment": "2026-11-20T15:30:00+09:00", "trend": "FALLING", "code": "005930", "since": None,
    }  # fmt: skip
    assert blank == dict.fromkeys(first, None) | {"number": 7, "code": "005930"}
    assert json.loads(array.read_text(encoding="utf-8"), parse_float=Decimal) == read_json(
        lines.read_text(encoding="utf-8")
    )


def test_a_table_has_titles_units_and_a_line_for_each_row(run_declared):
    titles, units, first, blank, *_ = run_declared(*STOCK).stdout.splitlines()
    assert titles.split() == [
        "number", "name", "share", "index", "exact", "ratio", "halted", "day", "time", "moment",
        "trend",
    ]  # fmt: skip
    assert units.split() == ["won", "percent"]
    assert first.split() == [
        "-75,000", "삼성", '"전자",', "우", "0.10", "-338.85", "1,234,567,890.12345678",
        "0.1", "true", "2026-11-20", "09:00:01", "2026-11-20T15:30:00+09:00", "FALLING",
    ]  # fmt: skip
    assert blank.split() == ["7"]
    assert units.index("won") + len("won") == titles.index("number") + len("number")


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "json", "parquet", "arrow", "table"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_after_an_error_the_printed_command_completes_the_file(run_declared, tmp_path, form, call):
    file, fresh = tmp_path / "stock", tmp_path / "fresh"
    words = [*STOCK, "--format", form, "--since", "20261102", "--no-adjusted"]
    failed = run_declared(
        *words, "--output", str(file), sandbox=exchange(Fault("firewall", "ka10081", call=call))
    )
    assert failed.exit_code == 1
    command = shlex.split(failed.stderr.splitlines()[-1])
    assert command[:3] == ["kiwoom-async", "rows", "everything"]
    assert ("--resume" in command) == (call > 1)
    asked = exchange(adj="0", dt="20261102", trd="5", most="7", least="0.5", kind="x")
    assert run_declared(*command[3:], sandbox=asked).exit_code == 0
    assert run_declared(*words, "--output", str(fresh)).exit_code == 0
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["fresh", "stock"]
    if form == "csv.gz":
        assert gzip.decompress(file.read_bytes()) == gzip.decompress(fresh.read_bytes())
    elif form == "parquet":
        assert pq.read_table(file) == pq.read_table(fresh)
    else:
        assert file.read_bytes() == fresh.read_bytes()


def test_a_resume_text_belongs_to_one_request_and_its_options(run_declared, run, tmp_path):
    words = [*STOCK, "--code", "000660", "--output", str(tmp_path / "stocks.jsonl")]
    failed = run_declared(*words, sandbox=exchange(Fault("firewall", "ka10081", call=4)))
    resume = shlex.split(failed.stderr.splitlines()[-1])[-2:]
    for options in (["--trend", "rising"], ["--no-adjusted"], ["--code", "035720"]):
        refused = run_declared(*words, *options, *resume)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "was printed for another command" in refused.stderr
    both = ["--date", "2026-11-20", "--market", "KOSPI", "--market", "KOSDAQ"]
    other = run("rows", *both, "--sandbox", "--output", str(tmp_path / "stocks.jsonl"), *resume)
    assert "was printed for another command" in other.stderr
    assert run_declared(*words, *resume).exit_code == 0


def test_texts_and_members_may_be_repeated_and_each_makes_a_walk(run_declared):
    sandbox = exchange()
    trends = ["--trend", "rising", "--trend", "FALLING"]
    result = run_declared(*STOCK, "--code", "000660", *trends, "--format", "jsonl", sandbox=sandbox)
    records = read_json(result.stdout)
    assert len(records) == 2 * 2 * 8
    assert sum(record["code"] == "000660" for record in records) == 16
    bodies = [arrival.body for arrival in sandbox.arrivals if arrival.api_id == "ka10081"]
    assert {(body["cd"], body["trd"]) for body in bodies} == {
        ("005930", "2"), ("005930", "5"), ("000660", "2"), ("000660", "5"),
    }  # fmt: skip


def test_values_are_sent_as_the_query_declares_them(run_declared):
    asked = exchange(
        cd="005930", dt="20261120", trd="2", adj="0", most="12", least="0.25", tm="090000",
        at="20261120150000",
    )  # fmt: skip
    result = run_declared(
        *STOCK, "--since", "2026-11-20", "--trend", "Rising", "--no-adjusted", "--most", "12",
        "--least", "0.25", "--at", "09:00", "--moment", "2026-11-20T15:00:00", sandbox=asked,
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    elsewhere = run_declared(
        *STOCK, "--moment", "2026-11-20T06:00:00+00:00", sandbox=exchange(at="20261120150000")
    )
    assert elsewhere.exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--since", "2026-02-30"], "--since: got '2026-02-30'; expected YYYY-MM-DD"),
        (
            ["--since", "20261120", "--since", "20261121"],
            "--since: got 20261120, 20261121; expected one value",
        ),
        (["--since", "2026-W47-5"], "--since: got '2026-W47-5'; expected YYYY-MM-DD"),
        (["--trend", "sideways"], "--trend: got 'sideways'; expected RISING, FALLING"),
        (["--most", "many"], "--most: got 'many'; expected NUMBER"),
        (["--most", "0"], "--most must be >= 1: 0"),
        (["--least", "x"], "--least: got 'x'; expected NUMBER"),
        (["--at", "25:00"], "--at: got '25:00'; expected HH:MM:SS"),
        (["--moment", "now"], "--moment: got 'now'; expected YYYY-MM-DDTHH:MM:SS"),
        (["--code", "none"], "--code: got 'none'; expected a stock"),
        (["--code", "005930"], "comes twice"),
        (["--market", "KOSPI"], "No such option"),
        (["--kind", "y"], "No such option"),
    ],
)
def test_wrong_use_ends_with_2_and_names_the_option(run_declared, words, message):
    sandbox = exchange()
    result = run_declared(*STOCK, *words, sandbox=sandbox)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert not sandbox.arrivals


def test_a_required_option_is_asked_for(run_declared):
    result = run_declared("--sandbox")
    assert result.exit_code == 2
    assert "Missing option '--code'" in result.stderr


def test_help_says_what_is_asked_for_and_what_the_options_mean(run_declared):
    shown = run_declared("--help").stdout
    assert "\n most: how many there are. A sentence that goes on after its line. " in shown
    text = " ".join(shown.split())
    assert "ka10081 주식일봉차트조회요청: All there is of a stock." in text
    for words in ("종목코드", "일자", "YYYY-MM-DD", "방향", "RISING|FALLING", "default: FALLING",
                  "수정주가", "--no-adjusted", "(won)", "default: 0.5", "required"):  # fmt: skip
        assert words in text


def test_no_rows_are_said_so_without_a_guess(run_declared):
    result = run_declared(*STOCK, "--format", "csv", sandbox=exchange(pairs=0))
    assert result.exit_code == 0
    assert result.stderr.startswith("no data for EverythingQuery(code='005930'")
    assert "holiday" not in result.stderr
