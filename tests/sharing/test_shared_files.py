"""SharedFiles: permissions, damaged files, locks, and errors of the file system."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time

import anyio
import pytest
from support.limiters import make_call
from token_issuer import TokenIssuer

from kiwoom_async import Priority, SharingError
from kiwoom_async.sharing import SharedFiles
from kiwoom_async.sharing._locked_file import LockedFile

pytestmark = pytest.mark.anyio
BULK = Priority.BULK


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: files cannot use a virtual clock."""
    return request.param


async def test_only_the_user_can_read_the_files(tmp_path, account):
    sharing = SharedFiles(tmp_path / "shared")
    old_umask = os.umask(0)
    try:
        await sharing.token_store(account).replace(None, TokenIssuer())
        await make_call(sharing.rate_limiter(account, "ka90004", 50.0), BULK)
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o700
    paths = sorted((tmp_path / "shared" / account).iterdir())
    assert [path.name for path in paths] == [
        "ka90004.json",
        "ka90004.lock",
        "token.json",
        "token.lock",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


async def test_files_of_another_user_are_refused(tmp_path, account, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(SharingError, match="belongs to another user; name another directory"):
        await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0), BULK)


async def test_a_symbolic_link_instead_of_a_file_is_not_followed(tmp_path, account):
    (tmp_path / account).mkdir()
    (tmp_path / account / "token.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SharingError, match="cannot be used"):
        await SharedFiles(tmp_path).token_store(account).replace(None, TokenIssuer())
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("damage", [b"", b'{"format": 1, "updat', b"\xff\xfe\x00"])
async def test_a_truncated_file_is_started_anew(tmp_path, account, damage):
    """A power failure may truncate it."""
    (tmp_path / account).mkdir()
    for name in ("ka90004", "token"):
        (tmp_path / account / f"{name}.json").write_bytes(damage)
    began = anyio.current_time()
    await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0), BULK)
    assert anyio.current_time() - began >= 0.2
    issue = TokenIssuer()
    await SharedFiles(tmp_path).token_store(account).replace(None, issue)
    assert issue.issued == 1


@pytest.mark.parametrize("data", [{"format": 2}, {"free_at_ms": 1}, []])
async def test_a_file_of_another_version_is_refused_and_not_changed(tmp_path, account, data):
    (tmp_path / account).mkdir()
    path = tmp_path / account / "ka90004.json"
    path.write_text(json.dumps(data))
    with pytest.raises(
        SharingError, match=r"ka90004.json is of format .*uses 1: stop the programs"
    ):
        await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0), BULK)
    assert json.loads(path.read_text()) == data


async def test_a_file_with_unexpected_data_is_refused(tmp_path, account):
    (tmp_path / account).mkdir()
    path = tmp_path / account / "ka90004.json"
    path.write_text('{"format": 1, "updated_ms": "late", "free_at_ms": null}')
    with pytest.raises(SharingError, match="holds unexpected data; delete it"):
        await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0), BULK)


async def test_a_full_disk_is_an_error_and_the_file_keeps_its_content(
    tmp_path, account, monkeypatch
):
    sharing = SharedFiles(tmp_path)
    await make_call(sharing.rate_limiter(account, "ka90004", 50.0), BULK)
    path = tmp_path / account / "ka90004.json"
    before = path.read_bytes()

    def disk_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("kiwoom_async.sharing._locked_file.Path.replace", disk_full)
    with pytest.raises(SharingError, match=r"cannot be used: .*No space left"):
        await make_call(sharing.rate_limiter(account, "ka90004", 50.0), BULK)
    assert path.read_bytes() == before


async def test_a_directory_that_cannot_be_created_is_an_error(tmp_path, account):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SharingError, match="cannot be used"):
        await make_call(SharedFiles(tmp_path / "file").rate_limiter(account, "ka90004", 5.0), BULK)


STOPPED = """
import os, signal, sys
from pathlib import Path
from kiwoom_async.sharing._locked_file import LockedFile
def stop_this_process(data, now_ms):
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}, None
LockedFile(Path(sys.argv[1])).update(stop_this_process)
"""


@pytest.mark.alone
async def test_a_lock_held_by_a_stopped_process_is_an_error_after_two_seconds(tmp_path, account):
    path = tmp_path / account / "ka90004.json"
    command = [sys.executable, "-c", STOPPED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stopped:  # noqa: ASYNC220, S603
        try:
            assert stopped.stdout.readline() == b"locked\n"
            began = time.monotonic()
            with pytest.raises(SharingError, match="has been locked for 2 s: a program"):
                await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0), BULK)
            assert 2.0 <= time.monotonic() - began < 4.0
        finally:
            # The end of the process releases the lock.
            stopped.send_signal(signal.SIGKILL)
    await make_call(SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0), BULK)


def test_a_change_that_raises_changes_nothing(tmp_path):
    file = LockedFile(tmp_path / "a.json")
    file.update(lambda *_: ({"number": 1}, None))
    with pytest.raises(ZeroDivisionError):
        file.update(lambda *_: ({"number": 1 // 0}, None))
    assert file.update(lambda data, _: (data, data["number"])) == 1


def test_the_default_directory_is_in_the_users_state_directory_and_paths_are_absolute(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert SharedFiles().directory.is_relative_to(tmp_path)
    # Absolute, because the program may change its working directory.
    assert repr(SharedFiles("some/where")) == f"SharedFiles('{tmp_path.cwd()}/some/where')"
