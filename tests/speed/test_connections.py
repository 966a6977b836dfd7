"""Connections of FastEngine: cases that the tests of HTTP, run with `--engine fast`, lack."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import SocketAttribute
from attrs import evolve
from support.http import http, server
from support.sender import PATH, Sender, send

from kiwoom_async import TransportError, TransportTimeout
from kiwoom_async.speed import CompiledTransport, FastEngine, _connections, _engine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    """Use asyncio in real time: FastEngine needs it, and real sockets."""
    return "asyncio"


@asynccontextmanager
async def sending_to(answer):
    """Yield a function that sends one call to one server, and the connections that it used."""
    connections = []

    async def counting(stream):
        if stream not in connections:
            connections.append(stream)
        await answer(stream)

    async with server(counting) as base_url:
        sender = Sender(base_url, engine=FastEngine())
        try:
            yield lambda: send(sender), connections
        finally:
            await sender.aclose()


async def test_a_connection_is_reused():
    async def answer(stream):
        await stream.send(http(b"{}"))

    async with sending_to(answer) as (call, connections):
        assert [(await call()).body for _ in range(3)] == [b"{}"] * 3
    assert len(connections) == 1


async def test_more_calls_than_connections_wait_for_one(monkeypatch):
    open_now = most = 0

    async def answer(stream):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await anyio.sleep(0.05)
        open_now -= 1
        await stream.send(http(b"{}"))

    monkeypatch.setattr(_engine, "CONNECTION_LIMIT", 2)
    async with sending_to(answer) as (call, connections), anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(call)
    assert most == 2
    assert len(connections) == 2


@asynccontextmanager
async def answering(times):
    """Yield the URL of a server whose connections answer so often, then begin without an end."""
    connections = []

    async def answer(reader, writer):
        connections.append(writer)
        for _ in range(times):
            await reader.readuntil(b"{}")
            writer.write(http(b"{}"))
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"x-filler: 1\r\n")
            await asyncio.sleep(0.02)

    serving = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}", connections
    finally:
        for writer in connections:
            writer.transport.abort()
        serving.close()


async def test_an_answer_on_a_kept_connection_has_its_time_and_no_more():
    async with answering(2) as (base_url, connections):
        sender = Sender(base_url, engine=FastEngine(), timeout_seconds=0.2)
        await send(sender)
        # This call is on a kept connection already: its time is not that of the next one.
        await send(sender)
        await anyio.sleep(0.1)
        before = anyio.current_time()
        with pytest.raises(TransportTimeout, match=r"no complete answer within 0\.2 s"):
            await send(sender)
        assert 0.2 <= anyio.current_time() - before < 2.0
        assert len(connections) == 1
        # The next call has a connection of its own.
        assert (await send(sender)).body == b"{}"
        assert len(connections) == 2
        await sender.aclose()


async def test_a_connection_is_kept_when_the_time_of_its_last_call_is_over():
    async with answering(3) as (base_url, connections):
        sender = Sender(base_url, engine=FastEngine(), timeout_seconds=0.5)
        await send(sender)
        await send(sender)
        await anyio.sleep(0.6)
        await send(sender)
        assert len(connections) == 1
        await sender.aclose()


async def test_the_read_timeout_of_httpx_is_for_the_whole_answer():
    async with answering(1) as (base_url, _):
        timeout = httpx.Timeout(None, read=0.2)
        async with httpx.AsyncClient(transport=CompiledTransport(), timeout=timeout) as client:
            # The time of one call is not that of the next.
            first = await client.post(base_url, content=b"{}", timeout=60.0)
            assert first.content == b"{}"
            with anyio.fail_after(10.0):
                with pytest.raises(httpx.ReadTimeout, match="no complete answer in time"):
                    await client.post(base_url, content=b"{}")


async def test_the_cause_of_an_error_on_a_kept_connection_is_kept_and_nothing_else():
    async def answer_and_close(stream):
        await stream.send(http(b"{}"))
        if len(connections) == 1:
            await stream.receive()
            await stream.aclose()

    async with sending_to(answer_and_close) as (call, connections):
        await call()
        with pytest.raises(TransportError, match="the server closed the connection") as raised:
            await call()
    assert type(raised.value.__cause__) is httpx.ReadError
    assert raised.value.__context__ is None


class WrappingTransport(httpx.AsyncBaseTransport):
    """A transport that wraps CompiledTransport and records the paths it sends."""

    def __init__(self):
        self.inside, self.seen = CompiledTransport(), []

    async def handle_async_request(self, request):
        self.seen.append(request.url.path)
        return await self.inside.handle_async_request(request)

    def __getattr__(self, name):
        return getattr(self.inside, name)

    async def aclose(self):
        await self.inside.aclose()


async def test_a_transport_around_compiled_transport_sees_its_requests():
    """Requests and responses are those of httpx."""

    async def answer(stream):
        await stream.send(http(b'{"a": 1}', "cont-yn: N"))

    wrapping = WrappingTransport()
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=wrapping)
        responses = [await send(sender) for _ in range(3)]
        await sender.aclose()
    assert {(each.status, each.body, each.headers["cont-yn"]) for each in responses} == {
        (200, b'{"a": 1}', "N")
    }
    assert wrapping.seen == [PATH] * 3


async def test_the_base_url_may_have_a_path():
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


@pytest.mark.parametrize("reason", ["idle too long", "more received while idle"])
async def test_an_old_connection_or_one_with_unexpected_data_is_not_reused(reason, monkeypatch):
    async def answer(stream):
        await stream.send(http(b"{}"))
        if reason == "more received while idle":
            await anyio.sleep(0.02)  # the answer has been taken by then
            await stream.send(b"HTTP")
        answered.set()

    if reason == "idle too long":
        monkeypatch.setattr(_connections, "_IDLE_SECONDS", 0.03)
    answered = anyio.Event()
    async with sending_to(answer) as (call, connections):
        await call()
        await answered.wait()
        await anyio.sleep(0.1)
        assert (await call()).body == b"{}"
    assert len(connections) == 2


@pytest.mark.parametrize("received", [http(b'{"stray": 1}'), b""], ids=["an answer", "the end"])
async def test_data_or_a_close_that_arrives_between_turns_of_the_loop_is_noticed(received):
    async def answer(stream):
        streams.append(stream)
        await stream.send(http(b"{}"))

    streams = []
    async with sending_to(answer) as (call, connections):
        await call()
        raw_socket = streams[0].extra(SocketAttribute.raw_socket)
        if received:
            os.write(raw_socket.fileno(), received)
        else:
            raw_socket.shutdown(socket.SHUT_WR)
        assert (await call()).body == b"{}"
    assert len(connections) == 2


async def test_connections_are_reused_for_their_own_host_only():
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


async def test_a_host_name_is_resolved_in_its_idna_2008_form(monkeypatch):
    """In IDNA 2008, which httpx uses, faß.de is xn--fa-hia.de; in IDNA 2003 it was fass.de."""

    def nowhere(host, *_, **__):
        hosts.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    hosts = []
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(TransportError, match="no such host"):
        await send(Sender("https://faß.de", engine=FastEngine()))
    assert hosts == ["xn--fa-hia.de"]


async def test_an_informational_answer_is_skipped():
    async def answer(stream):
        await stream.send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await stream.send(http(b'{"a": 1}', "cont-yn: N"))

    async with sending_to(answer) as (call, _):
        response = await call()
    assert (response.status, response.body) == (200, b'{"a": 1}')
    assert "link" not in response.headers


async def test_repeated_headers_are_joined_with_a_comma():
    """As in httpx; a next-key that is sent twice is then refused."""

    async def answer(stream):
        await stream.send(http(b"{}", "next-key: a", "Next-Key: b"))

    async with sending_to(answer) as (call, _):
        assert (await call()).headers["next-key"] == "a, b"


async def test_closing_the_connection_ends_a_body_without_a_stated_length_only():
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


async def test_an_engine_can_be_closed_while_a_call_to_another_host_begins():
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
async def test_an_invalid_host_name_is_a_transport_error(host):
    with pytest.raises(TransportError):
        await send(Sender(f"https://{host}", engine=FastEngine()))


async def test_endless_headers_are_a_transport_error():
    async def answer(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)
        await anyio.sleep(60)

    async with sending_to(answer) as (call, _):
        with pytest.raises(TransportError, match="RemoteProtocolError"):
            await call()


async def test_headers_of_trailing_data_are_not_part_of_the_response():
    async def answer(stream):
        await stream.send(http(b"{}") + http(b'{"stray": 1}', "next-key: FOREIGN"))

    async with sending_to(answer) as (call, connections):
        for _ in range(2):
            response = await call()
            assert (response.body, set(response.headers)) == (b"{}", {"content-length"})
    assert len(connections) == 2


async def test_trailers_of_a_chunked_body_are_ignored_and_limited():
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


async def test_the_connection_of_a_request_that_cannot_be_sent_is_closed():
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
async def test_a_line_break_in_a_header_is_refused(value):
    request = httpx.Request("POST", "http://127.0.0.1:1/", headers={"authorization": value})
    with pytest.raises(httpx.LocalProtocolError, match="a line break in a header"):
        await CompiledTransport().handle_async_request(request)
