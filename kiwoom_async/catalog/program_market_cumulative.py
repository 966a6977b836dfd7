"""ka90007, program net buying of a market by day, with its running sum (프로그램매매누적추이요청).

Facts: wire-facts.md, section 9.
"""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from attrs import field, frozen

from kiwoom_async._protocol import records
from kiwoom_async._protocol.arguments import checked_day
from kiwoom_async._protocol.audit import Check
from kiwoom_async._protocol.query import Environment, Query, wire

from .codes import (
    EXCHANGE_CODES,
    INDEX_POINTS,
    MILLION_WON,
    Exchange,
    Market,
    differ,
    doubt_of_exchange,
    exchange_argument,
    market_argument,
    no_rows,
    read_index,
    refuse_future_day,
)

# Not the codes of the other requests.
_MARKET_DIGITS: Final = {Market.KOSPI: "0", Market.KOSDAQ: "1"}
_MAX_PERIOD: Final = datetime.timedelta(days=366)


@frozen(kw_only=True, weakref_slot=False)
class ProgramMarketCumulative:
    """A market's program net buying of one day, and its sum since a day. Units: the metadata, too.

    date: the day; today's row runs along, with zeros before it has values.
    kospi200: points; None when zero or blank. basis: points, signed; None when blank. For KOSDAQ
        neither has been recorded; in ka90010 they are wrong.
    arbitrage_, non_arbitrage_, total_net_buy_amount: million won, signed, of the day. The total
        can be off its parts by one, as each figure is rounded by itself.
    ..._cumulative_net_buy_amount: million won, signed, from `since` to the day. The total is off
        its parts by the roundings of all those days.
    since, market, exchange: the query's; the sums depend on `since`.
    """

    date: datetime.date = field(metadata=wire("dt", "일자"))
    kospi200: Decimal | None = field(
        metadata=wire("kospi200", "KOSPI200", unit=INDEX_POINTS, decimals=2, read=read_index)
    )
    basis: Decimal | None = field(metadata=wire("basis", "BASIS", unit=INDEX_POINTS, decimals=2))
    arbitrage_net_buy_amount: int = field(
        metadata=wire("dfrt_trde_tdy", "차익거래당일", unit=MILLION_WON)
    )
    arbitrage_cumulative_net_buy_amount: int = field(
        metadata=wire("dfrt_trde_acc", "차익거래누적", unit=MILLION_WON)
    )
    non_arbitrage_net_buy_amount: int = field(
        metadata=wire("ndiffpro_trde_tdy", "비차익거래당일", unit=MILLION_WON)
    )
    non_arbitrage_cumulative_net_buy_amount: int = field(
        metadata=wire("ndiffpro_trde_acc", "비차익거래누적", unit=MILLION_WON)
    )
    total_net_buy_amount: int = field(metadata=wire("all_tdy", "전체당일", unit=MILLION_WON))
    total_cumulative_net_buy_amount: int = field(
        metadata=wire("all_acc", "전체누적", unit=MILLION_WON)
    )
    since: datetime.date
    market: Market
    exchange: Exchange

    to_dict = records.to_dict


def _since(value: datetime.date | str) -> datetime.date:
    return checked_day("since", value)


@frozen
class ProgramMarketCumulativeQuery(Query[ProgramMarketCumulative]):
    """The first day of the sums, market and exchange; the rows run from today back to that day.

    `since` is a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD"; not the newest day, as in the other
    requests. ValueError for anything that is not a day, a Market or an Exchange.

    By amount only: the mode by quantity has never been recorded.
    """

    api_id = "ka90007"
    path = "/api/dostk/mrkcond"
    rows_key = "prm_trde_acc_trnsn"
    newest_first = True

    since: datetime.date = field(converter=_since, metadata=wire("date", "날짜"))
    market: Market = field(
        converter=market_argument, metadata=wire("mrkt_tp", "시장구분", codes=_MARKET_DIGITS)
    )
    exchange: Exchange = field(
        converter=exchange_argument, metadata=wire("stex_tp", "거래소구분", codes=EXCHANGE_CODES)
    )
    measure: str = field(
        default="1", init=False, repr=False, metadata=wire("amt_qty_tp", "금액수량구분")
    )

    def row_key(self, row: ProgramMarketCumulative) -> datetime.date:
        """Return the date."""
        return row.date

    def check(self, today: datetime.date, environment: Environment) -> str | None:
        """Raise ValueError for a day that has not come; doubt NXT on mock, and a sum over years."""
        refuse_future_day("since", self.since, today)
        if today - self.since > _MAX_PERIOD:
            return (
                f"since: {self.since} is more than a year ago; the specification allows one year, "
                "and no longer sum has been recorded, so it is sent"
            )
        return doubt_of_exchange(self.exchange, environment)

    def checks(self, rows: Sequence[ProgramMarketCumulative], totals: None) -> Iterator[Check]:  # noqa: ARG002
        """Compare each day's total with its parts, as far as rounding allows."""
        yield no_rows(
            "whose total is not arbitrage plus non-arbitrage",
            (row.date for row in rows if _total_differs(row)),
        )


def _total_differs(row: ProgramMarketCumulative) -> bool:
    parts = row.arbitrage_net_buy_amount + row.non_arbitrage_net_buy_amount
    return differ(row.total_net_buy_amount, parts)
