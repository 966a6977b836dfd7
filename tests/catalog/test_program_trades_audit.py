"""Audits of ka90004: rows, totals and shares are compared, and every difference is reported."""

from decimal import Decimal

import attrs
import pytest
from support.decoding import decode_page
from support.program_trades import QUERY, answer_of, body_of, decoded_page, wire_row
from support.recorded import recorded

from kiwoom_async import (
    Check,
    ContinuationError,
    Page,
    ProgramTradeTotals,
    Walk,
)
from kiwoom_async._protocol.cursor import next_cursor
from kiwoom_async._protocol.pages import first_cursor


def walk_of(*pages):
    """Return the walk of these pages."""
    return Walk.from_pages(QUERY, list(pages))


def page_of(*rows, totals=None, blank_rows=0):
    """Return a page of these rows, totals and blank rows."""
    page = decoded_page(body_of(*rows) | (totals or {}))
    return attrs.evolve(page, blank_rows=blank_rows)


def row_of(symbol, buy, sell, share="50.00", **changes):
    """Return a row as sent, with these amounts and their difference."""
    return wire_row(
        stk_cd=symbol, buy_cntr_amt=str(buy), sel_cntr_amt=str(sell),
        netprps_prica=str(buy - sell), all_trde_rt=f"+{share}", **changes,
    )  # fmt: skip


def check_of(audit, name):
    """Return the check of this name."""
    [check] = [check for check in audit.checks if check.name == name]
    return check


GOOD_TOTALS = {"tot_2": "300", "tot_4": "110", "tot_5": "190"}


def test_the_audit_of_a_complete_walk_has_no_findings():
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


def test_an_audit_reports_problems_and_removes_no_row():
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
    findings = " / ".join(walk.audit.findings)
    for word in ("buy amount", "sell amount", "net buy amount", "seen more than once: 000001",
                 "not buy minus sell is 1, expected 0 (000003)", "30.00 %"):  # fmt: skip
        assert word in findings
    assert findings.replace(" / ", "; ") in str(walk.audit)


def test_totals_stated_on_one_page_only_are_used():
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


def test_missing_totals_and_days_without_trades_are_not_reported():
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


def test_the_difference_of_a_check_is_actual_minus_expected():
    assert Check(name="x", actual=5, expected=0).difference == 5
    assert Check(name="x", actual=5, expected=None).difference is None


def test_a_wrong_net_total_is_the_only_finding():
    rows = [row_of("000001", 100, 50), row_of("000002", 200, 60)]
    walk = walk_of(page_of(*rows, totals=GOOD_TOTALS | {"tot_5": "191"}))
    assert walk.audit.findings == ["net buy amount of the rows is 190 million won, expected 191"]


@pytest.mark.parametrize(
    ("share", "findings"),
    [("33.33", []), ("33.32", ["sum of the turnover shares is 99.96 %, expected 100"])],
)
def test_shares_may_differ_from_100_by_rounding_only(share, findings):
    rows = (row_of(f"{number:06}", 1, 0, share) for number in range(3))
    assert walk_of(page_of(*rows)).audit.findings == findings


def test_rows_without_trades_do_not_widen_the_tolerance_of_shares():
    zeros = [row_of(f"{number:06}", 0, 0, "0.00") for number in range(500)]
    traded = [row_of(f"9{number:05}", 1, 0, "1.00") for number in range(88)]
    walk = walk_of(page_of(*zeros, *traded))
    shares = check_of(walk.audit, "sum of the turnover shares")
    assert (walk.audit.rows, shares.tolerance) == (588, 88 * Decimal("0.005"))
    assert walk.audit.findings == ["sum of the turnover shares is 88.00 %, expected 100"]


def test_rows_with_a_share_or_a_net_but_no_amounts_are_compared():
    rows = [
        row_of("000001", 1, 0, "99.00"),
        row_of("000002", 0, 0, "1.00"),
        row_of("000003", 0, 0, "0.00") | {"netprps_prica": "5"},
    ]
    audit = walk_of(page_of(*rows)).audit
    shares = check_of(audit, "sum of the turnover shares")
    assert (shares.actual, shares.tolerance) == (100, Decimal("0.005"))
    assert check_of(audit, "net buy amount of the rows").actual == 6
    assert audit.findings == [
        "count of rows whose net is not buy minus sell is 1, expected 0 (000003)"
    ]


def test_a_finding_names_the_first_symbols_only():
    twice = [row_of(f"{number:06}", 1, 0, "0.00") for number in range(9)] * 2
    (_, findings) = walk_of(page_of(*twice)).audit.findings
    assert findings.endswith("000004 and 4 more")


def test_blank_rows_among_others_are_reported():
    page = page_of(row_of("000001", 1, 0, "100.00"), blank_rows=2)
    assert walk_of(page).audit.findings == ["blank rows among the others: 2"]


def test_a_page_without_rows_is_followed_if_it_has_a_next_key():
    """The audit reports it, because rows may be missing."""
    more = {"cont-yn": "Y", "next-key": "K2"}
    for body in (body_of(), recorded("ka90004_blank_row")):
        page = decoded_page(body, more)
        assert (page.rows, page.next.key) == ([], "K2")
        findings = walk_of(
            page, decoded_page(body_of(row_of("000001", 1, 0, "100.00")))
        ).audit.findings
        assert "pages without rows in a walk of several: (1,)" in findings


def test_a_blank_row_after_an_announced_page_is_an_error():
    """The server sends blank rows for requests that it does not accept (wire-facts.md, fact 6)."""
    second = next_cursor({"cont-yn": "Y", "next-key": "K2"}, first_cursor(QUERY))
    for headers in ({}, {"cont-yn": "N", "next-key": ""}):
        answer = answer_of(recorded("ka90004_blank_row"), headers)
        with pytest.raises(ContinuationError, match="more pages were announced"):
            decode_page(answer, QUERY, second)
        assert decode_page(answer, QUERY, first_cursor(QUERY)).rows == []
    empty = decode_page(answer_of(body_of(), {"cont-yn": "N"}), QUERY, second)
    whole = decoded_page(
        body_of(row_of("000001", 1, 0, "100.00")), {"cont-yn": "Y", "next-key": "K2"}
    )
    assert walk_of(whole, empty).audit.findings == ["pages without rows in a walk of several: (2,)"]


def test_the_repr_of_a_page_and_a_walk_is_short():
    page = page_of(*[row_of("000001", 1, 0)] * 50)
    assert isinstance(page, Page)
    assert "<50 rows>" in repr(page)
    assert "<50 rows>" in repr(walk_of(page))
