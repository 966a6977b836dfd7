"""ka90006, arbitrage program trading by day, bought and sold (프로그램매매차익잔고추이요청).

Turnover, not a balance, despite 잔고 in its name. Facts: wire-facts.md, section 9.
"""

import datetime

from attrs import field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_CODES,
    MILLION_WON,
    THOUSAND_SHARES,
    Exchange,
    doubt_of_exchange,
    exchange_argument,
    refuse_future_day,
    until_argument,
)


@frozen(kw_only=True, weakref_slot=False)
class ProgramArbitrageDaily:
    """The arbitrage turnover of one day. Units are in the metadata, too.

    date: the day.
    arbitrage_buy_quantity, arbitrage_sell_quantity: thousand shares.
    arbitrage_buy_amount, arbitrage_sell_amount: million won; their difference is ka90010's
        arbitrage net of KOSPI, within 1.
    arbitrage_buy_amount_change, arbitrage_sell_amount_change: million won, signed, against the
        previous trading day; can be off by one, as each figure is rounded by itself.
    exchange: the query's. The market is KOSPI's where it could be compared.
    """

    date: datetime.date = field(metadata=wire("dt", "일자"))
    arbitrage_buy_quantity: int = field(
        metadata=wire("buy_dfrt_trde_qty", "매수차익거래수량", unit=THOUSAND_SHARES)
    )
    arbitrage_buy_amount: int = field(
        metadata=wire("buy_dfrt_trde_amt", "매수차익거래금액", unit=MILLION_WON)
    )
    arbitrage_buy_amount_change: int = field(
        metadata=wire("buy_dfrt_trde_irds_amt", "매수차익거래증감액", unit=MILLION_WON)
    )
    arbitrage_sell_quantity: int = field(
        metadata=wire("sel_dfrt_trde_qty", "매도차익거래수량", unit=THOUSAND_SHARES)
    )
    arbitrage_sell_amount: int = field(
        metadata=wire("sel_dfrt_trde_amt", "매도차익거래금액", unit=MILLION_WON)
    )
    arbitrage_sell_amount_change: int = field(
        metadata=wire("sel_dfrt_trde_irds_amt", "매도차익거래증감액", unit=MILLION_WON)
    )
    exchange: Exchange

    to_dict = records.to_dict


@frozen
class ProgramArbitrageDailyQuery(Query[ProgramArbitrageDaily]):
    """The newest day wanted, and the exchange; the rows go back from there.

    `until` is a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD". ValueError for anything that is not a
    day or an Exchange. How far the rows go back, and if in several pages, is unknown.

    Without checks for the audit: no figure of a row follows from the others.
    """

    api_id = "ka90006"
    path = "/api/dostk/mrkcond"
    rows_key = "prm_trde_dfrt_remn_trnsn"
    newest_first = True

    until: datetime.date = field(converter=until_argument, metadata=wire("date", "날짜"))
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )

    def row_key(self, row: ProgramArbitrageDaily) -> datetime.date:
        """Return the date."""
        return row.date

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Raise ValueError for a day that has not come; doubt NXT on the mock host."""
        refuse_future_day("until", self.until, today)
        return doubt_of_exchange(self.exchange, environment)
