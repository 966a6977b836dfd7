"""Complete or an error: codes, rows that cannot be read, deadlines, outages, cancellation."""

import asyncio
import json
import logging
import math
import random
from collections import Counter
from contextlib import suppress

import anyio
import httpx
import pytest
import trio
from anyio import current_time
from attrs import evolve
from support.recorded import recorded

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    Change,
    ContinuationError,
    DecodeError,
    Exchange,
    Failure,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    RateLimited,
    TransportTimeout,
    Undecoded,
    WalkComplete,
)
from kiwoom_async._protocol.convert import request_body
from kiwoom_async._protocol.retry import RetryBudget
from kiwoom_async.sandbox import Fault, Sandbox
from kiwoom_async.sandbox._codes import CODES

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
SIX = [ProgramTradeQuery("2026-11-20", market, venue) for market in Market for venue in Exchange]


def small(*faults, **options):
    """KOSPI is 3 pages of 120 rows."""
    defaults = {"kospi_stocks": 120, "kosdaq_stocks": 70}
    return Sandbox(faults=faults, **(defaults | options))


def truth(sandbox, query=QUERY):
    return [row["stk_cd"] for row in sandbox.rows(*request_body(query).values())]


def calls_of(sandbox, api_id="ka90004"):
    return sum(arrival.api_id == api_id for arrival in sandbox.arrivals)


# ---- every published code (wire-facts.md, section 3)

AT_ONCE, RENEWED, RETRIED = "raised at once", "renewed once", "retried"
CODE_OUTCOMES = {
    "1501": (ApiError, AT_ONCE), "1504": (ApiError, AT_ONCE), "1505": (ApiError, AT_ONCE),
    "1511": (ApiError, AT_ONCE), "1512": (ApiError, AT_ONCE), "1513": (ApiError, AT_ONCE),
    "1514": (ApiError, AT_ONCE), "1515": (ApiError, AT_ONCE), "1516": (ApiError, AT_ONCE),
    "1517": (ApiError, AT_ONCE), "1634": (ApiError, AT_ONCE), "1687": (ApiError, AT_ONCE),
    "1700": (RateLimited, RETRIED), "1701": (RateLimited, RETRIED), "1702": (RateLimited, RETRIED),
    "1901": (ApiError, AT_ONCE), "1902": (ApiError, AT_ONCE), "1903": (ApiError, AT_ONCE),
    "1999": (ApiError, RETRIED),
    "8001": (AuthError, AT_ONCE), "8002": (AuthError, AT_ONCE), "8003": (AuthError, RENEWED),
    "8005": (AuthError, RENEWED), "8006": (AuthError, RETRIED), "8009": (AuthError, RETRIED),
    "8010": (AuthError, RENEWED), "8011": (AuthError, AT_ONCE), "8012": (AuthError, AT_ONCE),
    "8015": (AuthError, AT_ONCE), "8016": (AuthError, AT_ONCE), "8020": (AuthError, AT_ONCE),
    "8030": (AuthError, AT_ONCE), "8031": (AuthError, AT_ONCE), "8040": (AuthError, AT_ONCE),
    "8050": (AuthError, AT_ONCE), "8103": (AuthError, RENEWED), "8104": (AuthError, AT_ONCE),
    "8200": (AuthError, AT_ONCE),
}  # fmt: skip


def test_every_published_code_has_its_row():
    assert set(CODE_OUTCOMES) == set(CODES)


@pytest.mark.parametrize("code", CODE_OUTCOMES)
async def test_a_code_that_stays_is_this_error_after_so_many_calls(code):
    kind, outcome = CODE_OUTCOMES[code]
    sandbox = small(Fault("code", code=code, call=2, times=math.inf))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(KiwoomError) as caught:
            await kiwoom.collect(QUERY)
    assert type(caught.value) is kind
    assert caught.value.code == code
    made = {AT_ONCE: 1, RENEWED: 2, RETRIED: 4}[outcome]
    assert (caught.value.attempts, calls_of(sandbox)) == (made, 1 + made)
    assert calls_of(sandbox, "au10001") == (2 if outcome == RENEWED else 1)


@pytest.mark.parametrize("code", CODE_OUTCOMES)
async def test_a_code_that_passes_is_not_seen_where_it_may_pass(code):
    _, outcome = CODE_OUTCOMES[code]
    sandbox = small(Fault("code", code=code, call=2))
    rows = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        try:
            async for page in kiwoom.pages(QUERY):
                rows += [row.symbol for row in page.rows]
        except KiwoomError as error:
            assert outcome == AT_ONCE
            rows += [row.symbol async for row in kiwoom.rows(QUERY, start=error.cursor)]
        else:
            assert outcome != AT_ONCE
    assert rows == truth(sandbox)
    assert calls_of(sandbox) == 4


# ---- rows that cannot be read


async def test_a_row_that_cannot_be_read_ends_a_walk():
    async with KiwoomClient.sandbox(small(Fault("unreadable_row", call=2))) as kiwoom:
        with pytest.raises(DecodeError, match=r"'abc' is not a whole number @ rows\[25\]"):
            await kiwoom.collect(QUERY)


async def test_delivered_such_a_row_stands_beside_the_good_ones(caplog):
    sandbox = small(Fault("unreadable_row", call=2))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
        assert [len(page.undecoded) for page in pages] == [0, 1, 0]
        (left,) = pages[1].undecoded
        assert isinstance(left, Undecoded)
        assert left.position == 25
        sent = sandbox.rows("20261120", "P00101", "1")[75]
        assert left.raw == sent | {"buy_cntr_qty": "abc"}
        assert left.problem == "'abc' is not a whole number @ rows[25].buy_quantity (buy_cntr_qty)"
        symbols = [row.symbol for page in pages for row in page.rows]
        assert symbols == [code for code in truth(sandbox) if code != sent["stk_cd"]]
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert warnings == ["2026-11-20 KOSPI KRX: page 2 came with 49 rows, and 1 that cannot be read"]


async def test_the_audit_counts_what_could_not_be_read():
    sandbox = small(Fault("unreadable_row", call=2))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        walk = await kiwoom.collect(QUERY)
        assert (walk.audit.undecoded_rows, walk.audit.rows) == (1, 119)
        assert "rows that could not be read: 1" in walk.audit.findings
        whole = await kiwoom.collect(QUERY)
        assert (whole.audit.undecoded_rows, whole.audit.findings) == (0, [])


async def test_recorded_rows_of_which_some_are_damaged():
    """A word for a number, no object at all, a missing field: the others are typed as ever."""
    body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
    good = body["stk_prm_trde_prst"]
    lame = {name: value for name, value in good[1].items() if name != "netprps_prica"}
    body["stk_prm_trde_prst"] = [good[0], "what?", lame, {**good[2], "cur_prc": "-"}, good[2], None]

    def answer(request):
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        return httpx.Response(200, json=body, headers={"cont-yn": "N"})

    options = {"transport": httpx.MockTransport(answer), "on_undecoded": "deliver"}
    async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
        page = await kiwoom.page(QUERY)
    assert [row.symbol for row in page.rows] == [good[0]["stk_cd"], good[2]["stk_cd"]]
    assert [(one.position, one.problem) for one in page.undecoded] == [
        (1, "'what?' is not a row @ rows[1]"),
        (2, "is missing @ rows[2].net_buy_amount (netprps_prica)"),
        (3, "'-' is not a whole number @ rows[3].price (cur_prc)"),
        (5, "None is not a row @ rows[5]"),
    ]


@pytest.mark.parametrize("fault", ["missing_list", "null_list", "truncated_json"])
async def test_what_is_no_list_of_rows_is_an_error_all_the_same(fault):
    sandbox = small(Fault(fault, times=math.inf))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        with pytest.raises(DecodeError):
            await kiwoom.collect(QUERY)


async def test_a_watch_takes_nothing_for_gone_that_it_could_not_read():
    sandbox = small(Fault("unreadable_row", call=5))
    marks, gone = 0, []
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        async for item in kiwoom.watch([QUERY]):
            marks += isinstance(item, WalkComplete)
            gone += [item] if isinstance(item, Change) and item.later is None else []
            if marks == 3:
                break
    assert gone == []


async def test_a_bad_choice_is_refused():
    with pytest.raises(
        ValueError, match="on_undecoded: got 'skip'; allowed are 'raise', 'deliver'"
    ):
        KiwoomClient("a", "b", on_undecoded="skip")


# ---- deadlines


@pytest.mark.parametrize("fault", [None, Fault("slow", call=3, seconds=60),
                                   Fault("rate_limit", call=3, seconds=30)])  # fmt: skip
async def test_a_walk_ends_at_its_deadline_with_the_cursor(fault):
    sandbox = small(*([fault] if fault else []), kospi_stocks=600)
    rows = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def walk():
            async for page in kiwoom.pages(QUERY, deadline=1.5):
                rows.extend(row.symbol for row in page.rows)

        with pytest.raises(TransportTimeout, match="the deadline of the walk has passed") as caught:
            await walk()
        assert current_time() == pytest.approx(1.5, abs=0.001)
        error = caught.value
        assert (error.query, error.page) == (QUERY, len(rows) // 50)
        rows += [row.symbol async for row in kiwoom.rows(QUERY, start=error.cursor)]
    assert rows == truth(sandbox)


@pytest.mark.parametrize("walk", ["rows", "collect"])
async def test_rows_and_collect_take_a_deadline_too(walk):
    async with KiwoomClient.sandbox(small(kospi_stocks=600)) as kiwoom:

        async def rows():
            async for _ in kiwoom.rows(QUERY, deadline=1.0):
                pass

        with pytest.raises(TransportTimeout) as caught:
            await (rows() if walk == "rows" else kiwoom.collect(QUERY, deadline=1.0))
        assert caught.value.page == (5 if walk == "rows" else 0)


async def test_a_deadline_that_is_kept_is_not_noticed():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(QUERY, deadline=5)
        await anyio.sleep(10)
        assert [row.symbol for row in walk.rows] == truth(sandbox)
        assert len((await kiwoom.collect(QUERY, deadline=5)).rows) == 120


async def test_a_merge_at_its_deadline_gives_every_cursor():
    sandbox = small()
    found, failures = [], []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(SIX, deadline=2.0, on_error="deliver", concurrency=4) as items:
            async for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    found += [(str(item.query), row.symbol) for row in item.rows]
        assert current_time() == pytest.approx(2.0, abs=0.01)
        assert {type(failure.error) for failure in failures} == {TransportTimeout}
        start = {failure.query: failure.cursor for failure in failures}
        async with kiwoom.merge(start, start=start) as pages:
            async for page in pages:
                found += [(str(page.query), row.symbol) for row in page.rows]
    everything = [(str(query), symbol) for query in SIX for symbol in truth(sandbox, query)]
    assert sorted(found) == sorted(everything)


@pytest.mark.parametrize("deadline", [0, -1, math.nan, "5", None, True])
async def test_a_bad_deadline_is_refused_at_once(deadline):
    async with KiwoomClient.sandbox(small()) as kiwoom:
        for walk in (kiwoom.pages, kiwoom.rows):
            with pytest.raises(ValueError, match="deadline: got"):
                walk(QUERY, deadline=deadline)
        with pytest.raises(ValueError, match="deadline: got"):
            kiwoom.merge(SIX, deadline=deadline)


# ---- outages


@pytest.mark.parametrize("holding_a_token", [False, True])
async def test_a_hundred_walks_on_a_dead_server_make_a_bounded_number_of_calls(holding_a_token):
    """Each its first call, and the budget's retries between them; a token is asked for once."""
    outage = [False]
    alive = small(requests_per_second=None)

    async def server(scope, receive, send):
        if not outage[0]:
            await alive(scope, receive, send)
            return
        calls.append(scope["path"])
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>down</html>"})

    server.requests_per_second = 1000
    calls, failed = [], []
    async with KiwoomClient.sandbox(server) as kiwoom:
        if holding_a_token:
            await kiwoom.page(QUERY)
        outage[0] = True

        async def walk():
            try:
                await kiwoom.collect(QUERY)
            except KiwoomError as error:
                failed.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(walk)
        assert len(failed) == 100
        assert all(error.cursor.page == 1 for error in failed)
        budget = int(RetryBudget.CAPACITY)
        if holding_a_token:
            assert calls == ["/api/dostk/stkinfo"] * len(calls)
            assert 100 < len(calls) <= 100 + budget
        else:
            # The issue that one task made for all of them, four times.
            assert calls == ["/oauth2/token"] * 4
            assert len({id(error) for error in failed}) == 100
        outage[0] = False
        began = current_time()
        assert len((await kiwoom.collect(QUERY)).rows) == 120
        assert current_time() - began < 0.1


async def test_a_failed_issue_is_shared_by_those_who_waited_and_by_nobody_after():
    sandbox = small(Fault("code", api_id="au10001", code="8001", times=2), latency_seconds=0.1)
    errors = []

    async def page(kiwoom):
        with pytest.raises(AuthError) as caught:
            await kiwoom.page(QUERY)
        errors.append(caught.value)

    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(page, kiwoom)
        assert calls_of(sandbox, "au10001") == 1
        assert {error.code for error in errors} == {"8001"}
        assert len({id(error) for error in errors}) == 10
        await page(kiwoom)
        assert len((await kiwoom.page(QUERY)).rows) == 50
    assert calls_of(sandbox, "au10001") == 3


async def test_eight_walks_refused_at_once_renew_a_token_that_comes_back_the_same_once():
    """An issue gives the living token again (wire-facts.md, fact 7), which is its normal way."""
    calls = Counter()

    async def server(scope, _, send):
        path = scope["path"]
        calls[path] += 1
        if path == "/oauth2/token":
            await anyio.sleep(0.05)
            body = {"token": "always-the-same", "expires_dt": "29991231235959", "return_code": 0}
        elif calls[path] <= 8:
            await anyio.sleep(0.3)
            body = {"return_code": 3, "return_msg": "[8005:x]"}
        else:
            body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
        headers = [(b"cont-yn", b"N")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    server.requests_per_second = 1000
    days = [
        ProgramTradeQuery(f"2026-11-{day:02}", Market.KOSPI, Exchange.KRX) for day in range(2, 10)
    ]
    async with KiwoomClient.sandbox(server) as kiwoom, kiwoom.merge(days) as pages:
        assert len([page async for page in pages]) == 8
    assert calls["/oauth2/token"] == 2


async def test_a_walk_that_is_taken_up_again_notices_that_it_was_sent_back():
    """The old key restarts at page one; between two ordinary failures nobody would see it."""
    sandbox = small(kospi_stocks=240)
    lives = Counter()

    async def server(scope, receive, send):
        headers = dict(scope["headers"])
        if scope["path"] != "/oauth2/token":
            lives["calls"] += 1
            if lives["calls"] in (3, 5):
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b"<html>down</html>"})
                return
            if lives["calls"] == 4:
                old = dict.fromkeys((b"next-key", b"cont-yn"), b"")
                scope = scope | {"headers": [*(headers | old).items()]}
        await sandbox(scope, receive, send)

    server.requests_per_second = 1000
    rows = []
    async with KiwoomClient.sandbox(server, attempts=1) as kiwoom:

        async def walk(start):
            async for page in kiwoom.pages(QUERY, start=start):
                rows.extend(row.symbol for row in page.rows)

        with pytest.raises(BlockedError) as first:
            await walk(None)
        with pytest.raises(ContinuationError, match="came before in this walk"):
            await walk(first.value.cursor)
    assert len(rows) == len(set(rows)) == 100


# ---- cancellation


async def _pages(kiwoom):
    async for _ in kiwoom.pages(QUERY):
        pass


async def _rows(kiwoom):
    async for _ in kiwoom.rows(QUERY):
        pass


async def _watch(kiwoom):
    async for item in kiwoom.watch([QUERY]):
        if isinstance(item, WalkComplete):
            return


async def _merge(kiwoom, **options):
    async with kiwoom.merge(SIX[:3], concurrency=2, **options) as pages:
        async for _ in pages:
            pass


async def _merged_rows(kiwoom):
    async with kiwoom.merge(iter(SIX[:2]), on_error="deliver") as pages:
        async for _ in pages.rows():
            pass


WALKS = {
    "page": lambda kiwoom: kiwoom.page(QUERY),
    "pages": _pages,
    "rows": _rows,
    "collect": lambda kiwoom: kiwoom.collect(QUERY),
    "watch": _watch,
    "merge": _merge,
    "rows of a merge": _merged_rows,
}


def tasks_alive():
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living


async def cancelled_after(ticks, how, work):
    """Whether the work was still running after so many turns of the loop, and was cancelled."""
    if how == "natively":
        task = asyncio.ensure_future(work)
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return task.cancelled()
    done = False

    async def run():
        nonlocal done
        await work
        done = True

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    return not done


@pytest.mark.parametrize("how", ["natively", "by scope"])
@pytest.mark.parametrize("walk", WALKS)
async def test_a_walk_may_be_cancelled_at_every_checkpoint(walk, how, anyio_backend, monkeypatch):
    """Afterwards the next call works, no slot is lost, no task is alive, nothing warns."""
    # Without waits: turns of the loop are counted here, and time stands still meanwhile.
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    if how == "natively" and anyio_backend[0] == "trio":
        pytest.skip("trio has no native Task.cancel")
    faults = Fault("server_error", call=2), Fault("token_dies", call=4)
    before, ticks = tasks_alive(), 0
    while True:
        sandbox = small(*faults, requests_per_second=None)
        async with KiwoomClient.sandbox(sandbox, requests_per_second=math.inf) as kiwoom:
            was_cancelled = await cancelled_after(ticks, how, WALKS[walk](kiwoom))
            assert tasks_alive() == before
            assert len((await kiwoom.collect(QUERY)).rows) == 120
        if not was_cancelled:
            break
        assert ticks < 2000
        ticks += 1 if ticks < 60 else 7
    assert ticks > 6  # the least that a token and a page take


async def test_a_cancelled_call_gives_its_slot_back():
    sandbox = small()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        await kiwoom.page(QUERY)
        for _ in range(20):
            with anyio.move_on_after(0.01):
                await kiwoom.page(QUERY)
        began = current_time()
        await kiwoom.page(QUERY)
        assert current_time() - began < 0.21


def test_rows_of_different_walks_are_equal_values():
    """What a resumed walk brings can be compared with what another brought."""

    async def two():
        async with KiwoomClient.sandbox(small(requests_per_second=None)) as kiwoom:
            return [await kiwoom.collect(QUERY) for _ in range(2)]

    first, second = anyio.run(two)
    assert first.rows == second.rows
    assert evolve(first.rows[0], price=1) != second.rows[0]
