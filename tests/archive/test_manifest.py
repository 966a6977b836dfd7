"""The manifest of an archive: its source, its version, and damage to its file."""

import sqlite3

import pytest
from sandbox_archive import KOSDAQ, KOSPI, SATURDAY, client, fetch
from support.exchange import small_sandbox

from kiwoom_async.archive import Archive

pytestmark = pytest.mark.anyio


async def test_real_and_simulated_walks_do_not_mix(archive):
    await fetch(archive, [KOSPI])
    assert archive.simulated
    sandbox = small_sandbox()
    async with client(sandbox, base_url="https://api.kiwoom.com") as kiwoom:
        with pytest.raises(ValueError, match=r"got api\.kiwoom\.com; expected the sandbox, where"):
            await archive.fetch(kiwoom, [KOSDAQ])
        assert not sandbox.arrivals
        real = Archive(archive.path.with_name("real"))
        await real.fetch(kiwoom, [KOSDAQ])
    assert not real.simulated


async def test_a_manifest_of_another_version_is_refused(archive):
    await fetch(archive, [SATURDAY])
    db = sqlite3.connect(archive.path / "manifest.sqlite")
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(ValueError, match="got manifest version 9; expected 3; use the version"):
        archive.entries()


async def test_a_manifest_that_is_not_a_database_is_an_os_error(archive):
    await fetch(archive, [KOSPI])
    (archive.path / "manifest.sqlite").write_bytes(b"not a database, but long enough " * 40)
    with pytest.raises(OSError, match=r"manifest\.sqlite: file is not a database"):
        archive.entries()
