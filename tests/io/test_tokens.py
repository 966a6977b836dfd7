"""One token for all tasks: kept as long as the server says, renewed by compare-and-swap."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from kiwoom_async import AuthError, Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async._io.tokens import TokenCache
from kiwoom_async._protocol.messages import Token
from kiwoom_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Desk:
    """Issues tokens that live for `life`, on a clock that the test moves."""

    def __init__(self, life=timedelta(hours=24)):
        self.now, self.life, self.issued = NOON, life, []
        self.keeper = TokenCache(self.issue, now=lambda: self.now)

    async def issue(self):
        await anyio.sleep(0.05)
        self.issued.append(Token(f"token-{len(self.issued) + 1}", self.now + self.life))
        return self.issued[-1]


async def test_a_token_is_issued_on_first_need_and_once_for_all_tasks():
    desk, got = Desk(), []
    assert desk.keeper.cached is None

    async def one():
        got.append(await desk.keeper.get())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert len(desk.issued) == 1
    assert got == desk.issued * 20


async def test_a_token_is_kept_until_shortly_before_it_dies():
    desk = Desk()
    first = await desk.keeper.get()
    desk.now += timedelta(hours=23, minutes=58)
    assert await desk.keeper.get() == first
    desk.now += timedelta(minutes=1)
    assert await desk.keeper.get() != first
    assert len(desk.issued) == 2


@pytest.mark.parametrize("life", [timedelta(seconds=30), timedelta(seconds=-3600)])
async def test_a_token_near_its_end_is_not_asked_for_at_every_call(life):
    """Issuing returns the old token with its old expiry; a local clock may be an hour fast."""
    desk = Desk(life)
    for _ in range(5):
        await desk.keeper.get()
        desk.now += timedelta(seconds=1)
    assert len(desk.issued) == 1
    desk.now += timedelta(seconds=5)
    await desk.keeper.get()
    assert len(desk.issued) == 2


async def test_a_refused_token_is_renewed_once_however_many_tasks_were_refused():
    desk = Desk()
    refused = await desk.keeper.get()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(desk.keeper.renew, refused)
    assert len(desk.issued) == 2
    assert await desk.keeper.get() == desk.issued[1]


async def test_a_slow_task_does_not_throw_away_a_token_renewed_meanwhile():
    desk = Desk()
    refused = await desk.keeper.get()
    await desk.keeper.renew(refused)
    fresh = await desk.keeper.get()
    await desk.keeper.renew(refused)
    assert await desk.keeper.get() == fresh
    assert len(desk.issued) == 2


async def test_a_failed_issue_leaves_the_next_task_to_try():
    desk, failures = Desk(), [AuthError("no", code="8001")]

    async def issue():
        if failures:
            raise failures.pop()
        return await desk.issue()

    keeper = TokenCache(issue, now=lambda: desk.now)
    with pytest.raises(AuthError):
        await keeper.get()
    assert await keeper.get() == desk.issued[0]


async def test_a_cancelled_issue_leaves_the_next_task_to_try():
    desk = Desk()
    with anyio.move_on_after(0.01):
        await desk.keeper.get()
    assert desk.issued == []
    assert await desk.keeper.get() == desk.issued[0]


async def test_a_revoked_token_is_forgotten_unless_another_is_held():
    desk = Desk()
    first = await desk.keeper.get()
    await desk.keeper.renew(first)
    await desk.keeper.forget(first)
    assert desk.keeper.cached == desk.issued[1]
    await desk.keeper.forget(desk.issued[1])
    assert desk.keeper.cached is None
    assert await desk.keeper.get() == desk.issued[2]


async def test_a_token_that_dies_while_its_call_waits_for_a_slot_is_not_sent(monkeypatch):
    sandbox = Sandbox(kospi_stocks=60, requests_per_second=None)
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(query)
        [account] = kiwoom._calls.accounts
        first = account.tokens.cached

        async def acquire(_):
            account.tokens._now = lambda: first.expires

        monkeypatch.setattr(account.rate_limiter("ka90004"), "acquire", acquire)
        await kiwoom.page(query)
        # An issue while it lives, by the server's clock, gives the same string (fact 7).
        assert account.tokens.cached is not first
    assert [one.api_id for one in sandbox.arrivals] == ["au10001", "ka90004"] * 2
