"""Properties of decoding: rows split into pages come back, and any bytes are a page or an error."""

import json
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.decoding import decode_page
from support.exchange import QUERY

from kiwoom_async import KiwoomError
from kiwoom_async._protocol.credentials import decode_token
from kiwoom_async._protocol.messages import Request, Response, Token
from kiwoom_async._protocol.pages import first_cursor

# Each example has a deadline of 0.2 s.
pytestmark = pytest.mark.alone

FIELDS = ["stk_cd", "stk_nm", "cur_prc", "flu_sig", "pred_pre", "buy_cntr_qty", "buy_cntr_amt",
          "sel_cntr_qty", "sel_cntr_amt", "netprps_prica", "all_trde_rt"]  # fmt: skip

amounts = st.integers(0, 10**15).map(str)
signed_numbers = st.integers(-(10**15), 10**15).map(lambda number: f"{number:+}")
rows = st.fixed_dictionaries(
    {
        "stk_cd": st.text(string.ascii_uppercase + string.digits, min_size=6, max_size=6),
        "stk_nm": st.text(max_size=40),
        "cur_prc": signed_numbers | st.just(""),
        "flu_sig": st.sampled_from(["1", "2", "3", "4", "5", "0", ""]),
        "pred_pre": signed_numbers,
        "buy_cntr_qty": amounts,
        "buy_cntr_amt": amounts,
        "sel_cntr_qty": amounts,
        "sel_cntr_amt": amounts,
        "netprps_prica": signed_numbers,
        "all_trde_rt": st.decimals(0, 100, places=2).map(lambda share: f"+{share}"),
    }
)
headers = st.fixed_dictionaries(
    {}, optional={"cont-yn": st.text(max_size=3), "next-key": st.text()}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


def response(body, sent=None, status=200):
    return Response(
        Request("ka90004", "/", {}, b"", ()), status, {"api-id": "ka90004"} | (sent or {}), body
    )


@given(st.lists(rows, max_size=20), st.data())
def test_rows_split_into_pages_anywhere_come_back_unchanged(sent, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    # Three empty pages in a row are an error of their own.
    assume(
        not any(
            one == two == three for one, two, three in zip(cuts, cuts[1:], cuts[2:], strict=False)
        )
    )
    assume(cuts[:2] != [0, 0])
    chunks = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    cursor, received = first_cursor(QUERY), []
    for number, chunk in enumerate(chunks, 1):
        last = number == len(chunks)
        walking = {"cont-yn": "N"} if last else {"cont-yn": "Y", "next-key": f"K{number}"}
        body = json.dumps({"stk_prm_trde_prst": chunk, "return_code": 0}).encode()
        page = decode_page(response(body, walking), QUERY, cursor)
        received += page.rows
        assert (page.next is None) == last
        cursor = page.next or cursor
    assert [row.symbol for row in received] == [row["stk_cd"] for row in sent]
    assert [row.stock_name for row in received] == [row["stk_nm"] for row in sent]
    assert [row.buy_amount for row in received] == [int(row["buy_cntr_amt"]) for row in sent]
    assert [row.net_buy_amount for row in received] == [int(row["netprps_prica"]) for row in sent]
    assert [f"+{row.turnover_share}" for row in received] == [row["all_trde_rt"] for row in sent]


def check_page_or_error(body, sent, status):
    """Decode a page; allow only errors of the library, and rows only with status 200."""
    try:
        page = decode_page(response(body, sent, status), QUERY, first_cursor(QUERY))
    except KiwoomError as error:
        str(error)
        return
    assert status == 200
    assert all(row.symbol.strip() for row in page.rows)


@settings(max_examples=300)
@given(st.binary(), headers, st.sampled_from([200, 204, 307, 400, 429, 500]))
def test_any_bytes_are_a_page_or_an_error_of_the_tree(body, sent, status):
    check_page_or_error(body, sent, status)


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(["stk_prm_trde_prst", "return_code", "return_msg", "tot_1"]), json_values
    ),
    st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values) | json_values, max_size=3),
    headers,
)
def test_any_json_is_a_page_or_an_error_of_the_tree(body, raw_rows, sent):
    check_page_or_error(json.dumps(body).encode(), sent, 200)
    check_page_or_error(
        json.dumps(body | {"stk_prm_trde_prst": raw_rows, "return_code": 0}).encode(), sent, 200
    )


@given(
    st.dictionaries(
        st.sampled_from(["token", "expires_dt", "return_code", "return_msg"]), json_values
    )
)
def test_any_json_is_a_token_or_an_error_of_the_tree(body):
    try:
        token = decode_token(response(json.dumps(body).encode()))
    except KiwoomError:
        return
    assert isinstance(token, Token)
