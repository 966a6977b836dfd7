"""Single requests by an engine, without a client around it."""

from contextlib import asynccontextmanager

from support.http import server

from kiwoom_async import client
from kiwoom_async._protocol.messages import Request

PATH = "/api/dostk/stkinfo"


class Sender:
    """An engine, with the host and the time of its calls; by default the engine under test."""

    def __init__(self, base_url, *, timeout_seconds=5.0, transport=None, engine=None):
        self.engine = client.HttpxEngine(base_url, transport) if engine is None else engine
        self.request = Request("ka90004", base_url + PATH, {"api-id": "ka90004"}, b"{}", ())
        self.timeout_seconds = timeout_seconds
        self.aclose = self.engine.aclose


def send(sender):
    """Send the sender's request once."""
    return sender.engine.send(sender.request, timeout_seconds=sender.timeout_seconds)


@asynccontextmanager
async def sender_to(answer, timeout_seconds=5.0):
    """Yield a sender to a server that awaits `answer(stream)` after every request."""
    async with server(answer) as base_url:
        sender = Sender(base_url, timeout_seconds=timeout_seconds)
        try:
            yield sender
        finally:
            await sender.aclose()
