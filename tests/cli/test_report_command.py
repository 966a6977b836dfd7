"""`kiwoom-async report`: a page from the server or from an archive, or no page at all."""

import itertools
import re
import shutil
import subprocess
import sys

import anyio
import pytest
from support.exchange import small_sandbox
from support.servers import on_a_port

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async.archive import Archive
from kiwoom_async.sandbox import Fault

DAY = ["--date", "2026-11-20", "--sandbox"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "page.html"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive of four days of KRX and the consolidated exchange; a report only reads it."""
    folder = tmp_path_factory.mktemp("report") / "archive"
    days = [f"2026-11-{day}" for day in (18, 19, 20, 21)]
    exchanges = [Exchange.KRX, Exchange.CONSOLIDATED]

    async def fetch():
        async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
            queries = itertools.starmap(
                ProgramTradeQuery, itertools.product(days, Market, exchanges)
            )
            await Archive(folder).fetch(kiwoom, [*queries])

    anyio.run(fetch)
    return folder


def alternative_texts(page):
    """Return the text alternative of each picture."""
    return re.findall(r'alt="([^"]*)"', page.read_text(encoding="utf-8"))


def test_a_day_of_the_server(run, file):
    sandbox = small_sandbox()
    result = run("report", *DAY, "--output", str(file), sandbox=sandbox)
    assert result.exit_code == 0
    assert result.stderr == f"{file}: 190 rows, everything adds up\n"
    text = file.read_text(encoding="utf-8")
    assert "Simulated exchange" in text
    assert "2026-11-20 KOSDAQ KRX: 3 pages, 70 rows" in text
    # The four pictures of a day; flows need an archive.
    assert len(alternative_texts(file)) == 4
    assert {
        arrival.body["stex_tp"] for arrival in sandbox.arrivals if arrival.api_id == "ka90004"
    } == {"1"}


def test_the_latest_day_of_an_archive_with_the_flows_of_all_days(run, archive, file):
    result = run("report", str(archive), "--output", str(file))
    assert result.exit_code == 0
    assert len(alternative_texts(file)) == 6
    text = file.read_text(encoding="utf-8")
    assert "2026-11-20 KOSPI CONSOLIDATED: 3 pages" in text
    assert "Simulated exchange" in text
    assert any("2026-11-18 to 2026-11-20" in alternative for alternative in alternative_texts(file))


def test_a_part_of_an_archive(run, archive, file):
    options = ["--date", "2026-11-19", "--days", "2", "--market", "KOSPI", "--exchange", "KRX"]
    stocks = ["--stock", "005930", "--stock", "000660"]
    result = run("report", str(archive), *options, *stocks, "--output", str(file))
    assert result.exit_code == 0
    assert result.stderr == f"{file}: 120 rows, everything adds up\n"
    *_, flow, stock_flow = alternative_texts(file)
    assert "2026-11-18 to 2026-11-19" in flow
    assert "KOSDAQ" not in flow
    assert "삼성전자" in stock_flow
    assert "SK하이닉스" in stock_flow
    assert "현대차" not in stock_flow


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--date", "2026-01-05"], "holds no complete walk of 2026-01-05; it has 2026-11-18 to"),
        (["--exchange", "NXT"], "holds no complete walk of these markets and exchanges"),
        (["--stock", "12"], "expected six characters"),
        (["--stock", "'; drop"], "expected six characters"),
        (["--stock", "999999"], "no rows of 999999 on these days"),
        ([word for code in range(9) for word in ("--stock", f"00593{code}")], "at most 8 fit"),
        (["--date", "2026-02-30"], "no day of the calendar"),
    ],
)
def test_what_an_archive_lacks_is_a_usage_error(run, archive, file, options, message):
    result = run("report", str(archive), *options, "--output", str(file))
    assert result.exit_code == 2
    assert message in result.stderr
    assert not file.exists()


def test_missing_files_of_an_archive_are_warned_of_once(run, archive, file, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    next(copy.rglob("date=2026-11-18/**/exchange=KRX/walk.parquet")).unlink()
    result = run("report", str(copy), "--output", str(file))
    assert result.exit_code == 3
    assert result.stderr.count(" KRX: its file is missing; fetch collects it again\n") == 1
    assert "rows; findings in 1 of 12 walks\n" in result.stderr
    assert result.stderr.count("warning: ") == 1
    assert "the files of 1 of 12 complete walks are: 2026-11-18" in result.stderr


def test_wrong_use_is_refused_before_anything_is_sent(run, file, tmp_path):
    sandbox = small_sandbox()
    dateless = run("report", "--sandbox", "--output", str(file))
    assert (dateless.exit_code, "name a day with --date" in dateless.stderr) == (2, True)
    stock = run("report", *DAY, "--stock", "005930", "--output", str(file))
    assert (stock.exit_code, "--stock needs an archive" in stock.stderr) == (2, True)
    document = run("report", *DAY, "--output", str(tmp_path / "page.pdf"))
    assert (document.exit_code, "expected a name ending in .html or .htm" in document.stderr) == (
        2,
        True,
    )
    missing = run("report", str(tmp_path / "nothing"), "--output", str(file))
    assert (missing.exit_code, "holds no archive" in missing.stderr) == (1, True)
    file.write_text("mine")
    again = run("report", *DAY, "--output", str(file), sandbox=sandbox)
    assert (again.exit_code, "exists already; name another" in again.stderr) == (2, True)
    nowhere = run("report", *DAY, "--output", str(tmp_path / "no" / "page.html"), sandbox=sandbox)
    assert (nowhere.exit_code, "there is no directory" in nowhere.stderr) == (2, True)
    assert not sandbox.arrivals
    assert file.read_text() == "mine"


def test_a_server_on_this_machine_is_called_simulated(run, file, monkeypatch):
    """The real API is never on this machine."""
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY"):
        monkeypatch.setenv(name, "a-key")
    with on_a_port(small_sandbox()) as base_url:
        monkeypatch.setenv("KIWOOM_BASE_URL", base_url)
        assert run("report", "--date", "2026-11-20", "--output", str(file)).exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert "Simulated exchange" in text
    assert "Source: Kiwoom" not in text


def test_a_day_without_data_gives_no_page(run, file):
    result = run("report", "--date", "2026-11-21", "--sandbox", "--output", str(file))
    assert result.exit_code == 1
    assert "no rows of 2026-11-21: a holiday, or before the open" in result.stderr
    assert not file.exists()


def test_after_an_error_there_is_no_page(run, file):
    result = run(
        "report", *DAY, "--output", str(file), sandbox=small_sandbox(Fault("firewall", call=4))
    )
    assert result.exit_code == 1
    assert "BlockedError" in result.stderr
    assert not file.exists()


@pytest.mark.parametrize(("missing", "extra"), [("matplotlib", "plot"), ("duckdb", "archive")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, missing, extra):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from kiwoom_async.cli import main\n"
        f"sys.argv = ['kiwoom-async', 'report', {str(tmp_path)!r}, '--output', "
        f"{str(tmp_path / 'page.html')!r}]\nmain()"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    assert run.returncode == 1
    assert f"{missing} is not installed: pip install 'kiwoom-async[{extra}]'" in run.stderr
    assert "Traceback" not in run.stderr
