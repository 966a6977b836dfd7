"""Tokens: issue, expiry, revocation, and the credentials they need."""

from datetime import UTC, datetime, timedelta

import pytest
from support.bare_client import CREDENTIALS, BareClient, codes, inner_code, logged_in

from kiwoom_async.sandbox._access import Access
from kiwoom_async.sandbox._codes import CODES


@pytest.mark.anyio
async def test_issuing_again_returns_the_same_token_with_its_old_expiry(make_sandbox, clock):
    client = BareClient(make_sandbox())
    first = (await client.log_in()).json()
    clock.seconds += 3600
    assert (await client.log_in()).json() == first
    assert first["expires_dt"] == "20261123090000"
    assert first["token_type"].lower() == "bearer"
    assert first["return_code"] == 0
    other = (await client.log_in(appkey="APP-KEY-2")).json()
    assert other["token"] != first["token"]
    assert other["expires_dt"] == "20261123100000"


@pytest.mark.anyio
async def test_a_token_is_refused_from_its_expiry_on_and_the_next_is_new(make_sandbox, clock):
    sandbox = make_sandbox(token_lifetime=timedelta(minutes=1))
    client = BareClient(sandbox)
    first = (await client.log_in()).json()
    clock.seconds += 59.9
    assert (await client.request_page()).json()["return_code"] == 0
    clock.seconds += 0.1
    refused = await client.request_page()
    assert (refused.status_code, *codes(refused)) == (200, 3, "8005")
    second = (await client.log_in()).json()
    assert second["token"] != first["token"]
    assert second["expires_dt"] == "20261122090200"


def test_a_token_expires_at_a_full_second_as_expires_dt_says():
    now = datetime(2026, 11, 20, 1, 1, 1, 5, tzinfo=UTC)
    assert Access(None, timedelta(1), lambda: now).issue("k").expires.microsecond == 0


@pytest.mark.anyio
async def test_expire_tokens_invalidates_every_token_issued_so_far(make_sandbox):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    sandbox.expire_tokens()
    assert codes(await client.request_page()) == (3, "8005")
    await client.log_in()
    assert (await client.request_page()).json()["return_code"] == 0


@pytest.mark.anyio
async def test_a_token_can_be_revoked_once_and_by_its_app_key_only(make_sandbox):
    client = await logged_in(make_sandbox())
    credentials = {name: CREDENTIALS[name] for name in ("appkey", "secretkey")}
    body = credentials | {"token": client.token}

    async def revoke(**changes):
        return await client.http.post("/oauth2/revoke", json=body | changes)

    assert inner_code(await revoke(appkey="APP-KEY-2")) == "8015"
    assert (await client.request_page()).json()["return_code"] == 0
    assert (await revoke()).json()["return_code"] == 0
    assert inner_code(await client.request_page()) == "8005"
    assert inner_code(await revoke()) == "8015"
    assert inner_code(await revoke(token="")) == "8016"
    assert inner_code(await revoke(secretkey="")) == "8020"
    assert inner_code(await client.http.post("/oauth2/revoke", json={})) == "1511"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "1511"),
        ({"appkey": "a", "secretkey": "b"}, "8011"),
        (CREDENTIALS | {"grant_type": "password"}, "8012"),
        ({"grant_type": "client_credentials", "appkey": "a", "appsecret": "b"}, "8020"),
        ({"grant_type": "client_credentials", "secretkey": "b"}, "8020"),
        (CREDENTIALS | {"appkey": 5}, "8020"),
        (["not an object"], "1517"),
    ],
)
async def test_an_incomplete_token_request_is_refused(make_sandbox, body, code):
    reply = await BareClient(make_sandbox()).http.post("/oauth2/token", json=body)
    assert (reply.status_code, *codes(reply)) == (200, CODES[code][0], code)
    assert "token" not in reply.json()


@pytest.mark.anyio
async def test_with_secrets_only_their_pairs_are_accepted(make_sandbox):
    client = BareClient(make_sandbox(secrets={"APP-KEY-1": "SECRET-KEY-1"}))
    assert codes(await client.log_in(secretkey="wrong")) == (3, "8001")
    assert codes(await client.log_in(appkey="wrong")) == (3, "8001")
    assert (await client.log_in()).json()["return_code"] == 0
