"""ka90004: queries are checked when made; recorded rows mean what wire-facts.md says; audits."""

import datetime
import json
import logging
import pickle
import time
from decimal import Decimal

import attrs
import pytest
from support.decoding import decode_page
from support.recorded import recorded

from kiwoom_async import (
    Check,
    ContinuationError,
    DecodeError,
    Environment,
    Exchange,
    Market,
    Page,
    PriceMove,
    ProgramTrade,
    ProgramTradeQuery,
    ProgramTradeTotals,
    Walk,
)
from kiwoom_async._protocol.convert import request_body
from kiwoom_async._protocol.cursor import next_cursor
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor

DAY = datetime.date(2026, 8, 10)
QUERY = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.CONSOLIDATED)


def reply(body, headers=None):
    sent = headers or {}
    return Response(
        Request("ka90004", "/", {}, b"", ()),
        200,
        {"api-id": "ka90004"} | (sent or {}),
        json.dumps(body).encode(),
    )


def decoded(body, headers=None, query=QUERY):
    """The page that a body is."""
    request = Request("ka90004", "/", {}, b"", ())
    response = Response(
        request, 200, {"api-id": "ka90004"} | (headers or {}), json.dumps(body).encode()
    )
    return decode_page(response, query, first_cursor(query))


def wire_row(**changes):
    row = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"][0]
    return {name: value for name, value in (row | changes).items() if value is not ...}


def body_of(*rows):
    return {"stk_prm_trde_prst": list(rows), "return_code": 0, "return_msg": "ok"}


# ---- queries


@pytest.mark.parametrize("given", [DAY, "2026-08-10", "20260810"])
def test_a_day_may_be_given_three_ways(given):
    query = ProgramTradeQuery(given, Market.KOSDAQ, Exchange.KRX)
    assert query.date == DAY
    assert query == ProgramTradeQuery(DAY, Market.KOSDAQ, Exchange.KRX)
    assert str(query) == "2026-08-10 KOSDAQ KRX"


@pytest.mark.parametrize(
    "given",
    ["2026-02-30", "20261301", "2026-8-10", "2026-0810", "10.08.2026", "2026-W33-1", "", "today",
     "２０２６０８１０", None, 20260810, datetime.datetime(2026, 8, 10, tzinfo=datetime.UTC)],
)  # fmt: skip
def test_an_impossible_day_is_refused_with_its_name(given):
    with pytest.raises(ValueError, match=r"^date: "):
        ProgramTradeQuery(given, Market.KOSPI, Exchange.KRX)


@pytest.mark.parametrize("given", ["000", "0", "P00101", "KOSPI", None, 1, Exchange.KRX])
def test_an_unknown_market_is_refused_and_told_the_choices(given):
    with pytest.raises(ValueError, match=r"^market: got .*Market\.KOSPI, Market\.KOSDAQ"):
        ProgramTradeQuery(DAY, given, Exchange.KRX)


@pytest.mark.parametrize("given", ["1", "KRX", None, 3, Market.KOSPI])
def test_an_unknown_exchange_is_refused_and_told_the_choices(given):
    with pytest.raises(ValueError, match=r"^exchange: got .*Exchange\.KRX, Exchange\.NXT"):
        ProgramTradeQuery(DAY, Market.KOSPI, given)


def test_a_query_is_a_value():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        QUERY.date = DAY
    assert pickle.loads(pickle.dumps(QUERY)) == QUERY
    assert len({QUERY, ProgramTradeQuery("20260810", Market.KOSPI, Exchange.CONSOLIDATED)}) == 1


@pytest.mark.parametrize(
    ("market", "exchange", "codes"),
    [
        (Market.KOSPI, Exchange.KRX, ("P00101", "1")),
        (Market.KOSDAQ, Exchange.NXT, ("P10102", "2")),
        (Market.KOSPI, Exchange.CONSOLIDATED, ("P00101", "3")),
    ],
)
def test_the_body_is_the_specification_s(market, exchange, codes):
    body = request_body(ProgramTradeQuery("2026-11-20", market, exchange))
    assert body == {"dt": "20261120", "mrkt_tp": codes[0], "stex_tp": codes[1]}


def test_a_day_that_has_not_come_is_refused():
    with pytest.raises(ValueError, match="2026-08-10 has not come yet; today is 2026-08-09"):
        QUERY.check(datetime.date(2026, 8, 9), Environment.PRODUCTION)
    assert QUERY.check(DAY, Environment.PRODUCTION) is None


def test_the_mock_host_is_doubted_for_other_exchanges_than_krx():
    krx = ProgramTradeQuery(DAY, Market.KOSPI, Exchange.KRX)
    assert krx.check(DAY, Environment.MOCK) is None
    doubt = QUERY.check(DAY, Environment.MOCK)
    assert doubt is not None
    assert "Exchange.CONSOLIDATED" in doubt


# ---- rows


def test_the_recorded_rows_of_2026_08_10():
    page = decoded(recorded("ka90004_rows_20260810_kospi_all"))
    hyundai, samsung, preferred = page.rows
    assert hyundai == ProgramTrade(
        symbol="005380_AL",
        stock_name="현대차",
        price=408_500,
        move=PriceMove.UP,
        change=13_000,
        buy_quantity=283,
        buy_amount=114_501,
        sell_quantity=157,
        sell_amount=63_642,
        net_buy_amount=50_859,
        turnover_share=Decimal("1.05"),
        date=DAY,
        market=Market.KOSPI,
        exchange=Exchange.CONSOLIDATED,
    )
    assert (samsung.symbol, samsung.stock_code) == ("005930_AL", "005930")
    assert (samsung.price, samsung.change, samsung.move) == (230_500, -500, PriceMove.DOWN)
    assert (samsung.buy_amount, samsung.sell_amount) == (1_165_590, 2_004_848)
    assert samsung.net_buy_amount == samsung.buy_amount - samsung.sell_amount == -839_258
    assert samsung.turnover_share == Decimal("18.71")
    assert (preferred.buy_quantity, preferred.turnover_share) == (0, Decimal(0))
    assert page.totals == ProgramTradeTotals()
    assert page.next is None


def test_units_agree_by_arithmetic():
    """Thousand shares times won is a million won, within the day's prices (fact 8)."""
    for row in decoded(recorded("ka90004_rows_20260810_kospi_all")).rows:
        if row.buy_quantity and row.price:
            ratio = row.buy_amount / (row.buy_quantity * 1_000 * row.price / 1_000_000)
            assert 0.97 < ratio < 1.02


def test_the_specification_s_example():
    page = decoded(recorded("ka90004_spec_example"))
    assert [row.price for row in page.rows] == [75_000, 130_000, 360_000, 1_000_000]
    assert [row.change for row in page.rows] == [-2_800, 6_800, 0, 0]
    assert [row.move for row in page.rows] == [PriceMove.DOWN, PriceMove.UP, *[PriceMove.FLAT] * 2]
    assert {row.stock_code for row in page.rows} == {"005930"}
    assert page.totals == ProgramTradeTotals(
        buy_quantity=0, buy_amount=2, sell_quantity=0, sell_amount=2, net_buy_amount=0, total_6=""
    )
    assert page.blank_rows == 0


def test_the_recorded_blank_row_is_counted_and_never_data():
    page = decoded(recorded("ka90004_blank_row"))
    assert (page.rows, page.blank_rows, page.next) == ([], 1, None)
    assert page.totals == ProgramTradeTotals()


def test_a_blank_row_in_the_middle_keeps_its_neighbours():
    blank = recorded("ka90004_blank_row")["stk_prm_trde_prst"][0]
    page = decoded(body_of(wire_row(stk_cd="000001"), blank, wire_row(stk_cd="000002")))
    assert [row.symbol for row in page.rows] == ["000001", "000002"]
    assert page.blank_rows == 1


def test_an_unknown_field_makes_a_blank_row_no_less_blank():
    blank = recorded("ka90004_blank_row")["stk_prm_trde_prst"][0]
    assert decoded(body_of(blank | {"seq": "7"})).blank_rows == 1


def test_a_row_of_unknown_fields_is_no_blank_row():
    with pytest.raises(DecodeError, match=r"is missing @ rows\[0\]\.symbol"):
        decoded(body_of({"x": ""}))


def test_an_empty_list_means_no_data():
    assert decoded(body_of()).rows == []


def test_codes_may_hold_letters():
    page = decoded(body_of(wire_row(stk_cd="0156T0_AL"), wire_row(stk_cd="33626K")))
    assert [row.stock_code for row in page.rows] == ["0156T0", "33626K"]
    (ending_like_a_suffix,) = decoded(body_of(wire_row(stk_cd="33626L_AL"))).rows
    assert ending_like_a_suffix.stock_code == "33626L"


def test_unknown_fields_are_ignored_and_cannot_pose_as_the_query():
    row = wire_row(new_field="?", date="1999-01-01", market="X", query=1)
    page = decoded(body_of(row) | {"something": {"new": []}})
    assert page.rows == decoded(body_of(wire_row())).rows


@pytest.mark.parametrize(
    ("field", "sent", "attribute", "meant"),
    [
        ("cur_prc", "", "price", None),
        ("cur_prc", "--75000", "price", 75_000),
        ("flu_sig", "", "move", None),
        ("flu_sig", "0", "move", None),
        ("flu_sig", " 0 ", "move", None),
        ("flu_sig", None, "move", None),
        ("flu_sig", "1", "move", PriceMove.UPPER_LIMIT),
        ("flu_sig", " 2 ", "move", PriceMove.UP),
        ("flu_sig", "4", "move", PriceMove.LOWER_LIMIT),
        ("pred_pre", "0", "change", 0),
        ("netprps_prica", "--1109649", "net_buy_amount", -1_109_649),
        ("netprps_prica", "-0", "net_buy_amount", 0),
        ("all_trde_rt", "+0.00", "turnover_share", Decimal("0.00")),
        ("stk_nm", "", "stock_name", ""),
    ],
)
def test_special_values(field, sent, attribute, meant):
    (row,) = decoded(body_of(wire_row(**{field: sent}))).rows
    assert getattr(row, attribute) == meant


def test_a_move_that_nobody_has_described_is_logged_once(caplog):
    with caplog.at_level(logging.WARNING, "kiwoom_async"):
        page = decoded(body_of(*[wire_row(flu_sig="7")] * 3))
    assert [row.move for row in page.rows] == [None] * 3
    assert [record.message for record in caplog.records] == [
        "flu_sig: code '7' is not described; it is read as None"
    ]


NUMBERS = {
    "pred_pre": "change",
    "buy_cntr_qty": "buy_quantity",
    "buy_cntr_amt": "buy_amount",
    "sel_cntr_qty": "sell_quantity",
    "sel_cntr_amt": "sell_amount",
    "netprps_prica": "net_buy_amount",
    "all_trde_rt": "turnover_share",
}


@pytest.mark.parametrize(
    "sent", ["", "abc", None, 1.5, ...], ids=["blank", "text", "null", "float", "missing"]
)
@pytest.mark.parametrize("field", NUMBERS)
def test_an_unreadable_number_is_an_error_that_names_row_and_field(field, sent):
    with pytest.raises(DecodeError) as caught:
        decoded(body_of(wire_row(), wire_row(), wire_row(**{field: sent})))
    (problem,) = caught.value.problems
    assert problem.endswith(f"@ rows[2].{NUMBERS[field]} ({field})")
    assert problem in str(caught.value)
    assert not caught.value.damaged


@pytest.mark.parametrize("field", ["stk_cd", "stk_nm", "cur_prc", "flu_sig"])
def test_a_missing_field_is_an_error(field):
    with pytest.raises(DecodeError, match=rf"is missing @ rows\[0\]\.\w+ \({field}\)"):
        decoded(body_of(wire_row(**{field: ...})))


@pytest.mark.parametrize("sent", ["", None])
def test_a_row_with_values_but_no_stock_code_is_an_error(sent):
    with pytest.raises(DecodeError, match=r"no stock code, but other values @ rows\[0\]\.symbol"):
        decoded(body_of(wire_row(stk_cd=sent)))


@pytest.mark.parametrize("row", [None, 5, "text", [], {}])
def test_a_row_that_is_no_row_is_an_error(row):
    with pytest.raises(DecodeError, match=r"rows\[1\]"):
        decoded(body_of(wire_row(), row))


def test_a_blank_row_does_not_shift_the_index_of_a_problem():
    blank = dict.fromkeys(wire_row(), "")
    with pytest.raises(DecodeError, match=r"rows\[1\]\.buy_amount"):
        decoded(body_of(blank, wire_row(buy_cntr_amt="?")))


@pytest.mark.parametrize("rows", [None, "", {}, 5, ...])
def test_a_list_that_is_no_list_is_an_error(rows):
    body = {"stk_prm_trde_prst": rows} if rows is not ... else {}
    with pytest.raises(DecodeError, match="is not a list of rows @ stk_prm_trde_prst"):
        decoded(body)


def test_all_problems_of_a_page_are_listed():
    rows = [wire_row(buy_cntr_amt="?", sel_cntr_amt="!"), wire_row(), wire_row(all_trde_rt="")]
    with pytest.raises(DecodeError) as caught:
        decoded(body_of(*rows))
    assert [problem.partition(" @ ")[2] for problem in caught.value.problems] == [
        "rows[0].buy_amount (buy_cntr_amt)",
        "rows[0].sell_amount (sel_cntr_amt)",
        "rows[2].turnover_share (all_trde_rt)",
    ]


def test_totals_may_be_missing_but_not_unreadable():
    assert decoded(body_of() | {"tot_1": "", "tot_5": "-7", "tot_6": None}).totals == (
        ProgramTradeTotals(net_buy_amount=-7)
    )
    with pytest.raises(DecodeError, match=r"totals\.sell_amount \(tot_4\)"):
        decoded(body_of() | {"tot_4": "many"})


def test_every_field_says_its_unit_and_its_wire_name():
    by_name = {field.name: field.metadata for field in attrs.fields(ProgramTrade)}
    assert by_name["buy_amount"] == {
        "wire": "buy_cntr_amt",
        "korean": "매수체결금액",
        "unit": "million won",
    }
    assert by_name["sell_quantity"]["unit"] == "thousand shares"
    spec = recorded("ka90004_spec_example")["stk_prm_trde_prst"][0]
    assert {meta["wire"] for meta in by_name.values() if "wire" in meta} == set(spec)


def test_a_page_without_rows_is_followed_where_more_is_announced():
    """The server says so; whether something was lost is the audit's to ask."""
    more = {"cont-yn": "Y", "next-key": "K2"}
    for body in (body_of(), recorded("ka90004_blank_row")):
        page = decoded(body, more)
        assert (page.rows, page.next.key) == ([], "K2")
        findings = walk_of(page, decoded(body_of(row_of("000001", 1, 0, "100.00")))).audit.findings
        assert "pages without rows in a walk of several: (1,)" in findings


def test_no_data_after_more_was_announced_is_no_end():
    """Blank rows are how the server answers what it does not accept (wire-facts.md, fact 6)."""
    second = next_cursor({"cont-yn": "Y", "next-key": "K2"}, first_cursor(QUERY))
    for headers in ({}, {"cont-yn": "N", "next-key": ""}):
        answer = reply(recorded("ka90004_blank_row"), headers)
        with pytest.raises(ContinuationError, match="more pages were announced"):
            decode_page(answer, QUERY, second)
        assert decode_page(answer, QUERY, first_cursor(QUERY)).rows == []
    empty = decode_page(reply(body_of(), {"cont-yn": "N"}), QUERY, second)
    whole = decoded(body_of(row_of("000001", 1, 0, "100.00")), {"cont-yn": "Y", "next-key": "K2"})
    assert walk_of(whole, empty).audit.findings == ["pages without rows in a walk of several: (2,)"]


def test_blank_rows_among_others_are_found():
    page = page_of(row_of("000001", 1, 0, "100.00"), blank_rows=2)
    assert walk_of(page).audit.findings == ["blank rows among the others: 2"]


@pytest.mark.parametrize("on_undecoded", ["raise", "deliver"])
def test_a_page_of_absurdly_many_rows_is_refused_at_once(on_undecoded):
    """Sixty thousand of them fit into two kilobytes of gzip, and would take ten seconds to read."""
    answer = reply(body_of(*[{"stk_cd": "a"}] * 5_001))
    began = time.process_time()
    with pytest.raises(DecodeError, match="5,001 rows on one page"):
        decode_page(answer, QUERY, first_cursor(QUERY), on_undecoded=on_undecoded)
    assert time.process_time() - began < 1


def test_half_a_character_is_no_text():
    with pytest.raises(DecodeError, match="holds half a character"):
        decoded(body_of(wire_row(stk_nm="\ud800")))


# ---- audit


def walk_of(*pages):
    return Walk.from_pages(QUERY, list(pages))


def page_of(*rows, totals=None, blank_rows=0):
    page = decoded(body_of(*rows) | (totals or {}))
    return attrs.evolve(page, blank_rows=blank_rows)


def row_of(symbol, buy, sell, share="50.00", **changes):
    return wire_row(
        stk_cd=symbol, buy_cntr_amt=str(buy), sel_cntr_amt=str(sell),
        netprps_prica=str(buy - sell), all_trde_rt=f"+{share}", **changes,
    )  # fmt: skip


def check_of(audit, name):
    [check] = [check for check in audit.checks if check.name == name]
    return check


GOOD_TOTALS = {"tot_2": "300", "tot_4": "110", "tot_5": "190"}


def test_an_audit_of_a_complete_walk_finds_nothing():
    walk = walk_of(
        page_of(row_of("000001", 100, 50), totals=GOOD_TOTALS),
        page_of(row_of("000002", 200, 60), totals=GOOD_TOTALS),
    )
    audit = walk.audit
    assert (audit.pages, audit.rows, audit.blank_rows) == (2, 2, 0)
    buy = check_of(audit, "buy amount of the rows")
    assert (buy.actual, buy.expected, buy.difference) == (300, 300, 0)
    assert check_of(audit, "sell amount of the rows").actual == 110
    assert check_of(audit, "net buy amount of the rows").actual == 190
    assert check_of(audit, "sum of the turnover shares").actual == 100
    assert audit.findings == []
    assert "everything adds up" in str(audit)
    assert [row.symbol for row in walk.rows] == ["000001", "000002"]
    assert walk.totals.buy_amount == 300


def test_an_audit_reports_and_hides_no_row():
    walk = walk_of(
        page_of(row_of("000001", 100, 50, "10.00"), totals=GOOD_TOTALS),
        page_of(
            row_of("000001", 200, 60, "10.00"),
            wire_row(stk_cd="000003", netprps_prica="1", all_trde_rt="+10.00"),
        ),
    )
    assert len(walk.rows) == 3
    assert walk.audit.repeated_keys == ("000001",)
    unbalanced = check_of(walk.audit, "count of rows whose net is not buy minus sell")
    assert (unbalanced.actual, unbalanced.examples) == (1, ("000003",))
    assert check_of(walk.audit, "sum of the turnover shares").actual == 30
    found = " / ".join(walk.audit.findings)
    for word in ("buy amount", "sell amount", "net buy amount", "seen more than once: 000001",
                 "not buy minus sell is 1, expected 0 (000003)", "30.00 %"):  # fmt: skip
        assert word in found
    assert found.replace(" / ", "; ") in str(walk.audit)


def test_totals_that_stand_on_one_page_only_are_used():
    walk = walk_of(
        page_of(row_of("000001", 100, 50), totals=GOOD_TOTALS), page_of(row_of("000002", 200, 60))
    )
    assert walk.totals.buy_amount == 300
    assert walk.audit.findings == []


def test_totals_that_change_from_page_to_page_are_reported():
    walk = walk_of(
        page_of(row_of("000001", 100, 50), totals={"tot_2": "1"}),
        page_of(row_of("000002", 200, 60), totals=GOOD_TOTALS),
    )
    assert walk.audit.totals_vary
    assert walk.audit.findings == ["the stated totals changed from page to page"]


def test_no_totals_and_no_trades_are_no_finding():
    walk = walk_of(
        page_of(
            wire_row(
                stk_cd="1",
                buy_cntr_amt="0",
                sel_cntr_amt="0",
                netprps_prica="0",
                all_trde_rt="+0.00",
            )
        )
    )
    assert check_of(walk.audit, "buy amount of the rows").difference is None
    assert walk.audit.findings == []
    empty = walk_of(page_of(blank_rows=1))
    assert (empty.rows, empty.totals, empty.audit.findings) == ([], ProgramTradeTotals(), [])


def test_a_difference_is_rows_minus_total_and_a_total_of_zero_is_a_total():
    assert Check(name="x", actual=5, expected=0).difference == 5
    assert Check(name="x", actual=5, expected=None).difference is None


def test_a_wrong_net_total_is_found_by_itself():
    rows = [row_of("000001", 100, 50), row_of("000002", 200, 60)]
    walk = walk_of(page_of(*rows, totals=GOOD_TOTALS | {"tot_5": "191"}))
    assert walk.audit.findings == ["net buy amount of the rows is 190 million won, expected 191"]


@pytest.mark.parametrize(
    ("share", "found"),
    [("33.33", []), ("33.32", ["sum of the turnover shares is 99.96 %, expected 100"])],
)
def test_shares_may_be_rounded_and_no_more(share, found):
    rows = (row_of(f"{number:06}", 1, 0, share) for number in range(3))
    assert walk_of(page_of(*rows)).audit.findings == found


def test_missing_shares_are_a_finding_however_many_rows_are_zero():
    zeros = [row_of(f"{number:06}", 0, 0, "0.00") for number in range(500)]
    traded = [row_of(f"9{number:05}", 1, 0, "1.00") for number in range(88)]
    walk = walk_of(page_of(*zeros, *traded))
    shares = check_of(walk.audit, "sum of the turnover shares")
    assert (walk.audit.rows, shares.tolerance) == (588, 88 * Decimal("0.005"))
    assert walk.audit.findings == ["sum of the turnover shares is 88.00 %, expected 100"]


def test_many_symbols_are_shortened_in_a_finding():
    twice = [row_of(f"{number:06}", 1, 0, "0.00") for number in range(9)] * 2
    (_, found) = walk_of(page_of(*twice)).audit.findings
    assert found.endswith("000004 and 4 more")


def test_a_page_and_a_walk_print_briefly():
    page = page_of(*[row_of("000001", 1, 0)] * 50)
    assert isinstance(page, Page)
    assert "<50 rows>" in repr(page)
    assert "<50 rows>" in repr(walk_of(page))
