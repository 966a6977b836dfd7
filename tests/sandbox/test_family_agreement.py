"""The family's numbers agree with ka90004's days, and with each other."""

import datetime
from itertools import pairwise

import pytest
from support.bare_client import FRIDAY, KOSDAQ, KOSPI, logged_in
from support.family import first_rows, walk

EXCHANGES = {"1": "", "2": "_NX", "3": "_AL"}
MARKET_CODES = {
    (KOSPI, "1"): "P00101",
    (KOSPI, "2"): "P001_NX01",
    (KOSPI, "3"): "P001_AL01",
    (KOSDAQ, "1"): "P10102",
    (KOSDAQ, "2"): "P101_NX02",
    (KOSDAQ, "3"): "P101_AL02",
}


def number(text):
    return int(text.replace("--", "-"))


def in_thousands(shares):
    """Return thousand shares, rounded half away from zero."""
    rounded = (abs(shares) + 500) // 1000
    return -rounded if shares < 0 else rounded


def weekdays(newest, count):
    """Return this many weekdays as the server writes them, newest first."""
    day = datetime.datetime.strptime(newest, "%Y%m%d").date()  # noqa: DTZ007 - a date
    days = [day - datetime.timedelta(days=number) for number in range(2 * count + 4)]
    return [f"{day:%Y%m%d}" for day in days if day.weekday() < 5][:count]


async def all_rows(client, api_id, **changes):
    return [row for page in await walk(client, api_id, **changes) for row in page]


@pytest.mark.anyio
@pytest.mark.parametrize("stex_tp", EXCHANGES)
@pytest.mark.parametrize(("market", "place"), [(KOSPI, 1), (KOSPI, 129), (KOSDAQ, 2)])
async def test_a_stocks_days_are_its_rows_of_ka90004(make_sandbox, market, place, stex_tp):
    """In million won; in shares, which are the thousand shares of ka90004 if rounded."""
    sandbox = make_sandbox(history_days=45)
    client = await logged_in(sandbox)
    symbol = sandbox.rows(FRIDAY, market, stex_tp)[place]["stk_cd"]
    rows = await all_rows(client, "ka90013", stk_cd=symbol, date=None, amt_qty_tp=None)
    assert [row["dt"] for row in rows] == weekdays(FRIDAY, 45)
    for row in rows:
        expected = sandbox.rows(row["dt"], market, stex_tp)[place]
        assert row["cur_prc"] == expected["cur_prc"]
        assert row["pre_sig"] == expected["flu_sig"]
        assert row["pred_pre"] == expected["pred_pre"]
        assert row["prm_buy_amt"] == expected["buy_cntr_amt"]
        assert row["prm_sell_amt"] == expected["sel_cntr_amt"]
        assert number(row["prm_netprps_amt"]) == int(expected["netprps_prica"])
        bought, sold = int(row["prm_buy_qty"]), int(row["prm_sell_qty"])
        bought_in_ka90004 = int(expected["buy_cntr_qty"])
        sold_in_ka90004 = int(expected["sel_cntr_qty"])
        assert in_thousands(bought) == bought // 1000 == bought_in_ka90004
        assert in_thousands(sold) == sold // 1000 == sold_in_ka90004
        assert number(row["prm_netprps_qty"]) == bought - sold
        assert in_thousands(bought - sold) == bought_in_ka90004 - sold_in_ka90004
        assert int(row["trde_qty"]) >= max(bought, sold)
        assert row["stex_tp"] == {"1": "KRX", "2": "NXT", "3": "통합"}[stex_tp]


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", ["ka90013", "ka90008"])
async def test_changes_are_those_of_the_net_since_the_next_older_row(make_sandbox, api_id):
    client = await logged_in(make_sandbox())
    pages = await walk(client, api_id)
    rows = [row for page in pages[:5] for row in page]
    for what in ("amt", "qty"):
        nets = [number(row[f"prm_netprps_{what}"]) for row in rows]
        changes = [number(row[f"prm_netprps_{what}_irds"]) for row in rows]
        assert changes[:-1] == [net - net_before for net, net_before in pairwise(nets)]
        assert {change > 0 for change in changes} == {True, False}
        bought = [int(row[f"prm_buy_{what}"]) for row in rows]
        sold = [int(row[f"prm_sell_{what}"]) for row in rows]
        assert nets == [buy - sell for buy, sell in zip(bought, sold, strict=True)]
    oldest = pages[-1][-1]
    if api_id == "ka90008":
        assert oldest["prm_netprps_amt_irds"] == oldest["prm_netprps_amt"]


@pytest.mark.anyio
async def test_the_oldest_day_of_a_history_changed_since_the_day_before(make_sandbox):
    short = await logged_in(make_sandbox(history_days=3))
    long = await logged_in(make_sandbox(history_days=4))
    for api_id in ("ka90013", "ka90006"):
        three_days = await first_rows(short, api_id)
        assert len(three_days) == 3
        assert three_days == (await first_rows(long, api_id))[:3]


@pytest.mark.anyio
@pytest.mark.parametrize("suffix", EXCHANGES.values())
async def test_a_day_by_time_ends_with_its_row_by_day(make_sandbox, suffix):
    client = await logged_in(make_sandbox())
    by_time = await all_rows(client, "ka90008", stk_cd=f"005930{suffix}", date="20240102")
    by_day = (await first_rows(client, "ka90013", stk_cd=f"005930{suffix}"))[0]
    own = {"tm", "dt", "prm_netprps_amt_irds", "prm_netprps_qty_irds"}
    newest = by_time[0]
    assert {name: newest[name] for name in newest if name not in own} == {
        name: by_day[name] for name in by_day if name not in own
    }
    assert newest["tm"] == ("153000" if suffix == "" else "195959")
    for name in ("prm_buy_amt", "prm_sell_amt", "prm_buy_qty", "prm_sell_qty", "trde_qty"):
        values = [int(row[name]) for row in by_time]
        assert values == sorted(values, reverse=True)
    for row in by_time:
        price, change = abs(int(row["cur_prc"])), int(row["pred_pre"])
        assert abs(change) <= 0.3 * (price - change)
        assert row["pre_sig"] == ("2" if change > 0 else "5" if change < 0 else "3")
        assert float(row["flu_rt"]) == pytest.approx(100 * change / (price - change), abs=0.005001)
        assert int(row["trde_qty"]) >= max(int(row["prm_buy_qty"]), int(row["prm_sell_qty"]))


@pytest.mark.anyio
async def test_within_the_day_no_price_crosses_the_limit(full_sandbox):
    full_sandbox.requests_per_second = None
    client = await logged_in(full_sandbox)
    at_its_limit = [
        row["stk_cd"]
        for row in full_sandbox.rows(FRIDAY, KOSPI, "1")
        if row["flu_sig"] in ("1", "4") and row["buy_cntr_qty"] != "0"
    ]
    assert at_its_limit
    for row in await first_rows(client, "ka90008", stk_cd=at_its_limit[0]):
        price, change = abs(int(row["cur_prc"])), int(row["pred_pre"])
        assert abs(change) <= 0.3 * (price - change)


@pytest.mark.anyio
async def test_a_stock_without_program_trading_has_days_and_no_rows_by_time(make_sandbox):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    idle = next(row for row in sandbox.rows(FRIDAY, KOSPI, "1") if row["buy_cntr_amt"] == "0")
    assert await first_rows(client, "ka90008", stk_cd=idle["stk_cd"]) == []
    newest = (await first_rows(client, "ka90013", stk_cd=idle["stk_cd"]))[0]
    assert (newest["prm_buy_qty"], newest["prm_netprps_amt"]) == ("0", "0")


@pytest.mark.anyio
@pytest.mark.parametrize("market", [KOSPI, KOSDAQ])
@pytest.mark.parametrize("stex_tp", EXCHANGES)
@pytest.mark.parametrize(("side", "direction"), [("1", -1), ("2", 1)])
async def test_the_ranking_is_that_of_the_latest_day(
    make_sandbox, market, stex_tp, side, direction
):
    sandbox = make_sandbox()
    client = await logged_in(sandbox)
    rows = await all_rows(client, "ka90003", trde_upper_tp=side, mrkt_tp=market, stex_tp=stex_tp)
    expected = {
        row["stk_cd"]: row
        for row in sandbox.rows(FRIDAY, market, stex_tp)
        if int(row["netprps_prica"]) * direction > 0
    }
    nets = [int(row["prm_netprps_amt"]) * direction for row in rows]
    assert nets == sorted(nets, reverse=True)
    assert {row["stk_cd"] for row in rows} == set(expected)
    for row in rows:
        in_ka90004 = expected[row["stk_cd"]]
        assert int(row["prm_netprps_amt"]) == int(in_ka90004["netprps_prica"])
        assert row["prm_buy_amt"] == in_ka90004["buy_cntr_amt"]
        assert row["prm_sell_amt"] == in_ka90004["sel_cntr_amt"]
        for name in ("stk_nm", "cur_prc", "flu_sig", "pred_pre"):
            assert row[name] == in_ka90004[name]


@pytest.mark.anyio
@pytest.mark.parametrize("stex_tp", EXCHANGES)
async def test_a_ranking_by_quantity_holds_the_shares_of_ka90013(make_sandbox, stex_tp):
    client = await logged_in(make_sandbox())
    rows = await first_rows(client, "ka90003", amt_qty_tp="2", stex_tp=stex_tp)
    nets = [int(row["prm_netprps_amt"]) for row in rows]
    assert nets == sorted(nets, reverse=True)
    for row in rows:
        today = (await first_rows(client, "ka90013", stk_cd=row["stk_cd"]))[0]
        assert row["prm_buy_amt"] == today["prm_buy_qty"]
        assert row["prm_sell_amt"] == today["prm_sell_qty"]
        assert number(row["prm_netprps_amt"]) == number(today["prm_netprps_qty"])
        assert row["acc_trde_qty"] == today["trde_qty"]
        assert row["flu_rt"] == today["flu_rt"]


# Sold, bought and net.
PARTS = [
    ("dfrt_trde_sel", "dfrt_trde_buy", "dfrt_trde_netprps"),
    ("ndiffpro_trde_sel", "ndiffpro_trde_buy", "ndiffpro_trde_netprps"),
    ("all_sel", "all_buy", "all_netprps"),
    ("dfrt_trde_sell_qty", "dfrt_trde_buy_qty", "dfrt_trde_netprps_qty"),
    ("ndiffpro_trde_sell_qty", "ndiffpro_trde_buy_qty", "ndiffpro_trde_netprps_qty"),
]


def assert_parts_agree(row):
    """Check net = buy - sell and total = arbitrage + the rest, each within 1 as recorded."""
    for sold, bought, net in PARTS:
        assert abs(int(row[bought]) - int(row[sold]) - number(row[net])) <= 1
    for name in ("sel", "buy", "netprps"):
        parts = number(row[f"dfrt_trde_{name}"]) + number(row[f"ndiffpro_trde_{name}"])
        assert abs(parts - number(row[f"all_{name}"])) <= 1


@pytest.mark.anyio
@pytest.mark.parametrize(("market", "stex_tp"), MARKET_CODES)
async def test_a_markets_days_are_the_totals_of_ka90004(make_sandbox, market, stex_tp):
    sandbox = make_sandbox(history_days=60)
    client = await logged_in(sandbox)
    code = MARKET_CODES[market, stex_tp]
    rows = await all_rows(client, "ka90010", mrkt_tp=code, stex_tp=stex_tp)
    assert [row["cntr_tm"] for row in rows] == [f"{dt}000000" for dt in weekdays(FRIDAY, 60)]
    for row in rows:
        totals = sandbox.totals(row["cntr_tm"][:8], market, stex_tp)
        assert row["all_buy"] == totals["tot_2"]
        assert row["all_sel"] == totals["tot_4"]
        assert row["all_netprps"] == totals["tot_5"]
        for side, total in (("buy", "tot_1"), ("sell", "tot_3")):
            shares = int(row[f"dfrt_trde_{side}_qty"]) + int(row[f"ndiffpro_trde_{side}_qty"])
            assert abs(shares - int(totals[total])) <= 1
        assert_parts_agree(row)


@pytest.mark.anyio
async def test_rounding_shows_in_some_rows_as_recorded(make_sandbox):
    client = await logged_in(make_sandbox(history_days=200))
    off = {
        number(row["dfrt_trde_netprps"])
        + number(row["ndiffpro_trde_netprps"])
        - number(row["all_netprps"])
        for row in await all_rows(client, "ka90010")
    }
    assert off == {-1, 0, 1}


@pytest.mark.anyio
@pytest.mark.parametrize(("market", "stex_tp"), MARKET_CODES)
@pytest.mark.parametrize("minutes", ["0", "1"])
async def test_a_markets_day_by_time_ends_with_its_row_by_day(
    make_sandbox, market, stex_tp, minutes
):
    client = await logged_in(make_sandbox())
    codes = {"mrkt_tp": MARKET_CODES[market, stex_tp], "stex_tp": stex_tp}
    by_time = await all_rows(client, "ka90005", **codes, min_tic_tp=minutes, date="20240102")
    today = (await first_rows(client, "ka90010", **codes))[0]
    for name in set(today) - {"cntr_tm", "kospi200", "basis"}:
        assert number(by_time[0][name]) == number(today[name])
    if market == KOSPI:  # of KOSDAQ, both are wrong in ka90010
        assert by_time[0]["kospi200"] == today["kospi200"].replace(".", "")
        assert by_time[0]["basis"] == today["basis"]
    for row in by_time:
        assert_parts_agree(row)
    for name in [name for sold, bought, _ in PARTS for name in (sold, bought)]:
        values = [int(row[name]) for row in by_time]
        assert values == sorted(values, reverse=True)
    seconds = {row["cntr_tm"][4:] for row in by_time}
    assert (seconds == {"00"}) == (minutes == "1")
    assert by_time[0]["cntr_tm"][:4] == ("1530" if stex_tp == "1" else "1959")
    oldest = by_time[-1]
    assert (oldest["cntr_tm"], oldest["kospi200"], oldest["basis"]) == ("085100", "0", "")
    assert oldest["dfrt_trde_netprps"] == "0"


@pytest.mark.anyio
@pytest.mark.parametrize("stex_tp", EXCHANGES)
async def test_the_arbitrage_by_day_is_that_of_kospi(make_sandbox, stex_tp):
    client = await logged_in(make_sandbox(history_days=60))
    code = MARKET_CODES[KOSPI, stex_tp]
    market = await all_rows(client, "ka90010", mrkt_tp=code, stex_tp=stex_tp)
    rows = await all_rows(client, "ka90006", stex_tp=stex_tp)
    for row, same_day in zip(rows, market, strict=True):
        assert f"{row['dt']}000000" == same_day["cntr_tm"]
        assert row["buy_dfrt_trde_qty"] == same_day["dfrt_trde_buy_qty"]
        assert row["buy_dfrt_trde_amt"] == same_day["dfrt_trde_buy"]
        assert row["sel_dfrt_trde_qty"] == same_day["dfrt_trde_sell_qty"]
        assert row["sel_dfrt_trde_amt"] == same_day["dfrt_trde_sel"]
    for row, before in pairwise(rows):
        for side in ("buy", "sel"):
            more = int(row[f"{side}_dfrt_trde_amt"]) - int(before[f"{side}_dfrt_trde_amt"])
            assert abs(int(row[f"{side}_dfrt_trde_irds_amt"]) - more) <= 1


@pytest.mark.anyio
@pytest.mark.parametrize(("market", "stex_tp"), MARKET_CODES)
async def test_the_cumulated_nets_are_those_of_ka90010_since_the_date(
    make_sandbox, market, stex_tp
):
    client = await logged_in(make_sandbox(history_days=60))
    codes = {"mrkt_tp": MARKET_CODES[market, stex_tp], "stex_tp": stex_tp}
    market_rows = await all_rows(client, "ka90010", **codes)
    number_of_market = {KOSPI: "0", KOSDAQ: "1"}[market]
    rows = await all_rows(
        client, "ka90007", date="20260919", mrkt_tp=number_of_market, stex_tp=stex_tp
    )
    # The date is a Saturday.
    assert (rows[0]["dt"], rows[-1]["dt"]) == (FRIDAY, "20260921")
    for name in ("dfrt_trde", "ndiffpro_trde", "all"):
        cumulated = 0
        for row, same_day in list(zip(rows, market_rows, strict=False))[::-1]:
            assert same_day["cntr_tm"] == f"{row['dt']}000000"
            assert number(row[f"{name}_tdy"]) == number(same_day[f"{name}_netprps"])
            cumulated += number(row[f"{name}_tdy"])
            assert number(row[f"{name}_acc"]) == cumulated
            assert row["kospi200"] == same_day["kospi200"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("date", "newest"),
    [
        ("20261119", "20261119"),
        ("20261114", "20261113"),  # a Saturday: the Friday before
        ("20261131", "20261120"),  # no date at all, and in the future
        ("20991231", "20261120"),
    ],
)
@pytest.mark.parametrize("api_id", ["ka90006", "ka90010", "ka90013"])
async def test_the_date_is_the_newest_day(make_sandbox, api_id, date, newest):
    client = await logged_in(make_sandbox(history_days=30))
    row = (await first_rows(client, api_id, date=date))[0]
    assert row.get("dt", row.get("cntr_tm"))[:8] == newest


@pytest.mark.anyio
@pytest.mark.parametrize("api_id", ["ka90006", "ka90010", "ka90013"])
async def test_a_date_before_the_history_has_no_rows(make_sandbox, api_id):
    client = await logged_in(make_sandbox(history_days=30))
    assert await first_rows(client, api_id, date="20250101") == []


@pytest.mark.anyio
async def test_the_manuals_code_of_kosdaq_answers_with_kospi(make_sandbox):
    client = await logged_in(make_sandbox())
    kospi, kosdaq, manual, plain = [
        await first_rows(client, "ka90010", mrkt_tp=code, stex_tp="3")
        for code in ("P001_AL01", "P101_AL02", "P001_AL02", "P00101")
    ]
    assert kospi == manual == plain != kosdaq


@pytest.mark.anyio
async def test_the_newest_rows_of_a_moving_market_move(make_sandbox, clock):
    """They keep agreeing with ka90004; older rows of the day stay."""
    sandbox = make_sandbox(trades_per_second=100.0)
    client = await logged_in(sandbox)
    before = await first_rows(client, "ka90008", stk_cd="005930_AL")
    market_before = await first_rows(client, "ka90005")
    clock.seconds += 30
    after = await first_rows(client, "ka90008", stk_cd="005930_AL")
    assert before[0] != after[0]
    assert before[1:] == after[1:]
    market_after = await first_rows(client, "ka90005")
    assert market_before[0] != market_after[0]
    assert market_before[1:] == market_after[1:]
    by_day = (await first_rows(client, "ka90013"))[0]
    assert by_day["prm_netprps_amt"] == after[0]["prm_netprps_amt"]
    await client.request_page({"stex_tp": "3"})
    row = next(row for row in sandbox.rows(FRIDAY, KOSPI, "3") if row["stk_cd"] == "005930_AL")
    assert number(after[0]["prm_netprps_amt"]) == int(row["netprps_prica"])
    assert market_after[0]["all_buy"] == sandbox.totals(FRIDAY, KOSPI, "3")["tot_2"]
    ranking = await all_rows(client, "ka90003") + await all_rows(
        client, "ka90003", trde_upper_tp="1"
    )
    ranked = next(row for row in ranking if row["stk_cd"] == "005930_AL")
    assert number(ranked["prm_netprps_amt"]) == int(row["netprps_prica"])


@pytest.mark.anyio
async def test_a_new_day_begins_at_midnight_in_korea(make_sandbox, clock):
    client = await logged_in(make_sandbox())
    clock.seconds += 14 * 3600
    assert (await first_rows(client, "ka90013", date=""))[0]["dt"] == FRIDAY
    clock.seconds += 1 * 3600
    await client.log_in()
    assert (await first_rows(client, "ka90013", date=""))[0]["dt"] == "20261123"


@pytest.mark.anyio
async def test_the_family_of_markets_without_stocks_is_empty(make_sandbox):
    client = await logged_in(make_sandbox(kospi_stocks=0, trades_per_second=1.0))
    assert await first_rows(client, "ka90003") == []
    assert {row["all_buy"] for row in await first_rows(client, "ka90010")} == {"0"}
