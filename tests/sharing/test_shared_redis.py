"""SharedRedis: encryption, keys, outages, and URLs."""

import gc
import signal
import time

import anyio
import pytest
from cryptography.fernet import Fernet
from redis import Redis
from support.limiters import make_call
from support.redis import redis_server
from token_issuer import TokenIssuer

from kiwoom_async import Priority, SharingError
from kiwoom_async.sharing import SharedRedis

pytestmark = pytest.mark.anyio
BULK = Priority.BULK
SECRET = "a-secret-token"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: servers cannot use a virtual clock."""
    return request.param


async def test_an_encrypted_token_needs_the_key(redis_url, account):
    key = Fernet.generate_key()
    issue = TokenIssuer(value=SECRET)
    await SharedRedis(redis_url, encryption_key=key).token_store(account).replace(None, issue)
    stored = Redis.from_url(redis_url).get(f"kiwoom_async:1:{{{account}}}:token")
    assert SECRET not in stored.decode()
    same = (
        await SharedRedis(redis_url, encryption_key=key).token_store(account).replace(None, issue)
    )
    assert (same.value, issue.issued) == (SECRET, 1)
    for other_key in (Fernet.generate_key(), None):
        tokens = SharedRedis(redis_url, encryption_key=other_key).token_store(account)
        with pytest.raises(
            SharingError, match="encryption_key: the shared token was stored"
        ) as caught:
            await tokens.replace(None, issue)
        assert SECRET not in str(caught.value)


async def test_keys_have_the_documented_names_and_expire(redis_url, account):
    sharing = SharedRedis(redis_url)
    await sharing.token_store(account).replace(None, TokenIssuer())
    await make_call(sharing.rate_limiter(account, "ka90004", 50.0), BULK)
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    assert {key.decode() for key in server.keys(f"*{account}*")} == {
        f"{prefix}pace:ka90004",
        f"{prefix}token",
    }
    assert 6 * 86400 < server.ttl(f"{prefix}pace:ka90004") <= 7 * 86400
    assert 86000 < server.ttl(f"{prefix}token") <= 86400


async def test_keys_of_another_version_are_refused_and_not_changed(redis_url, account):
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    for name in ("pace:ka90004", "token"):
        server.set(prefix + name, '{"format": 2}')
    with pytest.raises(SharingError, match=r"is of format 2, and this version .* uses 1"):
        await make_call(SharedRedis(redis_url).rate_limiter(account, "ka90004", 5.0), BULK)
    with pytest.raises(SharingError, match=r"is of format 2, and this version .* uses 1"):
        await SharedRedis(redis_url).token_store(account).replace(None, TokenIssuer())
    assert server.get(prefix + "token") == b'{"format": 2}'


@pytest.mark.alone
async def test_a_missing_server_is_an_error_at_once(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url)
        limiter = sharing.rate_limiter(account, "ka90004", 50.0)
        await make_call(limiter, BULK)
        server.stop()
        began = time.monotonic()
        for call in (
            lambda: make_call(limiter, BULK),
            lambda: sharing.token_store(account).replace(None, TokenIssuer()),
            lambda: sharing.report(account),
        ):
            with pytest.raises(SharingError, match=r"Redis at 127.0.0.1:\d+ cannot be used"):
                await call()
        assert time.monotonic() - began < 2.0


async def test_calls_wait_wait_seconds_for_the_server(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url, wait_seconds=20)
        limiter, issue = sharing.rate_limiter(account, "ka90004", 50.0), TokenIssuer()
        await make_call(limiter, BULK)
        server.stop()
        async with anyio.create_task_group() as group:
            group.start_soon(make_call, limiter, BULK)
            group.start_soon(sharing.token_store(account).replace, None, issue)
            await anyio.sleep(1.0)
            assert issue.issued == 0
            server.start()
    assert issue.issued == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_connection_is_left_to_the_garbage_collector(tmp_path, backend):
    """It would warn, and a warning is an error here."""

    async def use_a_restarted_server():
        with redis_server(tmp_path) as server:
            limiter = SharedRedis(server.url, wait_seconds=20).rate_limiter(
                "account", "ka90004", 50.0
            )
            await make_call(limiter, BULK)
            server.stop()
            async with anyio.create_task_group() as group:
                group.start_soon(make_call, limiter, BULK)
                await anyio.sleep(0.5)
                server.start()

    for _ in range(3):
        anyio.run(use_a_restarted_server, backend=backend)
        gc.collect()


@pytest.mark.alone
async def test_a_server_that_hangs_is_an_error_after_two_seconds(account, tmp_path):
    with redis_server(tmp_path) as server:
        limiter = SharedRedis(server.url).rate_limiter(account, "ka90004", 50.0)
        await make_call(limiter, BULK)
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(SharingError, match="Timeout"):
            await make_call(limiter, BULK)
        assert 2.0 <= time.monotonic() - began < 3.5


async def test_a_server_that_was_restarted_between_calls_is_no_error(account, tmp_path):
    with redis_server(tmp_path) as server:
        limiter = SharedRedis(server.url).rate_limiter(account, "ka90004", 50.0)
        await make_call(limiter, BULK)
        server.stop()
        server.start()
        await make_call(limiter, BULK)


async def test_errors_reprs_and_reports_do_not_show_the_password(account, tmp_path):
    with redis_server(tmp_path, "--requirepass", "the-password") as server:
        wrong = SharedRedis(server.url.replace("//", "//:not-the-password@"))
        with pytest.raises(SharingError) as caught:
            await make_call(wrong.rate_limiter(account, "ka90004", 5.0), BULK)
        right = SharedRedis(server.url.replace("//", "//:the-password@"))
        await make_call(right.rate_limiter(account, "ka90004", 50.0), BULK)
        report = await right.report(account)
    assert "user or password is missing or wrong" in str(caught.value)
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
def test_an_invalid_url_is_refused_and_not_shown(url):
    with pytest.raises(ValueError, match="url: expected redis://, rediss:// or unix://") as caught:
        SharedRedis(url)
    assert "hidden" not in str(caught.value)


def test_the_repr_shows_the_address_without_the_password():
    for url, address in [
        ("redis://:hidden@somewhere", "somewhere:6379"),
        ("rediss://somewhere:1234/3", "somewhere:1234"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock"),
    ]:
        assert repr(SharedRedis(url)) == f"SharedRedis({address!r})"


async def test_keys_with_unexpected_data_are_refused(redis_url, account):
    server = Redis.from_url(redis_url)
    prefix = f"kiwoom_async:1:{{{account}}}:"
    server.lpush(prefix + "pace:ka90004", "a list")
    limiter = SharedRedis(redis_url).rate_limiter(account, "ka90004", 5.0)
    with pytest.raises(SharingError, match="WRONGTYPE"):
        await make_call(limiter, BULK)
    for garbage, message in [
        (b"not JSON", "is not JSON; delete it"),
        (b"\xff\xfe\x00", "is not JSON; delete it"),
        (b'{"format": 1, "expires_unix_seconds": 1e300}', "holds unexpected data; delete it"),
        (b"[]", "is of format None"),
    ]:
        server.set(prefix + "token", garbage)
        with pytest.raises(SharingError, match=message):
            await SharedRedis(redis_url).token_store(account).replace(None, TokenIssuer())
    for garbage in (b"not JSON", b"\xff\xfe\x00", b"[]", b"null"):
        server.set(prefix + "pace:ka90004", garbage)
        with pytest.raises(SharingError, match="is of format None, and this version"):
            await make_call(limiter, BULK)
