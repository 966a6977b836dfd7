"""Rare cases that no other test sees: each fails with one planted bug (mutation_check.py)."""

import gc
import gzip
import tracemalloc
import warnings
from contextlib import suppress

import anyio
import httpx
import pytest
from attrs import field, frozen
from support.canned import CannedPages, row
from support.exchange import small_sandbox

from kiwoom_async import (
    ContinuationError,
    DecodeError,
    Exchange,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    WalkComplete,
    WalkFinished,
    wire,
)
from kiwoom_async._io import httpcore_guard
from kiwoom_async._io.http import HttpxEngine
from kiwoom_async._protocol.convert import structure_rows
from kiwoom_async._protocol.messages import Request, Token, unpack_body
from kiwoom_async._protocol.pages import encode_page, first_cursor
from kiwoom_async._protocol.times import KST
from kiwoom_async.sandbox import Sandbox

DAY = "2026-11-20"
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)


# protocol/test_messages.py
def test_the_url_of_a_page_keeps_the_path_of_the_base_url():
    import datetime

    token = Token("t" * 20, datetime.datetime(2999, 1, 1, tzinfo=KST))
    request = encode_page("https://relay.example/kiwoom/v1", QUERY.path, first_cursor(QUERY), token)
    assert request.url == "https://relay.example/kiwoom/v1/api/dostk/stkinfo"


# protocol/test_convert.py
def test_a_blank_row_is_blank_even_if_every_field_may_be_blank():
    @frozen
    class Loose:
        name: str = field(metadata=wire("nm"))
        price: int | None = field(metadata=wire("prc"))

    rows = structure_rows([{"nm": "a", "prc": "1"}, {"nm": " ", "prc": ""}], Loose, {}, "rows")
    assert rows == [Loose("a", 1), None]


# io/test_http_bodies.py, or protocol/test_messages.py
def test_a_small_body_that_unpacks_to_much_takes_little_memory():
    packed = gzip.compress(bytes(100 * 1024 * 1024))
    tracemalloc.start()
    with pytest.raises(DecodeError, match="more than"):
        unpack_body(packed, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * 1024 * 1024


# catalog/test_program_trades_audit.py, by its page_of and row_of
def traded(number, share):
    return row(number, buy_cntr_amt="2", sel_cntr_amt="1", netprps_prica="1", all_trde_rt=share)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pages", "findings"),
    [
        # Each of two traded rows may be off by 0.005, together by 0.01.
        ([[traded(1, "+49.99")], [traded(2, "+50.00")]], []),
        # The last page has no trades, and expects no shares.
        (
            [[traded(1, "+40.00")], [row(2)]],
            ["sum of the turnover shares is 40.00 %, expected 100"],
        ),
    ],
)
async def test_shares_are_compared_over_all_pages(pages, findings):
    canned = {"": (pages[0], "K1"), "K1": (pages[1], "")}
    client = KiwoomClient("app-key", "secret-key", transport=CannedPages(canned))
    async with client as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert walk.audit.findings == findings


# io/test_endings.py
@pytest.mark.anyio
async def test_a_walk_from_a_later_page_is_not_compared_with_the_totals():
    canned = {"": ([traded(1, "+40.00")], "K1"), "K1": ([traded(2, "+60.00")], "")}
    async with KiwoomClient("app-key", "secret-key", transport=CannedPages(canned)) as kiwoom:
        first = await kiwoom.page(QUERY)
        walk = await kiwoom.collect(QUERY, start=first.next)
    assert [check for check in walk.audit.checks if not check.each_row] == []
    assert walk.audit.findings == []


# io/test_endings.py: a bug of today, red until it is fixed
@pytest.mark.anyio
async def test_an_empty_first_page_with_an_empty_key_is_no_end():
    canned = {"": ([], {"api-id": "ka90004", "cont-yn": "Y", "next-key": ""})}
    async with KiwoomClient("app-key", "secret-key", transport=CannedPages(canned)) as kiwoom:
        with pytest.raises(ContinuationError, match="next-key: got an empty one"):
            await kiwoom.collect(QUERY)


# protocol/test_estimate.py
@pytest.mark.anyio
async def test_a_holiday_alone_teaches_nothing():
    holiday = ([dict.fromkeys(row(1), "")], "")
    client = KiwoomClient("app-key", "secret-key", transport=CannedPages({"": holiday}))
    async with client as kiwoom:
        assert (await kiwoom.page(QUERY)).rows == []
        assert kiwoom.estimate([QUERY]).calls == 50


@pytest.mark.anyio
async def test_a_thin_day_after_a_whole_one_does_not_count():
    whole, thin = Sandbox(kospi_stocks=120), Sandbox(kospi_stocks=30)
    exchange = [whole]

    async def either(scope, receive, send):
        await exchange[0](scope, receive, send)

    either.requests_per_second = 5
    async with KiwoomClient.sandbox(either) as kiwoom:
        await kiwoom.collect(QUERY)
        exchange[0] = thin
        await kiwoom.collect(QUERY)
        assert kiwoom.estimate([QUERY]).calls == 3


@pytest.mark.anyio
async def test_a_single_page_updates_the_estimate():
    async with KiwoomClient.sandbox(Sandbox(kospi_stocks=30)) as kiwoom:
        await kiwoom.page(QUERY)
        assert kiwoom.estimate([QUERY]).calls == 1


# io/test_endings.py
@pytest.mark.anyio
async def test_a_last_page_with_the_rows_of_an_earlier_one_is_a_finding_only():
    canned = {"": ([row(1)], "K1"), "K1": ([row(1)], "")}
    async with KiwoomClient("app-key", "secret-key", transport=CannedPages(canned)) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert walk.audit.repeated_keys == ("000001",)


# io/test_endings.py or io/test_watch.py
@pytest.mark.anyio
async def test_sums_that_differ_in_a_watch_are_no_warning():
    events = []
    canned = CannedPages({"": ([traded(1, "+40.00")], "")})
    client = KiwoomClient("app-key", "secret-key", transport=canned, on_event=events.append)
    async with client as kiwoom:
        async for item in kiwoom.watch([QUERY]):
            if isinstance(item, WalkComplete):
                break
    assert item.audit.findings == ["sum of the turnover shares is 40.00 %, expected 100"]
    (finished,) = [event for event in events if isinstance(event, WalkFinished)]
    assert finished.findings == []


# io/test_watch.py: the assertion of today stands before the watch can wake
@pytest.mark.anyio
async def test_closing_wakes_a_watch_that_rests_at_once():
    kiwoom = KiwoomClient.sandbox(small_sandbox(), requests_per_second=1000)
    woken = []

    async def bot():
        with pytest.raises(RuntimeError, match="this KiwoomClient is closed"):
            async for _ in kiwoom.watch([QUERY], every=3600):
                pass
        woken.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        group.start_soon(bot)
        await anyio.sleep(60)
        await kiwoom.aclose()
        closed_at = anyio.current_time()
    assert woken[0] - closed_at < 1


# io/test_custom_transports.py
class _Memory(httpx.AsyncBaseTransport):
    async def handle_async_request(self, _):
        packed = gzip.compress(b'{"a": 1}')
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed)


def _request():
    return Request("ka90004", "https://a.example/x", {}, b"{}", ())


@pytest.mark.anyio
async def test_a_gzip_answer_from_memory_is_unpacked_once():
    engine = HttpxEngine("https://a.example", _Memory())
    response = await engine.send(_request(), timeout_seconds=5)
    assert response.body == b'{"a": 1}'


@pytest.mark.anyio
async def test_a_body_refused_for_its_size_leaves_no_generator():
    """trio warns of any that is left half-way."""

    class Large(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            async def chunks():
                while True:
                    await anyio.lowlevel.checkpoint()
                    yield bytes(1024 * 1024)

            return httpx.Response(200, content=chunks())

    engine = HttpxEngine("https://a.example", Large())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with suppress(DecodeError):
            await engine.send(_request(), timeout_seconds=5)
        gc.collect()
        await anyio.lowlevel.checkpoint()
    assert [str(warning.message) for warning in caught] == []


# io/test_client_state.py
@pytest.mark.anyio
async def test_a_transport_that_never_closes_holds_the_client_for_five_seconds():
    class Stuck(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            raise AssertionError

        async def aclose(self):
            await anyio.sleep_forever()

    kiwoom = KiwoomClient("app-key", "secret-key", transport=Stuck())
    began = anyio.current_time()
    with anyio.fail_after(60):
        await kiwoom.aclose()
    assert anyio.current_time() - began == pytest.approx(5)


# io/test_httpcore_guard.py
def test_a_connection_of_http_2_is_clean():
    response = httpx.Response(200, extensions={"http_version": b"HTTP/2"})
    assert httpcore_guard.inspect_connection(response) is httpcore_guard.Connection.CLEAN


def test_bytes_below_tls_are_seen():
    class Stream:
        def __init__(self, **parts):
            self.__dict__.update(parts)

    below = Stream(_protocol=Stream(read_queue=[b"more"]))
    assert httpcore_guard._has_read_ahead(Stream(transport_stream=below))
    assert not httpcore_guard._has_read_ahead(Stream(transport_stream=Stream()))


# speed/test_columns.py
def test_a_class_with_a_hook_of_attrs_is_left_to_the_converter():
    from kiwoom_async.speed._columns import _mutable_twin

    @frozen(weakref_slot=False)
    class Checked:
        name: str = field(metadata=wire("nm"))

        def __attrs_post_init__(self):
            raise ValueError

    assert _mutable_twin(Checked) is None


# io/test_merge_failures.py
@pytest.mark.anyio
async def test_the_error_of_the_block_wins_and_names_the_other():
    async def queries():
        yield QUERY
        raise LookupError("no more days")

    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        with pytest.raises(KeyError) as caught:  # noqa: PT012
            async with kiwoom.merge(queries()):
                try:
                    await anyio.sleep_forever()
                finally:
                    raise KeyError("block")
    assert caught.value.__notes__ == ["at the same time: LookupError('no more days')"]


# io/test_cancelled_anext.py
@pytest.mark.anyio
async def test_rows_of_a_merge_give_no_more_of_the_present_page_once_closed():
    sandbox = small_sandbox()
    truth = [raw["stk_cd"] for raw in sandbox.rows("20261120", "P00101", "1")]
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge([QUERY]) as pages:
        rows = pages.rows()
        assert (await anext(rows)).symbol == truth[0]
        await rows.aclose()
        assert (await anext(rows)).symbol == truth[50]
