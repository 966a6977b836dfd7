"""The sandbox, judged by what is on the wire alone: no part of the client takes part here."""

import json
import math
import re
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
import uvicorn
from support.servers import on_a_port

from kiwoom_async.sandbox import Arrival, Fault, Sandbox, serve
from kiwoom_async.sandbox import _app as application
from kiwoom_async.sandbox._access import Access
from kiwoom_async.sandbox._codes import CODES
from kiwoom_async.sandbox._faults import KINDS
from kiwoom_async.sandbox._market import BLANK_ROW, hundredths

KST = timezone(timedelta(hours=9))
FRIDAY = "20261120"
KOSPI, KOSDAQ = "P00101", "P10102"
LIST = "stk_prm_trde_prst"
PAIR = {"grant_type": "client_credentials", "appkey": "APP-KEY-1", "secretkey": "SECRET-KEY-1"}
QUERY = {"dt": FRIDAY, "mrkt_tp": KOSPI, "stex_tp": "1"}
MARKETS = [(KOSPI, 50, 2472), (KOSDAQ, 30, 1820)]
PURE = {"buy_cntr_qty", "buy_cntr_amt", "sel_cntr_qty", "sel_cntr_amt", "netprps_prica"}


class Clock:
    """Both clocks of a sandbox, moved by hand; sleeping is only written down."""

    def __init__(self):
        self.seconds = 1000.0
        self.slept = []

    def wall(self):
        return datetime(2026, 11, 22, 9, tzinfo=KST) + timedelta(seconds=self.seconds - 1000)

    async def sleep(self, seconds):
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(application, "current_time", lambda: clock.seconds)
    monkeypatch.setattr(application, "sleep", clock.sleep)
    return clock


@pytest.fixture
def sandbox_of(clock):
    def make(**options):
        options = {"requests_per_second": None, "kospi_stocks": 130, "kosdaq_stocks": 80} | options
        return Sandbox(now=clock.wall, **options)

    return make


class Caller:
    """A bare HTTP client, as anybody would write one."""

    def __init__(self, sandbox):
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=sandbox), base_url="http://sandbox"
        )
        self.token = ""

    async def log_in(self, **changes):
        reply = await self.http.post("/oauth2/token", json=PAIR | changes)
        self.token = reply.json().get("token", "")
        return reply

    async def ask(self, body=None, *, key=None, **headers):
        sent = {"api-id": "ka90004", "authorization": f"Bearer {self.token}"}
        if key is not None:
            sent |= {"cont-yn": "Y", "next-key": key}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(QUERY | (body or {}))
        present = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post("/api/dostk/stkinfo", content=content, headers=present)


async def logged_in(sandbox):
    caller = Caller(sandbox)
    await caller.log_in()
    return caller


def inner_code(reply):
    return reply.json()["return_msg"].partition("[")[2][:4]


def said(reply):
    return reply.json()["return_code"], inner_code(reply)


@pytest.fixture(scope="module")
def full():
    return Sandbox(now=lambda: datetime(2026, 11, 22, 9, tzinfo=KST))


DAYS = [(market, exchange) for market in (KOSPI, KOSDAQ) for exchange in "123"]


@pytest.mark.parametrize(("market", "_size", "count"), MARKETS)
def test_a_market_lists_every_stock_once(full, market, _size, count):
    rows = full.rows(FRIDAY, market, "1")
    assert len(rows) == len({row["stk_cd"] for row in rows}) == count
    assert len({row["stk_nm"] for row in rows}) == count
    assert max(len(row["stk_nm"]) for row in rows) <= 40
    assert {len(row["stk_cd"]) for row in rows} == {6}
    assert any(row["stk_cd"][5] == "K" for row in rows)
    assert any(row["stk_cd"][4].isalpha() for row in rows)


def test_no_stock_is_in_both_markets_and_the_universe_does_not_change(full):
    one, other = ({row["stk_cd"] for row in full.rows(FRIDAY, m, "1")} for m in (KOSPI, KOSDAQ))
    assert not one & other
    listed = [[(row["stk_cd"], row["stk_nm"]) for row in full.rows(day, KOSPI, "1")]
              for day in (FRIDAY, "20250305")]  # fmt: skip
    assert listed[0] == listed[1]


def test_known_names_carry_their_codes(full):
    named = {row["stk_cd"]: row["stk_nm"] for row in full.rows(FRIDAY, KOSPI, "1")}
    assert (named["005930"], named["000660"], named["33626K"]) == (
        "삼성전자",
        "SK하이닉스",
        "두산퓨얼셀1우",
    )


@pytest.mark.parametrize(("exchange", "suffix"), [("1", ""), ("2", "_NX"), ("3", "_AL")])
def test_the_exchange_marks_the_code(full, exchange, suffix):
    codes = [row["stk_cd"] for row in full.rows(FRIDAY, KOSPI, exchange)]
    assert {code[6:] for code in codes} == {suffix}


@pytest.mark.parametrize(("market", "exchange"), DAYS)
def test_rows_agree_with_each_other_and_with_the_totals(full, market, exchange):
    rows = full.rows(FRIDAY, market, exchange)
    sums = Counter()
    for row in rows:
        value = {name: int(row[name]) for name in PURE}
        assert value["buy_cntr_amt"] - value["sel_cntr_amt"] == value["netprps_prica"]
        assert not any(row[name].startswith("+") for name in PURE)
        sums.update(value)
    assert full.totals(FRIDAY, market, exchange) == {
        "tot_1": str(sums["buy_cntr_qty"]),
        "tot_2": str(sums["buy_cntr_amt"]),
        "tot_3": str(sums["sel_cntr_qty"]),
        "tot_4": str(sums["sel_cntr_amt"]),
        "tot_5": str(sums["netprps_prica"]),
        "tot_6": "",
    }


@pytest.mark.parametrize(("market", "exchange"), DAYS)
def test_shares_are_of_the_market_and_add_up_to_one_hundred(full, market, exchange):
    rows = full.rows(FRIDAY, market, exchange)
    assert all(row["all_trde_rt"][0] == "+" and row["all_trde_rt"][-3] == "." for row in rows)
    hundred = sum(int(row["all_trde_rt"].replace(".", "")) for row in rows)
    assert hundred == 10_000
    turnover = [int(row["buy_cntr_amt"]) + int(row["sel_cntr_amt"]) for row in rows]
    for row, part in zip(rows, turnover, strict=True):
        assert abs(float(row["all_trde_rt"]) - 100 * part / sum(turnover)) < 0.01


def test_shares_of_nothing_are_nothing():
    assert hundredths([0, 0]) == [0, 0]
    assert hundredths([1, 1, 1]) == [3334, 3333, 3333]


@pytest.mark.parametrize(("market", "exchange"), DAYS)
def test_amounts_follow_from_quantity_and_price(full, market, exchange):
    for row in full.rows(FRIDAY, market, exchange):
        price = abs(int(row["cur_prc"]))
        for quantity, amount in (
            ("buy_cntr_qty", "buy_cntr_amt"),
            ("sel_cntr_qty", "sel_cntr_amt"),
        ):
            plain = int(row[quantity]) * price / 1000
            # A whole million may be rounded away, once for each exchange in the sum.
            assert 0.98 * plain - 1 <= int(row[amount]) <= 1.01 * plain + 1


@pytest.mark.parametrize(("market", "exchange"), DAYS)
def test_two_thirds_of_the_rows_are_zero(full, market, exchange):
    rows = full.rows(FRIDAY, market, exchange)
    zero = [row for row in rows if all(row[name] == "0" for name in PURE)]
    assert 0.6 < len(zero) / len(rows) < 0.75
    assert {row["all_trde_rt"] for row in zero} == {"+0.00"}


def test_a_few_names_dominate_and_order_is_no_ranking(full):
    rows = full.rows(FRIDAY, KOSPI, "3")
    turnover = [int(row["buy_cntr_amt"]) + int(row["sel_cntr_amt"]) for row in rows]
    ranked = sorted(turnover, reverse=True)
    top = [rows[at]["stk_nm"] for at in sorted(range(len(rows)), key=lambda at: -turnover[at])[:3]]
    assert "삼성전자" in top
    assert sum(ranked[:20]) > 0.4 * sum(ranked)
    assert turnover not in (ranked, ranked[::-1])
    assert any(turnover[at] in ranked[:30] for at in range(500, len(rows)))


def step_of(price):
    steps = [(2000, 1), (5000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500)]
    return next((step for limit, step in steps if price < limit), 1000)


@pytest.mark.parametrize("day", [FRIDAY, "20261119", "20261118", "20261117"])
@pytest.mark.parametrize("market", [KOSPI, KOSDAQ])
def test_price_sign_and_change_tell_one_story(full, market, day):
    signs = Counter()
    for row in full.rows(day, market, "1"):
        signs[row["flu_sig"]] += 1
        price, change = abs(int(row["cur_prc"])), int(row["pred_pre"])
        before = price - change
        assert price % step_of(price) == before % step_of(before) == 0
        assert row["cur_prc"] == {1: "+", -1: "-", 0: ""}[(change > 0) - (change < 0)] + str(price)
        assert row["pred_pre"] == (f"{change:+d}" if change else "0")
        if row["flu_sig"] in ("1", "2"):
            assert change > 0
        elif row["flu_sig"] in ("4", "5"):
            assert change < 0
        else:
            assert change == 0
        if row["flu_sig"] in ("", "0"):
            assert {row[name] for name in PURE} == {"0"}
        near_limit = abs(change) > 0.29 * before
        assert near_limit == (row["flu_sig"] in ("1", "4"))
        assert abs(change) <= 0.3 * before
    assert signs["2"] > 500
    assert signs["5"] > 500
    assert signs["3"] > 50
    assert signs["1"] + signs["4"] < 20
    assert 0 < signs[""] + signs["0"] < 40


@pytest.mark.parametrize("market", [KOSPI, KOSDAQ])
def test_the_consolidated_exchange_is_the_sum_of_the_two(full, market):
    krx, nxt, both = (full.rows(FRIDAY, market, exchange) for exchange in "123")
    for one, other, total in zip(krx, nxt, both, strict=True):
        assert all(int(one[name]) + int(other[name]) == int(total[name]) for name in PURE)
        assert one["cur_prc"] == other["cur_prc"] == total["cur_prc"]
    signs = [
        (int(one["netprps_prica"]), int(total["netprps_prica"]))
        for one, total in zip(krx, both, strict=True)
    ]
    assert any(one * total < 0 for one, total in signs)


def test_the_same_day_is_the_same_in_every_process(full):
    script = (
        "from kiwoom_async.sandbox import Sandbox; import hashlib, json\n"
        f"rows = Sandbox().rows('{FRIDAY}', 'P10102', '3')\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    root = Path(__file__).parent.parent.parent
    ran = {
        subprocess.run(  # noqa: S603 - our own interpreter, our own line
            [sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(ran) == 1
    # Written down once, so that another Python version has something to differ from.
    assert full.rows(FRIDAY, KOSPI, "1")[1] == SAMSUNG_ON_FRIDAY
    assert full.rows("20261119", KOSPI, "1") != full.rows(FRIDAY, KOSPI, "1")


SAMSUNG_ON_FRIDAY = {
    "stk_cd": "005930",
    "stk_nm": "삼성전자",
    "cur_prc": "+214500",
    "flu_sig": "2",
    "pred_pre": "+5000",
    "buy_cntr_qty": "6739",
    "buy_cntr_amt": "1448348",
    "sel_cntr_qty": "8420",
    "sel_cntr_amt": "1784166",
    "netprps_prica": "-335818",
    "all_trde_rt": "+24.48",
}


@pytest.mark.parametrize("day", ["20261121", "20261122", "20261123", "20261131", "2026112"])
def test_a_day_off_has_no_rows_and_blank_totals(full, day):
    assert full.rows(day, KOSPI, "1") == []
    assert set(full.totals(day, KOSPI, "1").values()) == {""}


def test_the_truth_handed_out_is_a_copy(full):
    full.rows(FRIDAY, KOSPI, "1")[0]["stk_nm"] = "changed"
    assert full.rows(FRIDAY, KOSPI, "1")[0]["stk_nm"] != "changed"


@pytest.mark.anyio
@pytest.mark.parametrize(("market", "size", "count"), MARKETS)
async def test_a_walk_over_all_pages_gives_the_whole_day(full, market, size, count):
    full.requests_per_second = None
    caller = await logged_in(full)
    rows, keys, key = [], [], None
    while key != "":
        reply = await caller.ask({"mrkt_tp": market, "stex_tp": "3"}, key=key)
        page = reply.json()
        assert page["return_code"] == 0
        assert not {"cont-yn", "next-key"} & page.keys()
        assert {name: page[name] for name in page if name.startswith("tot_")} == full.totals(
            FRIDAY, market, "3"
        )
        key = reply.headers["next-key"]
        assert reply.headers["cont-yn"] == ("Y" if key else "N")
        assert reply.headers["api-id"] == "ka90004"
        rows += page[LIST]
        keys += [key] if key else []
        assert len(page[LIST]) == (size if key else count - size * len(keys))
    assert rows == full.rows(FRIDAY, market, "3")
    assert len(set(keys)) == len(keys) == math.ceil(count / size) - 1
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
async def test_a_first_page_can_be_asked_for_in_many_ways(sandbox_of, headers):
    sandbox = sandbox_of()
    caller = await logged_in(sandbox)
    reply = await caller.ask(**headers)
    assert reply.json()[LIST] == sandbox.rows(FRIDAY, KOSPI, "1")[:50]


@pytest.mark.anyio
async def test_a_key_opens_its_own_query_only_and_outlives_its_token(sandbox_of):
    sandbox = sandbox_of()
    caller = await logged_in(sandbox)
    key = (await caller.ask()).headers["next-key"]
    for other in ({"stex_tp": "3"}, {"mrkt_tp": KOSDAQ}, {"dt": "20261119"}):
        assert inner_code(await caller.ask(other, key=key)) == "1517"
    assert inner_code(await caller.ask(key="nobody-issued-this")) == "1517"
    sandbox.expire_tokens()
    await caller.log_in()
    assert (await caller.ask(key=key)).json()[LIST] == sandbox.rows(FRIDAY, KOSPI, "1")[50:100]


@pytest.mark.anyio
async def test_totals_can_be_on_the_first_page_only(sandbox_of):
    sandbox = sandbox_of(totals_on="first page")
    caller = await logged_in(sandbox)
    first = await caller.ask()
    second = await caller.ask(key=first.headers["next-key"])
    assert first.json()["tot_2"] == sandbox.totals(FRIDAY, KOSPI, "1")["tot_2"] != ""
    assert {second.json()[f"tot_{number}"] for number in range(1, 7)} == {""}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "odd",
    [
        {"mrkt_tp": "000"},
        {"mrkt_tp": "0"},
        {"dt": "20261121"},
        {"dt": "20261123"},
        {"dt": "20261131"},
    ],
)
async def test_nothing_to_show_is_one_blank_row_as_recorded(sandbox_of, odd):
    """Wrong market, weekend, tomorrow, no such date."""
    caller = await logged_in(sandbox_of())
    reply = await caller.ask(odd)
    totals = dict.fromkeys((f"tot_{number}" for number in range(1, 7)), "")
    closing = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}
    assert reply.json() == totals | {LIST: [BLANK_ROW]} | closing
    assert (reply.headers["cont-yn"], reply.headers["next-key"]) == ("N", "")
    assert set(BLANK_ROW.values()) == {""}


@pytest.mark.anyio
async def test_today_begins_at_midnight_in_korea(sandbox_of, clock):
    """Sunday 22:30 in Korea has no Monday; ninety minutes later it is there, UTC still Sunday."""
    sandbox = sandbox_of()
    clock.seconds += 13.5 * 3600
    assert sandbox.rows("20261123", KOSPI, "1") == []
    clock.seconds += 1.5 * 3600
    assert len(sandbox.rows("20261123", KOSPI, "1")) == 130


@pytest.mark.anyio
async def test_json_is_utf8_with_korean_unescaped(sandbox_of):
    caller = await logged_in(sandbox_of())
    reply = await caller.ask()
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert "삼성전자".encode() in reply.content
    assert list(reply.json())[-2:] == ["return_code", "return_msg"]


@pytest.mark.anyio
async def test_issuing_again_gives_the_same_token_with_its_old_expiry(sandbox_of, clock):
    caller = Caller(sandbox_of())
    first = (await caller.log_in()).json()
    clock.seconds += 3600
    assert (await caller.log_in()).json() == first
    assert first["expires_dt"] == "20261123090000"
    assert first["token_type"].lower() == "bearer"
    assert first["return_code"] == 0
    other = (await caller.log_in(appkey="APP-KEY-2")).json()
    assert (other["token"] != first["token"], other["expires_dt"]) == (True, "20261123100000")


@pytest.mark.anyio
async def test_a_token_dies_at_its_expiry_and_the_next_is_new(sandbox_of, clock):
    sandbox = sandbox_of(token_lifetime=timedelta(minutes=1))
    caller = Caller(sandbox)
    first = (await caller.log_in()).json()
    clock.seconds += 59.9
    assert (await caller.ask()).json()["return_code"] == 0
    clock.seconds += 0.1
    refused = await caller.ask()
    assert (refused.status_code, *said(refused)) == (200, 3, "8005")
    second = (await caller.log_in()).json()
    assert second["token"] != first["token"]
    assert second["expires_dt"] == "20261122090200"


@pytest.mark.anyio
async def test_expire_tokens_ends_every_token_issued_so_far(sandbox_of):
    sandbox = sandbox_of()
    caller = await logged_in(sandbox)
    sandbox.expire_tokens()
    assert said(await caller.ask()) == (3, "8005")
    await caller.log_in()
    assert (await caller.ask()).json()["return_code"] == 0


@pytest.mark.anyio
async def test_a_revoked_token_is_dead_and_another_keys_cannot_be_revoked(sandbox_of):
    caller = await logged_in(sandbox_of())
    pair = {"appkey": PAIR["appkey"], "secretkey": PAIR["secretkey"], "token": caller.token}

    async def revoke(**changes):
        return await caller.http.post("/oauth2/revoke", json=pair | changes)

    assert inner_code(await revoke(appkey="APP-KEY-2")) == "8015"
    assert (await caller.ask()).json()["return_code"] == 0
    assert (await revoke()).json()["return_code"] == 0
    assert inner_code(await caller.ask()) == "8005"
    assert inner_code(await revoke()) == "8015"
    assert inner_code(await revoke(token="")) == "8016"
    assert inner_code(await revoke(secretkey="")) == "8020"
    assert inner_code(await caller.http.post("/oauth2/revoke", json={})) == "1511"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "1511"),
        ({"appkey": "a", "secretkey": "b"}, "8011"),
        (PAIR | {"grant_type": "password"}, "8012"),
        ({"grant_type": "client_credentials", "appkey": "a", "appsecret": "b"}, "8020"),
        ({"grant_type": "client_credentials", "secretkey": "b"}, "8020"),
        (PAIR | {"appkey": 5}, "8020"),
        (["not an object"], "1517"),
    ],
)
async def test_a_token_request_must_be_complete(sandbox_of, body, code):
    reply = await Caller(sandbox_of()).http.post("/oauth2/token", json=body)
    assert (reply.status_code, *said(reply)) == (200, CODES[code][0], code)
    assert "token" not in reply.json()


@pytest.mark.anyio
async def test_only_known_pairs_are_let_in_when_there_is_a_list(sandbox_of):
    caller = Caller(sandbox_of(secrets={"APP-KEY-1": "SECRET-KEY-1"}))
    assert said(await caller.log_in(secretkey="wrong")) == (3, "8001")
    assert said(await caller.log_in(appkey="wrong")) == (3, "8001")
    assert (await caller.log_in()).json()["return_code"] == 0


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
        ({"authorization": "Bearer nobody-issued-this"}, "8005"),
        ({"authorization": "Bearer nobody", "api_id": "ka99999"}, "8005"),
        ({"api_id": None}, "1501"),
        ({"api_id": ""}, "1501"),
        ({"api_id": "ka99999"}, "1505"),
        ({"api_id": "au10001"}, "1504"),
    ],
)
async def test_headers_are_checked_in_the_published_codes(sandbox_of, headers, code):
    """Authorization before api-id, each with the code and the category of its own."""
    caller = await logged_in(sandbox_of())
    reply = await caller.ask(**headers)
    assert (reply.status_code, *said(reply)) == (200, CODES[code][0], code)


@pytest.mark.anyio
async def test_the_bearer_word_is_not_case_sensitive(sandbox_of):
    caller = await logged_in(sandbox_of())
    assert (await caller.ask(authorization=f"bEARER {caller.token}")).json()["return_code"] == 0


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
async def test_bodies_are_checked_in_the_published_codes(sandbox_of, body, code):
    caller = await logged_in(sandbox_of())
    reply = await caller.ask(body)
    assert (reply.status_code, *said(reply)) == (200, 2, code)


@pytest.mark.anyio
async def test_refusals_are_worded_as_recorded(sandbox_of):
    caller = await logged_in(sandbox_of())
    assert (await caller.ask(b'{"mrkt_tp": "P00101"}')).json() == {
        "return_msg": "입력 값 오류입니다"
        "[1511:필수 입력 값에 값이 존재하지 않습니다. 필수입력 파라미터=dt]",
        "return_code": 2,
    }
    caller.token = "dead"
    assert (await caller.ask()).json() == {
        "return_msg": "인증에 실패했습니다[8005:Token이 유효하지 않습니다]",
        "return_code": 3,
    }


@pytest.mark.anyio
async def test_paths_and_methods_nobody_serves(sandbox_of):
    caller = await logged_in(sandbox_of())
    headers = {"api-id": "ka90004", "authorization": f"Bearer {caller.token}"}
    assert (await caller.http.get("/api/dostk/stkinfo", headers=headers)).status_code == 404
    assert (await caller.http.get("/oauth2/token")).status_code == 404
    assert (await caller.http.post("/elsewhere", json=QUERY)).status_code == 404
    reply = await caller.http.post("/api/dostk/chart", json=QUERY, headers=headers)
    assert said(reply) == (1, "1504")
    assert "API ID=ka90004, URI=/api/dostk/chart" in reply.json()["return_msg"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("Python/3.12 aiohttp/3.11.2", 400),
        ("Python-urllib/3.11", 400),
        ("python-httpx/0.28.1", 200),
        ("my-bot/1.0 (Python/3.12 aiohttp/3.11.2)", 200),
    ],
)
async def test_the_firewall_blocks_default_user_agents(sandbox_of, agent, status):
    caller = await logged_in(sandbox_of())
    reply = await caller.ask(user_agent=agent)
    assert reply.status_code == status
    assert ("Request Blocked" in reply.text) == (status == 400)
    assert reply.headers["content-type"].startswith(
        "text/html" if status == 400 else "application/json"
    )


@pytest.mark.anyio
async def test_the_firewall_can_be_taken_away(sandbox_of):
    caller = await logged_in(sandbox_of(firewall=False))
    assert (await caller.ask(user_agent="Python/3.12 aiohttp/3.11.2")).status_code == 200


@pytest.mark.anyio
async def test_the_window_slides_and_counts_accepted_requests_only(sandbox_of, clock):
    caller = await logged_in(sandbox_of(requests_per_second=5))
    statuses = []
    for at in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99, 1.0, 1.1, 1.2, 1.3):
        clock.seconds = 2000 + at
        statuses.append((await caller.ask()).status_code)
    assert statuses == [200] * 5 + [429, 429, 200, 429, 200, 429]


@pytest.mark.anyio
async def test_a_429_is_worded_as_recorded_and_does_not_wait(sandbox_of, clock):
    sandbox = sandbox_of(requests_per_second=1, latency_seconds=0.05)
    caller = await logged_in(sandbox)
    await caller.ask()
    clock.slept.clear()
    reply = await caller.ask()
    assert reply.status_code == 429
    assert reply.json() == {
        "return_msg": "허용된 요청 개수를 초과하였습니다"
        "[1700:허용된 API 요청 개수를 초과하였습니다. 유량=1, API ID=ka90004]",
        "return_code": 5,
    }
    assert "retry-after" not in reply.headers
    assert clock.slept == [0.0]
    clock.seconds += 1
    await caller.ask()
    assert clock.slept == [0.0, 0.05]


@pytest.mark.anyio
async def test_windows_are_apart_for_each_app_key_and_api_id(sandbox_of):
    sandbox = sandbox_of(requests_per_second=1)
    one, other = Caller(sandbox), Caller(sandbox)
    await one.log_in()
    await other.log_in(appkey="APP-KEY-2")
    assert (await one.log_in()).status_code == 429
    one.token = sandbox._access._latest["APP-KEY-1"].token
    answered = [(await caller.ask()).status_code for caller in (one, other, one, other)]
    assert answered == [200, 200, 429, 429]
    assert [arrival.caller for arrival in sandbox.arrivals] == [1, 2, 1, 1, 2, 1, 2]


@pytest.mark.anyio
async def test_both_markets_share_one_window(sandbox_of):
    caller = await logged_in(sandbox_of(requests_per_second=1))
    assert (await caller.ask()).status_code == 200
    assert (await caller.ask({"mrkt_tp": KOSDAQ})).status_code == 429


@pytest.mark.anyio
async def test_a_clock_that_jumps_back_does_not_lock_the_window(sandbox_of, clock):
    """Another event loop has another clock."""
    caller = await logged_in(sandbox_of(requests_per_second=1))
    assert (await caller.ask()).status_code == 200
    clock.seconds -= 500
    assert (await caller.ask()).status_code == 200


@pytest.mark.anyio
async def test_the_log_tells_what_arrived_and_what_was_answered(sandbox_of, clock):
    sandbox = sandbox_of()
    caller = await logged_in(sandbox)
    clock.seconds += 1
    key = (await caller.ask()).headers["next-key"]
    await caller.ask(key=key)
    await caller.ask(b"{")
    token, first, second, broken = sandbox.arrivals
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
    assert (broken.code, broken.body) == ("1517", {})


@pytest.mark.anyio
async def test_no_secret_is_in_any_repr(sandbox_of):
    sandbox = sandbox_of(secrets={PAIR["appkey"]: PAIR["secretkey"]})
    caller = await logged_in(sandbox)
    await caller.http.post("/elsewhere", json=PAIR)
    await caller.ask(json.dumps(QUERY | PAIR).encode())
    shown = repr(sandbox) + repr(sandbox.arrivals) + repr(vars(sandbox))
    shown += repr(vars(sandbox._access)["_issued"].values())
    assert caller.token
    for secret in (PAIR["appkey"], PAIR["secretkey"], caller.token):
        assert secret not in shown


@pytest.mark.anyio
async def test_nobody_is_caller_zero_and_a_dead_token_still_has_an_owner(sandbox_of):
    sandbox = sandbox_of()
    caller = await logged_in(sandbox)
    sandbox.expire_tokens()
    await caller.ask()
    await caller.ask(authorization="Bearer nobody")
    await caller.http.post("/oauth2/token", content=b"{")
    assert [arrival.caller for arrival in sandbox.arrivals] == [1, 1, 0, 0]


async def one_fault(sandbox_of, *, key_of_page=1, **fault):
    """A walk's reply struck by the fault, beside the ordinary reply to the same request."""
    sandbox = sandbox_of(faults=[Fault(**{"call": 3} | fault)])
    caller = await logged_in(sandbox)
    keys = [None, (await caller.ask()).headers["next-key"]]
    keys.append((await caller.ask(key=keys[1])).headers["next-key"])
    struck = await caller.ask(key=keys[key_of_page - 1])
    assert sandbox.arrivals[-1].fault == fault["kind"]
    assert sandbox.arrivals[-1].status == struck.status_code
    sandbox.expire_tokens()
    await caller.log_in()
    return struck, await caller.ask(key=keys[key_of_page - 1]), keys


def is_429(struck, _):
    assert (struck.status_code, *said(struck)) == (429, 5, "1700")
    assert "유량=5, API ID=ka90004" in struck.json()["return_msg"]
    assert struck.headers["retry-after"] == "2.5"


def is_200_with_1700(struck, _):
    assert (struck.status_code, *said(struck)) == (200, 5, "1700")


def is_500(struck, _):
    assert (struck.status_code, struck.headers["content-type"]) == (500, "text/plain")


def is_html(status, text):
    def check(struck, _):
        assert struck.status_code == status
        assert struck.headers["content-type"].startswith("text/html")
        assert text in struck.text

    return check


def is_8005(struck, _):
    assert (struck.status_code, *said(struck)) == (200, 3, "8005")


def is_1634(struck, _):
    assert struck.json() == {
        "return_code": 5,
        "return_msg": "허용된 요청 개수를 초과하였습니다[1634]",
    }


def is_redirect(struck, _):
    assert struck.status_code == 307
    assert struck.headers["location"] == "https://elsewhere.invalid/api/dostk/stkinfo"


def is_truncated(struck, ordinary):
    assert ordinary.content.startswith(struck.content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(struck.content.decode(errors="ignore"))


def is_not_utf8(struck, _):
    with pytest.raises(UnicodeDecodeError):
        struck.content.decode()


def is_empty(struck, _):
    assert (struck.status_code, struck.content) == (200, b"")


def has_null_list(struck, ordinary):
    assert struck.json() == ordinary.json() | {LIST: None}


def has_no_list(struck, ordinary):
    assert struck.json() | {LIST: ordinary.json()[LIST]} == ordinary.json()
    assert LIST not in struck.json()


def has_empty_list(struck, ordinary):
    assert struck.json() == ordinary.json() | {LIST: []}


def has_blank_row(struck, ordinary):
    rows = struck.json()[LIST]
    assert rows[25] == BLANK_ROW
    assert rows[:25] + rows[26:] == ordinary.json()[LIST]


def has_unreadable_row(struck, ordinary):
    odd = [
        (one["buy_cntr_qty"], other | {"buy_cntr_qty": "abc"} == one)
        for one, other in zip(struck.json()[LIST], ordinary.json()[LIST], strict=True)
        if one != other
    ]
    assert odd == [("abc", True)]


def has_more_fields(struck, ordinary):
    assert struck.json().keys() > ordinary.json().keys()
    pairs = zip(struck.json()[LIST], ordinary.json()[LIST], strict=True)
    assert all(one.keys() > other.keys() and one | other == one for one, other in pairs)


def has_text_code(struck, ordinary):
    assert struck.json() == ordinary.json() | {"return_code": "0"}


def is_ordinary(struck, ordinary):
    assert struck.json() == ordinary.json()
    assert struck.headers["next-key"] == ordinary.headers["next-key"]


STRUCK = [
    ({"kind": "rate_limit", "seconds": 2.5}, is_429),
    ({"kind": "rate_limit_200"}, is_200_with_1700),
    ({"kind": "server_error"}, is_500),
    ({"kind": "unavailable_html"}, is_html(503, "Service Unavailable")),
    ({"kind": "maintenance_html"}, is_html(200, "점검")),
    ({"kind": "firewall"}, is_html(400, "Request Blocked")),
    ({"kind": "token_dies"}, is_8005),
    ({"kind": "code", "code": "1634"}, is_1634),
    ({"kind": "redirect"}, is_redirect),
    ({"kind": "truncated_json"}, is_truncated),
    ({"kind": "broken_utf8"}, is_not_utf8),
    ({"kind": "empty_body"}, is_empty),
    ({"kind": "null_list"}, has_null_list),
    ({"kind": "missing_list"}, has_no_list),
    ({"kind": "empty_list"}, has_empty_list),
    ({"kind": "blank_row"}, has_blank_row),
    ({"kind": "unreadable_row"}, has_unreadable_row),
    ({"kind": "unknown_fields"}, has_more_fields),
    ({"kind": "text_return_code"}, has_text_code),
    ({"kind": "slow", "seconds": 3.0}, is_ordinary),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "check"), STRUCK, ids=lambda case: getattr(case, "__name__", str(case))
)
async def test_a_fault_spoils_the_answer_as_its_name_says(sandbox_of, fault, check):
    struck, ordinary, _ = await one_fault(sandbox_of, **fault)
    check(struck, ordinary)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "page", "told"),
    [
        ("empty_key", 1, lambda _: ""),
        ("empty_key", 3, lambda _: ""),
        ("repeat_key", 2, lambda keys: keys[1]),
        ("repeat_key", 3, lambda keys: keys[2]),
        ("first_key", 2, lambda keys: keys[1]),
        ("first_key", 3, lambda keys: keys[1]),
    ],
)
async def test_keys_can_lead_nowhere_or_round_in_circles(sandbox_of, kind, page, told):
    struck, ordinary, keys = await one_fault(sandbox_of, kind=kind, key_of_page=page)
    assert struck.headers["cont-yn"] == "Y"
    assert struck.headers["next-key"] == told(keys)
    assert struck.json() == ordinary.json()


def test_every_kind_of_fault_is_tested():
    elsewhere = {"empty_key", "repeat_key", "first_key", "disconnect"}
    assert {fault["kind"] for fault, _ in STRUCK} | elsewhere == set(KINDS)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["repeat_key", "first_key"])
async def test_on_a_first_page_a_circle_cannot_begin(sandbox_of, kind):
    sandbox = sandbox_of(faults=[Fault(kind)])
    caller = await logged_in(sandbox)
    struck, ordinary = await caller.ask(), await caller.ask()
    assert struck.headers["next-key"] == ordinary.headers["next-key"] != ""
    assert sandbox.arrivals[1].fault is None


@pytest.mark.anyio
@pytest.mark.parametrize("code", CODES)
async def test_every_published_code_can_be_sent(sandbox_of, code):
    caller = await logged_in(sandbox_of(faults=[Fault("code", code=code)]))
    reply = await caller.ask()
    assert (reply.status_code, *said(reply)) == (200, CODES[code][0], code)
    assert not set("{}") & set(reply.json()["return_msg"])


@pytest.mark.anyio
async def test_a_dead_token_stays_dead(sandbox_of):
    sandbox = sandbox_of(faults=[Fault("token_dies")])
    caller = await logged_in(sandbox)
    assert [inner_code(await caller.ask()) for _ in range(2)] == ["8005", "8005"]
    await caller.log_in()
    assert (await caller.ask()).json()["return_code"] == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        (Fault("server_error", call=2), [200, 500, 200, 200]),
        (Fault("server_error", call=2, times=2), [200, 500, 500, 200]),
        (Fault("server_error", call=2, times=math.inf), [200, 500, 500, 500]),
        (Fault("server_error", api_id="au10002"), [200, 200, 200, 200]),
    ],
)
async def test_a_fault_strikes_the_calls_it_was_set_on(sandbox_of, fault, statuses):
    caller = await logged_in(sandbox_of(faults=[fault]))
    assert [(await caller.ask()).status_code for _ in statuses] == statuses


@pytest.mark.anyio
async def test_faults_strike_token_calls_too(sandbox_of):
    faults = [
        Fault("maintenance_html", api_id="au10001"),
        Fault("rate_limit", api_id="au10001", call=2),
        Fault("unknown_fields", api_id="au10001", call=3),
    ]
    sandbox = sandbox_of(faults=faults)
    caller = Caller(sandbox)
    replies = [await caller.http.post("/oauth2/token", json=PAIR) for _ in faults]
    assert "점검" in replies[0].text
    assert "API ID=au10001" in replies[1].text
    assert {"token", "tot_7"} <= replies[2].json().keys()
    assert [arrival.fault for arrival in sandbox.arrivals] == [fault.kind for fault in faults]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["null_list", "missing_list", "blank_row", "empty_key"])
async def test_what_spoils_a_page_leaves_a_token_alone(sandbox_of, kind):
    sandbox = sandbox_of(faults=[Fault(kind, api_id="au10001")])
    caller = Caller(sandbox)
    assert (await caller.log_in()).json() == (await caller.log_in()).json()
    assert sandbox.arrivals[0].fault is None


@pytest.mark.anyio
async def test_slow_waits_before_it_answers(sandbox_of, clock):
    sandbox = sandbox_of(faults=[Fault("slow", seconds=30)], latency_seconds=0.5)
    caller = await logged_in(sandbox)
    await caller.ask()
    assert clock.slept == [0.5, 30.5]


CODE_NAMES = ", ".join(CODES)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"kind": "nonsense"}, f"kind: got 'nonsense'; expected one of {', '.join(KINDS)}"),
        ({"kind": "code"}, f"code: got ''; expected one of {CODE_NAMES}"),
        ({"kind": "code", "code": "9999"}, f"code: got '9999'; expected one of {CODE_NAMES}"),
        ({"kind": "slow", "call": 0}, "call: got 0; expected 1 or more"),
        ({"kind": "slow", "times": 0}, "times: got 0; expected 1 or more"),
        ({"kind": "slow", "seconds": -1}, "seconds: got -1; expected 0 or more"),
    ],
)
def test_an_invalid_fault_is_refused(fault, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        Fault(**fault)


def test_the_error_for_an_unknown_fault_names_every_kind():
    with pytest.raises(ValueError, match=r"rate_limit, .*, disconnect"):
        Fault("nonsense")


async def exchanged(sandbox, scope, *messages):
    """What the application sends when it receives these messages."""
    inbox, sent = list(messages), []

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message)

    await sandbox(scope, receive, send)
    return sent


@pytest.mark.anyio
async def test_lifespan_is_answered():
    sent = await exchanged(
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
async def test_a_caller_who_hangs_up_is_no_arrival():
    sandbox = Sandbox()
    scope = {"type": "http", "method": "POST", "path": "/oauth2/token", "headers": []}
    part = {"type": "http.request", "body": b"{", "more_body": True}
    assert await exchanged(sandbox, scope, part, {"type": "http.disconnect"}) == []
    assert not sandbox.arrivals


@pytest.mark.anyio
async def test_a_body_may_come_in_parts(sandbox_of):
    scope = {"type": "http", "method": "POST", "path": "/oauth2/token", "headers": []}
    raw = json.dumps(PAIR).encode()
    parts = [
        {"type": "http.request", "body": raw[:9], "more_body": True},
        {"type": "http.request", "body": raw[9:]},
    ]
    head, body = await exchanged(sandbox_of(), scope, *parts)
    assert head["status"] == 200
    assert dict(head["headers"])[b"content-length"] == str(len(body["body"])).encode()
    assert json.loads(body["body"])["return_code"] == 0


@pytest.mark.anyio
async def test_other_protocols_are_refused():
    problem = "^scope type: got 'websocket'; expected 'http' or 'lifespan'$"
    with pytest.raises(NotImplementedError, match=problem):
        await exchanged(Sandbox(), {"type": "websocket"})


@pytest.mark.anyio
async def test_disconnect_breaks_off_in_the_middle_of_the_body(sandbox_of):
    caller = await logged_in(sandbox_of(faults=[Fault("disconnect")]))
    with pytest.raises(ConnectionResetError):
        await caller.ask()
    assert (await caller.ask()).json()["return_code"] == 0


@pytest.fixture
def base_url():
    sandbox = Sandbox(faults=[Fault("disconnect", call=2)], requests_per_second=None)
    with on_a_port(sandbox) as base_url:
        yield base_url


def test_on_a_port_it_serves_strangers_and_a_disconnect_tears_the_connection(base_url):
    with httpx.Client(base_url=base_url, trust_env=False) as stranger:
        token = stranger.post("/oauth2/token", json=PAIR).json()["token"]
        headers = {"api-id": "ka90004", "authorization": f"Bearer {token}"}

        def ask():
            return stranger.post(
                "/api/dostk/stkinfo", json=QUERY | {"dt": "20250901"}, headers=headers
            )

        first = ask()
        assert (first.json()["return_code"], first.headers["cont-yn"]) == (0, "Y")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            ask()
        assert ask().json() == first.json()


def test_serving_announces_the_port_once_it_is_ours(monkeypatch):
    served, ready = [], []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, **_: served.append(server.config.app))
    sandbox = Sandbox()
    serve(sandbox, port=0, ready=ready.append)
    assert served == [sandbox]
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", ready[0])


def test_a_port_that_is_taken_is_an_error_and_not_announced():
    ready = []
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(Sandbox(), port=taken.getsockname()[1], ready=ready.append)
    assert ready == []


def test_a_token_lives_no_longer_than_it_says():
    now = datetime(2026, 11, 20, 1, 1, 1, 5, tzinfo=UTC)
    assert Access(None, timedelta(1), lambda: now).issue("k").expires.microsecond == 0


@pytest.mark.anyio
async def test_a_full_last_page_is_the_last(sandbox_of):
    caller = await logged_in(sandbox_of(kospi_stocks=100))
    first = await caller.ask()
    last = await caller.ask(key=first.headers["next-key"])
    assert (len(last.json()[LIST]), last.headers["cont-yn"]) == (50, "N")


def test_without_uvicorn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"pip install 'kiwoom-async\[sandbox\]'"):
        serve(Sandbox())
