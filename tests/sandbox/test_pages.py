"""Pages: walks, continuation keys, days without data, and the form of the JSON."""

import math

import pytest
from support.bare_client import FRIDAY, KOSDAQ, KOSPI, ROWS_KEY, inner_code, logged_in

from kiwoom_async.sandbox._market import BLANK_ROW


@pytest.mark.anyio
@pytest.mark.parametrize(("market", "page_size", "count"), [(KOSPI, 50, 2472), (KOSDAQ, 30, 1820)])
async def test_a_walk_returns_every_row_of_the_day(full_sandbox, market, page_size, count):
    full_sandbox.requests_per_second = None
    client = await logged_in(full_sandbox)
    rows, keys, key = [], [], None
    while key != "":
        reply = await client.request_page({"mrkt_tp": market, "stex_tp": "3"}, key=key)
        page = reply.json()
        assert page["return_code"] == 0
        assert not {"cont-yn", "next-key"} & page.keys()
        totals = {name: page[name] for name in page if name.startswith("tot_")}
        assert totals == full_sandbox.totals(FRIDAY, market, "3")
        key = reply.headers["next-key"]
        assert reply.headers["cont-yn"] == ("Y" if key else "N")
        assert reply.headers["api-id"] == "ka90004"
        rows += page[ROWS_KEY]
        keys += [key] if key else []
        assert len(page[ROWS_KEY]) == (page_size if key else count - page_size * len(keys))
    assert rows == full_sandbox.rows(FRIDAY, market, "3")
    assert len(set(keys)) == len(keys) == math.ceil(count / page_size) - 1
    assert all(0 < len(key) <= 50 for key in keys)
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+/="
    assert set("".join(keys)) <= set(allowed)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cont_yn": "N"},
        {"cont_yn": "N", "next_key": ""},
        {"cont_yn": "Y", "next_key": ""},
        {"cont_yn": "N", "next_key": "anything"},
    ],
)
async def test_every_way_to_request_a_first_page_works(make_sandbox, headers):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    reply = await client.request_page(**headers)
    assert reply.json()[ROWS_KEY] == sandbox.rows(FRIDAY, KOSPI, "1")[:50]


@pytest.mark.anyio
async def test_a_key_is_valid_for_its_query_only_and_outlives_its_token(make_sandbox):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    key = (await client.request_page()).headers["next-key"]
    for changed_query in ({"stex_tp": "3"}, {"mrkt_tp": KOSDAQ}, {"dt": "20261119"}):
        assert inner_code(await client.request_page(changed_query, key=key)) == "1517"
    assert inner_code(await client.request_page(key="never-issued")) == "1517"
    sandbox.expire_tokens()
    await client.log_in()
    second = await client.request_page(key=key)
    assert second.json()[ROWS_KEY] == sandbox.rows(FRIDAY, KOSPI, "1")[50:100]


@pytest.mark.anyio
async def test_a_last_page_that_is_full_ends_the_walk(make_sandbox):
    client = await logged_in(make_sandbox(kospi_stocks=100))
    first = await client.request_page()
    last = await client.request_page(key=first.headers["next-key"])
    assert (len(last.json()[ROWS_KEY]), last.headers["cont-yn"]) == (50, "N")


@pytest.mark.anyio
async def test_totals_can_be_on_the_first_page_only(make_sandbox):
    sandbox = make_sandbox(totals_on="first page")
    client = await logged_in(sandbox)
    first = await client.request_page()
    second = await client.request_page(key=first.headers["next-key"])
    assert first.json()["tot_2"] == sandbox.totals(FRIDAY, KOSPI, "1")["tot_2"] != ""
    assert {second.json()[f"tot_{number}"] for number in range(1, 7)} == {""}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "changes",
    [
        {"mrkt_tp": "000"},
        {"mrkt_tp": "0"},
        {"dt": "20261121"},
        {"dt": "20261123"},
        {"dt": "20261131"},
    ],
)
async def test_a_query_without_data_is_answered_with_one_blank_row(make_sandbox, changes):
    """Such queries: unknown markets, a Saturday, tomorrow, 31 November."""
    client = await logged_in(make_sandbox())
    reply = await client.request_page(changes)
    totals = dict.fromkeys((f"tot_{number}" for number in range(1, 7)), "")
    success = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}
    assert reply.json() == totals | {ROWS_KEY: [BLANK_ROW]} | success
    assert (reply.headers["cont-yn"], reply.headers["next-key"]) == ("N", "")
    assert set(BLANK_ROW.values()) == {""}


@pytest.mark.anyio
async def test_today_starts_at_midnight_in_korea(make_sandbox, clock):
    """At 22:30 on Sunday, KST, Monday has no rows; at midnight it has, though UTC is on Sunday."""
    sandbox = make_sandbox()
    clock.seconds += 13.5 * 3600
    assert sandbox.rows("20261123", KOSPI, "1") == []
    clock.seconds += 1.5 * 3600
    assert len(sandbox.rows("20261123", KOSPI, "1")) == 130


@pytest.mark.anyio
async def test_json_is_utf8_with_korean_unescaped(make_sandbox):
    client = await logged_in(make_sandbox())
    reply = await client.request_page()
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert "삼성전자".encode() in reply.content
    assert list(reply.json())[-2:] == ["return_code", "return_msg"]
