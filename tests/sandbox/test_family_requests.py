"""Requests of the family: what is refused, limited, and struck by faults."""

import pytest
from support.bare_client import codes, logged_in
from support.family import BODIES, PATHS, ROWS_KEYS, ask, first_rows

from kiwoom_async.sandbox import Fault
from kiwoom_async.sandbox._codes import CODES

OPTIONAL = {("ka90013", "amt_qty_tp"), ("ka90013", "date")}
FIELDS = [(api_id, name) for api_id, body in BODIES.items() for name in body]


@pytest.mark.anyio
@pytest.mark.parametrize(("api_id", "name"), FIELDS)
@pytest.mark.parametrize("missing", [None, ""])
async def test_a_missing_field_is_refused_unless_it_is_optional(
    make_sandbox, api_id, name, missing
):
    client = await logged_in(make_sandbox())
    reply = await ask(client, api_id, **{name: missing})
    if (api_id, name) in OPTIONAL:
        assert reply.json()["return_code"] == 0
        return
    assert reply.status_code == 200
    assert reply.json() == {
        "return_msg": "입력 값 오류입니다"
        f"[1511:필수 입력 값에 값이 존재하지 않습니다. 필수입력 파라미터={name}]",
        "return_code": 2,
    }


WRONG = [
    *((api_id, name, "x", "1517") for api_id, name in FIELDS if name not in ("mrkt_tp", "stk_cd")),
    *((api_id, name, 1, "1517") for api_id, name in FIELDS if name == "amt_qty_tp"),
    ("ka90010", "date", "2026-11-20", "1517"),
    ("ka90003", "stex_tp", "4", "1517"),
    ("ka90003", "amt_qty_tp", "01", "1517"),
    # The codes of the other TRs, and those of another exchange.
    ("ka90003", "mrkt_tp", "P001_AL01", "1901"),
    ("ka90003", "mrkt_tp", "0", "1901"),
    ("ka90007", "mrkt_tp", "P00101", "1901"),
    ("ka90010", "mrkt_tp", "0", "1901"),
    ("ka90010", "mrkt_tp", "P001_NX01", "1901"),
    ("ka90005", "mrkt_tp", "P101_AL01", "1901"),
    ("ka90013", "stk_cd", "999999", "1902"),
    ("ka90013", "stk_cd", "00593", "1902"),
    ("ka90013", "stk_cd", 5930, "1902"),
    ("ka90008", "stk_cd", "999999_AL", "1902"),
    ("ka90008", "stk_cd", "005930_XX", "1903"),
    ("ka90008", "stk_cd", "005930_al", "1903"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("api_id", "name", "value", "code"), WRONG)
async def test_a_wrong_field_is_refused(make_sandbox, api_id, name, value, code):
    client = await logged_in(make_sandbox())
    reply = await ask(client, api_id, **{name: value})
    assert (reply.status_code, *codes(reply)) == (200, CODES[code][0], code)
    assert reply.headers["api-id"] == api_id
    assert ROWS_KEYS[api_id] not in reply.json()


@pytest.mark.anyio
async def test_fields_that_a_request_does_not_have_change_nothing(make_sandbox):
    client = await logged_in(make_sandbox())
    rows = await first_rows(client, "ka90013")
    assert await first_rows(client, "ka90013", stex_tp="1", mrkt_tp="000") == rows


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
async def test_a_wrong_path_is_refused(make_sandbox, api_id):
    client = await logged_in(make_sandbox())
    other = next(path for path in PATHS.values() if path != PATHS[api_id])
    reply = await ask(client, api_id, path=other)
    assert codes(reply) == (1, "1504")
    assert f"API ID={api_id}, URI={other}" in reply.json()["return_msg"]


@pytest.mark.anyio
async def test_each_api_id_has_its_own_rate_window(make_sandbox):
    client = await logged_in(make_sandbox(requests_per_second=1))
    for api_id in PATHS:
        assert (await ask(client, api_id)).status_code == 200
        refused = await ask(client, api_id)
        assert (refused.status_code, *codes(refused)) == (429, 5, "1700")
        assert f"API ID={api_id}" in refused.json()["return_msg"]


async def spoilt_and_normal(make_sandbox, api_id, kind, **fault):
    sandbox = make_sandbox(faults=[Fault(kind, api_id=api_id, **fault)], history_days=250)
    client = await logged_in(sandbox)
    spoilt = await ask(client, api_id)
    assert sandbox.arrivals[-1].fault == kind
    return spoilt, await ask(client, api_id)


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
@pytest.mark.parametrize("kind", ["null_list", "missing_list", "empty_list", "blank_row"])
async def test_faults_of_rows_strike_the_list_by_its_own_name(make_sandbox, api_id, kind):
    spoilt, normal = await spoilt_and_normal(make_sandbox, api_id, kind)
    rows_key = ROWS_KEYS[api_id]
    rows = normal.json()[rows_key]
    middle = len(rows) // 2
    expected = {
        "null_list": {rows_key: None},
        "missing_list": {},
        "empty_list": {rows_key: []},
        "blank_row": {rows_key: [*rows[:middle], dict.fromkeys(rows[0], ""), *rows[middle:]]},
    }[kind]
    result = {name: normal.json()[name] for name in ("return_code", "return_msg")}
    assert spoilt.json() == expected | result
    assert spoilt.headers["next-key"] == normal.headers["next-key"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("api_id", "field"),
    [
        ("ka90003", "acc_trde_qty"),
        ("ka90005", "dfrt_trde_sell_qty"),
        ("ka90006", "buy_dfrt_trde_qty"),
        ("ka90007", "all_acc"),
        ("ka90008", "trde_qty"),
        ("ka90010", "dfrt_trde_sell_qty"),
        ("ka90013", "trde_qty"),
    ],
)
async def test_an_unreadable_row_has_text_in_a_number(make_sandbox, api_id, field):
    spoilt, normal = await spoilt_and_normal(make_sandbox, api_id, "unreadable_row")
    rows, spoilt_rows = normal.json()[ROWS_KEYS[api_id]], spoilt.json()[ROWS_KEYS[api_id]]
    middle = len(rows) // 2
    assert spoilt_rows[middle] == rows[middle] | {field: "abc"}
    assert spoilt_rows[:middle] + spoilt_rows[middle + 1 :] == rows[:middle] + rows[middle + 1 :]


@pytest.mark.anyio
async def test_the_field_of_an_unreadable_row_can_be_chosen(make_sandbox):
    spoilt, normal = await spoilt_and_normal(
        make_sandbox, "ka90013", "unreadable_row", field="flu_rt"
    )
    rows, spoilt_rows = (reply.json()[ROWS_KEYS["ka90013"]] for reply in (normal, spoilt))
    assert spoilt_rows[10] == rows[10] | {"flu_rt": "abc"}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["blank_row", "unreadable_row"])
async def test_a_fault_of_a_row_leaves_a_page_without_rows_as_it_is(make_sandbox, kind):
    sandbox = make_sandbox(faults=[Fault(kind, api_id="ka90013", times=2, field="flu_rt")])
    client = await logged_in(sandbox)
    assert await first_rows(client, "ka90013", date="19990101") == []
    assert sandbox.arrivals[-1].fault is None
    await ask(client, "ka90013")
    assert sandbox.arrivals[-1].fault == kind


@pytest.mark.anyio
async def test_an_unreadable_row_without_the_chosen_field_is_no_fault(make_sandbox):
    fault = Fault("unreadable_row", api_id="ka90013", field="buy_cntr_qty")
    sandbox = make_sandbox(faults=[fault])
    await ask(await logged_in(sandbox), "ka90013")
    assert sandbox.arrivals[-1].fault is None


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
async def test_unknown_fields_are_added_to_every_row(make_sandbox, api_id):
    spoilt, normal = await spoilt_and_normal(make_sandbox, api_id, "unknown_fields")
    rows_key = ROWS_KEYS[api_id]
    added = {"new_field": "new", "new_number": 1}
    assert spoilt.json()[rows_key] == [row | added for row in normal.json()[rows_key]]
    assert "srv_info" in spoilt.json()


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
@pytest.mark.parametrize("kind", ["repeat_key", "first_key"])
async def test_faults_of_keys_lead_back(make_sandbox, api_id, kind):
    fault = Fault(kind, api_id=api_id, call=2)
    client = await logged_in(make_sandbox(faults=[fault], history_days=250))
    key = (await ask(client, api_id)).headers["next-key"]
    spoilt = await ask(client, api_id, key)
    assert (spoilt.headers["cont-yn"], spoilt.headers["next-key"]) == ("Y", key)


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
async def test_faults_that_replace_an_answer_strike_the_family(make_sandbox, api_id):
    faults = [
        Fault("rate_limit", api_id=api_id),
        Fault("maintenance_html", api_id=api_id, call=2),
        Fault("token_dies", api_id=api_id, call=3),
    ]
    client = await logged_in(make_sandbox(faults=faults))
    assert (await ask(client, api_id)).status_code == 429
    assert "점검" in (await ask(client, api_id)).text
    assert codes(await ask(client, api_id)) == (3, "8005")
    assert codes(await ask(client, api_id)) == (3, "8005")


@pytest.mark.anyio
async def test_arrivals_log_the_family(make_sandbox):
    sandbox = make_sandbox()
    await ask(await logged_in(sandbox), "ka90013")
    arrival = sandbox.arrivals[-1]
    assert (arrival.api_id, arrival.body, arrival.status) == ("ka90013", BODIES["ka90013"], 200)


@pytest.mark.parametrize("history_days", [0, -1])
def test_a_history_without_days_is_refused(make_sandbox, history_days):
    with pytest.raises(ValueError, match=rf"^history_days: got {history_days}; expected 1 or more"):
        make_sandbox(history_days=history_days)
