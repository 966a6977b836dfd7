"""Walks on the sandbox: every row once in order, or one error that says where to go on."""

import gc
import logging
import math
import pickle
import warnings
from contextlib import aclosing
from datetime import datetime, timedelta

import anyio
import httpx
import pytest
from support.recorded import recorded

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    CallSent,
    ContinuationError,
    Cursor,
    DecodeError,
    Environment,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
    RateLimited,
    TransportError,
    TransportTimeout,
)
from kiwoom_async._io import calls
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async._protocol.times import KST
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
# Five pages of 50: the last one is not full.
STOCKS = 230


def exchange(*faults, **options):
    return Sandbox(faults=faults, **({"kospi_stocks": STOCKS, "kosdaq_stocks": 70} | options))


def truth(sandbox):
    return [row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")]


def data_calls(sandbox):
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "ka90004"]


def issues(sandbox):
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "au10001"]


async def until_it_ends(kiwoom):
    """The symbols delivered before the error, and the error."""
    found = []
    try:
        async for row in kiwoom.rows(QUERY):
            found.append(row.symbol)  # noqa: PERF401 - a comprehension would lose them
    except KiwoomError as error:
        return found, error
    pytest.fail("the walk ended without an error")


async def symbols(kiwoom, start=None):
    return [row.symbol async for row in kiwoom.rows(QUERY, start=start)]


# ---- the four ways to walk


async def test_rows_are_every_row_once_in_order():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        assert await symbols(kiwoom) == truth(sandbox)
    assert len(data_calls(sandbox)) == 5


async def test_pages_say_where_they_stand():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
    assert [page.number for page in pages] == [1, 2, 3, 4, 5]
    assert [len(page.rows) for page in pages] == [50, 50, 50, 50, 30]
    assert [page.next is None for page in pages] == [False] * 4 + [True]
    assert {page.query for page in pages} == {QUERY}
    assert pages[0].totals.buy_amount == int(sandbox.totals("20261120", "P00101", "1")["tot_2"])


async def test_page_is_one_call():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        first = await kiwoom.page(QUERY)
        second = await kiwoom.page(QUERY, first.next)
    assert (first.number, second.number) == (1, 2)
    assert [row.symbol for row in first.rows + second.rows] == truth(sandbox)[:100]
    assert len(data_calls(sandbox)) == 2


async def test_collect_is_the_whole_walk_with_its_audit():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert [row.symbol for row in walk.rows] == truth(sandbox)
    assert (walk.audit.pages, walk.audit.rows, walk.audit.blank_rows) == (5, STOCKS, 0)
    assert walk.audit.findings == []
    checks = {check.name: check for check in walk.audit.checks}
    assert checks["sum of the turnover shares"].actual == 100
    assert checks["buy amount of the rows"].difference == 0
    assert {(row.date, row.market, row.exchange) for row in walk.rows} == {
        (QUERY.date, QUERY.market, QUERY.exchange)
    }


async def test_totals_on_the_first_page_only_do_for_the_whole_walk():
    async with KiwoomClient.sandbox(exchange(totals_on="first page")) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert walk.totals.buy_amount
    assert walk.audit.findings == []


async def test_a_day_without_data_is_an_empty_walk():
    async with KiwoomClient.sandbox(exchange()) as kiwoom:
        sunday = ProgramTradeQuery("2026-11-15", Market.KOSPI, Exchange.KRX)
        walk = await kiwoom.collect(sunday)
    assert (walk.rows, walk.audit.blank_rows, walk.audit.findings) == ([], 1, [])


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("venue", Exchange)
async def test_every_market_and_exchange(market, venue):
    sandbox = exchange()
    query = ProgramTradeQuery("2026-11-20", market, venue)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(query)
    suffix = {Exchange.KRX: "", Exchange.NXT: "_NX", Exchange.CONSOLIDATED: "_AL"}[venue]
    assert len(walk.rows) == {Market.KOSPI: STOCKS, Market.KOSDAQ: 70}[market]
    assert all(row.symbol == row.stock_code + suffix for row in walk.rows)
    assert walk.audit.findings == []


async def test_rows_hold_one_page_in_memory_never_two():
    """Counted when the next page is asked for: the rows of the page before are gone."""
    alive = []

    def count(event):
        if isinstance(event, CallSent):
            alive.append(sum(isinstance(one, ProgramTrade) for one in gc.get_objects()))

    async with KiwoomClient.sandbox(exchange(), on_event=count) as kiwoom:
        gc.collect()
        before = sum(isinstance(one, ProgramTrade) for one in gc.get_objects())
        async for _ in kiwoom.rows(QUERY):
            pass
        # The consumer's own variable still holds the last row.
        assert max(alive) - before <= 1
        async for page in kiwoom.pages(QUERY):
            del page
        assert max(alive) - before <= 1


async def test_leaving_a_walk_early_leaves_the_client_whole():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with aclosing(kiwoom.rows(QUERY)) as rows:
            async for row in rows:
                assert row.symbol == truth(sandbox)[0]
                break
        assert len(data_calls(sandbox)) == 1
        assert await symbols(kiwoom) == truth(sandbox)


async def test_an_exception_in_the_loop_comes_out_bare():
    async with KiwoomClient.sandbox(exchange()) as kiwoom:
        with pytest.raises(KeyError, match="mine"):  # noqa: PT012
            async with aclosing(kiwoom.pages(QUERY)) as pages:
                async for _ in pages:
                    raise KeyError("mine")


async def test_a_slow_consumer_is_not_billed():
    """No scope is open between pages, so that a consumer may take longer than any timeout."""
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox, timeout=1.0) as kiwoom:
        found = []
        async for page in kiwoom.pages(QUERY):
            await anyio.sleep(10)
            found += [row.symbol for row in page.rows]
    assert found == truth(sandbox)


# ---- faults: each is survived, or is one error that resumes exactly

SURVIVED = [
    Fault("rate_limit", call=3),
    Fault("rate_limit", call=3, times=3),
    Fault("rate_limit", call=3, seconds=3),
    Fault("rate_limit_200", call=3),
    Fault("server_error", call=3),
    Fault("server_error", call=1, times=3),
    Fault("unavailable_html", call=3),
    Fault("token_dies", call=3),
    Fault("code", call=3, code="8003"),
    Fault("code", call=3, code="8010"),
    Fault("code", call=3, code="8103"),
    Fault("code", call=3, code="1999"),
    Fault("truncated_json", call=3),
    Fault("broken_utf8", call=3),
    Fault("empty_body", call=3),
    Fault("blank_row", call=3, times=math.inf),
    Fault("unknown_fields", times=math.inf),
    Fault("text_return_code", times=math.inf),
    Fault("slow", call=3, seconds=30),
    Fault("disconnect", call=3),
    Fault("rate_limit", api_id="au10001"),
    Fault("server_error", api_id="au10001", times=3),
    Fault("disconnect", api_id="au10001"),
    Fault("slow", api_id="au10001", seconds=30),
    Fault("text_return_code", api_id="au10001"),
    Fault("unknown_fields", api_id="au10001"),
]


def fault_name(fault):
    if not isinstance(fault, Fault):
        return None
    return f"{fault.kind}{fault.code}-{fault.api_id}-{fault.call}x{fault.times:g}"


@pytest.mark.parametrize("fault", SURVIVED, ids=fault_name)
async def test_a_walk_survives(fault):
    sandbox = exchange(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
    assert [row.symbol for page in pages for row in page.rows] == truth(sandbox)
    assert [page.number for page in pages] == [1, 2, 3, 4, 5]
    assert any(arrival.fault == fault.kind for arrival in sandbox.arrivals)
    # Nothing beyond the fault itself was refused for its pace.
    limited = [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert {arrival.fault for arrival in limited} <= {"rate_limit"}


ENDED = [
    (Fault("rate_limit", call=3, times=math.inf), RateLimited, 4),
    (Fault("rate_limit", call=3, seconds=3600), RateLimited, 1),
    (Fault("server_error", call=3, times=math.inf), BlockedError, 4),
    (Fault("unavailable_html", call=3, times=math.inf), BlockedError, 4),
    (Fault("maintenance_html", call=3), BlockedError, 1),
    (Fault("firewall", call=3), BlockedError, 1),
    (Fault("redirect", call=3), BlockedError, 1),
    (Fault("code", call=3, code="8005", times=math.inf), AuthError, 2),
    (Fault("code", call=3, code="8050"), AuthError, 1),
    (Fault("code", call=3, code="1634"), ApiError, 1),
    (Fault("code", call=3, code="1511"), ApiError, 1),
    (Fault("code", call=3, code="1687"), ApiError, 1),
    (Fault("truncated_json", call=3, times=math.inf), DecodeError, 4),
    (Fault("null_list", call=3), DecodeError, 1),
    (Fault("missing_list", call=3), DecodeError, 1),
    (Fault("unreadable_row", call=3), DecodeError, 1),
    (Fault("empty_key", call=3), ContinuationError, 1),
    (Fault("repeat_key", call=3), ContinuationError, 1),
    (Fault("first_key", call=3), ContinuationError, 1),
    (Fault("slow", call=3, seconds=60, times=math.inf), TransportTimeout, 4),
    (Fault("disconnect", call=3, times=math.inf), TransportError, 4),
]


@pytest.mark.parametrize(("fault", "kind", "attempts"), ENDED, ids=fault_name)
async def test_a_walk_ends_with_one_error_whose_cursor_resumes_exactly(fault, kind, attempts):
    sandbox = exchange(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        found, error = await until_it_ends(kiwoom)
        assert type(error) is kind
        assert (error.query, error.page, error.attempts) == (QUERY, 2, attempts)
        assert found == truth(sandbox)[:100]
        assert len(data_calls(sandbox)) == 2 + attempts
        sandbox._faults = ()
        resume = pickle.loads(pickle.dumps(error)).cursor
        assert resume == Cursor.parse(str(resume))
        found += await symbols(kiwoom, start=resume)
    assert found == truth(sandbox)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("code", api_id="au10001", code="8001"), AuthError),
        (Fault("server_error", api_id="au10001", times=4), BlockedError),
        (Fault("maintenance_html", api_id="au10001"), BlockedError),
        (Fault("redirect", api_id="au10001"), BlockedError),
        (Fault("slow", api_id="au10001", seconds=60, times=4), TransportTimeout),
    ],
    ids=fault_name,
)
async def test_a_failing_token_call_ends_the_walk_before_it_begins(fault, kind):
    sandbox = exchange(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(kind) as caught:
            await symbols(kiwoom)
        assert caught.value.page == 0
        assert len(issues(sandbox)) == fault.times
        assert await symbols(kiwoom, start=caught.value.cursor) == truth(sandbox)
    assert not [arrival for arrival in data_calls(sandbox) if arrival.code == "8005"]


async def test_a_failed_collect_delivered_nothing_and_says_so():
    sandbox = exchange(Fault("firewall", call=3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(BlockedError) as caught:
            await kiwoom.collect(QUERY)
        assert (caught.value.page, caught.value.cursor) == (0, first_cursor(QUERY))
        walk = await kiwoom.collect(QUERY, start=caught.value.cursor)
    assert [row.symbol for row in walk.rows] == truth(sandbox)


async def test_an_error_of_a_resumed_walk_counts_its_pages_from_the_beginning():
    sandbox = exchange(Fault("firewall", call=4))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        second = (await kiwoom.page(QUERY)).next
        with pytest.raises(BlockedError) as caught:
            await symbols(kiwoom, start=second)
    assert (caught.value.page, caught.value.cursor.page) == (3, 4)


# ---- tokens


async def test_one_token_for_many_tasks_even_when_it_dies():
    sandbox = exchange(Fault("token_dies", call=7))
    found = []

    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def one():
            found.append(await symbols(kiwoom))

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(one)
    assert found == [truth(sandbox)] * 6
    assert len(issues(sandbox)) == 2


async def test_the_token_sent_is_the_one_of_the_moment():
    """Tasks that stood in the queue while it was renewed do not send the dead one."""
    sandbox = exchange(Fault("token_dies", call=3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(kiwoom.page, QUERY)
    assert [one.code for one in data_calls(sandbox)].count("8005") == 1


async def test_a_token_that_expires_in_the_middle_is_renewed_in_time():
    clock = [datetime.now().astimezone()]
    sandbox = exchange(token_lifetime=timedelta(seconds=65), now=lambda: clock[0])
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        next(iter(kiwoom._calls.accounts)).tokens._now = lambda: clock[0]
        found = []
        async for page in kiwoom.pages(QUERY):
            found += [row.symbol for row in page.rows]
            clock[0] += timedelta(seconds=30)
    assert found == truth(sandbox)
    assert 2 <= len(issues(sandbox)) <= 5
    # In time: none was sent that the server refused.
    assert not [one for one in data_calls(sandbox) if one.code]


async def test_revoking_is_explicit_and_the_next_call_gets_another_token():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.revoke_token()
        assert not sandbox.arrivals
        await kiwoom.page(QUERY)
        await kiwoom.revoke_token()
        await kiwoom.revoke_token()
        await kiwoom.page(QUERY)
    assert [one.api_id for one in sandbox.arrivals] == [
        "au10001", "ka90004", "au10002", "au10001", "ka90004",
    ]  # fmt: skip
    assert {one.status for one in sandbox.arrivals} == {200}
    assert not [one for one in sandbox.arrivals if one.code]


async def test_closing_does_not_revoke():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(QUERY)
    assert {one.api_id for one in sandbox.arrivals} == {"au10001", "ka90004"}


# ---- pace


@pytest.mark.parametrize("latency_seconds", [0.005, 0.046, 0.15])
async def test_a_full_day_is_never_over_the_limit_and_hardly_under_it(latency_seconds):
    """111 calls; the server's sliding window is the judge (issue: at most 1.06 times the ideal)."""
    sandbox = Sandbox(latency_seconds=latency_seconds)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for market in Market:
            walk = await kiwoom.collect(ProgramTradeQuery("2026-11-20", market, Exchange.KRX))
            assert walk.audit.findings == []
    times = [arrival.time for arrival in data_calls(sandbox)]
    assert len(times) == 50 + 61
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert times[-1] - times[0] <= 1.06 * 110 / 5


async def test_many_tasks_share_one_pace():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(kiwoom.page, QUERY)
    assert len(data_calls(sandbox)) == 10
    assert not [arrival for arrival in sandbox.arrivals if arrival.status == 429]


async def test_a_limit_named_by_a_429_is_adopted():
    sandbox = exchange(requests_per_second=2)
    async with KiwoomClient.sandbox(sandbox, requests_per_second=5) as kiwoom:
        assert await symbols(kiwoom) == truth(sandbox)
        before = len([one for one in sandbox.arrivals if one.status == 429])
        assert await symbols(kiwoom) == truth(sandbox)
    assert before == 1
    assert len([one for one in sandbox.arrivals if one.status == 429]) == before


@pytest.mark.parametrize("seconds", [0, 3])
async def test_a_429_pauses_every_walk_of_the_bucket(seconds):
    sandbox = exchange(Fault("rate_limit", call=4, seconds=seconds))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(kiwoom.page, QUERY)
    times = [arrival.time for arrival in data_calls(sandbox)]
    assert times[4] - times[3] >= max(1.0, seconds)
    assert len(times) == 9


async def test_a_429_that_ends_a_call_pauses_the_bucket_all_the_same():
    sandbox = exchange(Fault("rate_limit"))
    async with KiwoomClient.sandbox(sandbox, attempts=1) as kiwoom:
        with pytest.raises(RateLimited):
            await kiwoom.page(QUERY)
        await kiwoom.page(QUERY)
    first, second = data_calls(sandbox)
    assert second.time - first.time >= 1.0


async def test_answered_calls_give_retries_back():
    """Twenty-five faults are more than the budget, were it never filled again."""
    faults = [Fault("server_error", call=call) for call in range(1, 176, 7)]
    sandbox = exchange(*faults, requests_per_second=None)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for _ in range(30):
            assert await symbols(kiwoom) == truth(sandbox)


async def test_waits_are_drawn():
    sandbox = exchange(Fault("server_error", times=3), requests_per_second=None)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(QUERY)
    times = [one.time for one in data_calls(sandbox)]
    assert len(times) == 4
    assert times[-1] > times[0]


async def test_a_retry_after_is_waited_for():
    sandbox = exchange(Fault("rate_limit", call=3, seconds=3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await symbols(kiwoom)
    times = [arrival.time for arrival in data_calls(sandbox)]
    assert 3.0 <= times[3] - times[2] <= 3.4


async def test_a_retry_after_that_is_too_long_for_a_call_holds_up_the_others_for_its_first_minute():
    sandbox = exchange(Fault("rate_limit", call=1, seconds=120))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(RateLimited) as caught:
            await kiwoom.page(QUERY)
        await kiwoom.page(QUERY)
    assert caught.value.retry_after == 120
    first, second = data_calls(sandbox)
    assert second.time - first.time == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize(
    ("options", "per_second"),
    [
        ({}, 5),
        ({"environment": Environment.MOCK}, 1),
        ({"environment": Environment.MOCK, "requests_per_second": 2.5}, 2.5),
    ],
)
async def test_the_environment_chooses_the_pace(options, per_second):
    sandbox = exchange(requests_per_second=None)
    options = {"requests_per_second": None} | options
    async with KiwoomClient.sandbox(sandbox, **options) as kiwoom:
        await symbols(kiwoom)
    times = [arrival.time for arrival in data_calls(sandbox)]
    assert times[4] - times[0] == pytest.approx(4 * 1.045 / per_second)


async def test_a_key_that_others_use_too_slows_a_walk_and_does_not_end_it():
    """Every second call meets a 429: far more than the retry budget, and none in a row."""
    faults = [Fault("rate_limit", call=call) for call in range(2, 400, 2)]
    sandbox = Sandbox(faults=faults)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(ProgramTradeQuery("2026-11-20", Market.KOSDAQ, Exchange.KRX))
    assert len(walk.rows) == 1820
    assert sum(one.status == 429 for one in sandbox.arrivals) == 60


async def test_a_renewal_does_not_use_up_an_attempt():
    faults = [Fault("token_dies", call=2), Fault("server_error", call=3)]
    sandbox = exchange(*faults)
    async with KiwoomClient.sandbox(sandbox, attempts=2) as kiwoom:
        assert await symbols(kiwoom) == truth(sandbox)


async def test_a_client_closed_under_a_walk_ends_it_with_the_same_sentence():
    sandbox = exchange(Fault("slow", call=3, seconds=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:

        async def walk():
            with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
                await symbols(kiwoom)

        group.start_soon(walk)
        await anyio.sleep(3)
        await kiwoom.aclose()


async def test_a_sandbox_goes_as_fast_as_it_is_told():
    for options, calls_a_second in [({}, 5), ({"requests_per_second": 50}, 50)]:
        async with KiwoomClient.sandbox(**options) as kiwoom:
            began = anyio.current_time()
            walk = await kiwoom.collect(QUERY)
            assert anyio.current_time() - began == pytest.approx(49 * 1.045 / calls_a_second)
        assert len(walk.rows) == 2472


async def test_a_dead_server_gets_a_bounded_number_of_calls():
    """100 tasks, four attempts each, would be 400: the budget stops it at 100 and twenty."""
    sandbox = exchange(Fault("server_error", times=math.inf), requests_per_second=None)
    ended = []

    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def one():
            with pytest.raises(BlockedError) as caught:
                await kiwoom.page(QUERY)
            ended.append(caught.value.attempts)

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(one)
    assert len(ended) == 100
    assert len(data_calls(sandbox)) == 120


# ---- before anything is sent


async def test_a_cursor_of_another_query_is_refused():
    sandbox = exchange()
    other = ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(
            ContinuationError, match=r"belongs to another query.*20261119"
        ) as caught:
            await kiwoom.page(QUERY, first_cursor(other))
        assert (caught.value.query, caught.value.cursor) == (QUERY, None)
        with pytest.raises(ContinuationError):
            await symbols(kiwoom, start=first_cursor(other))
        with pytest.raises(ContinuationError):
            await kiwoom.collect(QUERY, start=first_cursor(other))
        with pytest.raises(ValueError, match=r"Cursor\.parse\(text\) makes one"):
            await kiwoom.page(QUERY, "k1.abc")
    assert not sandbox.arrivals


async def test_a_day_that_has_not_come_is_refused():
    sandbox = exchange()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):
            await kiwoom.page(ProgramTradeQuery("2999-12-31", Market.KOSPI, Exchange.KRX))
    assert not sandbox.arrivals


async def test_today_is_korean(monkeypatch):
    class HalfPastMidnightInSeoul:
        @staticmethod
        def now(zone=None):
            moment = datetime(2026, 11, 21, 0, 30, tzinfo=KST)
            return moment.astimezone(zone) if zone else datetime(2026, 11, 20, 15, 30)  # noqa: DTZ001

    monkeypatch.setattr(calls, "datetime", HalfPastMidnightInSeoul)
    async with KiwoomClient.sandbox(exchange()) as kiwoom:
        await kiwoom.page(ProgramTradeQuery("2026-11-21", Market.KOSPI, Exchange.KRX))
        with pytest.raises(ValueError, match="today is 2026-11-21 in Korea"):
            await kiwoom.page(ProgramTradeQuery("2026-11-22", Market.KOSPI, Exchange.KRX))


async def test_the_mock_host_s_missing_exchanges_are_warned_about_once_and_sent():
    sandbox = exchange()
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.NXT)
    async with KiwoomClient.sandbox(sandbox, environment=Environment.MOCK) as kiwoom:
        with pytest.warns(
            UserWarning, match=r"knows Exchange\.KRX only, not Exchange\.NXT"
        ) as caught:
            await kiwoom.page(query)
        assert caught[0].filename == __file__
        await kiwoom.page(query)
        await kiwoom.page(QUERY)
    assert len(data_calls(sandbox)) == 3


async def test_a_closed_client_says_so():
    sandbox = exchange()
    kiwoom = KiwoomClient.sandbox(sandbox)
    await kiwoom.aclose()
    await kiwoom.aclose()
    for closed in (kiwoom.page(QUERY), kiwoom.collect(QUERY), symbols(kiwoom)):
        with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
            await closed
    assert not sandbox.arrivals


# ---- what is sent


async def test_the_requests_on_the_wire_are_exactly_the_specification_s():
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


# ---- making a client


def test_bad_settings_are_refused_when_the_client_is_made():
    for options, message in [
        ({"environment": "mock"}, "environment: got 'mock'"),
        ({"attempts": 0}, "attempts: got 0"),
        ({"attempts": True}, "attempts: got True"),
        ({"attempts": 2.5}, r"attempts: got 2\.5"),
        ({"timeout": 0}, "timeout: got 0"),
        ({"timeout": None}, "timeout: got None"),
        ({"requests_per_second": -1}, "requests_per_second: got -1"),
        ({"requests_per_second": math.nan}, "requests_per_second: got nan"),
        ({"requests_per_second": True}, "requests_per_second: got True"),
        ({"base_url": "http://api.kiwoom.com"}, "http for loopback addresses only"),
    ]:
        with pytest.raises(ValueError, match=message):
            KiwoomClient("app-key", "secret-key", **options)


@pytest.mark.parametrize(
    "url",
    ["https://api.kiwoom.com", "https://proxy.example/kiwoom/", "http://localhost:8080",
     "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8080"],
)  # fmt: skip
async def test_base_urls_that_keep_a_secret(url):
    async with KiwoomClient("app-key", "secret-key", base_url=url) as kiwoom:
        assert url.rstrip("/") in repr(kiwoom)


@pytest.mark.parametrize(
    "url",
    ["http://api.kiwoom.com", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example",
     "http://evillocalhost", "http://0.0.0.0", "http://10.0.0.1", "http://localhost.evil.example", "ftp://localhost",
     "api.kiwoom.com", "", "https://", "https://user:pass@api.kiwoom.com", "https://a.example/?x=1",
     "https://a.example/#x", "https://a.example?", "https://a.example#",
     "https://a.example:0", "https://a.example:99999",
     "http://[::2]", "http://\\127.0.0.1", 5],
)  # fmt: skip
def test_base_urls_that_do_not(url):
    with pytest.raises(ValueError, match=r"^base_url: "):
        KiwoomClient("app-key", "secret-key", base_url=url)


def test_a_password_in_a_base_url_is_not_repeated():
    with pytest.raises(ValueError, match=r"^base_url: ") as caught:
        KiwoomClient("app-key", "secret-key", base_url="https://user:hunter2@api.kiwoom.com")
    assert "hunter2" not in str(caught.value)


async def test_a_client_from_the_environment(monkeypatch):
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY", "KIWOOM_ENVIRONMENT", "KIWOOM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="KIWOOM_APP_KEY and KIWOOM_SECRET_KEY"):
        KiwoomClient.from_env()
    monkeypatch.setenv("KIWOOM_APP_KEY", "app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret-key")
    async with KiwoomClient.from_env() as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient https://api.kiwoom.com, 5 requests/s>"
    monkeypatch.setenv("KIWOOM_ENVIRONMENT", "Mock")
    async with KiwoomClient.from_env() as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient https://mockapi.kiwoom.com, 1 requests/s>"
    monkeypatch.setenv("KIWOOM_BASE_URL", "")
    async with KiwoomClient.from_env() as kiwoom:
        assert "https://mockapi.kiwoom.com" in repr(kiwoom)
    monkeypatch.setenv("KIWOOM_BASE_URL", "http://localhost:8080")
    async with KiwoomClient.from_env(requests_per_second=3) as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient http://localhost:8080, 3 requests/s>"
    monkeypatch.setenv("KIWOOM_ENVIRONMENT", "test")
    with pytest.raises(ValueError, match="KIWOOM_ENVIRONMENT: got 'test'; allowed are"):
        KiwoomClient.from_env()


async def test_an_echo_of_the_keys_is_cleaned():
    def echo(request):
        return httpx.Response(200, json={"return_code": 7, "return_msg": request.content.decode()})

    transport = httpx.MockTransport(echo)
    async with KiwoomClient("the-app-key-1", "the-secret-key-1", transport=transport) as kiwoom:
        with pytest.raises(ApiError) as caught:
            await kiwoom.page(QUERY)
    assert "***" in str(caught.value)
    assert "the-app-key-1" not in str(caught.value)
    assert "the-secret-key-1" not in str(caught.value)


async def test_no_secret_reaches_a_log_a_repr_or_an_exception(caplog):
    secrets = ("the-app-key-0001", "the-secret-key-0001")
    faults = [Fault("code", code="8050", call=2), Fault("disconnect", call=1)]
    sandbox = exchange(*faults)
    shown = []
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        app = httpx.ASGITransport(app=sandbox)
        options = {"base_url": "http://localhost", "transport": app}
        async with KiwoomClient(*secrets, **options) as kiwoom:
            shown.append(repr(kiwoom))
            with pytest.raises(AuthError) as caught:
                await symbols(kiwoom)
            (account,) = kiwoom._calls.accounts
            token = account.tokens.cached
            shown += [repr(token), repr(caught.value), str(caught.value), repr(account.tokens)]
    shown += [record.getMessage() for record in caplog.records]
    text = "\n".join(shown)
    assert len(token.value) > 20
    assert not [secret for secret in (*secrets, token.value) if secret in text]
