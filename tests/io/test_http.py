"""Requests over real sockets: connections, deadlines, redirects, broken answers."""

import ssl

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import SocketAttribute
from support.exchange import QUERY
from support.http import answering_with, http, server
from support.sender import PATH, Sender, send, sender_to
from support.servers import on_a_port

from kiwoom_async import BlockedError, KiwoomClient, TransportError, TransportTimeout
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


async def test_a_response_has_status_headers_and_body():
    async with sender_to(answering_with(http(b'{"a":1}', "Cont-YN: Y", "Next-Key: K2"))) as sender:
        response = await send(sender)
    assert (response.status, response.body) == (200, b'{"a":1}')
    assert response.request is sender.request
    assert (response.headers["cont-yn"], response.headers["next-key"]) == ("Y", "K2")


async def test_whitespace_around_a_header_value_is_stripped():
    async with sender_to(answering_with(http(b"{}", "next-key: a \t "))) as sender:
        assert (await send(sender)).headers["next-key"] == "a"


async def test_the_base_url_may_have_a_path():
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


async def test_a_connection_is_reused():
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
async def test_an_answer_that_drips_ends_at_the_deadline():
    """Every single read is quick, so that the read timeout of httpx never expires."""

    async def drip(stream):
        for byte in http(b"x" * 1000):
            await stream.send(bytes([byte]))
            await anyio.sleep(0.02)

    async with sender_to(drip, timeout_seconds=0.3) as sender:
        began = anyio.current_time()
        with pytest.raises(TransportTimeout, match=r"no complete answer within 0\.3 s"):
            await send(sender)
        assert anyio.current_time() - began < 3


async def test_a_silent_server_ends_at_the_deadline():
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
    async with sender_to(answering_with(raw, then_close=True)) as sender:
        with pytest.raises(TransportError) as caught:
            await send(sender)
    assert isinstance(caught.value.__cause__, httpx.HTTPError)
    assert not caught.value.local


@pytest.mark.httpx_only
async def test_requests_to_loopback_bypass_the_proxy_of_the_environment(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with sender_to(answering_with(http(b"{}"))) as sender:
        assert (await send(sender)).status == 200


@pytest.mark.httpx_only
async def test_https_requests_use_the_proxy_of_the_environment(monkeypatch):
    requests = []

    async def proxy(stream):
        async with stream:
            requests.append(await stream.receive())

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
    assert requests[0].startswith(b"CONNECT api.example:443")


async def test_a_refused_connection_is_a_transport_error():
    sender = Sender("http://127.0.0.1:9")
    with pytest.raises(TransportError, match=r"ka90004 at 127\.0\.0\.1:9: ConnectError"):
        await send(sender)
    await sender.aclose()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_never_followed(status):
    """A client that followed a 307 would post the secret key to the other host."""
    visits = []

    async def elsewhere(stream):
        visits.append(stream)
        await stream.send(http(b"{}"))

    async with server(elsewhere) as other:
        raw = http(b"", f"location: {other}/oauth2/token", status=status)
        async with (
            server(answering_with(raw)) as base_url,
            KiwoomClient("app-key", "secret-key", base_url=base_url) as kiwoom,
        ):
            with pytest.raises(BlockedError, match="redirects are never followed") as caught:
                await kiwoom.page(QUERY)
    assert caught.value.status == int(status[:3])
    assert not visits


async def test_a_walk_survives_a_reset_in_the_middle_of_a_body():
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


@pytest.mark.parametrize(
    "location", ["http://xn--a/", "javascript:x", "http://[::1", "http://x/" + "y" * 70_000]
)
async def test_a_location_header_is_not_parsed(location):
    raw = http(b"", f"location: {location}", status="307 Temporary")
    async with (
        server(answering_with(raw)) as base_url,
        KiwoomClient("a", "b", base_url=base_url) as kiwoom,
    ):
        with pytest.raises(BlockedError, match="redirects are never followed"):
            await kiwoom.page(QUERY)


@pytest.mark.parametrize(
    ("base_url", "times"), [("https://api.kiwoom.com", 1), ("http://127.0.0.1:1", 0)]
)
@pytest.mark.httpx_only
def test_certificates_are_loaded_at_most_once(base_url, times, monkeypatch):
    """Also for a proxy of the environment."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:2")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:2")
    loads = []
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: loads.append(None) or empty)
    empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    Sender(base_url, timeout_seconds=1)
    assert len(loads) == times
