"""Walks on the sandbox by rows, pages, page and collect; and what is refused before sending."""

import gc
import logging
import warnings
from contextlib import aclosing
from datetime import datetime

import anyio
import httpx
import pytest
from support.exchange import QUERY, five_page_sandbox, page_calls, stock_codes
from support.recorded import recorded
from support.walks import walked_symbols

from kiwoom_async import (
    ApiError,
    AuthError,
    CallSent,
    ContinuationError,
    Environment,
    Exchange,
    KiwoomClient,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
)
from kiwoom_async._io import calls
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async._protocol.times import KST
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_rows_yields_every_row_once_in_order():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        assert await walked_symbols(kiwoom) == stock_codes(sandbox)
    assert len(page_calls(sandbox)) == 5


async def test_pages_are_numbered_and_the_last_has_no_next_cursor():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
    assert [page.number for page in pages] == [1, 2, 3, 4, 5]
    assert [len(page.rows) for page in pages] == [50, 50, 50, 50, 30]
    assert [page.next is None for page in pages] == [False] * 4 + [True]
    assert {page.query for page in pages} == {QUERY}
    assert pages[0].totals.buy_amount == int(sandbox.totals("20261120", "P00101", "1")["tot_2"])


async def test_page_makes_one_call():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        first = await kiwoom.page(QUERY)
        second = await kiwoom.page(QUERY, first.next)
    assert (first.number, second.number) == (1, 2)
    assert [row.symbol for row in first.rows + second.rows] == stock_codes(sandbox)[:100]
    assert len(page_calls(sandbox)) == 2


async def test_collect_returns_every_row_and_an_audit():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert [row.symbol for row in walk.rows] == stock_codes(sandbox)
    assert (walk.audit.pages, walk.audit.rows, walk.audit.blank_rows) == (5, 230, 0)
    assert walk.audit.findings == []
    checks = {check.name: check for check in walk.audit.checks}
    assert checks["sum of the turnover shares"].actual == 100
    assert checks["buy amount of the rows"].difference == 0
    assert {(row.date, row.market, row.exchange) for row in walk.rows} == {
        (QUERY.date, QUERY.market, QUERY.exchange)
    }


async def test_totals_stated_on_the_first_page_only_are_those_of_the_walk():
    async with KiwoomClient.sandbox(five_page_sandbox(totals_on="first page")) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert walk.totals.buy_amount
    assert walk.audit.findings == []


async def test_a_day_without_data_is_an_empty_walk():
    async with KiwoomClient.sandbox(five_page_sandbox()) as kiwoom:
        sunday = ProgramTradeQuery("2026-11-15", Market.KOSPI, Exchange.KRX)
        walk = await kiwoom.collect(sunday)
    assert (walk.rows, walk.audit.blank_rows, walk.audit.findings) == ([], 1, [])


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("venue", Exchange)
async def test_every_market_and_exchange_is_walked_completely(market, venue):
    sandbox = five_page_sandbox()
    query = ProgramTradeQuery("2026-11-20", market, venue)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(query)
    suffix = {Exchange.KRX: "", Exchange.NXT: "_NX", Exchange.CONSOLIDATED: "_AL"}[venue]
    assert len(walk.rows) == {Market.KOSPI: 230, Market.KOSDAQ: 70}[market]
    assert all(row.symbol == row.stock_code + suffix for row in walk.rows)
    assert walk.audit.findings == []


async def test_a_walk_keeps_at_most_one_page_in_memory():
    """When a page is requested, the rows of the page before it have been freed."""
    alive = []

    def count(event):
        if isinstance(event, CallSent):
            alive.append(sum(isinstance(item, ProgramTrade) for item in gc.get_objects()))

    async with KiwoomClient.sandbox(five_page_sandbox(), on_event=count) as kiwoom:
        gc.collect()
        before = sum(isinstance(item, ProgramTrade) for item in gc.get_objects())
        async for _ in kiwoom.rows(QUERY):
            pass
        # The loop variable of this test still holds the last row.
        assert max(alive) - before <= 1
        async for page in kiwoom.pages(QUERY):
            del page
        assert max(alive) - before <= 1


async def test_a_client_works_after_a_walk_was_left_early():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with aclosing(kiwoom.rows(QUERY)) as rows:
            async for row in rows:
                assert row.symbol == stock_codes(sandbox)[0]
                break
        assert len(page_calls(sandbox)) == 1
        assert await walked_symbols(kiwoom) == stock_codes(sandbox)


async def test_an_exception_of_the_loop_body_propagates_unchanged():
    async with KiwoomClient.sandbox(five_page_sandbox()) as kiwoom:
        with pytest.raises(KeyError, match="mine"):  # noqa: PT012
            async with aclosing(kiwoom.pages(QUERY)) as pages:
                async for _ in pages:
                    raise KeyError("mine")


async def test_the_timeout_does_not_count_the_time_of_the_consumer():
    """A consumer may take longer than the timeout: no scope is open between pages."""
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox, timeout=1.0) as kiwoom:
        found = []
        async for page in kiwoom.pages(QUERY):
            await anyio.sleep(10)
            found += [row.symbol for row in page.rows]
    assert found == stock_codes(sandbox)


async def test_closing_the_client_ends_a_running_walk_with_an_error():
    sandbox = five_page_sandbox(Fault("slow", call=3, seconds=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:

        async def walk():
            with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
                await walked_symbols(kiwoom)

        group.start_soon(walk)
        await anyio.sleep(3)
        await kiwoom.aclose()


async def test_a_cursor_of_another_query_is_refused():
    sandbox = five_page_sandbox()
    other = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(
            ContinuationError, match=r"belongs to another query.*20261119"
        ) as caught:
            await kiwoom.page(QUERY, first_cursor(other))
        assert (caught.value.query, caught.value.cursor) == (QUERY, None)
        with pytest.raises(ContinuationError):
            await walked_symbols(kiwoom, start=first_cursor(other))
        with pytest.raises(ContinuationError):
            await kiwoom.collect(QUERY, start=first_cursor(other))
        with pytest.raises(ValueError, match=r"Cursor\.parse\(text\) makes one"):
            await kiwoom.page(QUERY, "k1.abc")
    assert not sandbox.arrivals


async def test_a_future_day_is_refused():
    sandbox = five_page_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):
            await kiwoom.page(ProgramTradeQuery("2999-12-31", Market.KOSPI, Exchange.KRX))
    assert not sandbox.arrivals


async def test_today_is_the_date_in_korea(monkeypatch):
    class HalfPastMidnightInSeoul:
        @staticmethod
        def now(zone=None):
            moment = datetime(2026, 11, 21, 0, 30, tzinfo=KST)
            return moment.astimezone(zone) if zone else datetime(2026, 11, 20, 15, 30)  # noqa: DTZ001

    monkeypatch.setattr(calls, "datetime", HalfPastMidnightInSeoul)
    async with KiwoomClient.sandbox(five_page_sandbox()) as kiwoom:
        await kiwoom.page(ProgramTradeQuery("2026-11-21", Market.KOSPI, Exchange.KRX))
        with pytest.raises(ValueError, match="today is 2026-11-21 in Korea"):
            await kiwoom.page(ProgramTradeQuery("2026-11-22", Market.KOSPI, Exchange.KRX))


async def test_an_exchange_that_the_mock_host_lacks_is_warned_about_once_and_sent():
    sandbox = five_page_sandbox()
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.NXT)
    async with KiwoomClient.sandbox(sandbox, environment=Environment.MOCK) as kiwoom:
        with pytest.warns(
            UserWarning, match=r"knows Exchange\.KRX only, not Exchange\.NXT"
        ) as caught:
            await kiwoom.page(query)
        assert caught[0].filename == __file__
        await kiwoom.page(query)
        await kiwoom.page(QUERY)
    assert len(page_calls(sandbox)) == 3


async def test_a_closed_client_refuses_every_call():
    sandbox = five_page_sandbox()
    kiwoom = KiwoomClient.sandbox(sandbox)
    await kiwoom.aclose()
    await kiwoom.aclose()
    for call in (kiwoom.page(QUERY), kiwoom.collect(QUERY), walked_symbols(kiwoom)):
        with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
            await call
    assert not sandbox.arrivals


async def test_requests_are_exactly_those_of_the_specification():
    sent = []

    def answer(request):
        sent.append(request)
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token, headers={"set-cookie": "gateway=1"})
        body = recorded("ka90004_spec_example")
        more = len(sent) == 2
        headers = {"cont-yn": "Y", "next-key": "K2"} if more else {"cont-yn": "N", "next-key": ""}
        return httpx.Response(200, json=body, headers=headers | {"set-cookie": "gateway=1"})

    transport = httpx.MockTransport(answer)
    async with KiwoomClient("app-key", "secret-key", transport=transport) as kiwoom:
        assert len([row async for row in kiwoom.rows(QUERY)]) == 8
    token, first, second = sent
    assert {str(request.url) for request in (first, second)} == {
        "https://api.kiwoom.com/api/dostk/stkinfo"
    }
    assert str(token.url) == "https://api.kiwoom.com/oauth2/token"
    for request in sent:
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json;charset=UTF-8"
        assert request.headers["user-agent"].startswith("kiwoom_async/")
        assert "cookie" not in request.headers
    assert "api-id" not in token.headers
    assert first.headers["authorization"] == "Bearer the-token"
    assert (first.headers["api-id"], "next-key" in first.headers) == ("ka90004", False)
    assert (second.headers["cont-yn"], second.headers["next-key"]) == ("Y", "K2")
    assert first.content == second.content


async def test_app_keys_in_an_answer_are_redacted():
    def echo(request):
        return httpx.Response(200, json={"return_code": 7, "return_msg": request.content.decode()})

    transport = httpx.MockTransport(echo)
    async with KiwoomClient("the-app-key-1", "the-secret-key-1", transport=transport) as kiwoom:
        with pytest.raises(ApiError) as caught:
            await kiwoom.page(QUERY)
    assert "***" in str(caught.value)
    assert "the-app-key-1" not in str(caught.value)
    assert "the-secret-key-1" not in str(caught.value)


async def test_logs_reprs_and_exceptions_hold_no_secret(caplog):
    secrets = ("the-app-key-0001", "the-secret-key-0001")
    faults = [Fault("code", code="8050", call=2), Fault("disconnect", call=1)]
    sandbox = five_page_sandbox(*faults)
    shown = []
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        app = httpx.ASGITransport(app=sandbox)
        options = {"base_url": "http://localhost", "transport": app}
        async with KiwoomClient(*secrets, **options) as kiwoom:
            shown.append(repr(kiwoom))
            with pytest.raises(AuthError) as caught:
                await walked_symbols(kiwoom)
            (account,) = kiwoom._calls.accounts
            token = account.tokens.cached
            shown += [repr(token), repr(caught.value), str(caught.value), repr(account.tokens)]
    shown += [record.getMessage() for record in caplog.records]
    text = "\n".join(shown)
    assert len(token.value) > 20
    assert not [secret for secret in (*secrets, token.value) if secret in text]
