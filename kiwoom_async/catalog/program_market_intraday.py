"""ka90005, program trading of a market within the day (프로그램매매추이요청 시간대별).

Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal

from attrs import Factory, field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import hundredths
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_CODES,
    INDEX_POINTS,
    INTERVAL_CODES,
    MILLION_WON,
    THOUSAND_SHARES,
    Exchange,
    Interval,
    Market,
    doubt_of_day,
    doubt_of_exchange,
    exchange_argument,
    interval_argument,
    market_argument,
    market_code_of,
    today_in_korea,
)
from .market_checks import market_checks


def read_hundredths_of_index(text: str) -> Decimal | None:
    """Return an index that is sent times 100; None for zero, which is sent before the open."""
    return hundredths(text) or None


@frozen(kw_only=True, weakref_slot=False)
class ProgramMarketIntraday:
    """A market's program trading of the day, added up to a time. Units are in the metadata, too.

    time: Korean time; seconds are 0 by minute. The day is not in the answer, and not in the row.
    Amounts: million won. Quantities: thousand shares; there is none of the total. Nets are signed.
        Each figure is rounded by itself, so that sums can be off by one.
    kospi200: points, sent times 100; None when zero or blank, as before the open. For KOSDAQ it is
        an index of that side, about KOSDAQ150.
    basis: points, signed; None when blank.
    market, exchange: the query's.
    """

    time: datetime.time = field(metadata=wire("cntr_tm", "체결시간"))
    arbitrage_sell_amount: int = field(
        metadata=wire("dfrt_trde_sel", "차익거래매도", unit=MILLION_WON)
    )
    arbitrage_buy_amount: int = field(
        metadata=wire("dfrt_trde_buy", "차익거래매수", unit=MILLION_WON)
    )
    arbitrage_net_buy_amount: int = field(
        metadata=wire("dfrt_trde_netprps", "차익거래순매수", unit=MILLION_WON)
    )
    non_arbitrage_sell_amount: int = field(
        metadata=wire("ndiffpro_trde_sel", "비차익거래매도", unit=MILLION_WON)
    )
    non_arbitrage_buy_amount: int = field(
        metadata=wire("ndiffpro_trde_buy", "비차익거래매수", unit=MILLION_WON)
    )
    non_arbitrage_net_buy_amount: int = field(
        metadata=wire("ndiffpro_trde_netprps", "비차익거래순매수", unit=MILLION_WON)
    )
    arbitrage_sell_quantity: int = field(
        metadata=wire("dfrt_trde_sell_qty", "차익거래매도수량", unit=THOUSAND_SHARES)
    )
    arbitrage_buy_quantity: int = field(
        metadata=wire("dfrt_trde_buy_qty", "차익거래매수수량", unit=THOUSAND_SHARES)
    )
    arbitrage_net_buy_quantity: int = field(
        metadata=wire("dfrt_trde_netprps_qty", "차익거래순매수수량", unit=THOUSAND_SHARES)
    )
    non_arbitrage_sell_quantity: int = field(
        metadata=wire("ndiffpro_trde_sell_qty", "비차익거래매도수량", unit=THOUSAND_SHARES)
    )
    non_arbitrage_buy_quantity: int = field(
        metadata=wire("ndiffpro_trde_buy_qty", "비차익거래매수수량", unit=THOUSAND_SHARES)
    )
    non_arbitrage_net_buy_quantity: int = field(
        metadata=wire("ndiffpro_trde_netprps_qty", "비차익거래순매수수량", unit=THOUSAND_SHARES)
    )
    total_sell_amount: int = field(metadata=wire("all_sel", "전체매도", unit=MILLION_WON))
    total_buy_amount: int = field(metadata=wire("all_buy", "전체매수", unit=MILLION_WON))
    total_net_buy_amount: int = field(metadata=wire("all_netprps", "전체순매수", unit=MILLION_WON))
    kospi200: Decimal | None = field(
        metadata=wire(
            "kospi200", "KOSPI200", unit=INDEX_POINTS, decimals=2, read=read_hundredths_of_index
        )
    )
    basis: Decimal | None = field(metadata=wire("basis", "BASIS", unit=INDEX_POINTS, decimals=2))
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


@frozen
class ProgramMarketIntradayQuery(Query[ProgramMarketIntraday]):
    """A market and exchange to ask for, of the running day or the last trading day.

    interval: rows by minute, or with seconds (`Interval.TICK`; still about one a minute).
    ValueError for a market, exchange or interval that is none. Minutes can be missing.

    `date` is the day on which the query is made, in Korea: one must be sent, but a past one was
    answered with the running day, so that no other can be asked for. A cursor does not go on on
    another day. ProgramMarketDailyQuery has the past days.
    """

    api_id = "ka90005"
    path = "/api/dostk/mrkcond"
    rows_key = "prm_trde_trnsn"
    newest_first = True

    market: Market = field(converter=market_argument)
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )
    interval: Interval = field(
        default=Interval.MINUTE,
        converter=interval_argument,
        metadata=wire("min_tic_tp", "분틱구분", codes=INTERVAL_CODES),
    )
    date: datetime.date = field(factory=today_in_korea, init=False, metadata=wire("date", "날짜"))
    market_code: str = field(
        default=Factory(market_code_of, takes_self=True),
        init=False,
        repr=False,
        metadata=wire("mrkt_tp", "시장구분"),
    )
    # Rows hold amounts and quantities in both modes.
    measure: str = field(
        default="1", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def row_key(self, row: ProgramMarketIntraday) -> datetime.time:
        """Return the time."""
        return row.time

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Doubt other exchanges than KRX on the mock host, and a query of another day."""
        return doubt_of_exchange(self.exchange, environment) or doubt_of_day(self.date, today)

    def expected_pages(self) -> int:
        """Return the pages of a whole day, of 100 rows each."""
        return 4

    def checks(self, rows: Sequence[ProgramMarketIntraday], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare nets with buy minus sell, totals with their parts, as far as rounding allows."""
        return market_checks(rows, self.row_key)
