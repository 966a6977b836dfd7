"""ka90005: a market within the day; its index is sent times 100, and its rows carry no day."""

import datetime
from decimal import Decimal

import attrs
import pytest
from support.family_queries import (
    RECORDED,
    WHOLE,
    findings,
    first_row,
    page_of,
    recorded_rows,
    sent_rows,
)

from kiwoom_async import (
    DecodeError,
    Environment,
    Exchange,
    Interval,
    Market,
    ProgramMarketIntraday,
    ProgramMarketIntradayQuery,
)
from kiwoom_async._protocol.encode import request_body

OFFICIAL = "ka90005_official_20260701"
PARTS = ("arbitrage", "non_arbitrage", "total")


def test_the_recorded_rows_are_decoded_exactly():
    rows = recorded_rows(OFFICIAL)
    assert rows[0] == ProgramMarketIntraday(
        time=datetime.time(14, 49),
        arbitrage_sell_amount=429_384,
        arbitrage_buy_amount=246_420,
        arbitrage_net_buy_amount=-182_964,
        non_arbitrage_sell_amount=10_842_899,
        non_arbitrage_buy_amount=9_795_985,
        non_arbitrage_net_buy_amount=-1_046_914,
        arbitrage_sell_quantity=1_816,
        arbitrage_buy_quantity=1_116,
        arbitrage_net_buy_quantity=-700,
        non_arbitrage_sell_quantity=116_030,
        non_arbitrage_buy_quantity=108_823,
        non_arbitrage_net_buy_quantity=-7_207,
        total_sell_amount=11_272_283,
        total_buy_amount=10_042_404,
        total_net_buy_amount=-1_229_878,
        kospi200=Decimal("1336.97"),
        basis=Decimal("8.58"),
        market=Market.KOSPI,
        exchange=Exchange.KRX,
    )
    assert [row.time.minute for row in rows] == [49, 48, 47, 46, 44]
    assert "date" not in rows[0].to_dict()


def test_units_of_quantities_and_amounts_agree():
    """Million won over thousand shares is a price in thousands (wire-facts.md, section 9)."""
    for row in recorded_rows(OFFICIAL):
        assert 236 < row.arbitrage_sell_amount / row.arbitrage_sell_quantity < 237
        assert 89 < row.non_arbitrage_buy_amount / row.non_arbitrage_buy_quantity < 91


@pytest.mark.parametrize(
    "name", [name for name in WHOLE if name.startswith(("ka90005", "ka90010"))]
)
def test_nets_and_totals_agree_in_all_recorded_rows(name):
    for row in recorded_rows(name):
        for kind in ("amount", "quantity"):
            for part in PARTS if kind == "amount" else PARTS[:2]:
                net, buy, sell = (
                    getattr(row, f"{part}_{side}_{kind}") for side in ("net_buy", "buy", "sell")
                )
                assert abs(net - (buy - sell)) <= 1
        for side in ("net_buy", "buy", "sell"):
            one, other, total = (getattr(row, f"{part}_{side}_amount") for part in PARTS)
            assert abs(total - (one + other)) <= 1


def completed(name):
    """Return the rows of a recording with some keys only, zeros under the others."""
    zeros = dict.fromkeys(sent_rows(OFFICIAL)[0], "0")
    return page_of(RECORDED[name], [zeros | row for row in sent_rows(name)]).rows


def test_rows_recorded_in_part_are_decoded_exactly():
    at_ten, before_open = completed("ka90005_chunsam_20260724_subset")
    assert (at_ten.time, at_ten.arbitrage_net_buy_amount) == (datetime.time(10, 1), -55_456)
    assert (at_ten.total_net_buy_amount, at_ten.kospi200) == (-946_314, Decimal("1089.70"))
    assert at_ten.basis == Decimal("5.20")
    # The first rows may be from before the open: neither index nor basis is known.
    assert before_open.time == datetime.time(8, 51)
    assert (before_open.kospi200, before_open.basis) == (None, None)
    assert (before_open.total_sell_amount, before_open.total_net_buy_amount) == (123, -111)
    ticks = completed("ka90005_hogaops_20260805_subset")
    assert [row.time for row in ticks] == [
        datetime.time(10, 39, 5), datetime.time(10, 38, 59), datetime.time(10, 37, 59),
    ]  # fmt: skip
    assert [row.kospi200 for row in ticks] == [*map(Decimal, ("1036.45", "1036.44", "1035.38"))]
    assert [row.total_net_buy_amount for row in ticks] == [345_603, 342_625, 338_412]


def test_a_row_with_keys_missing_is_an_error():
    name = "ka90005_chunsam_20260724_subset"
    with pytest.raises(DecodeError, match=r"is missing @ rows\[0\]\.arbitrage_sell_quantity"):
        page_of(RECORDED[name], sent_rows(name))


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"kospi200": "0"}, "kospi200", None),
        ({"kospi200": " "}, "kospi200", None),
        ({"kospi200": "+133885"}, "kospi200", Decimal("1338.85")),
        ({"kospi200": "+133800"}, "kospi200", Decimal("1338.00")),
        ({"basis": ""}, "basis", None),
        ({"basis": "-0.35"}, "basis", Decimal("-0.35")),
        ({"basis": "0.00"}, "basis", Decimal("0.00")),
        ({"dfrt_trde_netprps": "+0"}, "arbitrage_net_buy_amount", 0),
    ],
)
def test_a_special_value_is_read_as_expected(changes, attribute, expected):
    value = getattr(first_row(OFFICIAL, **changes), attribute)
    assert (value, str(value)) == (expected, str(expected))


def test_an_index_that_is_no_number_is_an_error():
    with pytest.raises(DecodeError, match=r"'n/a' is not .* @ rows\[0\]\.kospi200 \(kospi200\)"):
        first_row(OFFICIAL, kospi200="n/a")


@pytest.mark.parametrize(
    ("market", "exchange", "code", "digit"),
    [
        (Market.KOSPI, Exchange.KRX, "P00101", "1"),
        (Market.KOSPI, Exchange.NXT, "P001_NX01", "2"),
        (Market.KOSPI, Exchange.CONSOLIDATED, "P001_AL01", "3"),
        (Market.KOSDAQ, Exchange.KRX, "P10102", "1"),
        (Market.KOSDAQ, Exchange.NXT, "P101_NX02", "2"),
        (Market.KOSDAQ, Exchange.CONSOLIDATED, "P101_AL02", "3"),
    ],
)
def test_the_market_code_depends_on_the_exchange(market, exchange, code, digit):
    query = ProgramMarketIntradayQuery(market, exchange)
    assert request_body(query) == {
        "date": f"{query.date:%Y%m%d}", "amt_qty_tp": "1", "mrkt_tp": code,
        "min_tic_tp": "1", "stex_tp": digit,
    }  # fmt: skip
    (row,) = page_of(query, sent_rows(OFFICIAL)[:1]).rows
    assert (row.market, row.exchange) == (market, exchange)


def test_the_interval_is_by_minute_or_by_tick():
    query = ProgramMarketIntradayQuery(Market.KOSPI, Exchange.KRX, interval=Interval.TICK)
    assert request_body(query)["min_tic_tp"] == "0"
    assert query != RECORDED[OFFICIAL]
    with pytest.raises(ValueError, match=r"^interval: got 'TICK'; allowed are Interval\.TICK, "):
        ProgramMarketIntradayQuery(Market.KOSPI, Exchange.KRX, "TICK")


def test_the_day_is_today_in_korea_and_no_argument():
    """The server has ignored any other day, so that none can be asked for."""
    before = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9))).date()
    query = ProgramMarketIntradayQuery(Market.KOSPI, Exchange.KRX)
    assert query.date - before in (datetime.timedelta(0), datetime.timedelta(days=1))
    assert query.day() is None
    with pytest.raises(TypeError, match="date"):
        ProgramMarketIntradayQuery(Market.KOSPI, Exchange.KRX, date=before)


def test_a_query_made_on_another_day_is_doubted():
    query = RECORDED[OFFICIAL]
    assert query.check(query.date, Environment.PRODUCTION) is None
    tomorrow = query.date + datetime.timedelta(days=1)
    assert "make a new query each day" in query.check(tomorrow, Environment.PRODUCTION)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"dfrt_trde_sel": "429386", "all_sel": "11272284"}, "net"),
        ({"ndiffpro_trde_netprps_qty": "--7209"}, "net"),
        ({"dfrt_trde_sell_qty": "1818"}, "net"),
        ({"dfrt_trde_netprps": "--182966"}, "both"),
        ({"ndiffpro_trde_buy": "9795987", "ndiffpro_trde_netprps": "--1046912"}, "total"),
        ({"all_buy": "10042403", "all_netprps": "--1229879"}, "total"),
        ({"all_sel": "11272285", "all_netprps": "--1229880"}, "total"),
        ({"all_netprps": "--1229881"}, "both"),
    ],
)  # fmt: skip
def test_a_figure_that_is_off_by_more_than_rounding_is_found(changes, found):
    sentences = {
        "net": "count of rows whose net is not buy minus sell is 1, expected 0 (14:49:00)",
        "total": "count of rows whose total is not arbitrage plus non-arbitrage is 1, expected 0 "
        "(14:49:00)",
    }
    expected = [*sentences.values()] if found == "both" else [sentences[found]]
    assert findings(OFFICIAL, **changes) == expected


def test_a_time_that_comes_twice_is_reported():
    assert findings(OFFICIAL, 1, cntr_tm="144900") == ["seen more than once: 14:49:00"]


def test_the_fields_are_those_of_the_recording():
    names = {f.metadata["wire"] for f in attrs.fields(ProgramMarketIntraday) if f.metadata}
    assert names == set(sent_rows(OFFICIAL)[0])
