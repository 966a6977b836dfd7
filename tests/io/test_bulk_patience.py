"""Outages: bulk work outlives a restart of the network, interactive calls stay quick."""

import anyio
import httpx
import pytest
from support.canned import CannedPages, row

from kiwoom_async import (
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    TransportError,
    WalkComplete,
)

pytestmark = pytest.mark.anyio

MARKETS = [ProgramTradeQuery("2026-11-20", market, Exchange.KRX) for market in Market]


class Unreachable(CannedPages):
    """Refuses every connection between two moments of the event loop's clock."""

    def __init__(self, begins, ends):
        super().__init__({"": ([row(1)], "K1"), "K1": ([row(2)], "")})
        self.begins, self.ends = begins, ends
        self.refused = 0

    async def handle_async_request(self, request):
        if self.begins <= anyio.current_time() < self.ends:
            self.refused += 1
            raise httpx.ConnectError("refused")
        return await super().handle_async_request(request)


def client(transport):
    return KiwoomClient("app-key", "secret-key", transport=transport, requests_per_second=50)


@pytest.mark.parametrize("seconds", [5, 20])
async def test_a_merge_outlives_an_outage(seconds):
    transport = Unreachable(0, 0)
    async with client(transport) as kiwoom:
        await kiwoom.token_expires()
        now = anyio.current_time()
        transport.begins, transport.ends = now, now + seconds
        async with kiwoom.merge(MARKETS) as pages:
            rows = [trade async for trade in pages.rows()]
        assert len(rows) == 4
        assert transport.refused <= 22


async def test_a_watch_and_many_walks_outlive_one_within_the_budget():
    days = [
        ProgramTradeQuery(f"2026-11-{day:02}", Market.KOSPI, Exchange.KRX) for day in range(2, 10)
    ]
    transport = Unreachable(0, 0)
    async with client(transport) as kiwoom:
        await kiwoom.token_expires()
        now = anyio.current_time()
        transport.begins, transport.ends = now, now + 15
        async with kiwoom.merge(days, concurrency=8) as pages:
            assert len([page async for page in pages]) == 16
        assert transport.refused <= 28
    # Another client: what is left of the first one's budget depends on its random waits.
    async with client(transport) as kiwoom:
        await kiwoom.token_expires()
        now = anyio.current_time()
        transport.begins, transport.ends = now, now + 10
        async for item in kiwoom.watch(MARKETS):
            assert not isinstance(item, Failure)
            if isinstance(item, WalkComplete):
                break


async def test_an_outage_without_end_ends_bulk_work_after_half_a_minute():
    transport = Unreachable(0, 0)
    async with client(transport) as kiwoom:
        await kiwoom.token_expires()
        began = anyio.current_time()
        transport.begins, transport.ends = began, float("inf")
        async with kiwoom.merge(MARKETS[:1], on_error="deliver") as items:
            [failure] = [item async for item in items]
        assert isinstance(failure.error, TransportError)
        assert 25 < anyio.current_time() - began < 40
        assert transport.refused <= 21


async def test_interactive_calls_stay_quick():
    transport = Unreachable(0, 0)
    async with client(transport) as kiwoom:
        await kiwoom.token_expires()
        began = anyio.current_time()
        transport.begins, transport.ends = began, float("inf")
        with pytest.raises(TransportError):
            await kiwoom.page(MARKETS[0])
        assert anyio.current_time() - began < 3
        assert transport.refused == 4


async def test_a_client_of_one_attempt_makes_one():
    transport = Unreachable(0, 0)
    options = {"transport": transport, "requests_per_second": 50, "attempts": 1}
    async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
        await kiwoom.token_expires()
        transport.ends = float("inf")
        async with kiwoom.merge(MARKETS[:1], on_error="deliver") as items:
            assert [item async for item in items]
        assert transport.refused == 1


async def test_a_merge_outlives_an_outage_before_it_has_a_token():
    transport = Unreachable(0, 0)
    async with client(transport) as kiwoom:
        now = anyio.current_time()
        transport.begins, transport.ends = now, now + 5
        async with kiwoom.merge(MARKETS) as pages:
            assert len([page async for page in pages]) == 4
        transport.begins, transport.ends = now, now + 1000
    async with client(transport) as kiwoom:
        with pytest.raises(TransportError):
            await kiwoom.collect(MARKETS[0])
    assert anyio.current_time() < now + 20


async def test_one_reset_of_every_connection_does_not_make_walks_wait_in_a_queue():
    days = [
        ProgramTradeQuery(f"2026-11-{day:02}", Market.KOSPI, Exchange.KRX) for day in range(2, 10)
    ]

    class Reset(Unreachable):
        async def handle_async_request(self, request):
            if self.refused < self.ends and request.url.path != "/oauth2/token":
                self.refused += 1
                raise httpx.ReadError("reset")
            return await CannedPages.handle_async_request(self, request)

    async with client(Reset(0, len(days))) as kiwoom:
        await kiwoom.token_expires()
        began = anyio.current_time()
        async with kiwoom.merge(days, concurrency=len(days)) as pages:
            assert len([page async for page in pages]) == 16
        assert anyio.current_time() - began < 2
