"""SharedTokenStore on files and on Redis: many programs, one issue."""

import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import anyio
import pytest
from support.redis import redis_server
from token_issuer import TokenIssuer

from kiwoom_async import AuthError
from kiwoom_async.sharing import SharedFiles, SharedRedis

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: files and servers cannot use a virtual clock."""
    return request.param


async def test_many_programs_issue_one_token(make_sharing, account):
    issue, tokens = TokenIssuer(), []

    async def start():
        tokens.append(await make_sharing().token_store(account).replace(None, issue))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(start)
    assert issue.issued == 1
    assert {token.value for token in tokens} == {"token-1"}
    assert {token.expires for token in tokens} == {tokens[0].expires}


async def test_a_refused_token_is_renewed_once_for_all_programs(make_sharing, account):
    issue = TokenIssuer()
    stores = [make_sharing().token_store(account) for _ in range(8)]
    old = [await store.replace(None, issue) for store in stores]
    renewed = []

    async def renew(store, refused):
        renewed.append(await store.replace(refused, issue))

    async with anyio.create_task_group() as group:
        for store, refused in zip(stores, old, strict=True):
            group.start_soon(renew, store, refused)
    assert issue.issued == 2
    assert {token.value for token in renewed} == {"token-2"}
    # A program that is late to report the first token as refused gets the second one.
    assert (await stores[0].replace(old[0], issue)).value == "token-2"
    assert issue.issued == 2


async def test_a_renewal_that_returns_the_same_string_is_not_repeated_by_each_program(
    make_sharing, account
):
    issue = TokenIssuer(value="the same")
    stores = [make_sharing().token_store(account) for _ in range(5)]
    old = [await store.replace(None, issue) for store in stores]
    for store, refused in zip(stores, old, strict=True):
        await store.replace(refused, issue)
    assert issue.issued == 2


@pytest.mark.parametrize("lifetime", [timedelta(seconds=30), timedelta(hours=-9)])
async def test_a_token_issued_just_before_its_expiry_is_not_issued_again_by_each_program(
    make_sharing, account, lifetime
):
    """An issue returns the valid token, which may expire in seconds; or this clock is wrong."""
    issue = TokenIssuer(lifetime)
    for _ in range(5):
        await make_sharing().token_store(account).replace(None, issue)
    assert issue.issued == 1


async def test_after_a_failed_issue_the_next_program_issues(make_sharing, account):
    failing, issue = TokenIssuer(error=AuthError("8001")), TokenIssuer()
    with pytest.raises(AuthError):
        await make_sharing().token_store(account).replace(None, failing)
    with anyio.fail_after(5):
        assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-1"


async def test_after_a_cancelled_issue_the_next_program_issues(make_sharing, account):
    with anyio.move_on_after(0.02):
        await make_sharing().token_store(account).replace(None, TokenIssuer())
    with anyio.fail_after(5):
        assert (
            await make_sharing().token_store(account).replace(None, TokenIssuer())
        ).value == "token-1"


@pytest.mark.parametrize("cancelled_after", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.03])
async def test_a_cancelled_program_releases_its_lease_at_any_moment(
    make_sharing, account, cancelled_after
):
    """Even if its thread is just taking the lease."""
    issue = TokenIssuer()
    for _ in range(3):
        with anyio.move_on_after(cancelled_after):
            await make_sharing().token_store(account).replace(None, TokenIssuer())
    with anyio.fail_after(5):
        assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-1"


async def test_forget_drops_a_revoked_token_but_not_a_newer_one(make_sharing, account):
    issue = TokenIssuer()
    store = make_sharing().token_store(account)
    first = await store.replace(None, issue)
    second = await store.replace(first, issue)
    await store.forget(first)
    assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-2"
    await store.forget(second)
    assert (await make_sharing().token_store(account).replace(None, issue)).value == "token-3"


async def test_accounts_do_not_share_a_token(make_sharing, account):
    issue = TokenIssuer()
    await make_sharing().token_store(account).replace(None, issue)
    await make_sharing().token_store(uuid4().hex).replace(None, issue)
    assert issue.issued == 2


async def test_with_a_local_share_a_token_is_issued_during_an_outage(account, tmp_path):
    with redis_server(tmp_path) as server:
        sharing = SharedRedis(server.url, local_share=1)
        tokens, issue = sharing.token_store(account), TokenIssuer()
        first = await tokens.replace(None, issue)
        server.stop()
        second = await tokens.replace(first, issue)
        assert (second.value, issue.issued) == ("token-2", 2)
        server.start()
        # The stored token is older than the refused one, which was issued during the outage.
        third = await tokens.replace(second, issue)
        assert (third.value, issue.issued) == ("token-3", 3)


async def test_a_token_from_before_an_outage_is_not_used_again(account, tmp_path):
    directory, elsewhere = tmp_path / "shared", tmp_path / "elsewhere"
    sharing, issue = SharedFiles(directory, local_share=1), TokenIssuer()
    tokens = sharing.token_store(account)
    first = await tokens.replace(None, issue)
    directory.rename(elsewhere)
    directory.write_text("in the way")
    second = await tokens.replace(first, issue)
    directory.unlink()
    elsewhere.rename(directory)
    # Still stored is the first token, which is older than the refused one.
    third = await tokens.replace(second, issue)
    assert [first.value, second.value, third.value] == ["token-1", "token-2", "token-3"]


FORKING = """
import os, sys
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


def test_forked_children_issue_one_token(tmp_path):
    """Each child is another program, although the store was made before the fork."""
    command = [sys.executable, "-c", FORKING, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout == "issued\n"
