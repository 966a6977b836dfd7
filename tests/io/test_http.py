"""How requests travel, over real sockets: deadlines, damage, cancellation, nothing foreign."""

import asyncio
import gzip
import json
import random
import ssl
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel
import httpx
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream
from support.http import http, read_request, server
from support.recorded import recorded
from support.sender import PATH, Sender, ignored, send
from support.servers import on_a_port

from kiwoom_async import (
    BlockedError,
    DecodeError,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    TransportError,
    TransportTimeout,
)
from kiwoom_async._io import http as http_module
from kiwoom_async._io.http import RoundTrip
from kiwoom_async._protocol.messages import Request
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real sockets need real time."""
    return request.param


@asynccontextmanager
async def sender_to(answer, timeout_seconds=5.0):
    async with server(answer) as base_url:
        sender = Sender(base_url, timeout_seconds=timeout_seconds)
        try:
            yield sender
        finally:
            await sender.aclose()


def playing(raw, *, then_close=False):
    async def answer(stream):
        await stream.send(raw)
        if then_close:
            await stream.aclose()

    return answer


async def test_an_answer_comes_back_whole():
    async with sender_to(playing(http(b'{"a":1}', "Cont-YN: Y", "Next-Key: K2"))) as sender:
        response = await send(sender)
    assert (response.status, response.body) == (200, b'{"a":1}')
    assert response.request is sender.request
    assert (response.headers["cont-yn"], response.headers["next-key"]) == ("Y", "K2")


async def test_no_header_of_what_comes_behind_an_answer_is_its_own():
    stray = http(b'{"stray": 1}', "cont-yn: Y", "next-key: FOREIGN")
    async with sender_to(playing(http(b"{}") + stray)) as sender:
        response = await send(sender)
    assert response.body == b"{}"
    assert set(response.headers) == {"content-length"}


async def test_a_header_ends_where_its_text_does():
    async with sender_to(playing(http(b"{}", "next-key: a \t "))) as sender:
        assert (await send(sender)).headers["next-key"] == "a"


async def test_an_encoding_that_was_not_asked_for_is_named_where_it_is_known():
    for sent, said in (("br", "the encoding br that"), ("s3cret-k3y", "an encoding that")):
        answer = playing(http(b"{}", f"content-encoding: {sent}"), then_close=True)
        async with sender_to(answer) as sender:
            with pytest.raises(DecodeError, match=f"{said} was not asked for @ body") as caught:
                await send(sender)
            assert "s3cret" not in str(caught.value)


class Endless(httpx.AsyncByteStream):
    """A custom transport's stream that is no generator, and has no end."""

    def __init__(self, chunk):
        self.chunk, self.given = chunk, 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        await anyio.lowlevel.checkpoint()
        self.given += 1
        return self.chunk


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_stream_of_any_kind_is_read_no_further_than_it_may_be(encoding):
    class Custom(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            return httpx.Response(200, headers={"content-encoding": encoding}, stream=stream)

    stream = Endless(b"x" * 1024 * 1024)
    sender = Sender("https://a.example", transport=Custom())
    with pytest.raises(DecodeError):
        await send(sender)
    assert stream.given <= 9


async def test_what_one_transport_does_to_its_timeouts_is_its_own_affair():
    class Custom(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            seen.append(request.extensions["timeout"]["connect"])
            request.extensions["timeout"]["connect"] = 7
            return httpx.Response(200, content=b"{}")

    seen = []
    sender = Sender("https://a.example", transport=Custom())
    await send(sender)
    await send(sender)
    assert seen == [None, None]


async def test_the_host_may_have_a_path():
    paths = []

    async def answer(stream):
        async with stream:
            paths.append((await stream.receive()).split(b" ")[1])
            await stream.send(http(b"{}"))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    base_url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/kiwoom/v1"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        sender = Sender(base_url)
        await send(sender)
        await sender.aclose()
        group.cancel_scope.cancel()
    assert paths == [b"/kiwoom/v1" + PATH.encode()]


async def test_one_connection_serves_many_calls():
    connections = []

    async def answer(stream):
        connections.append(stream)
        await stream.send(http(b"{}"))

    async with sender_to(answer) as sender:
        for _ in range(5):
            await send(sender)
    assert len(connections) == 5
    assert len(set(map(id, connections))) == 1


@pytest.mark.alone
async def test_dripping_bytes_do_not_outlive_the_deadline():
    """Every single read is quick; httpx's own timeouts never trip."""

    async def drip(stream):
        for byte in http(b"x" * 1000):
            await stream.send(bytes([byte]))
            await anyio.sleep(0.02)

    async with sender_to(drip, timeout_seconds=0.3) as sender:
        began = anyio.current_time()
        with pytest.raises(TransportTimeout, match=r"no complete answer within 0\.3 s"):
            await send(sender)
        assert anyio.current_time() - began < 3


async def test_silence_ends_at_the_deadline():
    async def silence(_):
        await anyio.sleep(60)

    async with sender_to(silence, timeout_seconds=0.2) as sender:
        with pytest.raises(TransportTimeout):
            await send(sender)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        http(b'{"a":', length=1000),
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_a_connection_that_breaks_is_a_transport_error(raw):
    async with sender_to(playing(raw, then_close=True)) as sender:
        with pytest.raises(TransportError) as caught:
            await send(sender)
    assert isinstance(caught.value.__cause__, httpx.HTTPError)
    assert not caught.value.local


@pytest.mark.httpx_only
async def test_a_proxy_never_sees_what_is_for_this_machine(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with sender_to(playing(http(b"{}"))) as sender:
        assert (await send(sender)).status == 200


@pytest.mark.httpx_only
async def test_a_proxy_of_the_environment_is_used_for_https(monkeypatch):
    asked = []

    async def proxy(stream):
        async with stream:
            asked.append(await stream.receive())

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    monkeypatch.setenv(
        "HTTPS_PROXY", f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    )
    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy)
        sender = Sender("https://api.example")
        with pytest.raises(TransportError):
            await send(sender)
        await sender.aclose()
        group.cancel_scope.cancel()
    await listener.aclose()
    assert asked[0].startswith(b"CONNECT api.example:443")


async def test_nobody_listening_is_a_transport_error():
    sender = Sender("http://127.0.0.1:9")
    with pytest.raises(TransportError, match=r"ka90004 at 127\.0\.0\.1:9: ConnectError"):
        await send(sender)
    await sender.aclose()


async def test_gzip_is_read():
    raw = http(gzip.compress(b'{"a":1}'), "content-encoding: gzip")
    async with sender_to(playing(raw)) as sender:
        assert (await send(sender)).body == b'{"a":1}'


async def test_gzip_that_is_garbage_is_damaged():
    raw = http(b"this is no gzip", "content-encoding: gzip")
    async with sender_to(playing(raw)) as sender:
        with pytest.raises(DecodeError) as caught:
            await send(sender)
    assert caught.value.damaged
    assert "incorrect header check" in str(caught.value)


async def test_gzip_cut_in_half_with_the_right_length_is_no_whole_answer():
    """It arrives as 200 and decodes to half a body."""
    packed = gzip.compress(random.Random(1).randbytes(1000).hex().encode())
    raw = http(packed[: len(packed) // 2], "content-encoding: gzip")
    async with (
        server(playing(raw)) as base_url,
        KiwoomClient("app-key", "secret-key", base_url=base_url, attempts=1) as kiwoom,
    ):
        with pytest.raises(DecodeError) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.damaged


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_is_capped(packed):
    body = b" " * (9 * 1024 * 1024)
    raw = http(gzip.compress(body), "content-encoding: gzip") if packed else http(body)
    async with sender_to(playing(raw)) as sender:
        with pytest.raises(DecodeError, match="more than 8,388,608 bytes") as caught:
            await send(sender)
    assert not caught.value.damaged


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_never_followed(status):
    """A 307 would post the secret key again, to the other host."""
    visits = []

    async def elsewhere(stream):
        visits.append(stream)
        await stream.send(http(b"{}"))

    async with server(elsewhere) as other:
        raw = http(b"", f"location: {other}/oauth2/token", status=status)
        async with (
            server(playing(raw)) as base_url,
            KiwoomClient("app-key", "secret-key", base_url=base_url) as kiwoom,
        ):
            with pytest.raises(BlockedError, match="redirects are never followed") as caught:
                await kiwoom.page(QUERY)
    assert caught.value.status == int(status[:3])
    assert not visits


async def test_a_pool_without_a_place_is_not_retried_as_if_the_server_were_slow():
    calls = []

    def full(request):
        calls.append(request)
        raise httpx.PoolTimeout("full")

    async with KiwoomClient("a", "b", transport=httpx.MockTransport(full)) as kiwoom:
        with pytest.raises(TransportTimeout) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.local
    assert len(calls) == 1


async def test_a_bug_in_a_custom_transport_comes_out_bare_and_is_not_retried():
    calls = []

    def broken(request):
        calls.append(request)
        raise ZeroDivisionError("a bug")

    async with KiwoomClient("a", "b", transport=httpx.MockTransport(broken)) as kiwoom:
        with pytest.raises(ZeroDivisionError, match="a bug"):
            await kiwoom.page(QUERY)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "error", [httpx.LocalProtocolError("bad header"), httpx.UnsupportedProtocol("gopher")]
)
async def test_what_this_side_cannot_send_is_not_retried(error):
    calls = []

    def refuse(request):
        calls.append(request)
        raise error

    async with KiwoomClient("a", "b", transport=httpx.MockTransport(refuse)) as kiwoom:
        with pytest.raises(TransportError) as caught:
            await kiwoom.page(QUERY)
    assert type(caught.value.__cause__) is type(error)
    assert "bad header" not in repr(caught.value.__cause__)
    assert len(calls) == 1


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectTimeout("slow")])
async def test_a_timeout_of_the_http_layer_is_ours(error):
    def slow(_):
        raise error

    transport = httpx.MockTransport(slow)
    async with KiwoomClient("a", "b", transport=transport, attempts=1) as kiwoom:
        with pytest.raises(TransportTimeout) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.__cause__ is error


# ---- cancellation


async def _cancelled_by_scope(sender, ticks):
    async with anyio.create_task_group() as group:

        async def call():
            with suppress(KiwoomError):
                await send(sender)

        group.start_soon(call)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


async def _cancelled_natively(sender, ticks):
    task = asyncio.ensure_future(send(sender))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError, KiwoomError):
        await task


@pytest.mark.parametrize("cancelled", [_cancelled_by_scope, _cancelled_natively])
async def test_the_pool_serves_after_a_thousand_cancelled_calls(
    cancelled, monkeypatch, anyio_backend
):
    """httpcore alone loses a slot of the pool for good in each of some of these (decision 10)."""
    if cancelled is _cancelled_natively and anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")
    monkeypatch.setattr(http_module, "CONNECTION_LIMIT", 4)
    lots = random.Random(20261120)

    async def brief(stream):
        # A new connection for every call: that is where slots are lost.
        await anyio.sleep(lots.random() * 0.002)
        await stream.send(http(b"{}", "connection: close"))
        await stream.aclose()

    async with sender_to(brief) as sender:

        async def churn():
            for _ in range(125):
                await cancelled(sender, lots.randrange(25))

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(churn)
        with anyio.fail_after(10):
            for _ in range(8):
                assert (await send(sender)).status == 200


async def test_cancelling_is_not_swallowed():
    async def silence(_):
        await anyio.sleep(60)

    async with sender_to(silence) as sender:
        with anyio.move_on_after(0.05) as scope:
            await send(sender)
    assert scope.cancelled_caught


async def test_a_native_cancel_is_not_lost_when_the_attempt_fails_at_the_same_moment(
    anyio_backend,
):
    """An error raised in a task group would take the cancellation's place, and be retried."""
    if anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")
    calls = []

    class Failing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            calls.append(request)
            task.cancel()
            raise httpx.ReadError("reset")

    async with KiwoomClient("app-key", "secret-key", transport=Failing()) as kiwoom:
        task = asyncio.ensure_future(kiwoom.page(QUERY))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(calls) == 1


@pytest.mark.parametrize("seconds", [-1e-10, 0, 1e-10], ids=["before", "at", "after"])
@pytest.mark.parametrize("here", [True, False], ids=["here", "in a child"])
async def test_a_native_cancel_is_not_lost_at_the_deadline(here, seconds, anyio_backend):
    """They meet in one turn of the loop, and the tasks of the call take some turns to end."""
    if anyio_backend == "trio":
        pytest.skip("trio has no native Task.cancel")

    class Silent(RoundTrip):
        async def _travel(self):
            assert (asyncio.current_task() is task) == here
            moment = anyio.current_effective_deadline() + seconds
            asyncio.get_running_loop().call_at(moment, task.cancel)
            async with anyio.create_task_group() as connecting:
                connecting.start_soon(self._linger)
                await anyio.sleep(60)

        async def _linger(self):
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.1)

    async def work():
        request = Request("ka90004", "https://a.example", {}, b"{}", ())
        silent = Silent(request, 0.05, ignored)
        await (silent.run() if here else silent.run_in_child_task())
        silent.outcome()

    task = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_transport_that_cancels_itself_is_a_transport_error(anyio_backend):
    if anyio_backend == "trio":
        pytest.skip("trio has no stray cancellation")

    class Stray(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            raise asyncio.CancelledError

    async with KiwoomClient("a", "b", transport=Stray(), attempts=1) as kiwoom:
        with pytest.raises(TransportError, match="cancelled itself"):
            await kiwoom.page(QUERY)


async def test_a_custom_transport_may_read_the_content_of_a_request():
    class Echo(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return httpx.Response(200, content=request.content)

    sender = Sender("https://a.example", transport=Echo())
    assert (await send(sender)).body == sender.request.body


async def test_a_custom_transport_may_send_a_request_twice():
    class Twice(httpx.AsyncBaseTransport):
        def __init__(self, inner):
            self.inner = inner

        async def handle_async_request(self, request):
            first = await self.inner.handle_async_request(request)
            await first.aclose()
            return await self.inner.handle_async_request(request)

        async def aclose(self):
            await self.inner.aclose()

    async with server(playing(http(b"{}"))) as base_url:
        wrapped = Twice(httpx.AsyncHTTPTransport())
        sender = Sender(base_url, transport=wrapped)
        assert (await send(sender)).status == 200
        await sender.aclose()


async def test_only_a_new_connection_is_told_to_the_pace():
    async def answer(stream):
        # After the first answer; what is told runs beside the call, perhaps after its answer.
        closing = [] if answered else ["connection: close"]
        answered.append(1)
        await stream.send(http(b"{}", *closing))
        if closing:
            await stream.aclose()

    async def connected():
        told.append(1)

    answered = []
    told = []
    async with sender_to(answer) as sender:
        for expected in (1, 2, 2):
            await send(sender, connected)
            assert len(told) == expected


async def test_a_pace_that_never_ends_being_told_holds_up_nobody_beyond_the_deadline():
    async with sender_to(playing(http(b"{}")), timeout_seconds=0.2) as sender:
        with anyio.fail_after(5):
            assert (await send(sender, anyio.sleep_forever)).body == b"{}"


async def test_a_bug_in_a_pace_comes_out_although_the_answer_came_first():
    async def answer(stream):
        await stream.send(http(b"{}"))

    async def connected():
        await anyio.sleep(0.05)
        raise ZeroDivisionError

    async with sender_to(answer) as sender:
        with pytest.raises(ZeroDivisionError):
            await send(sender, connected)


# ---- the whole client over a socket


async def test_a_walk_over_a_real_socket_survives_a_reset_in_the_middle_of_a_body():
    sandbox = Sandbox(
        requests_per_second=None,
        kospi_stocks=230,
        faults=[Fault("disconnect", call=3), Fault("rate_limit", call=5)],
    )
    with on_a_port(sandbox) as base_url:
        options = {"base_url": base_url, "requests_per_second": 1000}
        async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
            walk = await kiwoom.collect(QUERY)
    assert [row.symbol for row in walk.rows] == [
        row["stk_cd"] for row in sandbox.rows("20261120", "P00101", "1")
    ]
    assert walk.audit.findings == []


@pytest.mark.parametrize("copy", [slice(None), slice(40)])
async def test_an_answer_that_comes_twice_is_not_taken_for_the_next_one(copy):
    """Even where only the beginning of the copy has come when the next call is made."""
    sent = []

    def page(symbol):
        row = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"][0]
        body = {"stk_prm_trde_prst": [{**row, "stk_cd": symbol}], "return_code": 0}
        return http(json.dumps(body).encode(), "api-id: ka90004")

    async def answer(stream):
        sent.append(1)
        if len(sent) == 1:
            token = {"token": "t", "expires_dt": "29991231235959", "return_code": 0}
            await stream.send(http(json.dumps(token).encode()))
            return
        raw = page(f"00000{len(sent)}")
        await stream.send(raw + raw[copy])

    async with (
        server(answer) as base_url,
        KiwoomClient("a", "b", base_url=base_url, requests_per_second=100) as kiwoom,
    ):
        symbols = [(await kiwoom.page(QUERY)).rows[0].symbol for _ in range(5)]
    assert symbols == ["000002", "000003", "000004", "000005", "000006"]
    assert len(sent) == 6


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(gzip.compress(b"{}")[:-4], "gzip"), (gzip.compress(b"{}") + b"x", "gzip"),
     (b"{}", "br")],
    ids=["gzip without its end", "bytes after gzip", "an encoding nobody asked for"],
)  # fmt: skip
async def test_what_comes_behind_a_refused_answer_is_not_taken_for_the_next_one(body, encoding):
    async def answer(stream):
        raw = http(b'{"right": 1}')
        if not asked:
            raw = http(body, f"content-encoding: {encoding}") + http(b'{"stray": 1}')
        asked.append(1)
        await stream.send(raw)

    asked = []
    async with sender_to(answer) as sender:
        with pytest.raises(DecodeError):
            await send(sender)
        assert (await send(sender)).body == b'{"right": 1}'


async def test_a_connection_with_more_in_it_is_not_idle_for_a_moment():
    """Closing others that are too old, the pool lets other tasks run, when it has this one back."""

    async def answer(stream):
        asked.append(1)
        if len(asked) <= 8:
            while len(asked) < 8:  # eight at once need eight connections
                await anyio.sleep(0.001)
            await stream.send(http(b"{}"))
        elif len(asked) == 9:
            await anyio.sleep(0.2)
            await stream.send(http(b"{}") + http(b'{"stray": 1}'))
        else:
            await stream.send(http(b'{"right": 1}'))

    async def send_when_one_is_idle():
        [busy] = [one for one in pool.connections if not one.is_idle()]
        while not (busy.is_idle() or busy.is_closed()):
            await anyio.lowlevel.checkpoint()
        bodies.append((await send(sender)).body)

    asked, bodies = [], []
    layer = httpx.AsyncHTTPTransport(limits=httpx.Limits(keepalive_expiry=0.1))
    pool = layer._pool
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=layer)
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(send, sender)
        assert len(pool.connections) == 8
        async with anyio.create_task_group() as group:
            group.start_soon(send, sender)
            await anyio.sleep(0.15)
            group.start_soon(send_when_one_is_idle)
        await sender.aclose()
    assert bodies == [b'{"right": 1}']


class Corked(ByteStream):
    """Sends when it is about to wait: in one piece, whatever it was handed in."""

    def __init__(self, stream):
        self.stream, self.kept = stream, b""

    async def send(self, item):
        self.kept += item

    async def receive(self, max_bytes=65536):
        kept, self.kept = self.kept, b""
        await self.stream.send(kept)
        return await self.stream.receive(max_bytes)

    async def send_eof(self):
        await self.stream.send_eof()

    async def aclose(self):
        await self.stream.aclose()


async def test_what_comes_in_a_record_of_tls_behind_an_answer_is_not_taken_for_the_next_one():
    authority = trustme.CA()
    at_home = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(at_home)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def connection(raw):
        connections.append(raw)
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            async with await TLSStream.wrap(
                Corked(raw), ssl_context=at_home, server_side=True, standard_compatible=False
            ) as stream:
                while True:
                    await read_request(stream)
                    asked.append(1)
                    await stream.send(http(b"%d" % len(asked)))
                    if len(asked) % 2:
                        await stream.send(http(b'{"stray": 1}'))

    asked, connections = [], []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    base_url = f"https://localhost:{listener.extra(SocketAttribute.local_port)}"
    layer = httpx.AsyncHTTPTransport(verify=trusting)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, connection)
        sender = Sender(base_url, transport=layer)
        bodies = [(await send(sender)).body for _ in range(6)]
        await sender.aclose()
        group.cancel_scope.cancel()
    assert bodies == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert len(connections) == 4  # what has nothing left in it is used again


async def test_what_comes_behind_an_answer_that_fills_a_read_is_not_taken_for_the_next_one():
    """httpcore asks for 64 KiB, and anyio keeps what more it has got."""

    async def answer(stream):
        asked.append(1)
        head = len(http(b"", length=10_000))
        body = (b"%d" % len(asked)).ljust(2**16 - head)
        await stream.send(http(body) + http(b'{"stray": 1}'))

    asked = []
    async with sender_to(answer) as sender:
        bodies = [(await send(sender)).body.strip() for _ in range(6)]
    assert bodies == [b"1", b"2", b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize(
    "location", ["http://xn--a/", "javascript:x", "http://[::1", "http://x/" + "y" * 70_000]
)
async def test_a_strange_location_is_not_read(location):
    raw = http(b"", f"location: {location}", status="307 Temporary")
    async with (
        server(playing(raw)) as base_url,
        KiwoomClient("a", "b", base_url=base_url) as kiwoom,
    ):
        with pytest.raises(BlockedError, match="redirects are never followed"):
            await kiwoom.page(QUERY)


async def test_gzip_that_lacks_its_end_is_no_whole_answer_though_all_of_the_json_is_there():
    raw = http(gzip.compress(b'{"a":1}')[:-4], "content-encoding: gzip")
    async with sender_to(playing(raw)) as sender:
        with pytest.raises(DecodeError, match="gzip that ends in the middle") as caught:
            await send(sender)
    assert caught.value.damaged


async def test_bytes_after_the_end_of_gzip_are_not_piled_up():
    raw = http(gzip.compress(b"{}") + b"x" * 100_000, "content-encoding: gzip")
    async with sender_to(playing(raw)) as sender:
        with pytest.raises(DecodeError, match="bytes after the end of gzip"):
            await send(sender)


@pytest.mark.parametrize(
    ("base_url", "times"), [("https://api.kiwoom.com", 1), ("http://127.0.0.1:1", 0)]
)
@pytest.mark.httpx_only
def test_certificates_are_read_once_at_most(base_url, times, monkeypatch):
    """A proxy in the environment needs them too."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:2")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:2")
    read = []
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: read.append(None) or empty)
    empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    Sender(base_url, timeout_seconds=1)
    assert len(read) == times
