"""`call`: any request that reads, with the token, pace, retries and errors of a page."""

import json
import math

import anyio
import httpx
import pytest
from support.canned import TOKEN, CannedPages, row
from support.exchange import SIX_QUERIES, page_calls, small_sandbox, stock_codes, token_calls
from support.recorded import recorded
from support.servers import on_a_port

from kiwoom_async import (
    ApiError,
    CallEnded,
    CallRetried,
    CallSent,
    ContinuationError,
    Cursor,
    DecodeError,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    PageDelivered,
    ProgramTradeQuery,
    Reply,
    SlotWaited,
    TokenRenewed,
    published_requests,
)
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio

STOCK = {"stk_cd": "005930"}
BODY = {"dt": "20261120", "mrkt_tp": "P00101", "stex_tp": "1"}
QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
SECOND = ("second-app-key-of-a-user", "second-secret-key-of-a-user")
ONE, TWO, THREE, FOUR = (row(number) for number in range(1, 5))
BLANK = dict.fromkeys(ONE, "")


class Server(httpx.AsyncBaseTransport):
    """Answers every call with this body, and the api-id asked; `requests` are the calls."""

    def __init__(self, body, headers=None):
        self.body = body
        self.headers = headers
        self.requests = []

    async def handle_async_request(self, request):
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        self.requests.append(request)
        headers = {"api-id": request.headers["api-id"], "cont-yn": "N", "next-key": ""}
        headers = headers if self.headers is None else self.headers
        return httpx.Response(200, json=self.body, headers=headers)


def client(transport, **options):
    options = {"requests_per_second": 1000, **options}
    return KiwoomClient("app-key-0123", "secret-key-0123", transport=transport, **options)


async def replies_of(kiwoom, cursor=None):
    """Return every reply, from `cursor` to the last."""
    replies = []
    while True:
        replies.append(await kiwoom.call("ka90004", BODY, cursor=cursor))
        if (cursor := replies[-1].next) is None:
            return replies


async def test_an_answer_comes_as_it_was_sent():
    body = recorded("ka10001_official_20260701_005930")
    server = Server(body)
    async with client(server) as kiwoom:
        reply = await kiwoom.call("ka10001", STOCK)
    assert (reply.body, reply.next, reply.restarted) == (body, None, False)
    (data,) = reply.rows
    assert data["stk_nm"] == "삼성전자"
    assert "return_code" not in data
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/api/dostk/stkinfo")
    assert json.loads(request.content) == STOCK
    assert request.headers["api-id"] == "ka10001"
    assert request.headers["authorization"] == "Bearer the-token"
    assert "cont-yn" not in request.headers


async def test_every_published_request_that_reads_goes_to_its_path():
    server = Server({"return_code": 0})
    async with client(server, requests_per_second=math.inf) as kiwoom:
        for published in published_requests():
            if published.trades:
                with pytest.raises(ValueError, match=f"{published.api_id}.* trades"):
                    await kiwoom.call(published.api_id, {})
            else:
                await kiwoom.call(published.api_id)
    sent = [(request.headers["api-id"], request.url.path) for request in server.requests]
    assert sent == [
        (published.api_id, published.path)
        for published in published_requests()
        if not published.trades
    ]
    assert len(sent) == 169


async def test_a_path_of_ones_own_goes_before_the_published_one():
    server = Server({"return_code": 0})
    async with client(server) as kiwoom:
        await kiwoom.call("zz00001", {}, path="/api/dostk/new")
        await kiwoom.call("ka10001", STOCK, path="/api/v2/stkinfo")
    assert [request.url.path for request in server.requests] == [
        "/api/dostk/new", "/api/v2/stkinfo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("kt10000", {}), {}, "kt10000 .주식 매수주문. at /api/dostk/ordr trades"),
        (("ka10001", STOCK), {"path": "/api/dostk/ordr"}, "trades"),
        (("kt10000", {}), {"path": "/api/dostk/acnt"}, "trades"),
        (("au10001", {}), {}, "of the token; use the client's methods"),
        (("ka10001x", STOCK), {}, "such as ka10001.*path="),
        ((5, STOCK), {}, "api_id: got 5"),
        (("ka10001", "005930"), {}, "body: got '005930'; expected a mapping of texts"),
        (("ka10001", [("stk_cd", "005930")]), {}, "body: got .*; expected a mapping of texts"),
        (("ka10001", {"stk_cd": 5930}), {}, "body: got 5930 in 'stk_cd': 5930; expected texts"),
        (("ka10001", {5: "005930"}), {}, "body: got 5 in 5: '005930'; expected texts"),
        (("ka10001", {"stk_cd": None}), {}, "body: got None in 'stk_cd': None"),
        (("ka10001", {"stk_cd": "\ud800"}), {}, "half a character is no text"),
        (("ka10001", STOCK), {"cursor": "k1.abc"}, "cursor: got 'k1.abc'; Cursor.parse"),
        (("ka10001", STOCK), {"cursor": Reply("ka10001", {}, None)}, "cursor: got Reply"),
    ],
)
async def test_what_cannot_be_asked_is_a_value_error_before_anything_is_sent(
    arguments, options, message
):
    server = Server({"return_code": 0})
    async with client(server) as kiwoom:
        with pytest.raises(ValueError, match=message):
            await kiwoom.call(*arguments, **options)
        assert kiwoom._calls.accounts._all[0].tokens.cached is None
    assert server.requests == []


async def test_pages_follow_each_other_by_cursors_that_survive_as_text():
    sandbox = small_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        replies = await replies_of(kiwoom)
        rest = await replies_of(kiwoom, Cursor.parse(str(replies[0].next)))
    assert [line["stk_cd"] for reply in replies for line in reply.rows] == stock_codes(sandbox)
    assert rest == replies[1:]
    assert [call.body for call in page_calls(sandbox)] == [BODY] * 5
    assert repr(replies[0]) == (
        "Reply(api_id='ka90004', body=<9 names>, next=<page 2>, restarted=False)"
    )
    assert repr(replies[-1]).endswith("next=None, restarted=False)")


async def test_a_cursor_goes_with_pages_of_a_declared_query_and_back():
    sandbox = small_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        page = await kiwoom.page(QUERY)
        reply = await kiwoom.call("ka90004", dict(reversed(BODY.items())), cursor=page.next)
        last = await kiwoom.page(QUERY, reply.next)
    codes = [trade.symbol for trade in page.rows]
    codes += [line["stk_cd"] for line in reply.rows]
    assert [*codes, *(trade.symbol for trade in last.rows)] == stock_codes(sandbox)


@pytest.mark.parametrize(
    ("api_id", "body"),
    [
        ("ka90004", BODY | {"stex_tp": "2"}),
        ("ka90004", BODY | {"more": ""}),
        ("ka90004", {"dt": "20261120"}),
        ("ka90004", {}),
        ("ka10081", BODY),
    ],
)
async def test_a_cursor_of_another_request_is_refused_before_anything_is_sent(api_id, body):
    sandbox = small_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        cursor = (await kiwoom.call("ka90004", BODY)).next
        with pytest.raises(ContinuationError, match="belongs to another request: ka90004") as error:
            await kiwoom.call(api_id, body, cursor=cursor)
    assert error.value.query.api_id == api_id
    assert len(sandbox.arrivals) == 2


# As recorded at the end of ka10086 on NXT (wire-facts.md, section 5).
RESTART = {
    "": ([ONE, TWO], "K1"),
    "K1": ([FOUR], "K2"),
    "K2": ([], "S-1"),
    "S-1": ([ONE, TWO], "K1"),
}


@pytest.mark.parametrize(
    ("pages", "calls"),
    [
        (RESTART, 4),
        (RESTART | {"K2": ([], "K1")}, 3),
        (RESTART | {"S-1": ([ONE], "S-1")}, 4),
        (RESTART | {"S-1": ([], "S-2"), "S-2": ([ONE], "K1")}, 5),
        (RESTART | {"K2": ([BLANK], "S-1")}, 4),
    ],
    ids=["recorded", "the empty page itself", "to its own key", "two empty pages", "a blank row"],
)
async def test_a_restart_right_after_an_empty_page_is_the_end(pages, calls):
    transport = CannedPages(pages)
    async with client(transport) as kiwoom:
        replies = await replies_of(kiwoom)
        assert [reply.restarted for reply in replies] == [False] * (calls - 1) + [True]
        # So it is for a walk that is resumed at the empty page, or behind it.
        for position, reply in enumerate(replies[:-1], 1):
            assert await replies_of(kiwoom, Cursor.parse(str(reply.next))) == replies[position:]


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        (RESTART | {"K1": ([FOUR], "K1")}, "came before in this walk"),
        (RESTART | {"K2": ([THREE], "K1")}, "came before in this walk"),
        (RESTART | {"S-1": ([], "S-2"), "S-2": ([], "S-3")}, "3 pages in a row came without rows"),
        (RESTART | {"K1": ([BLANK], "")}, 'more pages were announced, and then came "no data"'),
        (RESTART | {"K1": ([FOUR], {})}, "neither of the headers api-id and cont-yn"),
        (RESTART | {"K1": ([], {})}, "neither of the headers api-id and cont-yn"),
        (RESTART | {"K1": ([FOUR], {"api-id": "ka90003"})}, "the answer belongs to another call"),
        (RESTART | {"K1": ([FOUR], {"cont-yn": "Y"})}, "next-key: got an empty one"),
        (RESTART | {"K1": ([FOUR], {"cont-yn": "?"})}, "cont-yn: got '[?]'"),
    ],
)
async def test_a_chain_that_cannot_be_trusted_is_an_error(pages, message):
    async with client(CannedPages(pages)) as kiwoom:
        with pytest.raises(ContinuationError, match=message) as caught:
            await replies_of(kiwoom)
        error = caught.value
        assert (error.query.api_id, error.page) == ("ka90004", error.cursor.page - 1)
        with pytest.raises(ContinuationError, match=message):
            await kiwoom.call("ka90004", BODY, cursor=error.cursor)


@pytest.mark.parametrize(
    ("body", "headers", "fails"),
    [
        ({"stk_cd": "005930"}, {}, True),
        ({"list": [{"a": "1"}]}, {}, True),
        ({"list": [{"a": "1"}]}, {"api-id": "ka10001"}, False),
        ({"list": [{"a": "1"}]}, {"cont-yn": "N"}, False),
        ({"list": [], "others": [1]}, {}, True),
        ({"list": [], "others": []}, {}, False),
        ({"list": [{"a": ""}]}, {}, False),
        ({"stk_cd": ""}, {}, False),
        ({}, {}, False),
    ],
)
async def test_an_answer_with_data_needs_headers(body, headers, fails):
    async with client(Server({"return_code": 0, **body}, headers)) as kiwoom:
        if fails:
            with pytest.raises(ContinuationError, match="neither of the headers"):
                await kiwoom.call("ka10001", STOCK)
        else:
            assert (await kiwoom.call("ka10001", STOCK)).next is None


async def test_faults_are_survived_and_a_call_that_failed_resumes():
    sandbox = small_sandbox(
        Fault("rate_limit", call=1),
        Fault("token_dies", call=3),
        Fault("truncated_json", call=5),
        Fault("code", call=7, code="1517"),
    )
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        first = await kiwoom.call("ka90004", BODY)
        second = await kiwoom.call("ka90004", BODY, cursor=first.next)
        third = await kiwoom.call("ka90004", BODY, cursor=second.next)
        with pytest.raises(ApiError, match=r'1517.*"dt": "20261120".*pages delivered: 1') as caught:
            await kiwoom.call("ka90004", BODY, cursor=first.next)
        again = await kiwoom.call("ka90004", BODY, cursor=caught.value.cursor)
    codes = [line["stk_cd"] for reply in (first, second, third) for line in reply.rows]
    assert codes == stock_codes(sandbox)
    assert (caught.value.cursor, caught.value.page, caught.value.attempts) == (first.next, 1, 1)
    assert again == second
    assert len(token_calls(sandbox)) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, json=[1, 2]), DecodeError),
        (httpx.Response(200, json={"return_code": "no"}), DecodeError),
        (httpx.Response(200, json={"return_code": 2, "return_msg": "[1511:x]"}), ApiError),
    ],
)
async def test_what_is_no_answer_is_an_error_of_the_tree(answer, error):
    def respond(request):
        return httpx.Response(200, json=TOKEN) if request.url.path == "/oauth2/token" else answer

    async with client(httpx.MockTransport(respond), attempts=1) as kiwoom:
        with pytest.raises(error) as caught:
            await kiwoom.call("ka10001", STOCK)
    assert caught.value.cursor == Cursor("ka10001", (("stk_cd", "005930"),), "", 1)


async def test_a_call_has_its_turn_among_the_pages_of_its_api_id():
    sandbox = small_sandbox(requests_per_second=5)
    async with KiwoomClient.sandbox(sandbox) as kiwoom, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(kiwoom.call, "ka90004", BODY)
            group.start_soon(kiwoom.page, QUERY)
    calls = page_calls(sandbox)
    assert len(calls) == 20
    assert {call.status for call in calls} == {200}
    # Five at once, and then never six in a second.
    assert min(later.time - earlier.time for earlier, later in zip(calls, calls[5:])) >= 1  # noqa: B905


async def test_calls_do_not_wait_for_those_of_another_api_id():
    server = Server({"return_code": 0})
    async with client(server, requests_per_second=0.001) as kiwoom:
        began = anyio.current_time()
        for api_id in ("ka10001", "ka10002", "ka10003"):
            await kiwoom.call(api_id, STOCK)
        assert anyio.current_time() - began < 1
        await kiwoom.call("ka10001", STOCK)
        assert anyio.current_time() - began >= 1000


async def test_a_call_goes_before_bulk_work():
    sandbox = small_sandbox(requests_per_second=5)
    async with KiwoomClient.sandbox(sandbox) as kiwoom, kiwoom.merge(SIX_QUERIES) as pages:
        await anext(pages)
        asked = anyio.current_time()
        await kiwoom.call("ka90004", BODY)
        # Five other walks are waiting for a slot, 0.2 s each.
        assert anyio.current_time() - asked < 0.5
        assert len([page async for page in pages]) == 17


async def test_of_several_app_keys_pages_stay_with_the_one_they_began_with():
    sandbox = small_sandbox()
    async with KiwoomClient.sandbox(sandbox, more_keys=[SECOND]) as kiwoom:
        for _ in range(2):
            await replies_of(kiwoom)
        assert [account.running_calls for account in kiwoom._calls.accounts] == [0, 0]
        cursor = (await kiwoom.call("ka90004", BODY)).next
    assert [call.caller for call in page_calls(sandbox)] == [1, 1, 1, 2, 2, 2, 1]
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        assert await kiwoom.call("ka90004", BODY, cursor=cursor)
    async with KiwoomClient("other-app-key", "other", transport=Server({})) as kiwoom:
        with pytest.raises(ContinuationError, match="another app key") as caught:
            await kiwoom.call("ka90004", BODY, cursor=cursor)
    assert caught.value.cursor == cursor


async def test_events_are_those_of_a_page():
    events = []
    sandbox = small_sandbox(Fault("server_error", call=2))
    async with KiwoomClient.sandbox(sandbox, on_event=events.append) as kiwoom:
        await replies_of(kiwoom)
        pages = [event for event in events if isinstance(event, PageDelivered)]
        assert [(page.number, page.rows, page.last) for page in pages] == [
            (1, 50, False), (2, 50, False), (3, 20, True),
        ]  # fmt: skip
        of_calls = [event for event in events if not isinstance(event, TokenRenewed)]
        of_calls = [event for event in of_calls if getattr(event, "api_id", "") != "au10001"]
        request = of_calls[0].query
        assert {event.query for event in of_calls} == {request}
        assert (request.api_id, request.path) == ("ka90004", "/api/dostk/stkinfo")
        assert dict(request.body) == BODY
    kinds = [type(event) for event in of_calls]
    one = [SlotWaited, CallSent, CallEnded]
    assert kinds == [*one, PageDelivered, *one, CallRetried, *one, PageDelivered, *one,
                     PageDelivered]  # fmt: skip
    assert str(of_calls[1]) == (
        'ka90004 {"dt": "20261120", "mrkt_tp": "P00101", "stex_tp": "1"}: sent, attempt 1'
    )
    assert str(of_calls[3]).endswith('"stex_tp": "1"}: page 1 came with 50 rows')


async def test_an_answer_that_repeats_secrets_shows_none():
    secret = "a-long-secret-key-of-a-user"
    token = "a-long-token-that-is-echoed"

    def respond(request):
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN | {"token": token})
        body = {"return_code": 0, "echo": [{"key": secret, "token": token, "id": "app-key-of-a"}]}
        return httpx.Response(200, json=body, headers={"api-id": "ka10001", "cont-yn": "N"})

    async with KiwoomClient(
        "app-key-of-a", secret, transport=httpx.MockTransport(respond)
    ) as kiwoom:
        reply = await kiwoom.call("ka10001", STOCK)
    assert reply.rows == [{"key": "***", "token": "***", "id": "***"}]


async def test_a_body_that_changes_while_a_call_waits_is_sent_as_it_was():
    server = Server({"return_code": 0})
    body = dict(STOCK)
    async with client(server, requests_per_second=1) as kiwoom, anyio.create_task_group() as group:
        await kiwoom.call("ka10001", body)
        group.start_soon(kiwoom.call, "ka10001", body)
        await anyio.sleep(0.1)
        body["stk_cd"] = "000660"
    assert [json.loads(request.content) for request in server.requests] == [STOCK, STOCK]


async def test_a_call_that_is_cancelled_leaves_a_client_that_works():
    sandbox = small_sandbox(Fault("slow", seconds=5))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with anyio.move_on_after(1):
            await kiwoom.call("ka90004", BODY)
        assert len(await replies_of(kiwoom)) == 3
        assert [account.running_calls for account in kiwoom._calls.accounts] == [0]
    with pytest.raises(RuntimeError, match="closed"):
        await kiwoom.call("ka90004", BODY)


class TestOnASocket:
    """In real time, over a real socket."""

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request):
        """Run in real time, which real sockets need."""
        return request.param

    async def test_both_engines_bring_every_page(self):
        sandbox = small_sandbox(Fault("disconnect", call=2), Fault("token_dies", call=4))
        with on_a_port(sandbox) as base_url:
            async with KiwoomClient(
                "an-app-key", "a-secret-key", base_url=base_url, requests_per_second=1000
            ) as kiwoom:
                replies = await replies_of(kiwoom)
                with pytest.raises(KiwoomError, match="1505"):
                    await kiwoom.call("ka10001", STOCK)
        assert [line["stk_cd"] for reply in replies for line in reply.rows] == stock_codes(sandbox)
