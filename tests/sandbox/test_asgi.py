"""The ASGI protocol: lifespan, bodies in parts, disconnects."""

import json

import pytest
from support.bare_client import CREDENTIALS, logged_in

from kiwoom_async.sandbox import Fault, Sandbox

TOKEN_SCOPE = {"type": "http", "method": "POST", "path": "/oauth2/token", "headers": []}


async def messages_sent(sandbox, scope, *messages):
    """Return the messages that the application sends after it received these."""
    inbox, sent = list(messages), []

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message)

    await sandbox(scope, receive, send)
    return sent


@pytest.mark.anyio
async def test_startup_and_shutdown_are_confirmed():
    sent = await messages_sent(
        Sandbox(),
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.anyio
async def test_a_request_cut_off_by_its_client_is_not_logged():
    sandbox = Sandbox()
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert await messages_sent(sandbox, TOKEN_SCOPE, part, {"type": "http.disconnect"}) == []
    assert not sandbox.arrivals


@pytest.mark.anyio
async def test_a_body_may_arrive_in_parts(make_sandbox):
    raw = json.dumps(CREDENTIALS).encode()
    parts = [
        {"type": "http.request", "body": raw[:9], "more_body": True},
        {"type": "http.request", "body": raw[9:]},
    ]
    head, body = await messages_sent(make_sandbox(), TOKEN_SCOPE, *parts)
    assert head["status"] == 200
    assert dict(head["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert json.loads(body["body"])["return_code"] == 0


@pytest.mark.anyio
async def test_other_protocols_are_refused():
    problem = "^scope type: got 'websocket'; expected 'http' or 'lifespan'$"
    with pytest.raises(NotImplementedError, match=problem):
        await messages_sent(Sandbox(), {"type": "websocket"})


@pytest.mark.anyio
async def test_the_fault_disconnect_raises_once_and_the_next_request_is_answered(make_sandbox):
    client = await logged_in(make_sandbox(faults=[Fault("disconnect")]))
    with pytest.raises(ConnectionResetError):
        await client.request_page()
    assert (await client.request_page()).json()["return_code"] == 0
