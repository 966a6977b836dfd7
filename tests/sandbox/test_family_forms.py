"""The family's answers look like the recorded ones: keys, order, and the form of every value."""

import json
import re

import pytest
from support.bare_client import logged_in
from support.family import BODIES, PATHS, ROWS_KEYS, ask, walk
from support.recorded import WIRE

NUMBER = re.compile(r"([+-]{0,2})(\d+)((?:\.\d+)?)")
# Signs that the specification names and no recording has.
NOT_RECORDED = {
    ("ka90003", "cur_prc"): {""},
    ("ka90007", "basis"): {"-"},
    ("ka90008", "cur_prc"): {""},
    ("ka90013", "cur_prc"): {""},
}
TEXTS = {"stk_cd", "stk_nm", "stex_tp"}
TIMES = {"dt": r"\d{8}", "tm": r"\d{6}", "cntr_tm": r"\d{6}|\d{14}"}
VARIANTS = [
    *((api_id, {}) for api_id in PATHS),
    ("ka90003", {"trde_upper_tp": "1", "amt_qty_tp": "2", "mrkt_tp": "P10102", "stex_tp": "2"}),
    ("ka90005", {"mrkt_tp": "P101_NX02", "stex_tp": "2", "min_tic_tp": "0"}),
    ("ka90006", {"stex_tp": "2"}),
    ("ka90007", {"mrkt_tp": "1", "stex_tp": "1"}),
    ("ka90008", {"stk_cd": "247540_NX"}),
    ("ka90010", {"mrkt_tp": "P10102", "stex_tp": "1"}),
    ("ka90013", {"stk_cd": "005935"}),
]


def recorded_rows(api_id):
    """Return every recorded row, those with all keys first."""
    bodies = [json.loads(path.read_text("utf-8")) for path in WIRE.glob(f"{api_id}_*.json")]
    rows = [row for body in bodies for row in body[ROWS_KEYS[api_id]]]
    return sorted(rows, key=len, reverse=True)


def form(api_id, name):
    """Return a pattern of the values that were recorded of a field."""
    values = [row[name] for row in recorded_rows(api_id) if name in row]
    matches = [match for value in values if (match := NUMBER.fullmatch(value))]
    if not matches:
        return re.compile("")
    (decimals,) = {len(match[3]) for match in matches}
    fraction = rf"\.\d{{{decimals - 1}}}" if decimals else ""
    signs = {match[1] for match in matches if int(match[2]) or match[1]}
    signs |= NOT_RECORDED.get((api_id, name), set())
    if "--" in signs:
        signs |= {"+"}
    zero = "0" + (fraction and r"\.00")
    alternatives = [*(rf"{re.escape(sign)}(?!{zero}$)\d+{fraction}" for sign in signs), zero]
    alternatives += [r"[+-]0"] if {"+0", "-0"} & {*values} else []
    alternatives += [""] if "" in values else []
    return re.compile("|".join(alternatives))


@pytest.mark.anyio
@pytest.mark.parametrize(("api_id", "changes"), VARIANTS)
async def test_rows_have_the_recorded_keys_in_order_and_values_of_the_recorded_form(
    make_sandbox, api_id, changes
):
    client = await logged_in(make_sandbox(history_days=150))
    keys = list(recorded_rows(api_id)[0])
    forms = {name: form(api_id, name) for name in keys if name not in TEXTS}
    forms |= {name: re.compile(TIMES[name]) for name in keys if name in TIMES}
    pages = await walk(client, api_id, **changes)
    for row in (row for page in pages for row in page):
        assert list(row) == keys
        for name, pattern in forms.items():
            assert pattern.fullmatch(row[name]), (name, row[name], pattern)


@pytest.mark.parametrize(
    ("api_id", "name", "accepted", "refused"),
    [
        ("ka90013", "prm_netprps_amt", ["--5", "+5", "0"], ["-5", "5", "+0", "5.00", ""]),
        ("ka90010", "dfrt_trde_netprps_qty", ["-5", "+5", "0", "+0", "-0"], ["--5", "5"]),
        ("ka90010", "all_netprps", ["-5", "5"], ["+5", "--5"]),
        ("ka90010", "kospi200", ["+1037.95"], ["1037.95", "-1037.95", "+103795"]),
        ("ka90005", "kospi200", ["+103795", "0"], ["+1037.95", "103795"]),
        ("ka90005", "basis", ["5.20", ""], ["+5.20", "520"]),
        ("ka90008", "remn_rcvord_sum", [""], ["0"]),
        ("ka90006", "buy_dfrt_trde_irds_amt", ["-5", "5"], ["+5", "--5"]),
    ],
)
def test_the_forms_taken_from_recordings_tell_right_from_wrong(api_id, name, accepted, refused):
    pattern = form(api_id, name)
    assert all(pattern.fullmatch(value) for value in accepted)
    assert not any(pattern.fullmatch(value) for value in refused)


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
async def test_an_answer_holds_its_list_and_the_result_only(make_sandbox, api_id):
    client = await logged_in(make_sandbox())
    reply = await ask(client, api_id)
    assert list(reply.json()) == [ROWS_KEYS[api_id], "return_code", "return_msg"]
    assert reply.json()["return_code"] == 0
    assert reply.json()["return_msg"] == "정상적으로 처리되었습니다"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("api_id", "page_size", "row_count"),
    [
        ("ka90005", 100, 652),
        ("ka90006", 100, 250),
        ("ka90007", 100, 125),
        ("ka90008", 200, 6092),
        ("ka90010", 100, 250),
        ("ka90013", 20, 250),
    ],
)
async def test_a_walk_has_full_pages_and_each_time_once_newest_first(
    make_sandbox, api_id, page_size, row_count
):
    client = await logged_in(make_sandbox(history_days=250))
    pages = await walk(client, api_id)
    assert {len(page) for page in pages[:-1]} == {page_size}
    assert len(pages[-1]) <= page_size
    (name,) = TIMES.keys() & pages[0][0].keys()
    times = [row[name] for page in pages for row in page]
    assert times == sorted(set(times), reverse=True)
    assert len(times) == row_count


@pytest.mark.anyio
async def test_the_ranking_has_15_rows_a_page_and_goes_on_past_rank_50(make_sandbox):
    client = await logged_in(make_sandbox(kospi_stocks=400))
    pages = await walk(client, "ka90003")
    assert {len(page) for page in pages[:-1]} == {15}
    ranks = [row["rank"] for page in pages for row in page]
    assert ranks == [str(rank) for rank in range(1, len(ranks) + 1)]
    assert len(ranks) > 50


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", PATHS)
async def test_a_key_is_valid_for_its_request_only(make_sandbox, api_id):
    client = await logged_in(make_sandbox(history_days=250))
    key = (await ask(client, api_id)).headers["next-key"]
    assert 0 < len(key) <= 50
    assert (await ask(client, api_id, key)).json()["return_code"] == 0
    name = next(iter(BODIES[api_id]))
    other = {"date": "20261118", "trde_upper_tp": "1", "amt_qty_tp": "2"}[name]
    reply = await ask(client, api_id, key, **{name: other})
    assert "1517" in reply.json()["return_msg"]
