"""The invented market data: rows, totals and prices that agree with each other."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.bare_client import FRIDAY, KOSDAQ, KOSPI

from kiwoom_async.sandbox._market import (
    draw_market_fills,
    draw_stock_day,
    draw_stock_days,
    hundredths,
    sum_fills,
)

MARKETS_AND_EXCHANGES = [(market, exchange) for market in (KOSPI, KOSDAQ) for exchange in "123"]
PROGRAM_FIELDS = {"buy_cntr_qty", "buy_cntr_amt", "sel_cntr_qty", "sel_cntr_amt", "netprps_prica"}


@pytest.mark.parametrize(("market", "count"), [(KOSPI, 2472), (KOSDAQ, 1820)])
def test_a_market_lists_each_stock_once(full_sandbox, market, count):
    rows = full_sandbox.rows(FRIDAY, market, "1")
    assert len(rows) == len({row["stk_cd"] for row in rows}) == count
    assert len({row["stk_nm"] for row in rows}) == count
    assert max(len(row["stk_nm"]) for row in rows) <= 40
    assert {len(row["stk_cd"]) for row in rows} == {6}
    assert any(row["stk_cd"][5] == "K" for row in rows)
    assert any(row["stk_cd"][4].isalpha() for row in rows)


def test_no_stock_is_in_both_markets_and_every_day_lists_the_same(full_sandbox):
    kospi = stocks(full_sandbox.rows(FRIDAY, KOSPI, "1"))
    kosdaq = stocks(full_sandbox.rows(FRIDAY, KOSDAQ, "1"))
    assert not {code for code, _ in kospi} & {code for code, _ in kosdaq}
    assert stocks(full_sandbox.rows("20250305", KOSPI, "1")) == kospi


def stocks(rows):
    """Return the code and name of each row."""
    return [(row["stk_cd"], row["stk_nm"]) for row in rows]


def test_real_stocks_have_their_real_codes(full_sandbox):
    names = dict(stocks(full_sandbox.rows(FRIDAY, KOSPI, "1")))
    assert names["005930"] == "삼성전자"
    assert names["000660"] == "SK하이닉스"
    assert names["33626K"] == "두산퓨얼셀1우"


@pytest.mark.parametrize(("exchange", "suffix"), [("1", ""), ("2", "_NX"), ("3", "_AL")])
def test_codes_have_the_suffix_of_their_exchange(full_sandbox, exchange, suffix):
    codes = [row["stk_cd"] for row in full_sandbox.rows(FRIDAY, KOSPI, exchange)]
    assert {code[6:] for code in codes} == {suffix}


@pytest.mark.parametrize(("market", "exchange"), MARKETS_AND_EXCHANGES)
def test_rows_agree_with_each_other_and_with_the_totals(full_sandbox, market, exchange):
    rows = full_sandbox.rows(FRIDAY, market, exchange)
    sums = Counter()
    for row in rows:
        value = {name: int(row[name]) for name in PROGRAM_FIELDS}
        assert value["buy_cntr_amt"] - value["sel_cntr_amt"] == value["netprps_prica"]
        assert not any(row[name].startswith("+") for name in PROGRAM_FIELDS)
        sums.update(value)
    assert full_sandbox.totals(FRIDAY, market, exchange) == {
        "tot_1": str(sums["buy_cntr_qty"]),
        "tot_2": str(sums["buy_cntr_amt"]),
        "tot_3": str(sums["sel_cntr_qty"]),
        "tot_4": str(sums["sel_cntr_amt"]),
        "tot_5": str(sums["netprps_prica"]),
        "tot_6": "",
    }


@pytest.mark.parametrize(("market", "exchange"), MARKETS_AND_EXCHANGES)
def test_shares_of_turnover_add_up_to_100_percent(full_sandbox, market, exchange):
    rows = full_sandbox.rows(FRIDAY, market, exchange)
    assert all(row["all_trde_rt"][0] == "+" and row["all_trde_rt"][-3] == "." for row in rows)
    assert sum(int(row["all_trde_rt"].replace(".", "")) for row in rows) == 10_000
    turnovers = [turnover(row) for row in rows]
    for row, part in zip(rows, turnovers, strict=True):
        assert abs(float(row["all_trde_rt"]) - 100 * part / sum(turnovers)) < 0.01


def turnover(row):
    """Return the bought and sold amount of a row together."""
    return int(row["buy_cntr_amt"]) + int(row["sel_cntr_amt"])


def test_shares_are_rounded_to_the_exact_sum_or_all_zero():
    assert hundredths([0, 0]) == [0, 0]
    assert hundredths([1, 1, 1]) == [3334, 3333, 3333]


@pytest.mark.parametrize(("market", "exchange"), MARKETS_AND_EXCHANGES)
def test_amounts_are_quantity_times_price_within_the_recorded_range(full_sandbox, market, exchange):
    for row in full_sandbox.rows(FRIDAY, market, exchange):
        price = abs(int(row["cur_prc"]))
        for quantity, amount in (
            ("buy_cntr_qty", "buy_cntr_amt"),
            ("sel_cntr_qty", "sel_cntr_amt"),
        ):
            exact = int(row[quantity]) * price / 1000
            # A whole million may be rounded away, once for each exchange in the sum.
            assert 0.98 * exact - 1 <= int(row[amount]) <= 1.01 * exact + 1


@pytest.mark.parametrize(("market", "exchange"), MARKETS_AND_EXCHANGES)
def test_two_thirds_of_the_rows_are_zero(full_sandbox, market, exchange):
    rows = full_sandbox.rows(FRIDAY, market, exchange)
    zero_rows = [row for row in rows if all(row[name] == "0" for name in PROGRAM_FIELDS)]
    assert 0.6 < len(zero_rows) / len(rows) < 0.75
    assert {row["all_trde_rt"] for row in zero_rows} == {"+0.00"}


def test_a_few_stocks_dominate_turnover_and_rows_are_not_ranked_by_it(full_sandbox):
    rows = full_sandbox.rows(FRIDAY, KOSPI, "3")
    turnovers = [turnover(row) for row in rows]
    ranked = sorted(turnovers, reverse=True)
    top_three = [row["stk_nm"] for row in sorted(rows, key=turnover, reverse=True)[:3]]
    assert "삼성전자" in top_three
    assert sum(ranked[:20]) > 0.4 * sum(ranked)
    assert turnovers not in (ranked, ranked[::-1])
    assert any(value in ranked[:30] for value in turnovers[500:])


def tick_size(price):
    """Return KRX's tick size since 2023, in won."""
    sizes = [(2000, 1), (5000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500)]
    return next((size for limit, size in sizes if price < limit), 1000)


@pytest.mark.parametrize("day", [FRIDAY, "20261119", "20261118", "20261117"])
@pytest.mark.parametrize("market", [KOSPI, KOSDAQ])
def test_price_change_and_sign_agree(full_sandbox, market, day):
    signs = Counter()
    for row in full_sandbox.rows(day, market, "1"):
        signs[row["flu_sig"]] += 1
        price, change = abs(int(row["cur_prc"])), int(row["pred_pre"])
        previous_close = price - change
        assert price % tick_size(price) == previous_close % tick_size(previous_close) == 0
        assert row["cur_prc"] == {1: "+", -1: "-", 0: ""}[(change > 0) - (change < 0)] + str(price)
        assert row["pred_pre"] == (f"{change:+d}" if change else "0")
        if row["flu_sig"] in ("1", "2"):
            assert change > 0
        elif row["flu_sig"] in ("4", "5"):
            assert change < 0
        else:
            assert change == 0
        if row["flu_sig"] in ("", "0"):
            assert {row[name] for name in PROGRAM_FIELDS} == {"0"}
        near_limit = abs(change) > 0.29 * previous_close
        assert near_limit == (row["flu_sig"] in ("1", "4"))
        assert abs(change) <= 0.3 * previous_close
    assert signs["2"] > 500
    assert signs["5"] > 500
    assert signs["3"] > 50
    assert signs["1"] + signs["4"] < 20
    assert 0 < signs[""] + signs["0"] < 40


@pytest.mark.parametrize("market", [KOSPI, KOSDAQ])
def test_the_consolidated_exchange_is_the_sum_of_krx_and_nxt(full_sandbox, market):
    krx, nxt, both = (full_sandbox.rows(FRIDAY, market, exchange) for exchange in "123")
    for krx_row, nxt_row, sum_row in zip(krx, nxt, both, strict=True):
        for name in PROGRAM_FIELDS:
            assert int(krx_row[name]) + int(nxt_row[name]) == int(sum_row[name])
        assert krx_row["cur_prc"] == nxt_row["cur_prc"] == sum_row["cur_prc"]
    # KRX and the consolidated exchange can differ in sign (`wire-facts.md`, section 6).
    assert any(
        int(krx_row["netprps_prica"]) * int(sum_row["netprps_prica"]) < 0
        for krx_row, sum_row in zip(krx, both, strict=True)
    )


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


def test_a_day_is_the_same_in_every_process(full_sandbox):
    script = (
        "from kiwoom_async.sandbox import Sandbox; import hashlib, json\n"
        f"rows = Sandbox().rows('{FRIDAY}', 'P10102', '3')\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    root = Path(__file__).parent.parent.parent
    digests = {
        subprocess.run(  # noqa: S603 - this interpreter, a fixed script
            [sys.executable, "-c", script], cwd=root, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    # Literal numbers, so that a Python version that draws others fails.
    assert full_sandbox.rows(FRIDAY, KOSPI, "1")[1] == SAMSUNG_ON_FRIDAY
    assert full_sandbox.rows("20261119", KOSPI, "1") != full_sandbox.rows(FRIDAY, KOSPI, "1")


@pytest.mark.parametrize("day", ["20261121", "20261122", "20261123", "20261131", "2026112"])
def test_a_day_without_trading_has_no_rows_and_blank_totals(full_sandbox, day):
    assert full_sandbox.rows(day, KOSPI, "1") == []
    assert set(full_sandbox.totals(day, KOSPI, "1").values()) == {""}


def test_rows_returns_copies(full_sandbox):
    full_sandbox.rows(FRIDAY, KOSPI, "1")[0]["stk_nm"] = "changed"
    assert full_sandbox.rows(FRIDAY, KOSPI, "1")[0]["stk_nm"] != "changed"


@pytest.mark.parametrize(("market", "count"), [(KOSPI, 2472), (KOSDAQ, 1820)])
@pytest.mark.parametrize("day", [FRIDAY, "20250305"])
def test_a_part_of_a_day_is_drawn_as_in_the_whole_day(market, count, day):
    """Series need one stock, or a market's sums, of hundreds of days."""
    whole = draw_stock_days(day, market, count)
    for index in (0, 1, 61, count // 2, count - 1):
        assert draw_stock_day(day, market, count, index) == whole[index]
    assert draw_market_fills(day, market, count) == tuple(
        sum_fills([stock_day.by_exchange[exchange] for stock_day in whole]) for exchange in "12"
    )
