"""Recorded answers: cut into pages, matched with requests, struck by faults; on a port, too."""

import json
import re

import httpx
import pytest
from support.bare_client import CREDENTIALS, codes, logged_in
from support.family import ask
from support.recorded import WIRE
from support.servers import on_a_port

from kiwoom_async.sandbox import Fault, Recorded, Sandbox

CHART = "/api/dostk/chart"
LIST = "stk_dt_pole_chart_qry"
CANDLES = [{"dt": f"202611{day:02d}", "cur_prc": f"+{day}", "trde_qty": "7"} for day in range(1, 8)]
ANSWER = {"stk_cd": "005930", LIST: CANDLES, "return_code": 0, "return_msg": "recorded"}


async def ask_chart(client, key="", api_id="ka10081", **body):
    return await ask(client, api_id, key, path=CHART, **body)


@pytest.mark.anyio
async def test_the_list_is_cut_into_pages_and_the_rest_is_on_each(make_sandbox):
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", ANSWER, page_size=3)]))
    first = await ask_chart(client, stk_cd="005930")
    assert list(first.json()) == list(ANSWER)
    pages, keys = [first.json()], [first.headers["next-key"]]
    while keys[-1]:
        reply = await ask_chart(client, keys[-1], stk_cd="005930")
        pages.append(reply.json())
        keys.append(reply.headers["next-key"])
        assert reply.headers["cont-yn"] == ("Y" if keys[-1] else "N")
        assert reply.headers["api-id"] == "ka10081"
    assert [page[LIST] for page in pages] == [CANDLES[:3], CANDLES[3:6], CANDLES[6:]]
    assert {page["return_msg"] for page in pages} == {"recorded"}
    assert {page["stk_cd"] for page in pages} == {"005930"}
    other = await ask_chart(client, keys[0], stk_cd="000660")
    assert codes(other) == (2, "1517")


@pytest.mark.anyio
async def test_an_answer_without_a_list_is_sent_whole(make_sandbox):
    path = WIRE / "ka10001_official_20260701_005930.json"
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10001", path)]))
    reply = await ask(client, "ka10001", path="/api/dostk/stkinfo", stk_cd="005930")
    assert reply.json() == json.loads(path.read_text("utf-8"))
    assert (reply.headers["cont-yn"], reply.headers["next-key"]) == ("N", "")


@pytest.mark.anyio
async def test_an_answer_without_a_result_gets_success(make_sandbox):
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", {LIST: CANDLES})]))
    assert (await ask_chart(client)).json() == {
        LIST: CANDLES,
        "return_code": 0,
        "return_msg": "정상적으로 처리되었습니다",
    }


@pytest.mark.anyio
async def test_a_recorded_refusal_is_sent_as_it_is(make_sandbox):
    body = {"return_code": 7, "return_msg": "서비스 오류[1903:종목 정보가 없습니다]"}
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", body)]))
    assert (await ask_chart(client)).json() == body


@pytest.mark.anyio
async def test_an_empty_list_is_one_empty_page(make_sandbox):
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", {LIST: []})]))
    reply = await ask_chart(client)
    assert (reply.json()[LIST], reply.headers["cont-yn"]) == ([], "N")


@pytest.mark.anyio
async def test_the_first_recording_that_matches_answers(make_sandbox):
    recorded = [
        Recorded("ka10081", {LIST: CANDLES[:1]}, match={"stk_cd": "005930", "upd_stkpc_tp": "1"}),
        Recorded("ka10081", {LIST: CANDLES[1:2]}, match={"stk_cd": "005930"}),
        Recorded("ka10082", {LIST: CANDLES[3:4]}),
    ]
    client = await logged_in(make_sandbox(recorded=recorded))
    adjusted = await ask_chart(client, stk_cd="005930", upd_stkpc_tp="1", base_dt="20261120")
    assert adjusted.json()[LIST] == CANDLES[:1]
    assert (await ask_chart(client, stk_cd="005930")).json()[LIST] == CANDLES[1:2]
    assert (await ask_chart(client, api_id="ka10082")).json()[LIST] == CANDLES[3:4]
    refused = await ask_chart(client, stk_cd="000660")
    assert codes(refused) == (2, "1517")
    assert "파라미터=stk_cd, upd_stkpc_tp" in refused.json()["return_msg"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "asked", "code"),
    [
        (None, CHART, ""),
        (None, "/api/dostk/stkinfo", ""),
        (CHART, CHART, ""),
        (CHART, "/api/dostk/stkinfo", "1504"),
    ],
)
async def test_a_path_is_checked_if_one_is_given(make_sandbox, path, asked, code):
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", ANSWER, path=path)]))
    reply = await ask(client, "ka10081", path=asked)
    assert codes(reply)[1] == code


@pytest.mark.anyio
async def test_a_request_that_is_not_recorded_is_unknown(make_sandbox):
    client = await logged_in(make_sandbox(recorded=[Recorded("ka10081", ANSWER)]))
    assert codes(await ask_chart(client, api_id="ka10082")) == (1, "1505")


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", ["ka90004", "ka90013"])
async def test_a_recording_takes_the_place_of_a_simulated_request(make_sandbox, api_id):
    client = await logged_in(make_sandbox(recorded=[Recorded(api_id, {"rows": [{"a": "1"}]})]))
    reply = await ask(client, api_id, path="/api/dostk/stkinfo")
    assert reply.json()["rows"] == [{"a": "1"}]


@pytest.mark.anyio
async def test_recorded_requests_need_a_token_and_keep_the_rate(make_sandbox):
    sandbox = make_sandbox(recorded=[Recorded("ka10081", ANSWER)], requests_per_second=1)
    client = await logged_in(sandbox)
    assert (await ask_chart(client)).status_code == 200
    limited = await ask_chart(client)
    assert limited.status_code == 429
    assert "API ID=ka10081" in limited.json()["return_msg"]
    sandbox.expire_tokens()
    assert codes(await ask_chart(client)) == (3, "8005")
    assert [arrival.api_id for arrival in sandbox.arrivals] == ["au10001", *["ka10081"] * 3]


ROW_FAULTS = {
    "null_list": None,
    "empty_list": [],
    "blank_row": [CANDLES[0], dict.fromkeys(CANDLES[0], ""), *CANDLES[1:3]],
    "unreadable_row": [CANDLES[0], CANDLES[1] | {"trde_qty": "abc"}, CANDLES[2]],
    "unknown_fields": [row | {"new_field": "new", "new_number": 1} for row in CANDLES[:3]],
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ROW_FAULTS)
async def test_faults_of_rows_strike_recorded_lists(make_sandbox, kind):
    recorded = [Recorded("ka10081", ANSWER, page_size=3)]
    sandbox = make_sandbox(recorded=recorded, faults=[Fault(kind, api_id="ka10081")])
    spoilt = await ask_chart(await logged_in(sandbox))
    assert spoilt.json()[LIST] == ROW_FAULTS[kind]
    assert sandbox.arrivals[-1].fault == kind
    assert ANSWER[LIST] == CANDLES


@pytest.mark.anyio
async def test_faults_of_keys_and_of_answers_strike_recorded_requests(make_sandbox):
    kinds = ["missing_list", "empty_key", "server_error", "truncated_json", "token_dies"]
    faults = [Fault(kind, api_id="ka10081", call=call) for call, kind in enumerate(kinds, 1)]
    sandbox = make_sandbox(recorded=[Recorded("ka10081", ANSWER, page_size=3)], faults=faults)
    client = await logged_in(sandbox)
    missing, empty, error, truncated, dead = [await ask_chart(client) for _ in kinds]
    assert LIST not in missing.json()
    assert (empty.headers["cont-yn"], empty.headers["next-key"]) == ("Y", "")
    assert error.status_code == 500
    with pytest.raises(json.JSONDecodeError):
        truncated.json()
    assert codes(dead) == (3, "8005")
    assert [arrival.fault for arrival in sandbox.arrivals][1:] == kinds


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["null_list", "missing_list", "blank_row", "unreadable_row"])
async def test_faults_of_rows_leave_an_answer_without_a_list_as_it_is(make_sandbox, kind):
    recorded = [Recorded("ka10001", {"cur_prc": "+5", "trde_qty": "1"})]
    sandbox = make_sandbox(recorded=recorded, faults=[Fault(kind, api_id="ka10001")])
    reply = await ask_chart(await logged_in(sandbox), api_id="ka10001")
    assert reply.json()["trde_qty"] == "1"
    assert sandbox.arrivals[-1].fault is None


def test_one_of_several_lists_is_chosen_by_name():
    two_lists = {"first": [{"a": "1"}], "second": [{"b": "2"}]}
    with pytest.raises(ValueError, match="got the lists first, second; expected one, or rows_key="):
        Recorded("ka10081", two_lists)
    assert Recorded("ka10081", two_lists, rows_key="second").rows_key == "second"
    assert Recorded("ka10081", two_lists, rows_key=None).rows_key is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"rows_key": "candles"}, "rows_key: got 'candles'; expected the name of a list"),
        ({"rows_key": "stk_cd"}, f"which has stk_cd, {LIST}, return_code, return_msg"),
        ({"body": {"rows": ["text"]}}, "rows_key: got 'rows'; expected the name of a list of obj"),
        ({"body": {"rows": [{}]}}, "rows_key: got 'rows'; expected the name of a list of objects"),
        ({"page_size": 0}, "page_size"),
        ({"api_id": ""}, "api_id"),
    ],
)
def test_a_recording_that_cannot_be_served_is_refused(arguments, problem):
    arguments = {"api_id": "ka10081", "body": ANSWER} | arguments
    with pytest.raises(ValueError, match=re.escape(problem)):
        Recorded(**arguments)


def test_a_file_must_hold_a_json_object(tmp_path):
    file = tmp_path / "rows.json"
    file.write_text("[1]", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"body: got a JSON list in .*rows.json; expected a JSON o"
    ):
        Recorded("ka10081", str(file))
    file.write_text("<html>", encoding="utf-8")
    with pytest.raises(ValueError, match=r"body: .*rows.json is no JSON: Expecting value"):
        Recorded("ka10081", file)
    with pytest.raises(FileNotFoundError):
        Recorded("ka10081", tmp_path / "missing.json")


def test_other_things_than_recordings_are_refused():
    with pytest.raises(ValueError, match=r"^recorded: got dict; expected Recorded\(...\)$"):
        Sandbox(recorded=[ANSWER])


def test_the_answer_is_not_in_the_repr():
    assert "005930" not in repr(Recorded("ka10081", ANSWER))


def test_on_a_port_recorded_requests_and_the_family_are_served_and_struck():
    sandbox = Sandbox(
        recorded=[Recorded("ka10081", ANSWER, page_size=4)],
        faults=[Fault("blank_row", api_id="ka10081", call=2)],
    )
    with (
        on_a_port(sandbox) as base_url,
        httpx.Client(base_url=base_url, trust_env=False) as client,
    ):
        token = client.post("/oauth2/token", json=CREDENTIALS).json()["token"]
        client.headers = {"authorization": f"Bearer {token}"}
        first = client.post(CHART, json={"stk_cd": "005930"}, headers={"api-id": "ka10081"})
        key = {"cont-yn": "Y", "next-key": first.headers["next-key"]}
        second = client.post(CHART, json={"stk_cd": "005930"}, headers={"api-id": "ka10081"} | key)
        assert first.json()[LIST] == CANDLES[:4]
        blank = dict.fromkeys(CANDLES[0], "")
        assert second.json()[LIST] == [CANDLES[4], blank, *CANDLES[5:]]
        assert second.headers["cont-yn"] == "N"
        daily = client.post(
            "/api/dostk/mrkcond", json={"stk_cd": "005930"}, headers={"api-id": "ka90013"}
        )
        assert len(daily.json()["stk_daly_prm_trde_trnsn"]) == 20
