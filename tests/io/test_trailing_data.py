"""Data behind an answer is never taken for the answer to a later request."""

import gzip
import json
import ssl
from contextlib import suppress

import anyio
import anyio.lowlevel
import httpx
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream
from support.exchange import QUERY
from support.http import answering_with, http, read_request, server
from support.recorded import recorded
from support.sender import Sender, send, sender_to

from kiwoom_async import DecodeError, KiwoomClient

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


async def test_headers_of_trailing_data_are_not_part_of_the_response():
    stray = http(b'{"stray": 1}', "cont-yn: Y", "next-key: FOREIGN")
    async with sender_to(answering_with(http(b"{}") + stray)) as sender:
        response = await send(sender)
    assert response.body == b"{}"
    assert set(response.headers) == {"content-length"}


@pytest.mark.parametrize("copy", [slice(None), slice(40)])
async def test_a_duplicated_answer_is_not_taken_for_the_next_answer(copy):
    """Also if only the beginning of the copy has arrived when the next request is sent."""
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
    ids=["gzip without its end", "bytes after gzip", "an unrequested encoding"],
)  # fmt: skip
async def test_data_behind_a_refused_answer_is_not_taken_for_the_next_answer(body, encoding):
    async def answer(stream):
        raw = http(b'{"right": 1}')
        if not requests:
            raw = http(body, f"content-encoding: {encoding}") + http(b'{"stray": 1}')
        requests.append(1)
        await stream.send(raw)

    requests = []
    async with sender_to(answer) as sender:
        with pytest.raises(DecodeError):
            await send(sender)
        assert (await send(sender)).body == b'{"right": 1}'


async def test_a_connection_with_trailing_data_is_never_idle():
    """The pool lets other tasks run when a connection is returned and old ones are closed."""

    async def answer(stream):
        requests.append(1)
        if len(requests) <= 8:
            while len(requests) < 8:  # eight concurrent requests need eight connections
                await anyio.sleep(0.001)
            await stream.send(http(b"{}"))
        elif len(requests) == 9:
            await anyio.sleep(0.2)
            await stream.send(http(b"{}") + http(b'{"stray": 1}'))
        else:
            await stream.send(http(b'{"right": 1}'))

    async def send_when_a_connection_is_idle():
        [busy] = [connection for connection in pool.connections if not connection.is_idle()]
        while not (busy.is_idle() or busy.is_closed()):
            await anyio.lowlevel.checkpoint()
        bodies.append((await send(sender)).body)

    requests, bodies = [], []
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(keepalive_expiry=0.1))
    pool = transport._pool
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=transport)
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(send, sender)
        assert len(pool.connections) == 8
        async with anyio.create_task_group() as group:
            group.start_soon(send, sender)
            await anyio.sleep(0.15)
            group.start_soon(send_when_a_connection_is_idle)
        await sender.aclose()
    assert bodies == [b'{"right": 1}']


class CorkedStream(ByteStream):
    """Holds written bytes back, and sends them in one piece before the next read."""

    def __init__(self, stream):
        self.stream, self.unsent = stream, b""

    async def send(self, item):
        self.unsent += item

    async def receive(self, max_bytes=65536):
        unsent, self.unsent = self.unsent, b""
        await self.stream.send(unsent)
        return await self.stream.receive(max_bytes)

    async def send_eof(self):
        await self.stream.send_eof()

    async def aclose(self):
        await self.stream.aclose()


async def test_data_behind_an_answer_in_its_tls_record_is_not_taken_for_the_next_answer():
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def connection(raw):
        connections.append(raw)
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            async with await TLSStream.wrap(
                CorkedStream(raw),
                ssl_context=server_context,
                server_side=True,
                standard_compatible=False,
            ) as stream:
                while True:
                    await read_request(stream)
                    requests.append(1)
                    await stream.send(http(b"%d" % len(requests)))
                    if len(requests) % 2:
                        await stream.send(http(b'{"stray": 1}'))

    requests, connections = [], []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    base_url = f"https://localhost:{listener.extra(SocketAttribute.local_port)}"
    transport = httpx.AsyncHTTPTransport(verify=client_context)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, connection)
        sender = Sender(base_url, transport=transport)
        bodies = [(await send(sender)).body for _ in range(6)]
        await sender.aclose()
        group.cancel_scope.cancel()
    assert bodies == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert len(connections) == 4  # connections without trailing data are reused


async def test_data_behind_an_answer_that_fills_a_read_is_not_taken_for_the_next_answer():
    """httpcore reads up to 64 KiB; anyio buffers what arrived beyond that."""

    async def answer(stream):
        requests.append(1)
        head = len(http(b"", length=10_000))
        body = (b"%d" % len(requests)).ljust(2**16 - head)
        await stream.send(http(body) + http(b'{"stray": 1}'))

    requests = []
    async with sender_to(answer) as sender:
        bodies = [(await send(sender)).body.strip() for _ in range(6)]
    assert bodies == [b"1", b"2", b"3", b"4", b"5", b"6"]
