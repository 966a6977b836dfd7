"""`Archive.verify`: damaged files, missing days, and findings of the audits."""

import sqlite3

import attrs
import pytest
from sandbox_archive import (
    ALL_QUERIES,
    KOSDAQ,
    KOSPI,
    client,
    fetch,
    file_of,
    page_requests,
    read_files,
)
from support.exchange import small_sandbox

from kiwoom_async import Exchange, Market, ProgramTradeQuery
from kiwoom_async.archive import IncompleteArchive, State
from kiwoom_async.archive._parquet import digest_file
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_changed_missing_and_unknown_files_are_damage(archive):
    await fetch(archive)
    kospi, kosdaq = (file_of(archive, query) for query in (KOSPI, KOSDAQ))
    content = kospi.read_bytes()
    middle = len(content) // 2
    kospi.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    kosdaq.unlink()
    unknown = archive.dataset / "date=2026-11-19" / "other.parquet"
    unknown.write_bytes(content)
    assert [(finding.what, finding.text, finding.damaged) for finding in archive.verify()] == [
        (KOSPI, "its file is not what was written; fetch collects it again", True),
        (KOSDAQ, "its file is missing; fetch collects it again", True),
        (unknown, "is not in the manifest; remove it, as queries read it", True),
    ]


async def test_the_audit_finds_missing_rows_even_if_the_checksum_matches(archive):
    await fetch(archive, [KOSPI])
    path = file_of(archive, KOSPI)
    rows = archive.read(KOSPI)
    largest = max(rows, key=lambda row: row.buy_amount)
    (entry,) = archive.entries()
    archive._files.write(entry, [row for row in rows if row is not largest], "another-owner")
    digest = attrs.astuple(digest_file(path))
    with sqlite3.connect(archive.path / "manifest.sqlite") as db:
        db.execute("UPDATE walks SET bytes = ?, checksum = ?", digest)
    (finding,) = archive.verify()
    assert finding.damaged
    assert finding.text == "its file has 119 rows, the manifest 120; fetch collects it again"
    with db:
        db.execute("UPDATE walks SET rows = 119")
    db.close()
    first, *_ = archive.verify()
    assert first.damaged
    assert first.text.startswith("buy amount of the rows is")
    assert first.text.endswith(f"; remove {path}, and fetch collects it again")
    path.unlink()
    await fetch(archive, [KOSPI])
    assert archive.verify() == []


def flip_a_bit(path):
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "a bit flipped": flip_a_bit,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_what_verify_calls_missing_or_damaged_is_planned_and_collected_again(archive, damage):
    await fetch(archive)
    before = read_files(archive)
    damage(file_of(archive, KOSPI))
    (finding,) = archive.verify()
    assert (finding.what, finding.damaged) == (KOSPI, True)
    assert finding.text.endswith("; fetch collects it again")
    async with client() as kiwoom:
        plan = archive.plan(kiwoom, ALL_QUERIES)
    assert (plan.queries, plan.done, plan.damaged) == ((KOSPI,), 3, (KOSPI,))
    assert str(plan).endswith(", 1 of them again: files missing or damaged")
    sandbox = small_sandbox()
    await fetch(archive, sandbox=sandbox)
    assert sum(page_requests(sandbox).values()) == 3
    assert read_files(archive) == before
    assert archive.verify() == []


async def test_only_the_walks_asked_for_are_repaired(archive):
    await fetch(archive)
    for query in (KOSPI, KOSDAQ):
        file_of(archive, query).unlink()
    sandbox = small_sandbox()
    await fetch(archive, [KOSPI], sandbox)
    assert sum(page_requests(sandbox).values()) == 3
    assert [finding.what for finding in archive.verify()] == [KOSDAQ]


async def test_a_damaged_file_of_a_walk_that_now_has_no_data_is_no_success(archive):
    await fetch(archive, [KOSPI])
    file_of(archive, KOSPI).unlink()
    with pytest.raises(IncompleteArchive, match=r"no data at .* UTC; its file is missing"):
        await fetch(archive, [KOSPI], small_sandbox(kospi_stocks=0))
    await fetch(archive, [KOSPI])
    assert archive.verify() == []


async def test_a_file_that_the_manifest_does_not_know_is_replaced_by_a_fetch(archive):
    """Its manifest is one from before the file was written, say from a backup."""
    await fetch(archive, [KOSPI])
    manifest = archive.path / "manifest.sqlite"
    backup = manifest.read_bytes()
    await fetch(archive, [KOSPI, KOSDAQ])
    manifest.write_bytes(backup)
    (finding,) = archive.verify()
    assert finding.what == file_of(archive, KOSDAQ)
    assert (finding.text, finding.damaged) == (
        "is not in the manifest; fetch collects it again",
        True,
    )
    await fetch(archive, [KOSDAQ])
    assert archive.verify() == []


async def test_findings_of_a_walk_without_data_are_repeated(archive):
    blank = small_sandbox(Fault("empty_list", times=9))
    (entry,) = await fetch(archive, [KOSPI], blank)
    assert entry.state is State.NO_DATA
    assert entry.findings
    texts = [finding.text for finding in archive.verify()]
    assert all(text in texts for text in entry.findings)


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
