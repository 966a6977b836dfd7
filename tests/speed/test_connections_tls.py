"""Connections of FastEngine over TLS, on asyncio and uvloop."""

import asyncio
import socket
import ssl

import pytest
import trustme
from support.http import http
from support.sender import Sender, send

from kiwoom_async import TransportError
from kiwoom_async.speed import FastEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    """Use asyncio in real time: FastEngine needs it, and real sockets."""
    return "asyncio"


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request):
    """Return the function that makes the event loop."""
    return pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None


def test_verify_sets_the_trusted_certificates(loop_factory):
    """Also on uvloop, whose TLS connections are not classes of asyncio."""
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def use(engine):
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(http(b"{}"))
            writer.close()

        serving = await asyncio.start_server(answer, "localhost", 0, ssl=server_context)
        base_url = f"https://localhost:{serving.sockets[0].getsockname()[1]}"
        sender = Sender(base_url, engine=engine)
        try:
            return await send(sender)
        finally:
            await sender.aclose()
            serving.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(use(FastEngine(verify=client_context))).body == b"{}"
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            runner.run(use(FastEngine()))


def test_the_end_of_a_connection_is_noticed_in_every_turn_of_the_loop(loop_factory):
    """connection_lost is called one turn of the loop after the socket was closed."""
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def use():
        seen_fit = asyncio.Event()

        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(http(b"{}"))
            await seen_fit.wait()
            writer.transport.abort()

        engine = FastEngine(verify=client_context)
        serving = await asyncio.start_server(answer, "localhost", 0, ssl=server_context)
        base_url = f"https://localhost:{serving.sockets[0].getsockname()[1]}"
        sender = Sender(base_url, engine=engine)
        assert (await send(sender)).body == b"{}"
        [[connection]] = engine._connections._idle.values()
        assert connection.fit()
        seen_fit.set()
        while not connection.lost.is_set():
            # New sockets get the file descriptor of the closed one.
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
