"""ka90010, program trading of a market by day (프로그램매매추이요청 일자별).

The fields of ka90005, but an index that is not sent times 100. Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from attrs import Factory, field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import read_date
from kiwoom_async._protocol.query import Environment, Query, wire
from kiwoom_async.errors import short_repr

from .codes import (
    EXCHANGE_CODES,
    INDEX_POINTS,
    MILLION_WON,
    THOUSAND_SHARES,
    Exchange,
    Market,
    doubt_of_exchange,
    exchange_argument,
    market_argument,
    market_code_of,
    read_index,
    refuse_future_day,
    until_argument,
)
from .market_checks import market_checks

_MIDNIGHT: Final = "000000"
# Pages of 100 rows go back to 2016 (wire-facts.md, section 9).
_FIRST_YEAR: Final = 2016
_TRADING_DAYS_A_YEAR: Final = 245


def read_day_at_midnight(text: str) -> datetime.date:
    """Return the day that `20261120000000` names."""
    if not text.endswith(_MIDNIGHT):
        raise ValueError(f"{short_repr(text)} is not a day of the form yyyyMMdd000000")
    return read_date(text.removesuffix(_MIDNIGHT))


@frozen(kw_only=True, weakref_slot=False)
class ProgramMarketDaily:
    """A market's program trading of one day. Units are in the metadata, too.

    date: the day; today's row is a running total during the session.
    Amounts: million won. Quantities: thousand shares; there is none of the total. Nets are signed.
        Each figure is rounded by itself, so that sums can be off by one.
    kospi200: points; None when zero or blank. basis: points, signed; None when blank. **For KOSDAQ
        both are wrong as sent**: kospi200 is KOSPI's, and basis is beyond reason (345, 275).
    market, exchange: the query's.
    """

    date: datetime.date = field(metadata=wire("cntr_tm", "체결시간", read=read_day_at_midnight))
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
        metadata=wire("kospi200", "KOSPI200", unit=INDEX_POINTS, decimals=2, read=read_index)
    )
    basis: Decimal | None = field(metadata=wire("basis", "BASIS", unit=INDEX_POINTS, decimals=2))
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


@frozen
class ProgramMarketDailyQuery(Query[ProgramMarketDaily]):
    """The newest day wanted, market and exchange; the rows go back from there, to 2016.

    `until` is a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD". ValueError for anything that is not a
    day, a Market or an Exchange. For the last days only, end the walk with `stop_when`.
    """

    api_id = "ka90010"
    path = "/api/dostk/mrkcond"
    rows_key = "prm_trde_trnsn"
    newest_first = True

    until: datetime.date = field(converter=until_argument, metadata=wire("date", "날짜"))
    market: Market = field(converter=market_argument)
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )
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
    # Required, and without effect on rows of days.
    interval_code: str = field(
        default="1", init=False, repr=False, metadata=wire("min_tic_tp", "분틱구분")
    )

    def row_key(self, row: ProgramMarketDaily) -> datetime.date:
        """Return the date."""
        return row.date

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Raise ValueError for a day that has not come; doubt NXT on the mock host."""
        refuse_future_day("until", self.until, today)
        return doubt_of_exchange(self.exchange, environment)

    def expected_pages(self) -> int:
        """Return the pages back to the first year."""
        years = max(0, self.until.year - _FIRST_YEAR)
        return 1 + years * _TRADING_DAYS_A_YEAR // 100

    def checks(self, rows: Sequence[ProgramMarketDaily], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare nets with buy minus sell, totals with their parts, as far as rounding allows."""
        return market_checks(rows, self.row_key)
