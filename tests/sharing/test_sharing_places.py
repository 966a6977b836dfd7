"""Files and Redis as places: the token's one issue, what is kept there, and what goes wrong."""

import errno
import gc
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import pytest
from cryptography.fernet import Fernet
from redis import Redis
from support.redis import redis_server

from kiwoom_async import AuthError, Priority, Sharing, SharingError, Token
from kiwoom_async.sharing import SharedFiles, SharedRedis, from_url
from kiwoom_async.sharing._desk import Busy, Desk, Lease
from kiwoom_async.sharing._locked import LockedFile
from kiwoom_async.sharing._place import Errands

pytestmark = pytest.mark.anyio
BULK = Priority.BULK
SECRET = "a-token-that-nobody-may-see"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: files and servers have no other."""
    return request.param


@pytest.fixture(params=["files", "redis"])
def make_sharing(request, tmp_path):
    """Each call is another program's view of one place."""
    if request.param == "files":
        return lambda **options: SharedFiles(tmp_path / "shared", **options)
    url = request.getfixturevalue("redis_url")
    return lambda **options: SharedRedis(url, **options)


@pytest.fixture
def account():
    return uuid4().hex[:16]


class Issuer:
    """Issues tokens, slowly; counts them; may fail, or give the same again."""

    def __init__(self, life=timedelta(hours=24), value=None, error=None):
        self.issued, self._life, self._value, self._error = 0, life, value, error

    async def __call__(self):
        self.issued += 1
        await anyio.sleep(0.05)
        if self._error is not None:
            raise self._error
        expires = datetime.now(UTC).replace(microsecond=0) + self._life
        return Token(self._value or f"token-{self.issued}", expires)


# ---- the token


async def test_many_programs_issue_one_token(make_sharing, account):
    issue, got = Issuer(), []

    async def start():
        got.append(await make_sharing().token_store(account).replace(None, issue))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(start)
    assert issue.issued == 1
    assert {token.value for token in got} == {"token-1"}
    assert {token.expires for token in got} == {got[0].expires}


async def test_a_token_that_dies_is_renewed_once_for_all(make_sharing, account):
    issue = Issuer()
    programs = [make_sharing().token_store(account) for _ in range(8)]
    old = [await program.replace(None, issue) for program in programs]
    fresh = []

    async def renew(program, refused):
        fresh.append(await program.replace(refused, issue))

    async with anyio.create_task_group() as group:
        for program, refused in zip(programs, old, strict=True):
            group.start_soon(renew, program, refused)
    assert issue.issued == 2
    assert {token.value for token in fresh} == {"token-2"}
    # Somebody comes late with what was refused long ago.
    assert (await programs[0].replace(old[0], issue)).value == "token-2"
    assert issue.issued == 2


async def test_the_same_string_issued_again_is_not_asked_for_by_all(make_sharing, account):
    issue = Issuer(value="the same")
    programs = [make_sharing().token_store(account) for _ in range(5)]
    old = [await program.replace(None, issue) for program in programs]
    for program, refused in zip(programs, old, strict=True):
        await program.replace(refused, issue)
    assert issue.issued == 2


@pytest.mark.parametrize("life", [timedelta(seconds=30), timedelta(hours=-9)])
async def test_a_token_near_its_end_is_not_asked_for_by_all(make_sharing, account, life):
    """Issuing gives the one that lives, which may have seconds left; or this clock is wrong."""
    issue = Issuer(life)
    for _ in range(5):
        await make_sharing().token_store(account).replace(None, issue)
    assert issue.issued == 1


async def test_a_failed_issue_is_the_next_programs_to_try(make_sharing, account):
    failing, issue = Issuer(error=AuthError("8001")), Issuer()
    with pytest.raises(AuthError):
        await make_sharing().token_store(account).replace(None, failing)
    with anyio.fail_after(5):
        assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-1"


async def test_a_cancelled_issue_is_the_next_programs_to_try(make_sharing, account):
    with anyio.move_on_after(0.02):
        await make_sharing().token_store(account).replace(None, Issuer())
    with anyio.fail_after(5):
        assert (
            await make_sharing().token_store(account).replace(None, Issuer())
        ).value == "token-1"


@pytest.mark.parametrize("cancelled_after", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.03])
async def test_whenever_a_program_is_cancelled_the_lease_is_given_back(
    make_sharing, account, cancelled_after
):
    """Also while a thread is at the place, taking the lease for a caller who has gone."""
    issue = Issuer()
    for _ in range(3):
        with anyio.move_on_after(cancelled_after):
            await make_sharing().token_store(account).replace(None, Issuer())
    with anyio.fail_after(5):
        assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-1"


async def test_a_revoked_token_is_forgotten_unless_another_has_come(make_sharing, account):
    issue = Issuer()
    program = make_sharing().token_store(account)
    first = await program.replace(None, issue)
    second = await program.replace(first, issue)
    await program.forget(first)
    assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-2"
    await program.forget(second)
    assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-3"


async def test_accounts_share_nothing(make_sharing, account):
    issue = Issuer()
    await make_sharing().token_store(account).replace(None, issue)
    await make_sharing().token_store(uuid4().hex).replace(None, issue)
    assert issue.issued == 2


class Drawer:
    """A place in this process, with a clock that the test moves."""

    def __init__(self):
        self.facts, self.now_ms, self.where, self.written = None, 1000.0, "a drawer", 0

    def change(self, step):
        facts, result = step(self.facts, self.now_ms)
        if facts is not None:
            self.facts, self.written = facts, self.written + 1
        return result

    def read(self):
        return self.facts, self.now_ms


def test_who_dies_in_the_middle_of_a_renewal_is_waited_for_ten_seconds():
    drawer = Drawer()
    desk = Desk(drawer)
    assert desk.take("dead", "") == Lease("")
    assert desk.take("alive", "") == Busy(10.0)
    drawer.now_ms += 9_999.0
    assert isinstance(desk.take("alive", ""), Busy)
    drawer.now_ms += 1.0
    assert desk.take("alive", "") == Lease("")


def test_who_comes_late_with_a_token_leaves_the_one_that_is_there():
    drawer, expires = Drawer(), datetime.now(UTC) + timedelta(hours=20)
    desk = Desk(drawer)
    slow = desk.take("slow", "")
    drawer.now_ms += 10_000.0
    quick = desk.take("quick", "")
    assert isinstance(slow, Lease)
    assert isinstance(quick, Lease)
    desk.put("quick", quick, Token("quick", expires, "2"), "quick")
    desk.put("slow", slow, Token("slow", expires, "1"), "slow")
    assert desk.take("third", "") == Token("quick", expires, "2")


def test_nobody_ends_the_lease_of_another():
    drawer, expires = Drawer(), datetime.now(UTC) + timedelta(hours=20)
    desk = Desk(drawer)
    assert isinstance(desk.take("first", ""), Lease)
    desk.release("second")
    assert isinstance(desk.take("third", ""), Busy)
    desk.put("second", Lease("another"), Token("late", expires, "2"), "second")
    assert isinstance(desk.take("third", ""), Busy)


def test_a_token_that_dies_within_a_minute_is_not_given():
    drawer, expires = Drawer(), datetime.now(UTC) + timedelta(seconds=50)
    desk = Desk(drawer)
    lease = desk.take("first", "")
    assert isinstance(lease, Lease)
    desk.put("first", lease, Token("brief", expires, "1"), "first")
    assert isinstance(desk.take("second", ""), Token)
    drawer.now_ms += 10_001.0
    assert desk.take("second", "") == Lease("1")


def test_who_only_looks_changes_nothing():
    """Or a hundred who wait would be in the way of the one who issues."""
    drawer = Drawer()
    desk = Desk(drawer)
    desk.take("first", "")
    drawer.written = 0
    assert isinstance(desk.take("second", ""), Busy)
    assert drawer.written == 0


def test_a_lease_does_not_outlast_a_clock_that_begins_again():
    drawer = Drawer()
    drawer.now_ms = 1_000_000.0
    desk = Desk(drawer)
    desk.take("dead", "")
    drawer.now_ms = 50.0
    assert desk.take("alive", "").seconds == pytest.approx(10.0)


FORKING = """
import os, sys
from pathlib import Path
import anyio
from kiwoom_async import Token
from kiwoom_async.sharing import SharedFiles
from datetime import datetime, timedelta, UTC
tokens = SharedFiles(sys.argv[1]).token_store("account")
for _ in range(4):
    if not os.fork():
        break
async def issue():
    await anyio.sleep(0.3)
    print("issued", flush=True)
    return Token(str(os.getpid()), datetime.now(UTC) + timedelta(hours=20))
anyio.run(tokens.replace, None, issue)
"""


def test_children_of_one_process_issue_one_token(tmp_path):
    """What was made before the fork is another program in each of them."""
    command = [sys.executable, "-c", FORKING, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout == "issued\n"


class Slow:
    """A place whose steps take a second."""

    def ask(self, _):
        time.sleep(1.0)


async def test_a_cancelled_caller_does_not_wait_for_the_place():
    began = anyio.current_time()
    with anyio.move_on_after(0.1):
        await Errands(0.0).run(Slow().ask, None)
    assert anyio.current_time() - began < 0.9


async def test_a_program_whose_threads_are_all_busy_gets_its_slots(tmp_path, account):
    pace = SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0)
    everybody = anyio.to_thread.current_default_thread_limiter()
    everybody.total_tokens, before = 1, everybody.total_tokens
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, time.sleep, 1.0)
        await anyio.sleep(0.1)
        with anyio.fail_after(0.8):
            await pace.acquire(BULK)
    everybody.total_tokens = before


# ---- slots, and who is there


async def test_programs_share_slots_and_are_known_to_each_other(make_sharing, account):
    times = []

    async def calls():
        pace = make_sharing().rate_limiter(account, "ka90004", 20.0)
        for _ in range(10):
            await pace.acquire(BULK)
            times.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(calls)
    assert len(times) == 30
    # Lower bounds only: a busy machine may be late.
    assert times[-1] - times[0] >= 29 * 1.045 / 20 - 0.02
    await make_sharing().token_store(account).replace(None, Issuer())
    await make_sharing().rate_limiter(account, "ka90004", 20.0).pause(0.0, 7.0)
    report = await make_sharing().report(account)
    assert [program.api_id for program in report.programs] == ["ka90004"] * 3
    (name,) = {program.name for program in report.programs}
    assert re.fullmatch(rf"{re.escape(os.uname().nodename)}:{os.getpid()} \S+", name)
    assert "__main__" not in name
    assert all(program.seconds_ago < 60 for program in report.programs)
    assert report.limits == (("ka90004", 7.0),)
    assert report.token_expires is not None
    assert report.token_by in {program.name for program in report.programs}


async def test_a_report_of_an_unused_account_is_empty(make_sharing, account):
    report = await make_sharing().report(account)
    assert (report.programs, report.limits, report.token_expires) == ((), (), None)


async def test_both_are_what_a_client_takes(make_sharing):
    assert isinstance(make_sharing(), Sharing)


# ---- files


async def test_files_are_for_their_user_only(tmp_path, account):
    sharing = SharedFiles(tmp_path / "shared")
    old = os.umask(0)
    try:
        await sharing.token_store(account).replace(None, Issuer())
        await sharing.rate_limiter(account, "ka90004", 50.0).acquire(BULK)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o700
    found = sorted((tmp_path / "shared" / account).iterdir())
    assert [path.name for path in found] == [
        "ka90004.json",
        "ka90004.lock",
        "token.json",
        "token.lock",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


async def test_files_of_another_user_are_refused(tmp_path, account, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(SharingError, match="belongs to another user; name another directory"):
        await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0).acquire(BULK)


async def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path, account):
    (tmp_path / account).mkdir()
    (tmp_path / account / "token.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SharingError, match="cannot be used"):
        await SharedFiles(tmp_path).token_store(account).replace(None, Issuer())
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("damage", [b"", b'{"format": 1, "at_', b"\xff\xfe\x00"])
async def test_a_file_that_lost_its_end_is_begun_again(tmp_path, account, damage):
    """A machine without power may leave it so."""
    (tmp_path / account).mkdir()
    for name in ("ka90004", "token"):
        (tmp_path / account / f"{name}.json").write_bytes(damage)
    began = anyio.current_time()
    await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0).acquire(BULK)
    assert anyio.current_time() - began >= 0.2
    issue = Issuer()
    await SharedFiles(tmp_path).token_store(account).replace(None, issue)
    assert issue.issued == 1


@pytest.mark.parametrize("facts", [{"format": 2}, {"free_ms": 1}, []])
async def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path, account, facts):
    (tmp_path / account).mkdir()
    path = tmp_path / account / "ka90004.json"
    path.write_text(json.dumps(facts))
    with pytest.raises(
        SharingError, match=r"ka90004.json is of format .*keeps 1: end the programs"
    ):
        await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0).acquire(BULK)
    assert json.loads(path.read_text()) == facts


async def test_a_file_with_strange_facts_is_refused(tmp_path, account):
    (tmp_path / account).mkdir()
    path = tmp_path / account / "ka90004.json"
    path.write_text('{"format": 1, "at_ms": "late", "free_ms": null}')
    with pytest.raises(SharingError, match="holds what no program writes there; delete it"):
        await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 5.0).acquire(BULK)


async def test_a_full_disk_is_an_error_and_the_file_stays_whole(tmp_path, account, monkeypatch):
    sharing = SharedFiles(tmp_path)
    await sharing.rate_limiter(account, "ka90004", 50.0).acquire(BULK)
    path = tmp_path / account / "ka90004.json"
    whole = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("kiwoom_async.sharing._locked.Path.replace", full)
    with pytest.raises(SharingError, match=r"cannot be used: .*No space left"):
        await sharing.rate_limiter(account, "ka90004", 50.0).acquire(BULK)
    assert path.read_bytes() == whole


async def test_a_directory_that_cannot_be_made_is_an_error(tmp_path, account):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SharingError, match="cannot be used"):
        await SharedFiles(tmp_path / "file").rate_limiter(account, "ka90004", 5.0).acquire(BULK)


STOPPED = """
import os, signal, sys
from pathlib import Path
from kiwoom_async.sharing._locked import LockedFile
from kiwoom_async.sharing._place import Errands
def step(facts, now_ms):
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    return {}, None
LockedFile(Path(sys.argv[1])).change(step)
"""


@pytest.mark.alone
async def test_a_program_stopped_in_the_middle_of_a_step_is_waited_for_two_seconds(
    tmp_path, account
):
    path = tmp_path / account / "ka90004.json"
    command = [sys.executable, "-c", STOPPED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stopped:  # noqa: ASYNC220, S603
        try:
            assert stopped.stdout.readline() == b"locked\n"
            began = time.monotonic()
            with pytest.raises(SharingError, match="has been locked for 2 s: a program"):
                await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0).acquire(BULK)
            assert 2.0 <= time.monotonic() - began < 4.0
        finally:
            # Its death ends the lock.
            stopped.send_signal(signal.SIGKILL)
    await SharedFiles(tmp_path).rate_limiter(account, "ka90004", 50.0).acquire(BULK)


def test_a_change_that_fails_changes_nothing(tmp_path):
    file = LockedFile(tmp_path / "a.json")
    file.change(lambda *_: ({"number": 1}, None))
    with pytest.raises(ZeroDivisionError):
        file.change(lambda *_: ({"number": 1 // 0}, None))
    assert file.change(lambda facts, _: (facts, facts["number"])) == 1


def test_without_a_directory_it_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert SharedFiles().directory.is_relative_to(tmp_path)
    # The program may change its directory on the way.
    assert repr(SharedFiles("some/where")) == f"SharedFiles('{tmp_path.cwd()}/some/where')"


# ---- Redis


async def test_a_sealed_token_cannot_be_read_at_the_server(redis_url, account):
    key = Fernet.generate_key()
    issue = Issuer(value=SECRET)
    await SharedRedis(redis_url, encryption_key=key).token_store(account).replace(None, issue)
    kept = Redis.from_url(redis_url).get(f"kiwoom_async:1:{{{account}}}:token")
    assert SECRET not in kept.decode()
    same = (
        await SharedRedis(redis_url, encryption_key=key).token_store(account).replace(None, issue)
    )
    assert (same.value, issue.issued) == (SECRET, 1)
    for other in (Fernet.generate_key(), None):
        tokens = SharedRedis(redis_url, encryption_key=other).token_store(account)
        with pytest.raises(SharingError, match="encryption_key") as caught:
            await tokens.replace(None, issue)
        assert SECRET not in str(caught.value)


async def test_keys_are_named_as_documented_and_do_not_stay_for_ever(redis_url, account):
    sharing = SharedRedis(redis_url)
    await sharing.token_store(account).replace(None, Issuer())
    await sharing.rate_limiter(account, "ka90004", 50.0).acquire(BULK)
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    assert {key.decode() for key in server.keys(f"*{account}*")} == {
        f"{prefix}pace:ka90004",
        f"{prefix}token",
    }
    assert 6 * 86400 < server.ttl(f"{prefix}pace:ka90004") <= 7 * 86400
    assert 86000 < server.ttl(f"{prefix}token") <= 86400


async def test_keys_of_another_version_are_refused_and_left_alone(redis_url, account):
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    for name in ("pace:ka90004", "token"):
        server.set(prefix + name, '{"format": 2}')
    with pytest.raises(SharingError, match=r"is of format 2, and this version .* keeps 1"):
        await SharedRedis(redis_url).rate_limiter(account, "ka90004", 5.0).acquire(BULK)
    with pytest.raises(SharingError, match=r"is of format 2, and this version .* keeps 1"):
        await SharedRedis(redis_url).token_store(account).replace(None, Issuer())
    assert server.get(prefix + "token") == b'{"format": 2}'


@pytest.mark.alone
async def test_a_server_that_is_not_there_is_an_error_at_once(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url)
        pace = sharing.rate_limiter(account, "ka90004", 50.0)
        await pace.acquire(BULK)
        server.stop()
        began = time.monotonic()
        for step in (
            lambda: pace.acquire(BULK),
            lambda: sharing.token_store(account).replace(None, Issuer()),
            lambda: sharing.report(account),
        ):
            with pytest.raises(SharingError, match=r"Redis at 127.0.0.1:\d+ cannot be used"):
                await step()
        assert time.monotonic() - began < 2.0


async def test_a_server_that_comes_back_is_waited_for_if_that_was_declared(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url, wait_seconds=20)
        pace, issue = sharing.rate_limiter(account, "ka90004", 50.0), Issuer()
        await pace.acquire(BULK)
        server.stop()
        async with anyio.create_task_group() as group:
            group.start_soon(pace.acquire, BULK)
            group.start_soon(sharing.token_store(account).replace, None, issue)
            await anyio.sleep(1.0)
            assert issue.issued == 0
            server.start()
    assert issue.issued == 1


async def test_with_a_local_share_a_token_is_issued_without_the_place(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url, local_share=1)
        tokens, issue = sharing.token_store(account), Issuer()
        first = await tokens.replace(None, issue)
        server.stop()
        second = await tokens.replace(first, issue)
        assert (second.value, issue.issued) == ("token-2", 2)
        server.start()
        # What others hold is older than what was issued meanwhile.
        third = await tokens.replace(second, issue)
        assert (third.value, issue.issued) == ("token-3", 3)


async def test_a_token_from_before_the_place_was_away_is_not_taken_again(account, tmp_path):
    place, elsewhere = tmp_path / "shared", tmp_path / "elsewhere"
    sharing, issue = SharedFiles(place, local_share=1), Issuer()
    tokens = sharing.token_store(account)
    first = await tokens.replace(None, issue)
    place.rename(elsewhere)
    place.write_text("in the way")
    second = await tokens.replace(first, issue)
    place.unlink()
    elsewhere.rename(place)
    # The place still has the first one, which is older than the one that is refused now.
    third = await tokens.replace(second, issue)
    assert [first.value, second.value, third.value] == ["token-1", "token-2", "token-3"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_connection_is_left_to_the_garbage_collector(tmp_path, backend):
    """Which would warn of it, and a warning is an error here."""

    async def lost_and_found():
        with redis_server(tmp_path) as server:
            pace = SharedRedis(server.url, wait_seconds=20).rate_limiter("account", "ka90004", 50.0)
            await pace.acquire(BULK)
            server.stop()
            async with anyio.create_task_group() as group:
                group.start_soon(pace.acquire, BULK)
                await anyio.sleep(0.5)
                server.start()

    for _ in range(3):
        anyio.run(lost_and_found, backend=backend)
        gc.collect()


@pytest.mark.alone
async def test_a_server_that_hangs_is_given_two_seconds(account, tmp_path):
    with redis_server(tmp_path) as server:
        pace = SharedRedis(server.url).rate_limiter(account, "ka90004", 50.0)
        await pace.acquire(BULK)
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(SharingError, match="Timeout"):
            await pace.acquire(BULK)
        assert 2.0 <= time.monotonic() - began < 3.5


async def test_a_server_that_was_restarted_in_an_idle_hour_is_no_failure(account, tmp_path):
    with redis_server(tmp_path) as server:
        pace = SharedRedis(server.url).rate_limiter(account, "ka90004", 50.0)
        await pace.acquire(BULK)
        server.stop()
        server.start()
        await pace.acquire(BULK)


async def test_a_password_is_not_in_any_text(account, tmp_path):
    with redis_server(tmp_path, "--requirepass", "the-password") as server:
        wrong = SharedRedis(server.url.replace("//", "//:not-the-password@"))
        with pytest.raises(SharingError) as caught:
            await wrong.rate_limiter(account, "ka90004", 5.0).acquire(BULK)
        right = SharedRedis(server.url.replace("//", "//:the-password@"))
        await right.rate_limiter(account, "ka90004", 50.0).acquire(BULK)
        report = await right.report(account)
    assert "it wants a user and a password, or others" in str(caught.value)
    for text in (str(caught.value), repr(wrong), repr(right), report.place):
        assert "the-password" not in text
    with pytest.raises(ValueError, match="url: expected redis://") as refused:
        SharedRedis("http://:the-password@localhost")
    assert "the-password" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://:hidden@localhost",
        "redis://:hidden@localhost:port/0",
        "redis://:hidden@localhost/database",
        "redis://:hidden@localhost?unknown=1",
        "redis://:hidden@localhost?decode_responses=true",
        "redis://:hidden@localhost?socket_timeout=1000",
        "redis://:hidden@localhost?ssl_ca_certs=/x",
        "unix://",
        "localhost:6379",
        6379,
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(url):
    with pytest.raises(ValueError, match="url: expected redis://, rediss:// or unix://") as caught:
        SharedRedis(url)
    assert "hidden" not in str(caught.value)


def test_a_server_is_named_as_it_will_be_reached():
    for url, name in [
        ("redis://:hidden@somewhere", "somewhere:6379"),
        ("rediss://somewhere:1234/3", "somewhere:1234"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
    ]:
        assert repr(SharedRedis(url)) == f"SharedRedis({name!r})"


async def test_keys_that_hold_something_else_are_refused(redis_url, account):
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    server.lpush(prefix + "pace:ka90004", "a list")
    pace = SharedRedis(redis_url).rate_limiter(account, "ka90004", 5.0)
    with pytest.raises(SharingError, match="WRONGTYPE"):
        await pace.acquire(BULK)
    for garbage, message in [
        (b"not JSON", "is not JSON; delete it"),
        (b"\xff\xfe\x00", "is not JSON; delete it"),
        (b'{"format": 1, "expires": 1e300}', "holds what no program writes there; delete it"),
        (b"[]", "is of format None"),
    ]:
        server.set(prefix + "token", garbage)
        with pytest.raises(SharingError, match=message):
            await SharedRedis(redis_url).token_store(account).replace(None, Issuer())
    for garbage in (b"not JSON", b"\xff\xfe\x00", b"[]", b"null"):
        server.set(prefix + "pace:ka90004", garbage)
        with pytest.raises(SharingError, match="is of format None, and this version"):
            await pace.acquire(BULK)


# ---- what is declared, and names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"local_share": 0}, "local_share: got 0; expected 1 request/s or more"),
        ({"local_share": 0.5}, "local_share: got 0.5; expected a whole number of requests/s"),
        ({"local_share": True}, "local_share: got True; expected a whole number"),
        ({"local_share": 2, "reserved": 1}, "reserved: got 1, and local_share 2; it is what all"),
        ({"wait_seconds": -1}, "wait_seconds: got -1; expected 0 or more"),
        ({"wait_seconds": float("inf")}, "wait_seconds: got inf; expected 0 or more"),
        ({"directory": 7}, "directory: got 7; expected a path"),
        ({"directory": ""}, "directory: got ''; expected a path"),
        ({"directory": "a\0b"}, "directory: got .*; expected a path"),
        ({"directory": "~nobody-of-this-name/x"}, "directory: got .*; expected a path: "),
    ],
)
def test_what_cannot_be_declared_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SharedFiles(**({"directory": "here"} | options))


def test_a_place_has_a_name_for_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("KIWOOM_SHARING_KEY", Fernet.generate_key().decode())
    assert from_url(f"files:{tmp_path}").directory == tmp_path
    assert repr(from_url("redis://:secret@localhost:1234/0")) == "SharedRedis('localhost:1234')"
    assert repr(from_url("unix:///run/redis.sock")) == "SharedRedis('/run/redis.sock')"
    for wrong in ("file", "files:", "http://localhost", "", "secret@localhost:6379"):
        with pytest.raises(ValueError, match=r"sharing: got .*; allowed are files, f") as caught:
            from_url(wrong)
        assert "secret" not in str(caught.value)
    monkeypatch.setenv("KIWOOM_SHARING_KEY", "short")
    with pytest.raises(ValueError, match=r"\(KIWOOM_SHARING_KEY\): expected 32 bytes"):
        from_url("redis://localhost")


@pytest.mark.parametrize(
    ("blocked", "extra", "code"),
    [
        ("platformdirs", "files", "SharedFiles()"),
        ("redis", "redis", "SharedRedis('redis://localhost')"),
        ("cryptography", "redis", "SharedRedis('redis://localhost', encryption_key='a')"),
    ],
)
def test_a_missing_extra_is_named(blocked, extra, code):
    program = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {blocked!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from kiwoom_async.sharing import SharedFiles, SharedRedis\n"
        f"SharedFiles('here')\n{code}"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: S603, PLW1510
    assert f"pip install 'kiwoom-async[{extra}]'" in run.stderr.splitlines()[-1]
