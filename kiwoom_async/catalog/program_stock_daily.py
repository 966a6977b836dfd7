"""ka90013, program trading of one stock by day (종목일별프로그램매매추이요청).

Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal

from attrs import field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import magnitude
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_WORDS,
    MILLION_WON,
    MOVE_CODES,
    PERCENT,
    SHARES,
    WON,
    Exchange,
    PriceMove,
    StockRow,
    doubt_of_exchange,
    exchange_of,
    refuse_future_day,
    symbol_argument,
    until_argument,
)
from .stock_checks import stock_checks


@frozen(kw_only=True, weakref_slot=False)
class ProgramStockDaily(StockRow):
    """One stock's program trading of one day. Units are in the metadata, too.

    date: the day; today's row runs along.
    price: won, never negative, 0 on a day without trade; None when blank.
    move: None when blank, "0" or an undescribed code.
    change: won against the previous close, signed. change_rate: percent, signed.
    volume: shares, of all trades.
    Amounts: million won. Quantities: **shares**, where ka90004 has thousand shares. Nets are
        signed, and exactly buy minus sell in every row recorded.
    net_buy_amount_change, net_buy_quantity_change: against the previous trading day's net.
    base_price_time, lending_repaid_quantity, balance_quantity: text as sent, of unknown meaning;
        empty in every row recorded.
    exchange: the row's own; the audit compares it with the symbol's.
    symbol: the query's.
    """

    date: datetime.date = field(metadata=wire("dt", "일자"))
    price: int | None = field(metadata=wire("cur_prc", "현재가", unit=WON, read=magnitude))
    move: PriceMove | None = field(metadata=wire("pre_sig", "대비기호", codes=MOVE_CODES))
    change: int = field(metadata=wire("pred_pre", "전일대비", unit=WON))
    change_rate: Decimal = field(metadata=wire("flu_rt", "등락율", unit=PERCENT, decimals=2))
    volume: int = field(metadata=wire("trde_qty", "거래량", unit=SHARES))
    sell_amount: int = field(metadata=wire("prm_sell_amt", "프로그램매도금액", unit=MILLION_WON))
    buy_amount: int = field(metadata=wire("prm_buy_amt", "프로그램매수금액", unit=MILLION_WON))
    net_buy_amount: int = field(
        metadata=wire("prm_netprps_amt", "프로그램순매수금액", unit=MILLION_WON)
    )
    net_buy_amount_change: int = field(
        metadata=wire("prm_netprps_amt_irds", "프로그램순매수금액증감", unit=MILLION_WON)
    )
    sell_quantity: int = field(metadata=wire("prm_sell_qty", "프로그램매도수량", unit=SHARES))
    buy_quantity: int = field(metadata=wire("prm_buy_qty", "프로그램매수수량", unit=SHARES))
    net_buy_quantity: int = field(
        metadata=wire("prm_netprps_qty", "프로그램순매수수량", unit=SHARES)
    )
    net_buy_quantity_change: int = field(
        metadata=wire("prm_netprps_qty_irds", "프로그램순매수수량증감", unit=SHARES)
    )
    base_price_time: str = field(metadata=wire("base_pric_tm", "기준가시간"))
    lending_repaid_quantity: str = field(metadata=wire("dbrt_trde_rpy_sum", "대차거래상환주수합"))
    balance_quantity: str = field(metadata=wire("remn_rcvord_sum", "잔고수주합"))
    exchange: Exchange = field(metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_WORDS))
    symbol: str

    to_dict = records.to_dict


def _until(value: datetime.date | str | None) -> datetime.date | None:
    return None if value is None else until_argument(value)


@frozen
class ProgramStockDailyQuery(Query[ProgramStockDaily]):
    """A stock, and the newest day wanted; the rows go back from there, how far is unknown.

    symbol: `005930` for KRX, `005930_NX` for NXT, `005930_AL` for both together, which can differ
        from KRX even in sign; ValueError for any other form.
    until: a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD"; None, or left out, is the latest day.

    For the last days only, end the walk with `stop_when`.
    """

    api_id = "ka90013"
    path = "/api/dostk/mrkcond"
    rows_key = "stk_daly_prm_trde_trnsn"
    newest_first = True

    symbol: str = field(converter=symbol_argument, metadata=wire("stk_cd", "종목코드"))
    until: datetime.date | None = field(
        default=None, converter=_until, metadata=wire("date", "날짜")
    )
    # Answers were byte-identical with 1, 2 and nothing.
    measure: str = field(
        default="1", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def row_key(self, row: ProgramStockDaily) -> datetime.date:
        """Return the date."""
        return row.date

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Raise ValueError for a day that has not come; doubt NXT on the mock host."""
        if self.until is not None:
            refuse_future_day("until", self.until, today)
        return doubt_of_exchange(exchange_of(self.symbol), environment)

    def checks(self, rows: Sequence[ProgramStockDaily], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare each net with buy minus sell, and each row's exchange with the symbol's."""
        return stock_checks(rows, self.row_key, self.symbol)
