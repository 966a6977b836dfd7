"""A server that sends hand-written HTTP answers, byte by byte, on a real socket."""

import re
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketAttribute


@asynccontextmanager
async def server(answer):
    """Await `answer(stream)` after every complete request; yield the base URL."""

    async def serve_connection(stream):
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                while True:
                    await read_request(stream)
                    await answer(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve_connection)
        yield f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()
    await listener.aclose()


def answering_with(raw, *, then_close=False):
    """Return a function for `server` that answers every request with these bytes."""

    async def answer(stream):
        await stream.send(raw)
        if then_close:
            await stream.aclose()

    return answer


async def read_request(stream):
    """Receive one whole request, which must have a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += await stream.receive()
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    while len(body) < length:
        body += await stream.receive()


def http(body, *headers, status="200 OK", length=None):
    """Return the bytes of an answer; `length` is a Content-Length other than the true one."""
    content_length = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"content-length: {content_length}"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body
