"""ka90004, program trading by stock (종목별프로그램매매현황요청): the model of a declared request.

Field meanings are ka90004-spec.md's, units and signs wire-facts.md's (section 6).
"""

import datetime
from collections.abc import Hashable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from attrs import field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.arguments import checked_day
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.convert import magnitude, read_stock_code
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_CODES,
    MARKET_CODES,
    MILLION_WON,
    MOVE_CODES,
    PERCENT,
    THOUSAND_SHARES,
    WON,
    Exchange,
    Market,
    PriceMove,
    StockRow,
    doubt_of_exchange,
    exchange_argument,
    market_argument,
    refuse_future_day,
)

_SATURDAY: Final = 5
# Pages of a whole day, as walked on 2026-08-10 (wire-facts.md, fact 2).
_EXPECTED_PAGES: Final = {Market.KOSPI: 50, Market.KOSDAQ: 61}
# A share is rounded to two decimals.
_SHARE_ROUNDING: Final = Decimal("0.005")


@frozen(kw_only=True, weakref_slot=False)
class ProgramTrade(StockRow):
    """One stock's program trading on one day. Units are in the fields' metadata, too.

    symbol: as sent, with the venue's suffix (`005930_AL`); `stock_code` is without.
    stock_name: as sent.
    price: won, never negative; None when the server left it blank.
    move: None when blank, "0" or an undescribed code.
    change: won against the previous close, signed.
    buy_quantity, sell_quantity: thousand shares.
    buy_amount, sell_amount: million won.
    net_buy_amount: million won, signed; buy minus sell amount in every row recorded.
    turnover_share: percent of the whole market's program turnover (buy and sell amounts), not of
        the stock's own trading (wire-facts.md, fact 9).
    date, market, exchange: the query's, so that a row alone says what it is.

    A number that is blank or unreadable, but for the price, never becomes a row: DecodeError.
    """

    symbol: str = field(metadata=wire("stk_cd", "종목코드", read=read_stock_code))
    stock_name: str = field(metadata=wire("stk_nm", "종목명"))
    price: int | None = field(metadata=wire("cur_prc", "현재가", unit=WON, read=magnitude))
    move: PriceMove | None = field(metadata=wire("flu_sig", "등락기호", codes=MOVE_CODES))
    change: int = field(metadata=wire("pred_pre", "전일대비", unit=WON))
    buy_quantity: int = field(metadata=wire("buy_cntr_qty", "매수체결수량", unit=THOUSAND_SHARES))
    buy_amount: int = field(metadata=wire("buy_cntr_amt", "매수체결금액", unit=MILLION_WON))
    sell_quantity: int = field(metadata=wire("sel_cntr_qty", "매도체결수량", unit=THOUSAND_SHARES))
    sell_amount: int = field(metadata=wire("sel_cntr_amt", "매도체결금액", unit=MILLION_WON))
    net_buy_amount: int = field(metadata=wire("netprps_prica", "순매수대금", unit=MILLION_WON))
    turnover_share: Decimal = field(
        metadata=wire("all_trde_rt", "전체거래비율", unit=PERCENT, decimals=2)
    )
    date: datetime.date
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


@frozen(kw_only=True)
class ProgramTradeTotals:
    """The totals beside the rows; None for one that is blank or missing.

    Units as in the rows. Unknown: whether every page repeats them, and the meaning of `total_6`
    (wire-facts.md, section 6).
    """

    buy_quantity: int | None = field(
        default=None, metadata=wire("tot_1", "매수체결수량합계", unit=THOUSAND_SHARES)
    )
    buy_amount: int | None = field(
        default=None, metadata=wire("tot_2", "매수체결금액합계", unit=MILLION_WON)
    )
    sell_quantity: int | None = field(
        default=None, metadata=wire("tot_3", "매도체결수량합계", unit=THOUSAND_SHARES)
    )
    sell_amount: int | None = field(
        default=None, metadata=wire("tot_4", "매도체결금액합계", unit=MILLION_WON)
    )
    net_buy_amount: int | None = field(
        default=None, metadata=wire("tot_5", "순매수대금합계", unit=MILLION_WON)
    )
    total_6: str = field(default="", metadata=wire("tot_6", "합계6"))


def _date(value: datetime.date | str) -> datetime.date:
    return checked_day("date", value)


@frozen
class ProgramTradeQuery(Query[ProgramTrade, ProgramTradeTotals]):
    """A day, market and exchange to ask for.

    `date` is a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD". ValueError for anything that is not
    a day, a Market or an Exchange: the server would answer a wrong market code with a blank row
    and no error (wire-facts.md, fact 6).
    """

    api_id = "ka90004"
    path = "/api/dostk/stkinfo"
    rows_key = "stk_prm_trde_prst"

    date: datetime.date = field(converter=_date, metadata=wire("dt", "일자"))
    market: Market = field(
        converter=market_argument, metadata=wire("mrkt_tp", "시장구분", codes=MARKET_CODES)
    )
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )

    def __str__(self) -> str:
        return f"{self.date} {self.market} {self.exchange}"

    def row_key(self, row: ProgramTrade) -> str:
        """Return the symbol: a stock comes once in a walk."""
        return row.symbol

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Raise ValueError for a day that has not come; doubt NXT on the mock host."""
        refuse_future_day("date", self.date, today)
        return doubt_of_exchange(self.exchange, environment)

    def day(self) -> datetime.date:
        """Return the date."""
        return self.date

    def expected_pages(self) -> int:
        """Return the pages of a whole day; a weekend day is one blank row."""
        return 1 if self.date.weekday() >= _SATURDAY else _EXPECTED_PAGES[self.market]

    def size_group(self) -> Hashable:
        """Return market, exchange and weekend or not."""
        return self.market, self.exchange, self.date.weekday() >= _SATURDAY

    def checks(self, rows: Sequence[ProgramTrade], totals: ProgramTradeTotals) -> Iterator[Check]:
        """Compare amounts with the stated totals, shares with 100 %, net with buy minus sell."""
        bought = sold = net_bought = traded = 0
        shares = Decimal(0)
        unbalanced: list[str] = []
        for row in rows:
            buy, sell, net = row.buy_amount, row.sell_amount, row.net_buy_amount
            # Two thirds of a day's rows are nothing but zeros (wire-facts.md, fact 11).
            if not (buy or sell or net or row.turnover_share):
                continue
            bought += buy
            sold += sell
            net_bought += net
            shares += row.turnover_share
            if buy or sell:
                traded += 1
            if net != buy - sell:
                unbalanced.append(row.symbol)
        for name, amount, total in (
            ("buy", bought, totals.buy_amount),
            ("sell", sold, totals.sell_amount),
            ("net buy", net_bought, totals.net_buy_amount),
        ):
            yield Check(
                name=f"{name} amount of the rows",
                actual=amount,
                expected=total,
                unit=MILLION_WON,
            )
        yield Check(
            name="sum of the turnover shares",
            actual=shares,
            expected=100 if traded else None,
            unit="%",
            tolerance=traded * _SHARE_ROUNDING,
        )
        yield Check(
            name="count of rows whose net is not buy minus sell",
            actual=len(unbalanced),
            expected=0,
            examples=tuple(unbalanced),
            each_row=True,
        )
