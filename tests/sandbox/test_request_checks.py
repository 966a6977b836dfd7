"""Request checks: headers, bodies, paths, methods and the firewall."""

import pytest
from support.bare_client import QUERY, codes, logged_in

from kiwoom_async.sandbox._codes import CODES


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": None}, "1513"),
        ({"authorization": ""}, "1514"),
        ({"authorization": "only-a-token"}, "1514"),
        ({"authorization": "Bearer two words"}, "1514"),
        ({"authorization": "Basic abc"}, "1515"),
        ({"authorization": "Bearer"}, "1516"),
        ({"authorization": "Bearer never-issued"}, "8005"),
        ({"authorization": "Bearer unknown", "api_id": "ka99999"}, "8005"),
        ({"api_id": None}, "1501"),
        ({"api_id": ""}, "1501"),
        ({"api_id": "ka99999"}, "1505"),
        ({"api_id": "au10001"}, "1504"),
    ],
)
async def test_wrong_headers_are_refused_with_the_published_codes(make_sandbox, headers, code):
    """Each has its own code and category; the authorization is checked before the api-id."""
    client = await logged_in(make_sandbox())
    reply = await client.request_page(**headers)
    assert (reply.status_code, *codes(reply)) == (200, CODES[code][0], code)


@pytest.mark.anyio
async def test_the_bearer_scheme_is_case_insensitive(make_sandbox):
    client = await logged_in(make_sandbox())
    reply = await client.request_page(authorization=f"bEARER {client.token}")
    assert reply.json()["return_code"] == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "1517"),
        (b"{", "1517"),
        (b"[]", "1517"),
        (b"\xff", "1517"),
        (b"[" * 100_000, "1517"),
        ({"dt": ""}, "1511"),
        ({"mrkt_tp": None}, "1511"),
        ({"dt": "2026-11-20"}, "1517"),
        ({"dt": "２０２６１１２０"}, "1517"),
        ({"dt": 20261120}, "1517"),
        ({"stex_tp": "4"}, "1517"),
    ],
)
async def test_wrong_bodies_are_refused_with_the_published_codes(make_sandbox, body, code):
    client = await logged_in(make_sandbox())
    reply = await client.request_page(body)
    assert (reply.status_code, *codes(reply)) == (200, 2, code)


@pytest.mark.anyio
async def test_refusals_are_worded_as_recorded(make_sandbox):
    client = await logged_in(make_sandbox())
    assert (await client.request_page(b'{"mrkt_tp": "P00101"}')).json() == {
        "return_msg": "입력 값 오류입니다"
        "[1511:필수 입력 값에 값이 존재하지 않습니다. 필수입력 파라미터=dt]",
        "return_code": 2,
    }
    client.token = "dead"
    assert (await client.request_page()).json() == {
        "return_msg": "인증에 실패했습니다[8005:Token이 유효하지 않습니다]",
        "return_code": 3,
    }


@pytest.mark.anyio
async def test_unknown_paths_and_methods_are_refused(make_sandbox):
    client = await logged_in(make_sandbox())
    headers = {"api-id": "ka90004", "authorization": f"Bearer {client.token}"}
    assert (await client.http.get("/api/dostk/stkinfo", headers=headers)).status_code == 404
    assert (await client.http.get("/oauth2/token")).status_code == 404
    assert (await client.http.post("/elsewhere", json=QUERY)).status_code == 404
    reply = await client.http.post("/api/dostk/chart", json=QUERY, headers=headers)
    assert codes(reply) == (1, "1504")
    assert "API ID=ka90004, URI=/api/dostk/chart" in reply.json()["return_msg"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("user_agent", "status"),
    [
        ("Python/3.12 aiohttp/3.11.2", 400),
        ("Python-urllib/3.11", 400),
        ("python-httpx/0.28.1", 200),
        ("my-bot/1.0 (Python/3.12 aiohttp/3.11.2)", 200),
    ],
)
async def test_the_firewall_blocks_default_user_agents(make_sandbox, user_agent, status):
    client = await logged_in(make_sandbox())
    reply = await client.request_page(user_agent=user_agent)
    assert reply.status_code == status
    assert ("Request Blocked" in reply.text) == (status == 400)
    assert reply.headers["content-type"].startswith(
        "text/html" if status == 400 else "application/json"
    )


@pytest.mark.anyio
async def test_the_firewall_can_be_turned_off(make_sandbox):
    client = await logged_in(make_sandbox(firewall=False))
    assert (await client.request_page(user_agent="Python/3.12 aiohttp/3.11.2")).status_code == 200
