"""The log of arrivals."""

import json

import pytest
from support.bare_client import CREDENTIALS, QUERY, logged_in

from kiwoom_async.sandbox import Arrival


@pytest.mark.anyio
async def test_arrivals_log_requests_and_their_answers(make_sandbox, clock):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    clock.seconds += 1
    key = (await client.request_page()).headers["next-key"]
    await client.request_page(key=key)
    await client.request_page(b"{")
    token, first, second, malformed = sandbox.arrivals
    assert (token.api_id, token.body, token.caller, token.time) == ("au10001", {}, 1, 1000.0)
    assert first == Arrival(
        time=1001.0,
        api_id="ka90004",
        status=200,
        code=None,
        cont_yn="",
        next_key="",
        fault=None,
        body=QUERY,
        caller=1,
    )
    assert (second.cont_yn, second.next_key) == ("Y", key)
    assert (malformed.code, malformed.body) == ("1517", {})


@pytest.mark.anyio
async def test_no_secret_is_in_any_repr(make_sandbox):
    sandbox = make_sandbox(secrets={CREDENTIALS["appkey"]: CREDENTIALS["secretkey"]})
    client = await logged_in(sandbox)
    await client.http.post("/elsewhere", json=CREDENTIALS)
    await client.request_page(json.dumps(QUERY | CREDENTIALS).encode())
    reprs = repr(sandbox) + repr(sandbox.arrivals) + repr(vars(sandbox))
    reprs += repr(vars(sandbox._access)["_issued"].values())
    assert client.token
    for secret in (CREDENTIALS["appkey"], CREDENTIALS["secretkey"], client.token):
        assert secret not in reprs


@pytest.mark.anyio
async def test_an_unknown_caller_is_0_and_an_expired_token_still_names_its_caller(make_sandbox):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    sandbox.expire_tokens()
    await client.request_page()
    await client.request_page(authorization="Bearer unknown")
    await client.http.post("/oauth2/token", content=b"{")
    assert [arrival.caller for arrival in sandbox.arrivals] == [1, 1, 0, 0]
