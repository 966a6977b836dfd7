"""The compiled connections: cases that the tests of HTTP, run with `--engine fast`, lack."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import httpx
import pytest
import trio
import trustme
from anyio.abc import SocketAttribute
from attrs import evolve
from support.http import http, server
from support.sender import PATH, Sender, send

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery, TransportError
from kiwoom_async.speed import CompiledTransport, FastEngine, _connections

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)


@pytest.fixture
def anyio_backend():
    """It is asyncio's."""
    return "asyncio"


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request):
    """What makes a loop."""
    return pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None


@asynccontextmanager
async def sending_to(answer):
    """Yield a function that sends one call to one server, and the connections opened for it."""
    async with server(answer) as base_url:
        sender = Sender(base_url, engine=FastEngine())

        async def connected():
            connections.append(1)

        connections = []
        try:
            yield lambda: send(sender, connected), connections
        finally:
            await sender.aclose()


async def test_a_connection_is_used_again_and_told_once():
    async def answer(stream):
        await stream.send(http(b"{}"))

    async with sending_to(answer) as (call, connections):
        assert [(await call()).body for _ in range(3)] == [b"{}"] * 3
    assert connections == [1]


class Around(httpx.AsyncBaseTransport):
    """A transport around another one, which sees its requests."""

    def __init__(self):
        self.inside, self.seen = CompiledTransport(), []

    async def handle_async_request(self, request):
        self.seen.append(request.url.path)
        return await self.inside.handle_async_request(request)

    def __getattr__(self, name):
        return getattr(self.inside, name)

    async def aclose(self):
        await self.inside.aclose()


async def test_another_transport_around_it_has_its_requests():
    """By httpx's requests and responses, with the steps of a connection."""

    async def answer(stream):
        await stream.send(http(b'{"a": 1}', "cont-yn: N"))

    async def connected():
        connections.append(1)

    around, connections = Around(), []
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=around)
        responses = [await send(sender, connected) for _ in range(3)]
        await sender.aclose()
    assert {(one.status, one.body, one.headers["cont-yn"]) for one in responses} == {
        (200, b'{"a": 1}', "N")
    }
    assert around.seen == [PATH] * 3
    assert connections == [1]


async def test_the_host_may_have_a_path():
    paths = []

    async def answer(reader, writer):
        paths.append((await reader.readuntil(b"{}")).split(b" ")[1])
        writer.write(http(b"{}"))
        writer.close()

    serving = await asyncio.start_server(answer, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}/kiwoom/v1"
    sender = Sender(base_url, engine=FastEngine())
    await send(sender)
    await sender.aclose()
    serving.close()
    assert paths == [b"/kiwoom/v1/api/dostk/stkinfo"]


@pytest.mark.parametrize("moments", ["idle too long", "more came while idle"])
async def test_a_doubtful_connection_is_not_used_again(moments, monkeypatch):
    async def answer(stream):
        await stream.send(http(b"{}"))
        if moments == "more came while idle":
            await anyio.sleep(0.02)  # the answer has been taken by then
            await stream.send(b"HTTP")
        answered.set()

    if moments == "idle too long":
        monkeypatch.setattr(_connections, "_IDLE_SECONDS", 0.03)
    answered = anyio.Event()
    async with sending_to(answer) as (call, connections):
        await call()
        await answered.wait()
        await anyio.sleep(0.1)
        assert (await call()).body == b"{}"
    assert connections == [1, 1]


@pytest.mark.parametrize("came", [http(b'{"stray": 1}'), b""], ids=["an answer", "the end"])
async def test_what_comes_while_the_loop_has_no_turn_is_seen(came):
    async def answer(stream):
        streams.append(stream)
        await stream.send(http(b"{}"))

    streams = []
    async with sending_to(answer) as (call, connections):
        await call()
        there = streams[0].extra(SocketAttribute.raw_socket)
        if came:
            os.write(there.fileno(), came)
        else:
            there.shutdown(socket.SHUT_WR)
        assert (await call()).body == b"{}"
    assert connections == [1, 1]


async def test_connections_are_kept_for_the_host_that_they_go_to():
    def answering(name):
        async def answer(stream):
            await stream.send(http(name))

        return answer

    shared = FastEngine()
    async with server(answering(b"here")) as here, server(answering(b"there")) as there:
        senders = [Sender(url, engine=shared) for url in (here, there)]
        bodies = [(await send(sender)).body for sender in senders * 2]
        await shared.aclose()
    assert bodies == [b"here", b"there"] * 2


async def test_the_name_of_a_host_is_asked_for_as_httpx_writes_it(monkeypatch):
    """By the standard of today, in which these two are two hosts: fass.de and xn--fa-hia.de."""

    def nowhere(host, *_, **__):
        hosts.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    hosts = []
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(TransportError, match="no such host"):
        await send(Sender("https://faß.de", engine=FastEngine()))
    assert hosts == ["xn--fa-hia.de"]


async def test_an_informational_answer_comes_before_the_real_one():
    async def answer(stream):
        await stream.send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await stream.send(http(b'{"a": 1}', "cont-yn: N"))

    async with sending_to(answer) as (call, _):
        response = await call()
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert "link" not in response.headers


async def test_two_headers_of_a_name_are_one_with_a_comma():
    """As httpx has them: a key that comes twice is none."""

    async def answer(stream):
        await stream.send(http(b"{}", "next-key: a", "Next-Key: b"))

    async with sending_to(answer) as (call, _):
        assert (await call()).headers["next-key"] == "a, b"


async def test_a_body_may_end_with_the_connection_only_where_nothing_says_its_length():
    answers = [
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n",
    ]

    async def answer(stream):
        await stream.send(answers.pop(0))
        await stream.aclose()

    async with sending_to(answer) as (call, _):
        assert (await call()).body == b"{}"
        for _ in range(3):
            with pytest.raises(TransportError, match="closed the connection"):
                await call()


def test_over_tls_it_trusts_whom_it_is_told_to(loop_factory):
    """On uvloop too, whose connections over TLS are not of asyncio's classes."""
    authority = trustme.CA()
    at_home = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(at_home)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def use(engine):
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(http(b"{}"))
            writer.close()

        serving = await asyncio.start_server(answer, "localhost", 0, ssl=at_home)
        base_url = f"https://localhost:{serving.sockets[0].getsockname()[1]}"
        sender = Sender(base_url, engine=engine)
        try:
            return await send(sender)
        finally:
            await sender.aclose()
            serving.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(use(FastEngine(verify=trusting))).body == b"{}"
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            runner.run(use(FastEngine()))


def test_over_tls_the_end_of_a_connection_is_seen_in_every_turn_of_the_loop(loop_factory):
    """It is told of a turn after the socket is gone."""
    authority = trustme.CA()
    at_home = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(at_home)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def use():
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(http(b"{}"))
            await asyncio.sleep(0.02)
            writer.transport.abort()

        engine = FastEngine(verify=trusting)
        serving = await asyncio.start_server(answer, "localhost", 0, ssl=at_home)
        base_url = f"https://localhost:{serving.sockets[0].getsockname()[1]}"
        sender = Sender(base_url, engine=engine)
        assert (await send(sender)).body == b"{}"
        [[connection]] = engine._connections._idle.values()
        assert connection.fit()
        while not connection.lost.is_set():
            # What the system gives out next is the number of the socket that is gone.
            others = [] if connection.fit() else socket.socketpair()
            assert not (others and connection.fit())
            for other in others:
                other.close()
            await asyncio.sleep(0)
        assert not connection.fit()
        await sender.aclose()
        serving.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(use())


async def test_a_transport_is_closed_while_a_call_to_another_host_begins():
    async def answer(stream):
        await stream.send(http(b"{}"))

    shared = FastEngine()
    async with server(answer) as here, server(answer) as there:
        senders = [Sender(url, engine=shared) for url in (here, there)]
        await send(senders[0])
        async with anyio.create_task_group() as group:
            group.start_soon(shared.aclose)
            group.start_soon(send, senders[1])
        await shared.aclose()


@pytest.mark.parametrize("host", ["a..invalid", f"{'x' * 64}.invalid"])
async def test_a_name_that_cannot_be_is_not_found(host):
    with pytest.raises(TransportError):
        await send(Sender(f"https://{host}", engine=FastEngine()))


async def test_headers_without_end_are_given_up():
    async def answer(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)
        await anyio.sleep(60)

    async with sending_to(answer) as (call, _):
        with pytest.raises(TransportError, match="RemoteProtocolError"):
            await call()


async def test_no_header_of_what_comes_behind_an_answer_is_its_own():
    async def answer(stream):
        await stream.send(http(b"{}") + http(b'{"stray": 1}', "next-key: FOREIGN"))

    async with sending_to(answer) as (call, connections):
        for _ in range(2):
            response = await call()
            assert (response.body, set(response.headers)) == (b"{}", {"content-length"})
    assert connections == [1, 1]


async def test_what_stands_behind_a_body_in_pieces_is_no_header_and_has_an_end():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    answers = [
        head + b"2\r\n{}\r\n0\r\ncont-yn: Y\r\n\r\n",
        head + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
        head + b"2\r\n{}\r\n0\r\n" + b"x: y\r\n" * 50_000,
    ]

    async def answer(stream):
        await stream.send(answers.pop(0))
        if not answers:
            await anyio.sleep(60)

    async with sending_to(answer) as (call, _):
        response = await call()
        assert (response.body, set(response.headers)) == (b"{}", {"transfer-encoding"})
        assert (await call()).body == b"x" * 50_000
        with pytest.raises(TransportError, match="RemoteProtocolError"):
            await call()


async def test_a_request_that_cannot_be_sent_leaves_no_connection_behind():
    async def answer(stream):
        await stream.send(http(b"{}"))

    engine = FastEngine()
    async with server(answer) as base_url:
        sender = Sender(base_url, engine=engine)
        await send(sender)
        [[connection]] = engine._connections._idle.values()
        sender.request = evolve(sender.request, headers={"authorization": "a\r\nX: y"})
        with pytest.raises(TransportError, match="LocalProtocolError"):
            await send(sender)
        with anyio.fail_after(5):
            await connection.lost.wait()
        await sender.aclose()


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb"])
async def test_no_line_is_smuggled_into_the_headers(value):
    request = httpx.Request("POST", "http://127.0.0.1:1/", headers={"authorization": value})
    with pytest.raises(httpx.LocalProtocolError, match="a line break in a header"):
        await CompiledTransport().handle_async_request(request)


@pytest.mark.parametrize(
    "options", [lambda: {"engine": FastEngine()}, lambda: {"transport": CompiledTransport()}]
)
def test_on_trio_it_says_where_it_belongs(options):
    async def use():
        async with KiwoomClient("a", "b", **options()) as kiwoom:
            await kiwoom.page(QUERY)

    with pytest.raises(RuntimeError, match="needs asyncio; on trio, use the default engine"):
        trio.run(use)


def test_an_engine_beside_a_transport_and_what_is_no_engine_are_refused():
    with pytest.raises(ValueError, match="transport: got one beside engine"):
        KiwoomClient("a", "b", engine=FastEngine(), transport=CompiledTransport())
    for wrong in (FastEngine, CompiledTransport(), "fast"):
        with pytest.raises(ValueError, match="engine: got "):
            KiwoomClient("a", "b", engine=wrong)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.modules['httptools'] = None", "pip install 'kiwoom-async[speed]'"),
        ("sys.modules['msgspec'] = None", "pip install 'kiwoom-async[speed]'"),
        ("import msgspec; msgspec.__version__ = '0.18.6'", "msgspec 0.18.6 is too old"),
    ],
)
def test_a_package_that_is_missing_or_too_old_is_named(code, message):
    command = [sys.executable, "-c", f"import sys; {code}; import kiwoom_async.speed"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert message in run.stderr
