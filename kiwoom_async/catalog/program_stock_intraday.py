"""ka90008, program trading of one stock within the day (종목시간별프로그램매매추이요청).

Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import attrgetter

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
    doubt_of_day,
    doubt_of_exchange,
    exchange_of,
    symbol_argument,
    today_in_korea,
)
from .stock_checks import stock_checks


@frozen(kw_only=True, weakref_slot=False)
class ProgramStockIntraday(StockRow):
    """One stock's program trading of the day, added up to a time. Units are in the metadata, too.

    time: Korean time, 6 to 7 s apart. The day is not in the answer, and not in the row.
    price: won, never negative, 0 on a day without trade; None when blank.
    move: None when blank, "0" or an undescribed code.
    change: won against the previous close, signed. change_rate: percent, signed.
    volume: shares, of all trades.
    Amounts: million won. Quantities: **shares**, where ka90004 has thousand shares. Nets are
        signed, and exactly buy minus sell in every row recorded.
    net_buy_amount_change, net_buy_quantity_change: against the next older row's net.
    base_price_time, lending_repaid_quantity, balance_quantity: text as sent, of unknown meaning;
        empty in every row recorded.
    exchange: the row's own; the audit compares it with the symbol's.
    symbol: the query's.
    """

    time: datetime.time = field(metadata=wire("tm", "시간"))
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


@frozen
class ProgramStockIntradayQuery(Query[ProgramStockIntraday]):
    """A stock to ask for, of the running day; before the open, of the last trading day.

    symbol: `005930` for KRX, `005930_NX` for NXT, `005930_AL` for both together; ValueError for
        any other form.

    `date` is the day on which the query is made, in Korea: one must be sent, but every day is
    answered with the latest trading day, so that no other can be asked for. A cursor does not go on
    on another day. ProgramStockDailyQuery has the past days.

    Two rows may have the same time, so that the key of a row is the row itself.
    """

    api_id = "ka90008"
    path = "/api/dostk/mrkcond"
    rows_key = "stk_tm_prm_trde_trnsn"
    newest_first = True

    symbol: str = field(converter=symbol_argument, metadata=wire("stk_cd", "종목코드"))
    date: datetime.date = field(factory=today_in_korea, init=False, metadata=wire("date", "날짜"))
    # Rows hold amounts and quantities in both modes.
    measure: str = field(
        default="1", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Doubt other exchanges than KRX on the mock host, and a query of another day."""
        exchange = exchange_of(self.symbol)
        return doubt_of_exchange(exchange, environment) or doubt_of_day(self.date, today)

    def expected_pages(self) -> int:
        """Return the pages of a busy stock's whole day: 200 rows, or 22 minutes, on each."""
        # 6.5 hours at KRX; from 8:00 to 20:00 elsewhere.
        return 18 if exchange_of(self.symbol) is Exchange.KRX else 33

    def checks(self, rows: Sequence[ProgramStockIntraday], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare each net with buy minus sell, and each row's exchange with the symbol's."""
        return stock_checks(rows, attrgetter("time"), self.symbol)
