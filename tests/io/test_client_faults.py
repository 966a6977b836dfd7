"""Faults during a walk: survived, or one error whose cursor resumes the walk exactly."""

import math
import pickle

import anyio
import pytest
from support.exchange import QUERY, five_page_sandbox, page_calls, stock_codes, token_calls
from support.walks import walked_symbols

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    Cursor,
    DecodeError,
    KiwoomClient,
    KiwoomError,
    RateLimited,
    TransportError,
    TransportTimeout,
)
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def symbols_and_error(kiwoom):
    """Walk QUERY until it fails; return the symbols delivered before the error, and the error."""
    found = []
    try:
        async for row in kiwoom.rows(QUERY):
            found.append(row.symbol)  # noqa: PERF401 - a comprehension would lose them in an error
    except KiwoomError as error:
        return found, error
    pytest.fail("the walk ended without an error")


SURVIVED_FAULTS = [
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


@pytest.mark.parametrize("fault", SURVIVED_FAULTS, ids=fault_name)
async def test_a_walk_survives_a_passing_fault(fault):
    sandbox = five_page_sandbox(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
    assert [row.symbol for page in pages for row in page.rows] == stock_codes(sandbox)
    assert [page.number for page in pages] == [1, 2, 3, 4, 5]
    assert any(arrival.fault == fault.kind for arrival in sandbox.arrivals)
    # The fault itself is the only 429.
    limited = [arrival for arrival in sandbox.arrivals if arrival.status == 429]
    assert {arrival.fault for arrival in limited} <= {"rate_limit"}


FATAL_FAULTS = [
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


@pytest.mark.parametrize(("fault", "kind", "attempts"), FATAL_FAULTS, ids=fault_name)
async def test_a_fatal_fault_ends_a_walk_with_an_error_that_resumes_it_exactly(
    fault, kind, attempts
):
    sandbox = five_page_sandbox(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        found, error = await symbols_and_error(kiwoom)
        assert type(error) is kind
        assert (error.query, error.page, error.attempts) == (QUERY, 2, attempts)
        assert found == stock_codes(sandbox)[:100]
        assert len(page_calls(sandbox)) == 2 + attempts
        sandbox._faults = ()
        resume = pickle.loads(pickle.dumps(error)).cursor
        assert resume == Cursor.parse(str(resume))
        found += await walked_symbols(kiwoom, start=resume)
    assert found == stock_codes(sandbox)


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
async def test_a_failing_token_call_ends_a_walk_before_its_first_page(fault, kind):
    sandbox = five_page_sandbox(fault)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(kind) as caught:
            await walked_symbols(kiwoom)
        assert caught.value.page == 0
        assert len(token_calls(sandbox)) == fault.times
        assert await walked_symbols(kiwoom, start=caught.value.cursor) == stock_codes(sandbox)
    assert not [arrival for arrival in page_calls(sandbox) if arrival.code == "8005"]


async def test_the_error_of_collect_resumes_at_page_one():
    sandbox = five_page_sandbox(Fault("firewall", call=3))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(BlockedError) as caught:
            await kiwoom.collect(QUERY)
        assert (caught.value.page, caught.value.cursor) == (0, first_cursor(QUERY))
        walk = await kiwoom.collect(QUERY, start=caught.value.cursor)
    assert [row.symbol for row in walk.rows] == stock_codes(sandbox)


async def test_an_error_of_a_resumed_walk_counts_its_pages_from_the_beginning():
    sandbox = five_page_sandbox(Fault("firewall", call=4))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        second = (await kiwoom.page(QUERY)).next
        with pytest.raises(BlockedError) as caught:
            await walked_symbols(kiwoom, start=second)
    assert (caught.value.page, caught.value.cursor.page) == (3, 4)


async def test_retries_are_delayed():
    sandbox = five_page_sandbox(Fault("server_error", times=3), requests_per_second=None)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(QUERY)
    times = [arrival.time for arrival in page_calls(sandbox)]
    assert len(times) == 4
    assert times[-1] > times[0]


async def test_renewing_a_token_uses_no_attempt():
    faults = [Fault("token_dies", call=2), Fault("server_error", call=3)]
    sandbox = five_page_sandbox(*faults)
    async with KiwoomClient.sandbox(sandbox, attempts=2) as kiwoom:
        assert await walked_symbols(kiwoom) == stock_codes(sandbox)


async def test_answered_calls_refill_the_retry_budget():
    """25 retries are more than the budget, if it were not refilled."""
    faults = [Fault("server_error", call=call) for call in range(1, 176, 7)]
    sandbox = five_page_sandbox(*faults, requests_per_second=None)
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        for _ in range(30):
            assert await walked_symbols(kiwoom) == stock_codes(sandbox)


async def test_a_dead_server_gets_a_bounded_number_of_calls():
    """100 tasks with four attempts each would be 400 calls; the retry budget allows 20 retries."""
    sandbox = five_page_sandbox(Fault("server_error", times=math.inf), requests_per_second=None)
    ended = []

    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def request_page():
            with pytest.raises(BlockedError) as caught:
                await kiwoom.page(QUERY)
            ended.append(caught.value.attempts)

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(request_page)
    assert len(ended) == 100
    assert len(page_calls(sandbox)) == 120
