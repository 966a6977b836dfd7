"""The private parts of httpx and httpcore that the guard reads, present and missing.

If one of these tests fails after an upgrade, `kiwoom_async/_io/httpcore_guard.py` says what to do.
"""

import warnings

import httpx
import pytest
from support.http import http, server
from support.sender import Sender, send

pytestmark = [pytest.mark.anyio, pytest.mark.httpx_only]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


@pytest.fixture(params=[None, httpx.AsyncHTTPTransport], ids=["own transport", "given transport"])
def transport(request):
    return request.param and request.param()


async def test_the_private_parts_exist_and_a_connection_is_reused(transport):
    async def answer(stream):
        streams.add(id(stream))
        await stream.send(http(b"{}"))

    streams = set()
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=transport)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                await send(sender)
        await sender.aclose()
    assert len(streams) == 1


class RenamedPart(httpx.AsyncByteStream):
    """httpx's stream of a response, with its one attribute under another name."""

    def __init__(self, httpcore_stream):
        self._renamed = httpcore_stream

    async def __aiter__(self):
        async for chunk in self._renamed:
            yield chunk

    async def aclose(self):
        await self._renamed.aclose()


async def test_without_a_private_part_connections_are_not_kept_and_one_warning_is_given(
    transport, monkeypatch
):
    async def answer(stream):
        streams.append(stream)
        await stream.send(http(b"%d" % len(streams)))

    monkeypatch.setattr("httpx._transports.default.AsyncResponseStream", RenamedPart)
    streams = []
    async with server(answer) as base_url:
        sender = Sender(base_url, transport=transport)
        with pytest.warns(RuntimeWarning, match="connections are not kept") as caught:
            bodies = [(await send(sender)).body for _ in range(4)]
        await sender.aclose()
    assert len(caught) == 1
    assert bodies == [b"1", b"2", b"3", b"4"]
    # A given transport cannot be replaced: its first connection serves one more call.
    assert len({id(stream) for stream in streams}) == (4 if transport is None else 3)
