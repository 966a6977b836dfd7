"""All there is to know about ka90004, program trading by stock: query, row, totals, audit.

Field meanings are ka90004-spec.md's, units and signs wire-facts.md's (section 6). Knows nothing
of calls or clocks. Long, because one TR is one file.
"""

import datetime
import logging
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Final, TypeVar

from attrs import field, frozen

from kiwoom_async._protocol.columns import at_once, texts
from kiwoom_async._protocol.convert import compact_date, magnitude_or_none, register, text, wire
from kiwoom_async._protocol.query import Endpoint, Environment, Page
from kiwoom_async.errors import short_repr

E = TypeVar("E", bound=StrEnum)

_logger: Final = logging.getLogger("kiwoom_async")

THOUSAND_SHARES: Final = "thousand shares"
MILLION_WON: Final = "million won"


class Market(StrEnum):
    """The listing market (시장구분)."""

    KOSPI = "KOSPI"
    KOSDAQ = "KOSDAQ"


class Exchange(StrEnum):
    """Where the trades were made (거래소구분).

    CONSOLIDATED (통합) is KRX and NXT together; it can differ from KRX even in sign.
    """

    KRX = "KRX"
    NXT = "NXT"
    CONSOLIDATED = "CONSOLIDATED"


class PriceMove(StrEnum):
    """The price against the previous close (등락기호)."""

    UPPER_LIMIT = "UPPER_LIMIT"
    UP = "UP"
    FLAT = "FLAT"
    LOWER_LIMIT = "LOWER_LIMIT"
    DOWN = "DOWN"


_MARKET_CODES: Final = {Market.KOSPI: "P00101", Market.KOSDAQ: "P10102"}
_EXCHANGE_CODES: Final = {Exchange.KRX: "1", Exchange.NXT: "2", Exchange.CONSOLIDATED: "3"}
_reported: Final[set[str]] = set()
_MOST_REPORTED: Final = 64
# Pages of a whole day, as walked on 2026-08-10 (wire-facts.md, fact 2).
_USUAL_PAGES: Final = {Market.KOSPI: 50, Market.KOSDAQ: 61}
_SATURDAY: Final = 5
_MOVES: Final = {
    # These two say nothing (wire-facts.md, section 6).
    "": None,
    "0": None,
    "1": PriceMove.UPPER_LIMIT,
    "2": PriceMove.UP,
    "3": PriceMove.FLAT,
    "4": PriceMove.LOWER_LIMIT,
    "5": PriceMove.DOWN,
}


def _day(value: datetime.date | str) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}(-?)[0-9]{2}\1[0-9]{2}", value, re.ASCII):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"date: {value!r} is no day of the calendar") from error
    raise ValueError(
        f"date: got {short_repr(value)}; allowed are a datetime.date, 'YYYY-MM-DD' or 'YYYYMMDD'"
    )


def _member(name: str, value: object, allowed: type[E]) -> E:
    if isinstance(value, allowed):
        return value
    choices = ", ".join(f"{allowed.__name__}.{member.name}" for member in allowed)
    raise ValueError(f"{name}: got {short_repr(value)}; allowed are {choices}")


def _market(value: Market) -> Market:
    return _member("market", value, Market)


def _exchange(value: Exchange) -> Exchange:
    return _member("exchange", value, Exchange)


@frozen
class ProgramTradeQuery:
    """Which day, market and exchange.

    `date` is a `datetime.date`, "YYYY-MM-DD" or "YYYYMMDD". ValueError for anything that is not
    a day, a Market or an Exchange: the server would answer a wrong market code with a blank row
    and no error (wire-facts.md, fact 6).
    """

    date: datetime.date = field(converter=_day)
    market: Market = field(converter=_market)
    exchange: Exchange = field(converter=_exchange)

    @property
    def endpoint(
        self,
    ) -> "Endpoint[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery, ProgramTradeAudit]":
        """The TR that answers this query."""
        return PROGRAM_TRADES

    def __str__(self) -> str:
        return f"{self.date} {self.market} {self.exchange}"


@frozen(kw_only=True, weakref_slot=False)
class ProgramTrade:
    """One stock's program trading on one day; its unit is in each field's metadata, too.

    symbol: as sent, with the venue's suffix (`005930_AL`); `stock_code` is without.
    stock_name: as sent.
    price: won, never negative; None when the server left it blank.
    move: None when blank, "0" or a code that nobody has described.
    change: won against the previous close, signed.
    buy_quantity, sell_quantity: thousand shares.
    buy_amount, sell_amount: million won.
    net_buy_amount: million won, signed; buy minus sell amount in every row recorded.
    turnover_share: percent of the whole market's program turnover (buy and sell amounts), not of
        the stock's own trading (wire-facts.md, fact 9).
    date, market, exchange: the query's, so that a row alone says what it is.

    A number that is blank or unreadable, but for the price, never becomes a row: DecodeError.
    """

    symbol: str = field(metadata=wire("stk_cd", "종목코드"))
    stock_name: str = field(metadata=wire("stk_nm", "종목명"))
    price: int | None = field(metadata=wire("cur_prc", "현재가", "won"))
    move: PriceMove | None = field(metadata=wire("flu_sig", "등락기호"))
    change: int = field(metadata=wire("pred_pre", "전일대비", "won"))
    buy_quantity: int = field(metadata=wire("buy_cntr_qty", "매수체결수량", THOUSAND_SHARES))
    buy_amount: int = field(metadata=wire("buy_cntr_amt", "매수체결금액", MILLION_WON))
    sell_quantity: int = field(metadata=wire("sel_cntr_qty", "매도체결수량", THOUSAND_SHARES))
    sell_amount: int = field(metadata=wire("sel_cntr_amt", "매도체결금액", MILLION_WON))
    net_buy_amount: int = field(metadata=wire("netprps_prica", "순매수대금", MILLION_WON))
    turnover_share: Decimal = field(
        metadata=wire("all_trde_rt", "전체거래비율", "percent", decimals=2)
    )
    date: datetime.date
    market: Market
    exchange: Exchange

    @property
    def stock_code(self) -> str:
        """The six characters without the venue's suffix; they may be letters (`0156T0`)."""
        return self.symbol.partition("_")[0]


@frozen(kw_only=True)
class ProgramTradeTotals:
    """The totals that stand beside the rows; None where the server left one blank or out.

    Units presumably as in the rows. Whether every page repeats them is unknown, and so is what
    `total_6` means (wire-facts.md, section 6).
    """

    buy_quantity: int | None = field(
        default=None, metadata=wire("tot_1", "매수체결수량합계", THOUSAND_SHARES)
    )
    buy_amount: int | None = field(
        default=None, metadata=wire("tot_2", "매수체결금액합계", MILLION_WON)
    )
    sell_quantity: int | None = field(
        default=None, metadata=wire("tot_3", "매도체결수량합계", THOUSAND_SHARES)
    )
    sell_amount: int | None = field(
        default=None, metadata=wire("tot_4", "매도체결금액합계", MILLION_WON)
    )
    net_buy_amount: int | None = field(
        default=None, metadata=wire("tot_5", "순매수대금합계", MILLION_WON)
    )
    total_6: str = field(default="", metadata=wire("tot_6", "합계6"))


@frozen
class AmountCheck:
    """A sum over all rows beside the total that the server stated, in million won."""

    rows: int
    stated: int | None

    @property
    def difference(self) -> int | None:
        """Rows minus total; None where no total was stated."""
        return None if self.stated is None else self.rows - self.stated


@frozen(kw_only=True)
class ProgramTradeAudit:
    """What can be said about a walk's completeness. It reports, and hides no row.

    During trading hours values move while a walk runs, so that a stock may come twice and sums
    may differ. A whole day after the close is expected to add up.
    """

    pages: int
    rows: int
    traded_rows: int
    blank_rows: int
    # Rows that could not be read; of any, the sums below know nothing.
    undecoded_rows: int
    # Numbers of the pages without a row, in a walk of several.
    empty_pages: tuple[int, ...]
    repeated_symbols: tuple[str, ...]
    buy_amount: AmountCheck
    sell_amount: AmountCheck
    net_buy_amount: AmountCheck
    # The sum over all rows, in percent: about 100 for a complete day with trades.
    turnover_share: Decimal
    # Symbols of rows whose net is not buy minus sell.
    unbalanced_symbols: tuple[str, ...]
    # Different totals came with different pages of the walk.
    totals_vary: bool

    @property
    def findings(self) -> list[str]:
        """Everything that does not add up, one sentence each."""
        found = [
            f"{name} of the rows is {check.rows:,} million won, the stated total {check.stated:,}"
            for name, check in (
                ("buy amount", self.buy_amount),
                ("sell amount", self.sell_amount),
                ("net buy amount", self.net_buy_amount),
            )
            if check.difference
        ]
        if self.undecoded_rows:
            found.append(f"rows that could not be read: {self.undecoded_rows}")
        if self.blank_rows and self.rows:
            found.append(f"blank rows among the others: {self.blank_rows}")
        if self.empty_pages:
            found.append(f"pages without rows in a walk of several: {self.empty_pages}")
        if self.repeated_symbols:
            found.append(f"symbols seen more than once: {_listed(self.repeated_symbols)}")
        if self.unbalanced_symbols:
            found.append(f"net is not buy minus sell: {_listed(self.unbalanced_symbols)}")
        if self.traded_rows and abs(self.turnover_share - 100) > self._rounding:
            found.append(f"turnover shares add up to {self.turnover_share} %, not 100 %")
        if self.totals_vary:
            found.append("the stated totals changed from page to page")
        return found

    def __str__(self) -> str:
        blank = f", {self.blank_rows} blank" if self.blank_rows else ""
        counted = f"{self.pages} pages, {self.rows:,} rows{blank}"
        shares = f"shares {self.turnover_share} %"
        return f"{counted}, {shares}: {'; '.join(self.findings) or 'everything adds up'}"

    @property
    def _rounding(self) -> Decimal:
        # Each share of a stock that traded is rounded to two decimals; the others are exact.
        return self.traded_rows * Decimal("0.005")


def _listed(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - 5} more" if len(symbols) > 5 else ""
    return ", ".join(symbols[:5]) + more


_Page = Page[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery]


def _audit(pages: Sequence[_Page], totals: ProgramTradeTotals) -> ProgramTradeAudit:
    rows = [row for page in pages for row in page.rows]
    seen = Counter(row.symbol for row in rows)
    return ProgramTradeAudit(
        pages=len(pages),
        rows=len(rows),
        traded_rows=sum(bool(row.buy_amount or row.sell_amount) for row in rows),
        blank_rows=sum(page.blank_rows for page in pages),
        undecoded_rows=sum(len(page.undecoded) for page in pages),
        empty_pages=tuple(
            page.number
            for page in pages
            if not page.rows and not page.undecoded and (page.next or page.number > 1)
        ),
        repeated_symbols=tuple(symbol for symbol, times in seen.items() if times > 1),
        buy_amount=AmountCheck(sum(row.buy_amount for row in rows), totals.buy_amount),
        sell_amount=AmountCheck(sum(row.sell_amount for row in rows), totals.sell_amount),
        net_buy_amount=AmountCheck(sum(row.net_buy_amount for row in rows), totals.net_buy_amount),
        turnover_share=sum((row.turnover_share for row in rows), Decimal(0)),
        unbalanced_symbols=tuple(
            row.symbol for row in rows if row.net_buy_amount != row.buy_amount - row.sell_amount
        ),
        totals_vary=any(page.totals not in (totals, ProgramTradeTotals()) for page in pages),
    )


def _body(query: ProgramTradeQuery) -> dict[str, str]:
    return {
        "dt": compact_date(query.date),
        "mrkt_tp": _MARKET_CODES[query.market],
        "stex_tp": _EXCHANGE_CODES[query.exchange],
    }


def _row_context(query: ProgramTradeQuery) -> dict[str, object]:
    return {"date": query.date, "market": query.market, "exchange": query.exchange}


def _check(query: ProgramTradeQuery, today: datetime.date, environment: Environment) -> str | None:
    if query.date > today:
        raise ValueError(f"date: {query.date} has not come yet; today is {today} in Korea")
    if environment is Environment.MOCK and query.exchange is not Exchange.KRX:
        return (
            f"the specification says that the mock host knows Exchange.KRX only, not "
            f"Exchange.{query.exchange.name}; one measurement contradicts it, so it is sent"
        )
    return None


def _has_trading(query: ProgramTradeQuery) -> bool:
    return query.date.weekday() < _SATURDAY


def _alike(query: ProgramTradeQuery) -> tuple[Market, Exchange, bool]:
    return query.market, query.exchange, _has_trading(query)


def _usual_pages(query: ProgramTradeQuery) -> int:
    # A day without data is one blank row.
    return _USUAL_PAGES[query.market] if _has_trading(query) else 1


def _symbol(value: object, _: object) -> str:
    symbol = "" if value is None else text(value)
    if not symbol.strip():
        raise ValueError("no stock code, but other values")
    return symbol


# Rows that begin with nothing are not read column by column.
at_once(_symbol)(texts)


def _move(value: object, _: object) -> PriceMove | None:
    code = "" if value is None else text(value).strip()
    if code not in _MOVES:
        _report_undescribed(code)
    return _MOVES.get(code)


@at_once(_move)
def _moves(column: Sequence[str]) -> list[PriceMove | None]:
    return [*map(_MOVES.__getitem__, column)]


def _report_undescribed(code: str) -> None:
    """Say once that a code came which nobody has described; of very many, of the first."""
    said = short_repr(code)
    if said not in _reported and len(_reported) < _MOST_REPORTED:
        _reported.add(said)
        _logger.warning("ka90004: flu_sig %s is not described; `move` is None", said)


def _text_or_empty(value: object, _: object) -> str:
    return "" if value is None else text(value)


register(ProgramTrade, symbol=_symbol, price=magnitude_or_none, move=_move)
register(ProgramTradeTotals, total_6=_text_or_empty)

PROGRAM_TRADES: Final[
    Endpoint[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery, ProgramTradeAudit]
] = Endpoint(
    api_id="ka90004",
    path="/api/dostk/stkinfo",
    rows_key="stk_prm_trde_prst",
    row=ProgramTrade,
    totals=ProgramTradeTotals,
    body=_body,
    row_context=_row_context,
    check=_check,
    identity=attrgetter("symbol"),
    alike=_alike,
    usual_pages=_usual_pages,
    audit=_audit,
)
