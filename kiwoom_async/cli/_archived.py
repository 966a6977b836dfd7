"""What `kiwoom-async report` takes from an archive: a day, and the flows of the days up to it."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from attrs import Attribute, field, frozen

from kiwoom_async import Exchange, Market, ProgramTrade
from kiwoom_async.archive import Archive, Entry
from kiwoom_async.report import DayFlow
from kiwoom_async.tables import rows_of

from ._pictures import Material

_CHOSEN: Final = """
with chosen as (
    select * from trades where market in ({markets}) and exchange in ({exchanges})
), days as (
    select distinct date from chosen where date <= DATE '{day}' order by date desc limit {days}
)"""
_FLOWS: Final = """
select date, market, exchange, sum(buy_amount)::BIGINT as buy_amount,
    sum(sell_amount)::BIGINT as sell_amount
from chosen where date in (from days) group by all order by all"""
_STOCKS: Final = """
, shown as (from chosen where exchange = '{exchange}' and date in (from days))
, codes as ({codes})
select * from shown where stock_code in (from codes) order by date, symbol"""
_LARGEST: Final = """
select stock_code from shown
group by 1 order by abs(sum(net_buy_amount)) desc, 1 limit 6"""
# More lines could not be told apart.
_MOST_STOCKS: Final = 8


def _check_stocks(_: object, __: "Attribute[Any]", stocks: Sequence[str]) -> None:
    if len(stocks) > _MOST_STOCKS:
        raise ValueError(f"--stock: got {len(stocks)} of them; at most {_MOST_STOCKS} fit")
    for code in stocks:
        if not re.fullmatch(r"[0-9A-Z]{6}", code):
            raise ValueError(f"--stock: got {code!r}; expected six characters, as in 005930")


@frozen
class Part:
    """Which part of an archive a report is of; the latest day there is where none is named."""

    day: date | None
    days: int
    markets: Sequence[Market]
    exchanges: Sequence[Exchange]
    stocks: Sequence[str] = field(validator=_check_stocks)

    def material(self, archive: Archive) -> Material:
        """What the report is made of; ValueError where the archive has no such day."""
        entries = self._of_day(archive.entries(), archive)
        rows = [row for entry in entries for row in archive.read(entry.query)]
        chosen = _CHOSEN.format(
            markets=_texts(self.markets),
            exchanges=_texts(self.exchanges),
            day=entries[0].query.date,
            days=self.days,
        )
        codes = f"values {_texts(self.stocks, '({})')}" if self.stocks else _LARGEST
        stocks = chosen + _STOCKS.format(exchange=_shown(rows), codes=codes)
        stock_rows = rows_of(archive.query(stocks), ProgramTrade)
        if strange := set(self.stocks) - {row.stock_code for row in stock_rows}:
            raise ValueError(f"--stock: {', '.join(sorted(strange))} came on none of these days")
        return Material(
            rows=rows,
            remarks=[f"{one.query}: {_remark(one)}" for one in entries],
            simulated=archive.simulated,
            days=[_flow(**one) for one in archive.query(chosen + _FLOWS).to_pylist()],
            stock_rows=stock_rows,
            stocks=self.stocks or None,
        )

    def _of_day(self, entries: Sequence[Entry], archive: Archive) -> list[Entry]:
        whole = [one for one in entries if one.rows and self._asked(one)]
        if not whole:
            raise ValueError(f"{archive.path} holds no complete walk of these")
        day = self.day or whole[-1].query.date
        if found := [one for one in whole if one.query.date == day]:
            return found
        known = f"{whole[0].query.date} to {whole[-1].query.date}"
        raise ValueError(f"--date: {archive.path} holds no complete walk of {day}; it has {known}")

    def _asked(self, entry: Entry) -> bool:
        return entry.query.market in self.markets and entry.query.exchange in self.exchanges


def _texts(values: Sequence[str], each: str = "{}") -> str:
    return ", ".join(each.format(f"'{value}'") for value in values)


def _remark(entry: Entry) -> str:
    provisional = "provisional, of a day that was not over; " if entry.provisional else ""
    return provisional + entry.audit


def _flow(date: date, market: str, exchange: str, **amounts: int) -> DayFlow:
    return DayFlow(date=date, market=Market(market), exchange=Exchange(exchange), **amounts)


def _shown(rows: Sequence[ProgramTrade]) -> Exchange:
    """The exchange that the pictures take of several."""
    there = {row.exchange for row in rows}
    best = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
    return next(exchange for exchange in best if exchange in there)
