"""Pages decoded by both engines: the same rows, and the same errors."""

import json
import re

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.recorded import recorded

from kiwoom_async import (
    Exchange,
    KiwoomError,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
    Query,
    wire,
)
from kiwoom_async._protocol import pages
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async.speed import FastEngine

QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)

RECORDED = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"]
FIELDS = list(RECORDED[0])

# Every character of the numbers that are sent, and more that int() or Decimal() would accept.
number_like_text = st.text("0159+-._ \t\n\x1c\u00a0٣０eNa", max_size=24)

rows = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([row[name] for row in RECORDED]) | number_like_text for name in FIELDS
    },
)

PAGE = (
    '{"tot_1": "1", "tot_6": "", "stk_prm_trde_prst": '
    + json.dumps(RECORDED, ensure_ascii=False)
    + ', "return_code": 0, "return_msg": "정상적으로 처리되었습니다"}'
).encode()
CURSOR = first_cursor(QUERY)
CUTS = [match.start() for match in re.finditer(rb'[":,{}\[\]0-9]', PAGE)]
DAMAGE = [
    b'"', b":", b",", b'"tot_1": "2", ', b'"x": ":", ', b'"stk_nm": "a", ', b"null, ", b"0", b".0",
    b"+", b"-", b"e1", b"_", b" ", b"\\", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"{}, ", b"[], ",
    b'"return_code": 1, ', b"\xef\xbb\xbf",
]  # fmt: skip


def decode_with_both_engines(body, status=200):
    """Return the page or the error of each engine, as text."""
    answer = Response(Request("ka90004", "/", {}, b"", ()), status, {"api-id": "ka90004"}, body)
    outcomes = []
    for decode_page in (FastEngine().decode_page, pages.decode_page):
        try:
            outcomes.append(repr(attrs.astuple(decode_page(answer, QUERY, CURSOR))))
        except KiwoomError as error:
            outcomes.append(f"{type(error)}: {error}")
    return outcomes


@settings(max_examples=1_000)
@given(
    st.lists(st.tuples(st.sampled_from(CUTS), st.sampled_from(DAMAGE)), max_size=2),
    st.sampled_from(["{", '", "', '"0"', ": 0", "stk_cd", "return_msg", "tot_1", "005930_AL"]),
    st.sampled_from(["{", '", "x": "', '""', ": 0.0", ": true", "x", "tot_2", " ", "null"]),
    st.sampled_from([200, 429, 500]),
)
@example([], "{", "{", 200)
@example([], '"1"', "null", 200)
@example([(CUTS[1], b'"deep": ' + b"[" * 100_000)], "{", "{", 200)
@example([], '"return_code": 0', '"return_code": 5', 200)
def test_a_page_is_the_same_in_both_engines(damage, old, new, status):
    body = PAGE
    for place, what in sorted(damage, reverse=True):
        body = body[:place] + what + body[place:]
    fast, default = decode_with_both_engines(body.replace(old.encode(), new.encode(), 1), status)
    assert fast == default


def test_a_page_of_too_many_rows_is_refused_by_both_engines():
    rows = json.dumps(RECORDED[:1] * 5_001, ensure_ascii=False)
    body = f'{{"stk_prm_trde_prst": {rows}, "return_code": 0}}'.encode()
    fast, default = decode_with_both_engines(body)
    assert "5,001 rows on one page" in fast
    assert fast == default


@pytest.mark.parametrize("eq", [True, False])
def test_pages_do_not_share_totals_that_can_change(eq):
    @attrs.define(eq=eq)
    class Totals:
        first: str = attrs.field(default="", metadata=wire("tot_1"))

    @attrs.frozen
    class WithTotals(Query[ProgramTrade, Totals]):
        api_id = "ka90004"
        path = "/api/dostk/stkinfo"
        rows_key = "stk_prm_trde_prst"
        date = market = exchange = None

    answer = Response(
        Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"},
        json.dumps({"tot_1": "1", "stk_prm_trde_prst": RECORDED, "return_code": 0}).encode(),
    )  # fmt: skip
    first, second = (FastEngine().decode_page(answer, WithTotals(), CURSOR) for _ in range(2))
    first.totals.first = "2"
    assert second.totals.first == "1"


def test_a_valid_page_is_not_decoded_a_second_time_by_the_default_engine(monkeypatch):
    monkeypatch.setattr(pages, "decode_body", None)
    answer = Response(Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, PAGE)
    assert len(FastEngine().decode_page(answer, QUERY, CURSOR).rows) == len(RECORDED)
