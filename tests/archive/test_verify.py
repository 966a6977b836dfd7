"""`Archive.verify`: damaged files, missing days, and findings of the audits."""

import sqlite3

import attrs
import pytest
from sandbox_archive import KOSDAQ, KOSPI, fetch, page_requests, read_files
from support.exchange import small_sandbox

from kiwoom_async import Exchange, Market, ProgramTradeQuery
from kiwoom_async.archive._parquet import digest_file
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_changed_missing_and_unknown_files_are_damage(archive):
    await fetch(archive)
    kospi, kosdaq = (archive._files.path(query) for query in (KOSPI, KOSDAQ))
    content = kospi.read_bytes()
    middle = len(content) // 2
    kospi.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    kosdaq.unlink()
    unknown = archive.dataset / "date=2026-11-19" / "other.parquet"
    unknown.write_bytes(content)
    assert [(finding.what, finding.text, finding.damaged) for finding in archive.verify()] == [
        (KOSPI, "its file is not what was written", True),
        (KOSDAQ, "its file is missing", True),
        (unknown, "is not in the manifest", True),
    ]


async def test_the_audit_finds_missing_rows_even_if_the_checksum_matches(archive):
    await fetch(archive, [KOSPI])
    path = archive._files.path(KOSPI)
    rows = archive.read(KOSPI)
    largest = max(rows, key=lambda row: row.buy_amount)
    archive._files.write(KOSPI, [row for row in rows if row is not largest], "another-owner")
    digest = attrs.astuple(digest_file(path))
    with sqlite3.connect(archive.path / "manifest.sqlite") as db:
        db.execute("UPDATE walks SET bytes = ?, checksum = ?", digest)
    db.close()
    texts = [finding.text for finding in archive.verify()]
    assert texts[0] == "its file has 119 rows, the manifest 120"
    assert any(text.startswith("buy amount of the rows is") for text in texts)


async def test_a_missing_file_is_collected_again(archive):
    await fetch(archive)
    before = read_files(archive)
    archive._files.path(KOSPI).unlink()
    sandbox = small_sandbox()
    await fetch(archive, sandbox=sandbox)
    assert sum(page_requests(sandbox).values()) == 3
    assert read_files(archive) == before
    assert archive.verify() == []


async def test_a_weekday_without_an_entry_is_a_finding(archive):
    days = ["2026-11-05", "2026-11-06", "2026-11-09", "2026-11-11"]
    await fetch(archive, [ProgramTradeQuery(day, Market.KOSPI, Exchange.KRX) for day in days])
    assert [str(finding) for finding in archive.verify()] == [
        "2026-11-10 KOSPI KRX: was never asked for, though days before and after were"
    ]


async def test_findings_of_the_audit_are_repeated_and_are_no_damage(archive):
    (entry,) = await fetch(archive, [KOSPI], small_sandbox(Fault("empty_list", call=2)))
    assert any(text.startswith("pages without rows") for text in entry.findings)
    assert [finding.text for finding in archive.verify()] == entry.findings
    assert not any(finding.damaged for finding in archive.verify())
