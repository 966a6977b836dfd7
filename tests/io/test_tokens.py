"""The token cache: one token for all tasks, kept until shortly before it expires."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from kiwoom_async import AuthError, Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async._io.tokens import TokenCache
from kiwoom_async._protocol.messages import Token
from kiwoom_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Issuer:
    """Issues tokens with this lifetime, on a clock that the test moves, for its `cache`."""

    def __init__(self, lifetime=timedelta(hours=24)):
        self.now, self.lifetime, self.issued = NOON, lifetime, []
        self.cache = TokenCache(self.issue, now=lambda: self.now)

    async def issue(self):
        await anyio.sleep(0.05)
        self.issued.append(Token(f"token-{len(self.issued) + 1}", self.now + self.lifetime))
        return self.issued[-1]


async def test_a_token_is_issued_when_first_needed_and_once_for_all_tasks():
    issuer, got = Issuer(), []
    assert issuer.cache.cached is None

    async def get_token():
        got.append(await issuer.cache.get())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(get_token)
    assert len(issuer.issued) == 1
    assert got == issuer.issued * 20


async def test_a_token_is_kept_until_shortly_before_it_expires():
    issuer = Issuer()
    first = await issuer.cache.get()
    issuer.now += timedelta(hours=23, minutes=58)
    assert await issuer.cache.get() == first
    issuer.now += timedelta(minutes=1)
    assert await issuer.cache.get() != first
    assert len(issuer.issued) == 2


@pytest.mark.parametrize("lifetime", [timedelta(seconds=30), timedelta(seconds=-3600)])
async def test_a_token_near_its_expiry_is_not_issued_at_every_call(lifetime):
    """Issuing returns the same token and expiry, and the local clock may be an hour fast."""
    issuer = Issuer(lifetime)
    for _ in range(5):
        await issuer.cache.get()
        issuer.now += timedelta(seconds=1)
    assert len(issuer.issued) == 1
    issuer.now += timedelta(seconds=5)
    await issuer.cache.get()
    assert len(issuer.issued) == 2


async def test_a_refused_token_is_renewed_once_for_all_refused_tasks():
    issuer = Issuer()
    refused = await issuer.cache.get()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(issuer.cache.renew, refused)
    assert len(issuer.issued) == 2
    assert await issuer.cache.get() == issuer.issued[1]


async def test_a_late_refusal_does_not_discard_a_renewed_token():
    issuer = Issuer()
    refused = await issuer.cache.get()
    await issuer.cache.renew(refused)
    fresh = await issuer.cache.get()
    await issuer.cache.renew(refused)
    assert await issuer.cache.get() == fresh
    assert len(issuer.issued) == 2


async def test_the_next_task_issues_again_after_a_failed_issue():
    issuer, failures = Issuer(), [AuthError("no", code="8001")]

    async def issue():
        if failures:
            raise failures.pop()
        return await issuer.issue()

    cache = TokenCache(issue, now=lambda: issuer.now)
    with pytest.raises(AuthError):
        await cache.get()
    assert await cache.get() == issuer.issued[0]


async def test_the_next_task_issues_again_after_a_cancelled_issue():
    issuer = Issuer()
    with anyio.move_on_after(0.01):
        await issuer.cache.get()
    assert issuer.issued == []
    assert await issuer.cache.get() == issuer.issued[0]


async def test_forget_drops_the_cached_token_only_if_it_is_the_given_one():
    issuer = Issuer()
    first = await issuer.cache.get()
    await issuer.cache.renew(first)
    await issuer.cache.forget(first)
    assert issuer.cache.cached == issuer.issued[1]
    await issuer.cache.forget(issuer.issued[1])
    assert issuer.cache.cached is None
    assert await issuer.cache.get() == issuer.issued[2]


async def test_a_token_that_expires_while_its_call_waits_for_a_slot_is_not_sent(monkeypatch):
    sandbox = Sandbox(kospi_stocks=60, requests_per_second=None)
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(query)
        [account] = kiwoom._calls.accounts
        first = account.tokens.cached

        @asynccontextmanager
        async def acquire(_):
            account.tokens._now = lambda: first.expires
            yield

        monkeypatch.setattr(account.rate_limiter("ka90004"), "acquire", acquire)
        await kiwoom.page(query)
        # Issuing returns the same string while the token is valid (wire-facts.md, fact 7).
        assert account.tokens.cached is not first
    assert [arrival.api_id for arrival in sandbox.arrivals] == ["au10001", "ka90004"] * 2
