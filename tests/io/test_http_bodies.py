"""Bodies of answers: gzip, other encodings, and the size limit."""

import gzip
import random

import anyio
import anyio.lowlevel
import httpx
import pytest
from support.exchange import QUERY
from support.http import answering_with, http, server
from support.sender import Sender, send, sender_to

from kiwoom_async import DecodeError, KiwoomClient

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Run in real time, which real sockets need."""
    return request.param


async def test_gzip_is_decompressed():
    raw = http(gzip.compress(b'{"a":1}'), "content-encoding: gzip")
    async with sender_to(answering_with(raw)) as sender:
        assert (await send(sender)).body == b'{"a":1}'


async def test_invalid_gzip_is_a_damaged_answer():
    raw = http(b"this is no gzip", "content-encoding: gzip")
    async with sender_to(answering_with(raw)) as sender:
        with pytest.raises(DecodeError) as caught:
            await send(sender)
    assert caught.value.damaged
    assert "incorrect header check" in str(caught.value)


async def test_truncated_gzip_of_the_stated_length_is_a_damaged_answer():
    """Such an answer arrives as 200 and decodes to half a body."""
    compressed = gzip.compress(random.Random(1).randbytes(1000).hex().encode())
    raw = http(compressed[: len(compressed) // 2], "content-encoding: gzip")
    async with (
        server(answering_with(raw)) as base_url,
        KiwoomClient("app-key", "secret-key", base_url=base_url, attempts=1) as kiwoom,
    ):
        with pytest.raises(DecodeError) as caught:
            await kiwoom.page(QUERY)
    assert caught.value.damaged


async def test_gzip_without_its_trailer_is_damaged_even_if_the_json_is_complete():
    raw = http(gzip.compress(b'{"a":1}')[:-4], "content-encoding: gzip")
    async with sender_to(answering_with(raw)) as sender:
        with pytest.raises(DecodeError, match="gzip that ends in the middle") as caught:
            await send(sender)
    assert caught.value.damaged


async def test_bytes_after_the_end_of_gzip_are_an_error():
    raw = http(gzip.compress(b"{}") + b"x" * 100_000, "content-encoding: gzip")
    async with sender_to(answering_with(raw)) as sender:
        with pytest.raises(DecodeError, match="bytes after the end of gzip"):
            await send(sender)


async def test_an_unrequested_encoding_is_an_error_that_names_known_encodings_only():
    for sent, quoted in (("br", "the encoding br that"), ("s3cret-k3y", "an encoding that")):
        answer = answering_with(http(b"{}", f"content-encoding: {sent}"), then_close=True)
        async with sender_to(answer) as sender:
            with pytest.raises(DecodeError, match=f"{quoted} was not asked for @ body") as caught:
                await send(sender)
            assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
async def test_the_size_of_a_body_is_limited(compressed):
    body = b" " * (9 * 1024 * 1024)
    raw = http(gzip.compress(body), "content-encoding: gzip") if compressed else http(body)
    async with sender_to(answering_with(raw)) as sender:
        with pytest.raises(DecodeError, match="more than 8,388,608 bytes") as caught:
            await send(sender)
    assert not caught.value.damaged


class EndlessStream(httpx.AsyncByteStream):
    """A stream without an end, which is no generator; `chunks_read` counts what was taken."""

    def __init__(self, chunk):
        self.chunk, self.chunks_read = chunk, 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        await anyio.lowlevel.checkpoint()
        self.chunks_read += 1
        return self.chunk


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_endless_stream_is_read_up_to_the_size_limit_only(encoding):
    class Custom(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _):
            return httpx.Response(200, headers={"content-encoding": encoding}, stream=stream)

    stream = EndlessStream(b"x" * 1024 * 1024)
    sender = Sender("https://a.example", transport=Custom())
    with pytest.raises(DecodeError):
        await send(sender)
    assert stream.chunks_read <= 9
