"""Rows of ka90004: the recorded answers mean what wire-facts.md says, or are an error."""

import logging
import time
from decimal import Decimal

import attrs
import pytest
from support.decoding import decode_page
from support.program_trades import DAY, QUERY, answer_of, body_of, decoded_page, wire_row
from support.recorded import recorded

from kiwoom_async import (
    DecodeError,
    Exchange,
    Market,
    PriceMove,
    ProgramTrade,
    ProgramTradeTotals,
)
from kiwoom_async._protocol.pages import first_cursor


def test_the_recorded_rows_of_2026_08_10_are_decoded_exactly():
    page = decoded_page(recorded("ka90004_rows_20260810_kospi_all"))
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


def test_units_of_quantity_price_and_amount_agree():
    """Thousand shares times the price in won is about a million won (wire-facts.md, fact 8)."""
    for row in decoded_page(recorded("ka90004_rows_20260810_kospi_all")).rows:
        if row.buy_quantity and row.price:
            ratio = row.buy_amount / (row.buy_quantity * 1_000 * row.price / 1_000_000)
            assert 0.97 < ratio < 1.02


def test_the_example_of_the_specification_is_decoded_exactly():
    page = decoded_page(recorded("ka90004_spec_example"))
    assert [row.price for row in page.rows] == [75_000, 130_000, 360_000, 1_000_000]
    assert [row.change for row in page.rows] == [-2_800, 6_800, 0, 0]
    assert [row.move for row in page.rows] == [PriceMove.DOWN, PriceMove.UP, *[PriceMove.FLAT] * 2]
    assert {row.stock_code for row in page.rows} == {"005930"}
    assert page.totals == ProgramTradeTotals(
        buy_quantity=0, buy_amount=2, sell_quantity=0, sell_amount=2, net_buy_amount=0, total_6=""
    )
    assert page.blank_rows == 0


def test_the_recorded_blank_row_is_counted_and_is_no_row():
    page = decoded_page(recorded("ka90004_blank_row"))
    assert (page.rows, page.blank_rows, page.next) == ([], 1, None)
    assert page.totals == ProgramTradeTotals()


def test_rows_before_and_after_a_blank_row_are_kept():
    blank = recorded("ka90004_blank_row")["stk_prm_trde_prst"][0]
    page = decoded_page(body_of(wire_row(stk_cd="000001"), blank, wire_row(stk_cd="000002")))
    assert [row.symbol for row in page.rows] == ["000001", "000002"]
    assert page.blank_rows == 1


def test_a_blank_row_with_an_unknown_field_is_blank():
    blank = recorded("ka90004_blank_row")["stk_prm_trde_prst"][0]
    assert decoded_page(body_of(blank | {"seq": "7"})).blank_rows == 1


def test_a_row_of_unknown_fields_only_is_an_error():
    with pytest.raises(DecodeError, match=r"is missing @ rows\[0\]\.symbol"):
        decoded_page(body_of({"x": ""}))


def test_an_empty_list_means_no_data():
    assert decoded_page(body_of()).rows == []


def test_stock_codes_may_contain_letters():
    page = decoded_page(body_of(wire_row(stk_cd="0156T0_AL"), wire_row(stk_cd="33626K")))
    assert [row.stock_code for row in page.rows] == ["0156T0", "33626K"]
    (ending_like_a_suffix,) = decoded_page(body_of(wire_row(stk_cd="33626L_AL"))).rows
    assert ending_like_a_suffix.stock_code == "33626L"


def test_unknown_fields_are_ignored_even_with_names_of_the_query():
    row = wire_row(new_field="?", date="1999-01-01", market="X", query=1)
    page = decoded_page(body_of(row) | {"something": {"new": []}})
    assert page.rows == decoded_page(body_of(wire_row())).rows


@pytest.mark.parametrize(
    ("field", "sent", "attribute", "expected"),
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
def test_a_special_value_is_read_as_expected(field, sent, attribute, expected):
    (row,) = decoded_page(body_of(wire_row(**{field: sent}))).rows
    assert getattr(row, attribute) == expected


def test_an_undocumented_move_is_none_and_logged_once(caplog):
    with caplog.at_level(logging.WARNING, "kiwoom_async"):
        page = decoded_page(body_of(*[wire_row(flu_sig="7")] * 3))
    assert [row.move for row in page.rows] == [None] * 3
    assert [record.message for record in caplog.records] == [
        "flu_sig: code '7' is not described; it is read as None"
    ]


NUMBER_FIELDS = {
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
@pytest.mark.parametrize("field", NUMBER_FIELDS)
def test_an_unreadable_number_is_an_error_that_names_row_and_field(field, sent):
    with pytest.raises(DecodeError) as caught:
        decoded_page(body_of(wire_row(), wire_row(), wire_row(**{field: sent})))
    (problem,) = caught.value.problems
    assert problem.endswith(f"@ rows[2].{NUMBER_FIELDS[field]} ({field})")
    assert problem in str(caught.value)
    assert not caught.value.damaged


@pytest.mark.parametrize("field", ["stk_cd", "stk_nm", "cur_prc", "flu_sig"])
def test_a_missing_field_is_an_error(field):
    with pytest.raises(DecodeError, match=rf"is missing @ rows\[0\]\.\w+ \({field}\)"):
        decoded_page(body_of(wire_row(**{field: ...})))


@pytest.mark.parametrize("sent", ["", None])
def test_a_row_with_values_but_no_stock_code_is_an_error(sent):
    with pytest.raises(DecodeError, match=r"no stock code, but other values @ rows\[0\]\.symbol"):
        decoded_page(body_of(wire_row(stk_cd=sent)))


@pytest.mark.parametrize("row", [None, 5, "text", [], {}])
def test_a_row_that_is_not_an_object_or_is_empty_is_an_error(row):
    with pytest.raises(DecodeError, match=r"rows\[1\]"):
        decoded_page(body_of(wire_row(), row))


def test_a_blank_row_does_not_shift_the_index_of_a_problem():
    blank = dict.fromkeys(wire_row(), "")
    with pytest.raises(DecodeError, match=r"rows\[1\]\.buy_amount"):
        decoded_page(body_of(blank, wire_row(buy_cntr_amt="?")))


@pytest.mark.parametrize("rows", [None, "", {}, 5, ...])
def test_rows_that_are_not_a_list_are_an_error(rows):
    body = {"stk_prm_trde_prst": rows} if rows is not ... else {}
    with pytest.raises(DecodeError, match="is not a list of rows @ stk_prm_trde_prst"):
        decoded_page(body)


def test_an_error_lists_all_problems_of_a_page():
    rows = [wire_row(buy_cntr_amt="?", sel_cntr_amt="!"), wire_row(), wire_row(all_trde_rt="")]
    with pytest.raises(DecodeError) as caught:
        decoded_page(body_of(*rows))
    assert [problem.partition(" @ ")[2] for problem in caught.value.problems] == [
        "rows[0].buy_amount (buy_cntr_amt)",
        "rows[0].sell_amount (sel_cntr_amt)",
        "rows[2].turnover_share (all_trde_rt)",
    ]


def test_totals_may_be_missing_but_must_be_readable():
    assert decoded_page(body_of() | {"tot_1": "", "tot_5": "-7", "tot_6": None}).totals == (
        ProgramTradeTotals(net_buy_amount=-7)
    )
    with pytest.raises(DecodeError, match=r"totals\.sell_amount \(tot_4\)"):
        decoded_page(body_of() | {"tot_4": "many"})


def test_every_field_has_its_unit_and_wire_name():
    by_name = {field.name: field.metadata for field in attrs.fields(ProgramTrade)}
    assert by_name["buy_amount"] == {
        "wire": "buy_cntr_amt",
        "korean": "매수체결금액",
        "unit": "million won",
    }
    assert by_name["sell_quantity"]["unit"] == "thousand shares"
    spec = recorded("ka90004_spec_example")["stk_prm_trde_prst"][0]
    assert {meta["wire"] for meta in by_name.values() if "wire" in meta} == set(spec)


@pytest.mark.parametrize("on_undecoded", ["raise", "deliver"])
def test_a_page_of_more_than_five_thousand_rows_is_refused_quickly(on_undecoded):
    """60,000 rows fit into 2 kB of gzip and would take ten seconds to decode."""
    answer = answer_of(body_of(*[{"stk_cd": "a"}] * 5_001))
    began = time.process_time()
    with pytest.raises(DecodeError, match="5,001 rows on one page"):
        decode_page(answer, QUERY, first_cursor(QUERY), on_undecoded=on_undecoded)
    assert time.process_time() - began < 1


def test_a_lone_surrogate_is_an_error():
    with pytest.raises(DecodeError, match="holds half a character"):
        decoded_page(body_of(wire_row(stk_nm="\ud800")))
