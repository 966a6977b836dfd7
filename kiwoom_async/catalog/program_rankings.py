"""ka90003, stocks ranked by program net buying (프로그램순매수상위50요청), by amount or quantity.

The fields of the answer have the same names in both modes, with other units, so that each mode
has a query and a row of its own. Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from attrs import field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import magnitude, read_stock_code
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_CODES,
    MARKET_CODES,
    MILLION_WON,
    MOVE_CODES,
    PERCENT,
    SHARES,
    SIDE_CODES,
    WON,
    Exchange,
    Market,
    PriceMove,
    Side,
    StockRow,
    differ,
    doubt_of_exchange,
    exchange_argument,
    market_argument,
    no_rows,
    side_argument,
)


@frozen(kw_only=True, weakref_slot=False)
class ProgramAmountRanking(StockRow):
    """A stock in the ranking by amount. Units are in the fields' metadata, too.

    rank: from 1; ranks go on past 50, the number in the request's name.
    symbol: as sent, with the venue's suffix; `stock_code` is without.
    stock_name: as sent.
    price: won, never negative, 0 on a day without trade; None when blank.
    move: None when blank, "0" or an undescribed code.
    change: won against the previous close, signed. change_rate: percent, signed.
    volume: shares, of all trades.
    sell_amount, buy_amount: million won.
    net_buy_amount: million won, signed; apart from buy minus sell by one where each was rounded.
    market, exchange: the query's.
    """

    rank: int = field(metadata=wire("rank", "순위"))
    symbol: str = field(metadata=wire("stk_cd", "종목코드", read=read_stock_code))
    stock_name: str = field(metadata=wire("stk_nm", "종목명"))
    price: int | None = field(metadata=wire("cur_prc", "현재가", unit=WON, read=magnitude))
    move: PriceMove | None = field(metadata=wire("flu_sig", "등락기호", codes=MOVE_CODES))
    change: int = field(metadata=wire("pred_pre", "전일대비", unit=WON))
    change_rate: Decimal = field(metadata=wire("flu_rt", "등락율", unit=PERCENT, decimals=2))
    volume: int = field(metadata=wire("acc_trde_qty", "누적거래량", unit=SHARES))
    sell_amount: int = field(metadata=wire("prm_sell_amt", "프로그램매도금액", unit=MILLION_WON))
    buy_amount: int = field(metadata=wire("prm_buy_amt", "프로그램매수금액", unit=MILLION_WON))
    net_buy_amount: int = field(
        metadata=wire("prm_netprps_amt", "프로그램순매수금액", unit=MILLION_WON)
    )
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


@frozen(kw_only=True, weakref_slot=False)
class ProgramQuantityRanking(StockRow):
    """A stock in the ranking by quantity: as in ProgramAmountRanking, but for three fields.

    sell_quantity, buy_quantity: shares, which come in the fields of the amounts.
    net_buy_quantity: shares, signed.
    """

    rank: int = field(metadata=wire("rank", "순위"))
    symbol: str = field(metadata=wire("stk_cd", "종목코드", read=read_stock_code))
    stock_name: str = field(metadata=wire("stk_nm", "종목명"))
    price: int | None = field(metadata=wire("cur_prc", "현재가", unit=WON, read=magnitude))
    move: PriceMove | None = field(metadata=wire("flu_sig", "등락기호", codes=MOVE_CODES))
    change: int = field(metadata=wire("pred_pre", "전일대비", unit=WON))
    change_rate: Decimal = field(metadata=wire("flu_rt", "등락율", unit=PERCENT, decimals=2))
    volume: int = field(metadata=wire("acc_trde_qty", "누적거래량", unit=SHARES))
    # The Korean names say amount (금액) here, too.
    sell_quantity: int = field(metadata=wire("prm_sell_amt", "프로그램매도금액", unit=SHARES))
    buy_quantity: int = field(metadata=wire("prm_buy_amt", "프로그램매수금액", unit=SHARES))
    net_buy_quantity: int = field(
        metadata=wire("prm_netprps_amt", "프로그램순매수금액", unit=SHARES)
    )
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


RankingT = TypeVar("RankingT", ProgramAmountRanking, ProgramQuantityRanking)


@frozen
class _RankingQuery(Query[RankingT]):
    """A market and exchange to rank, and the side to begin with; without an api-id of its own."""

    # Plain codes for every exchange, unlike ka90005 and ka90010.
    market: Market = field(
        converter=market_argument, metadata=wire("mrkt_tp", "시장구분", codes=MARKET_CODES)
    )
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )
    side: Side = field(
        default=Side.BUY,
        converter=side_argument,
        metadata=wire("trde_upper_tp", "매매상위구분", codes=SIDE_CODES),
    )

    def row_key(self, row: RankingT) -> str:
        """Return the symbol: a stock comes once in a walk of a market that stands still."""
        return row.symbol

    def check(self, today: datetime.date, environment: Environment) -> str | None:  # noqa: ARG002
        """Doubt other exchanges than KRX on the mock host."""
        return doubt_of_exchange(self.exchange, environment)

    def expected_pages(self) -> int:
        """Return the pages of 50 ranks, 15 on each; how far the ranks go on is unknown."""
        return 4


@frozen
class ProgramAmountRankingQuery(_RankingQuery[ProgramAmountRanking]):
    """The stocks of a market by net amount, the largest first.

    side: `Side.BUY` begins with the largest net buying, `Side.SELL` with the largest net selling.
    ValueError for a market, exchange or side that is none.

    The ranking is that of the moment, and empty before the open; no day can be asked for, and none
    is in the answer. While a walk runs, a stock can move to another page, and come twice or not at
    all (wire-facts.md, section 9).
    """

    api_id = "ka90003"
    path = "/api/dostk/stkinfo"
    rows_key = "prm_netprps_upper_50"

    measure: str = field(
        default="1", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def checks(self, rows: Sequence[ProgramAmountRanking], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare each net with buy minus sell, as far as rounding allows."""
        yield no_rows(
            "whose net is not buy minus sell",
            (
                row.symbol
                for row in rows
                if differ(row.net_buy_amount, row.buy_amount - row.sell_amount)
            ),
        )


@frozen
class ProgramQuantityRankingQuery(_RankingQuery[ProgramQuantityRanking]):
    """The stocks of a market by net quantity, the largest first; else ProgramAmountRankingQuery."""

    api_id = "ka90003"
    path = "/api/dostk/stkinfo"
    rows_key = "prm_netprps_upper_50"

    measure: str = field(
        default="2", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def checks(self, rows: Sequence[ProgramQuantityRanking], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare each net with buy minus sell, as far as rounding allows."""
        yield no_rows(
            "whose net is not buy minus sell",
            (
                row.symbol
                for row in rows
                if differ(row.net_buy_quantity, row.buy_quantity - row.sell_quantity)
            ),
        )
