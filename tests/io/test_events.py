"""Events of a client: complete, in order, and equal to its log."""

import logging
import re
from contextlib import aclosing

import anyio
import pytest
from support.exchange import QUERY, limited_sandbox, page_calls

from kiwoom_async import (
    ApiError,
    CallEnded,
    CallRetried,
    CallSent,
    Exchange,
    KiwoomClient,
    Market,
    PageDelivered,
    ProgramTradeQuery,
    RateLimited,
    SlotWaited,
    TokenRenewed,
    WalkFinished,
)
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio

OTHER = ProgramTradeQuery("2026-11-20", Market.KOSDAQ, Exchange.KRX)


def event_names(events):
    """Return the class names of these events."""
    return [type(event).__name__ for event in events]


async def test_a_walk_emits_an_event_for_every_step_in_order():
    events = []
    sandbox = limited_sandbox(latency_seconds=0.046, requests_per_second=2)
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await kiwoom.collect(QUERY)
    call = ["SlotWaited", "CallSent", "CallEnded"]
    assert event_names(events) == [
        *call, "TokenRenewed", *[*call, "PageDelivered"] * 3, "WalkFinished",
    ]  # fmt: skip
    assert {event.api_id for event in events[:3]} == {"au10001"}
    assert {event.query for event in events[:3]} == {None}
    assert {event.query for event in events[4:]} == {QUERY}
    pages = [event for event in events if isinstance(event, PageDelivered)]
    assert [(page.number, page.rows, page.last) for page in pages] == [
        (1, 50, False), (2, 50, False), (3, 20, True),
    ]  # fmt: skip
    assert events[-1] == WalkFinished(query=QUERY, pages=3, rows=120, complete=True)
    waits = [event.seconds for event in events if isinstance(event, SlotWaited)]
    # The third page waits until a second after the answer of the first.
    assert waits == pytest.approx([0, 0, 0, 1.0 - 0.046], abs=0.01)
    ended = [event for event in events if isinstance(event, CallEnded)]
    assert [event.seconds for event in ended] == pytest.approx([0.046] * 4, abs=0.01)


async def test_a_retry_event_has_the_error_and_the_wait():
    events = []
    sandbox = limited_sandbox(Fault("server_error", call=2, times=2))
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await kiwoom.collect(QUERY)
    retries = [event for event in events if isinstance(event, CallRetried)]
    assert [(retry.attempt, retry.query, retry.api_id) for retry in retries] == [
        (1, QUERY, "ka90004"), (2, QUERY, "ka90004"),
    ]  # fmt: skip
    assert all(0 <= retry.seconds <= 0.4 for retry in retries)
    failed = [event for event in events if isinstance(event, CallEnded) and event.error]
    assert [event.error for event in failed] == [event.error for event in retries]
    sent = [event.attempt for event in events if isinstance(event, CallSent)]
    assert sent == [1, 1, 1, 2, 3, 1]


async def test_a_429_and_a_refused_token_emit_retries_with_their_errors():
    events = []
    sandbox = limited_sandbox(Fault("rate_limit", call=2), Fault("token_dies", call=4))
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await kiwoom.collect(QUERY)
    retries = [event for event in events if isinstance(event, CallRetried)]
    assert isinstance(retries[0].error, RateLimited)
    assert 1.0 <= retries[0].seconds <= 1.3
    assert (retries[1].error.code, retries[1].seconds) == ("8005", 0)
    renewals = [event for event in events if isinstance(event, TokenRenewed)]
    assert [event.first for event in renewals] == [True, False]


async def test_a_failed_walk_finishes_with_its_error():
    events = []
    sandbox = limited_sandbox(Fault("code", code="1634", call=2))
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        with pytest.raises(ApiError) as caught:
            await kiwoom.collect(QUERY)
    assert events[-1] == WalkFinished(
        query=QUERY, pages=1, rows=50, complete=False, error=caught.value
    )
    assert not [event for event in events if isinstance(event, CallRetried)]


async def test_every_walk_of_a_merge_finishes_once():
    events = []
    async with (
        KiwoomClient.sandbox(limited_sandbox(), on_event=events.append) as kiwoom,
        kiwoom.merge([QUERY, OTHER]) as pages,
    ):
        assert len([page async for page in pages]) == 6
    finished = [event for event in events if isinstance(event, WalkFinished)]
    assert {(event.query, event.pages, event.rows, event.complete) for event in finished} == {
        (QUERY, 3, 120, True), (OTHER, 3, 70, True),
    }  # fmt: skip


async def test_a_merge_that_is_left_finishes_every_walk_it_began():
    events = []
    async with KiwoomClient.sandbox(limited_sandbox(), on_event=events.append) as kiwoom:
        async with kiwoom.merge([QUERY, OTHER]) as pages:
            await anext(pages)
        assert event_names(events).count("WalkFinished") == 2
    assert not any(event.complete for event in events if isinstance(event, WalkFinished))


async def test_an_exception_of_on_event_propagates_without_a_retry():
    def refuse(event):
        if isinstance(event, PageDelivered):
            raise LookupError("a bug in the listener")

    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox, on_event=refuse) as kiwoom:
        with pytest.raises(LookupError, match="a bug in the listener"):
            await kiwoom.collect(QUERY)
    assert len(page_calls(sandbox)) == 1


async def test_the_log_holds_the_text_of_every_event(caplog):
    caplog.set_level(logging.DEBUG, "kiwoom_async")
    events = []
    sandbox = limited_sandbox(Fault("server_error", call=2), Fault("token_dies", call=4))
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await kiwoom.collect(QUERY)
        async for _ in kiwoom.pages(QUERY):
            pass
    logged = [record for record in caplog.records if record.name == "kiwoom_async"]
    assert [record.getMessage() for record in logged] == list(map(str, events))
    event_types = [type(event) for event in events]
    levels = {record.levelname: set() for record in logged}
    for kind, record in zip(event_types, logged, strict=True):
        levels[record.levelname].add(kind)
    assert levels == {
        "DEBUG": {SlotWaited, CallSent, CallEnded, PageDelivered},
        "INFO": {CallRetried, TokenRenewed, WalkFinished},
    }
    text = "\n".join(map(str, events))
    assert "ka90004 2026-11-20 KOSPI KRX: sent, attempt 1" in text
    assert "au10001: waited 0.000 s for a slot" in text
    assert "2026-11-20 KOSPI KRX: page 3, the last, came with 20 rows" in text
    assert "2026-11-20 KOSPI KRX: complete after 3 pages, 120 rows" in text
    (retry,) = (str(event) for event in events if isinstance(event, CallRetried) and event.seconds)
    assert re.fullmatch(
        r"ka90004 2026-11-20 KOSPI KRX: again in 0\.\d\d s, because of BlockedError: .*500.*", retry
    )


async def test_events_are_logged_without_on_event(caplog):
    caplog.set_level(logging.DEBUG, "kiwoom_async")
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        await kiwoom.page(QUERY)
    messages = [record.getMessage() for record in caplog.records if record.name == "kiwoom_async"]
    assert "ka90004 2026-11-20 KOSPI KRX: sent, attempt 1" in messages
    assert "2026-11-20 KOSPI KRX: page 1 came with 50 rows" in messages


async def test_recovered_faults_log_nothing_at_warning_level(caplog):
    sandbox = limited_sandbox(Fault("server_error", call=2), Fault("rate_limit", call=4))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.collect(QUERY)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_cancelled_walk_finishes_as_left():
    events = []
    sandbox = limited_sandbox(requests_per_second=2)
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        with anyio.move_on_after(0.3):
            await kiwoom.collect(QUERY)
    (finished,) = (event for event in events if isinstance(event, WalkFinished))
    assert str(finished) == "2026-11-20 KOSPI KRX: left after 2 pages, 100 rows"


async def test_a_call_that_is_not_sent_again_emits_no_retry():
    """The token is refused, and then the app key when another token is requested."""
    events = []
    secrets = {"sandbox-app-key": "sandbox-secret-key"}
    sandbox = limited_sandbox(Fault("token_dies", call=2), secrets=secrets)
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await kiwoom.page(QUERY)
        secrets.clear()
        with pytest.raises(ApiError):
            await kiwoom.page(QUERY)
    assert not [event for event in events if isinstance(event, CallRetried)]


async def test_only_the_first_token_is_marked_as_first():
    events = []
    async with KiwoomClient.sandbox(limited_sandbox(), on_event=events.append) as kiwoom:
        await kiwoom.page(QUERY)
        await kiwoom.revoke_token()
        await kiwoom.page(QUERY)
    tokens = [event.first for event in events if isinstance(event, TokenRenewed)]
    assert tokens == [True, False]


async def test_a_walk_left_after_its_last_page_is_complete():
    events = []
    async with (
        KiwoomClient.sandbox(limited_sandbox(), on_event=events.append) as kiwoom,
        aclosing(kiwoom.pages(QUERY)) as pages,
    ):
        async for page in pages:
            if page.next is None:
                break
    assert events[-1] == WalkFinished(query=QUERY, pages=3, rows=120, complete=True)


@pytest.mark.parametrize("listener", [42, "print", limited_sandbox])
async def test_an_invalid_on_event_or_transport_is_refused(listener):
    async def coroutine(event):
        raise AssertionError(event)

    unusable = coroutine if listener is limited_sandbox else listener
    with pytest.raises(ValueError, match=r"on_event: got .*expected a plain function"):
        KiwoomClient("a", "b", on_event=unusable)
    with pytest.raises(ValueError, match="transport: got 42; expected an AsyncBaseTransport"):
        KiwoomClient("a", "b", transport=42)
