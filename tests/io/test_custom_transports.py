"""Custom httpx transports: what they may do, and how their errors are handled."""

import httpx
import pytest
from support.exchange import QUERY
from support.http import answering_with, http, server
from support.sender import Sender, send

from kiwoom_async import KiwoomClient, TransportError, TransportTimeout

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


async def test_a_transport_can_read_the_content_of_a_request():
    class Echo(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return httpx.Response(200, content=request.content)

    sender = Sender("https://a.example", transport=Echo())
    assert (await send(sender)).body == sender.request.body


async def test_a_transport_can_send_a_request_twice():
    class SendingTwice(httpx.AsyncBaseTransport):
        def __init__(self, inner):
            self.inner = inner

        async def handle_async_request(self, request):
            first = await self.inner.handle_async_request(request)
            await first.aclose()
            return await self.inner.handle_async_request(request)

        async def aclose(self):
            await self.inner.aclose()

    async with server(answering_with(http(b"{}"))) as base_url:
        wrapped = SendingTwice(httpx.AsyncHTTPTransport())
        sender = Sender(base_url, transport=wrapped)
        assert (await send(sender)).status == 200
        await sender.aclose()


async def test_a_transport_that_changes_its_timeouts_does_not_affect_later_requests():
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


async def test_an_unexpected_error_of_a_transport_propagates_without_a_retry():
    calls = []

    def broken(request):
        calls.append(request)
        raise ZeroDivisionError("a bug")

    async with KiwoomClient("a", "b", transport=httpx.MockTransport(broken)) as kiwoom:
        with pytest.raises(ZeroDivisionError, match="a bug"):
            await kiwoom.page(QUERY)
    assert len(calls) == 1


async def test_a_pool_timeout_is_local_and_not_retried():
    calls = []

    def without_a_free_connection(request):
        calls.append(request)
        raise httpx.PoolTimeout("full")

    async with KiwoomClient(
        "a", "b", transport=httpx.MockTransport(without_a_free_connection)
    ) as kiwoom:
        with pytest.raises(TransportTimeout) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.local
    assert len(calls) == 1


@pytest.mark.parametrize(
    "error", [httpx.LocalProtocolError("bad header"), httpx.UnsupportedProtocol("gopher")]
)
async def test_a_request_that_cannot_be_sent_is_not_retried(error):
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
async def test_a_timeout_of_httpx_is_a_transport_timeout(error):
    def slow(_):
        raise error

    transport = httpx.MockTransport(slow)
    async with KiwoomClient("a", "b", transport=transport, attempts=1) as kiwoom:
        with pytest.raises(TransportTimeout) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.__cause__ is error
