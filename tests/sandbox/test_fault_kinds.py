"""Faults: the calls that they strike, and what they do to an answer."""

import json
import math
import re

import pytest
from support.bare_client import CREDENTIALS, ROWS_KEY, BareClient, codes, inner_code, logged_in

from kiwoom_async.sandbox import Fault
from kiwoom_async.sandbox._codes import CODES
from kiwoom_async.sandbox._faults import KINDS
from kiwoom_async.sandbox._market import BLANK_ROW


async def spoiled_and_normal_reply(make_sandbox, *, page=1, **fault):
    """Return the reply that the fault spoils, the normal reply to the same request, and the keys.

    The fault strikes a request for this page; `keys` are those of pages 1 (None), 2 and 3.
    """
    sandbox = make_sandbox(faults=[Fault(**{"call": 3} | fault)])
    client = await logged_in(sandbox)
    keys = [None, (await client.request_page()).headers["next-key"]]
    keys.append((await client.request_page(key=keys[1])).headers["next-key"])
    spoiled = await client.request_page(key=keys[page - 1])
    assert sandbox.arrivals[-1].fault == fault["kind"]
    assert sandbox.arrivals[-1].status == spoiled.status_code
    sandbox.expire_tokens()
    await client.log_in()
    normal = await client.request_page(key=keys[page - 1])
    return spoiled, normal, keys


def assert_429(spoiled, _):
    assert (spoiled.status_code, *codes(spoiled)) == (429, 5, "1700")
    assert "유량=5, API ID=ka90004" in spoiled.json()["return_msg"]
    assert spoiled.headers["retry-after"] == "2.5"


def assert_200_with_1700(spoiled, _):
    assert (spoiled.status_code, *codes(spoiled)) == (200, 5, "1700")


def assert_500(spoiled, _):
    assert (spoiled.status_code, spoiled.headers["content-type"]) == (500, "text/plain")


def html_assertion(status, text):
    def assert_html(spoiled, _):
        assert spoiled.status_code == status
        assert spoiled.headers["content-type"].startswith("text/html")
        assert text in spoiled.text

    return assert_html


def assert_8005(spoiled, _):
    assert (spoiled.status_code, *codes(spoiled)) == (200, 3, "8005")


def assert_1634(spoiled, _):
    assert spoiled.json() == {
        "return_code": 5,
        "return_msg": "허용된 요청 개수를 초과하였습니다[1634]",
    }


def assert_redirect(spoiled, _):
    assert spoiled.status_code == 307
    assert spoiled.headers["location"] == "https://elsewhere.invalid/api/dostk/stkinfo"


def assert_truncated(spoiled, normal):
    assert normal.content.startswith(spoiled.content)
    with pytest.raises(json.JSONDecodeError):
        json.loads(spoiled.content.decode(errors="ignore"))


def assert_not_utf8(spoiled, _):
    with pytest.raises(UnicodeDecodeError):
        spoiled.content.decode()


def assert_empty(spoiled, _):
    assert (spoiled.status_code, spoiled.content) == (200, b"")


def assert_null_list(spoiled, normal):
    assert spoiled.json() == normal.json() | {ROWS_KEY: None}


def assert_missing_list(spoiled, normal):
    assert spoiled.json() | {ROWS_KEY: normal.json()[ROWS_KEY]} == normal.json()
    assert ROWS_KEY not in spoiled.json()


def assert_empty_list(spoiled, normal):
    assert spoiled.json() == normal.json() | {ROWS_KEY: []}


def assert_blank_row(spoiled, normal):
    rows = spoiled.json()[ROWS_KEY]
    assert rows[25] == BLANK_ROW
    assert rows[:25] + rows[26:] == normal.json()[ROWS_KEY]


def assert_unreadable_row(spoiled, normal):
    pairs = zip(spoiled.json()[ROWS_KEY], normal.json()[ROWS_KEY], strict=True)
    ((spoiled_row, normal_row),) = [pair for pair in pairs if pair[0] != pair[1]]
    assert spoiled_row == normal_row | {"buy_cntr_qty": "abc"}


def assert_unknown_fields(spoiled, normal):
    assert spoiled.json().keys() > normal.json().keys()
    pairs = zip(spoiled.json()[ROWS_KEY], normal.json()[ROWS_KEY], strict=True)
    for spoiled_row, normal_row in pairs:
        assert spoiled_row.keys() > normal_row.keys()
        assert spoiled_row | normal_row == spoiled_row


def assert_text_return_code(spoiled, normal):
    assert spoiled.json() == normal.json() | {"return_code": "0"}


def assert_normal(spoiled, normal):
    assert spoiled.json() == normal.json()
    assert spoiled.headers["next-key"] == normal.headers["next-key"]


FAULTS = [
    ({"kind": "rate_limit", "seconds": 2.5}, assert_429),
    ({"kind": "rate_limit_200"}, assert_200_with_1700),
    ({"kind": "server_error"}, assert_500),
    ({"kind": "unavailable_html"}, html_assertion(503, "Service Unavailable")),
    ({"kind": "maintenance_html"}, html_assertion(200, "점검")),
    ({"kind": "firewall"}, html_assertion(400, "Request Blocked")),
    ({"kind": "token_dies"}, assert_8005),
    ({"kind": "code", "code": "1634"}, assert_1634),
    ({"kind": "redirect"}, assert_redirect),
    ({"kind": "truncated_json"}, assert_truncated),
    ({"kind": "broken_utf8"}, assert_not_utf8),
    ({"kind": "empty_body"}, assert_empty),
    ({"kind": "null_list"}, assert_null_list),
    ({"kind": "missing_list"}, assert_missing_list),
    ({"kind": "empty_list"}, assert_empty_list),
    ({"kind": "blank_row"}, assert_blank_row),
    ({"kind": "unreadable_row"}, assert_unreadable_row),
    ({"kind": "unknown_fields"}, assert_unknown_fields),
    ({"kind": "text_return_code"}, assert_text_return_code),
    ({"kind": "slow", "seconds": 3.0}, assert_normal),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "assert_spoiled"), FAULTS, ids=[fault["kind"] for fault, _ in FAULTS]
)
async def test_each_kind_of_fault_does_what_its_name_says(make_sandbox, fault, assert_spoiled):
    spoiled, normal, _ = await spoiled_and_normal_reply(make_sandbox, **fault)
    assert_spoiled(spoiled, normal)


def test_every_kind_of_fault_is_tested():
    tested_separately = {"empty_key", "repeat_key", "first_key", "disconnect"}
    assert {fault["kind"] for fault, _ in FAULTS} | tested_separately == set(KINDS)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "page", "expected_key"),
    [
        ("empty_key", 1, lambda _: ""),
        ("empty_key", 3, lambda _: ""),
        ("repeat_key", 2, lambda keys: keys[1]),
        ("repeat_key", 3, lambda keys: keys[2]),
        ("first_key", 2, lambda keys: keys[1]),
        ("first_key", 3, lambda keys: keys[1]),
    ],
)
async def test_a_fault_can_send_an_empty_or_an_earlier_key(make_sandbox, kind, page, expected_key):
    spoiled, normal, keys = await spoiled_and_normal_reply(make_sandbox, kind=kind, page=page)
    assert spoiled.headers["cont-yn"] == "Y"
    assert spoiled.headers["next-key"] == expected_key(keys)
    assert spoiled.json() == normal.json()


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["repeat_key", "first_key"])
async def test_a_first_page_has_no_earlier_key_to_repeat(make_sandbox, kind):
    sandbox = make_sandbox(faults=[Fault(kind)])
    client = await logged_in(sandbox)
    first, again = await client.request_page(), await client.request_page()
    assert first.headers["next-key"] == again.headers["next-key"] != ""
    assert sandbox.arrivals[1].fault is None


@pytest.mark.anyio
@pytest.mark.parametrize("code", CODES)
async def test_every_published_code_can_be_sent(make_sandbox, code):
    client = await logged_in(make_sandbox(faults=[Fault("code", code=code)]))
    reply = await client.request_page()
    assert (reply.status_code, *codes(reply)) == (200, CODES[code][0], code)
    assert not set("{}") & set(reply.json()["return_msg"])


@pytest.mark.anyio
async def test_the_fault_token_dies_ends_the_token_for_good(make_sandbox):
    sandbox = make_sandbox(faults=[Fault("token_dies")])
    client = await logged_in(sandbox)
    assert [inner_code(await client.request_page()) for _ in range(2)] == ["8005", "8005"]
    await client.log_in()
    assert (await client.request_page()).json()["return_code"] == 0


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
async def test_a_fault_strikes_the_calls_it_is_set_for(make_sandbox, fault, statuses):
    client = await logged_in(make_sandbox(faults=[fault]))
    assert [(await client.request_page()).status_code for _ in statuses] == statuses


@pytest.mark.anyio
async def test_faults_strike_token_calls_too(make_sandbox):
    faults = [
        Fault("maintenance_html", api_id="au10001"),
        Fault("rate_limit", api_id="au10001", call=2),
        Fault("unknown_fields", api_id="au10001", call=3),
    ]
    sandbox = make_sandbox(faults=faults)
    client = BareClient(sandbox)
    replies = [await client.http.post("/oauth2/token", json=CREDENTIALS) for _ in faults]
    assert "점검" in replies[0].text
    assert "API ID=au10001" in replies[1].text
    assert {"token", "tot_7"} <= replies[2].json().keys()
    assert [arrival.fault for arrival in sandbox.arrivals] == [fault.kind for fault in faults]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["null_list", "missing_list", "blank_row", "empty_key"])
async def test_a_fault_of_pages_does_not_change_a_token_answer(make_sandbox, kind):
    sandbox = make_sandbox(faults=[Fault(kind, api_id="au10001")])
    client = BareClient(sandbox)
    assert (await client.log_in()).json() == (await client.log_in()).json()
    assert sandbox.arrivals[0].fault is None


@pytest.mark.anyio
async def test_slow_adds_its_seconds_to_the_latency(make_sandbox, clock):
    sandbox = make_sandbox(faults=[Fault("slow", seconds=30)], latency_seconds=0.5)
    client = await logged_in(sandbox)
    await client.request_page()
    assert clock.sleeps == [0.5, 30.5]


ALL_CODES = ", ".join(CODES)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"kind": "nonsense"}, f"kind: got 'nonsense'; expected one of {', '.join(KINDS)}"),
        ({"kind": "code"}, f"code: got ''; expected one of {ALL_CODES}"),
        ({"kind": "code", "code": "9999"}, f"code: got '9999'; expected one of {ALL_CODES}"),
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
