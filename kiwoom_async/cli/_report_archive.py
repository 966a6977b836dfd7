"""The data of `kiwoom-async report` from an archive: a day, and the flows of the days up to it.

Of ka90004, program trades by stock; an archive's other data sets are left out.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from attrs import Attribute, field, frozen

from kiwoom_async import Exchange, Market, ProgramTrade, ProgramTradeQuery
from kiwoom_async.archive import Archive, Entry
from kiwoom_async.report import DayFlow
from kiwoom_async.tables import rows_of

from ._findings import Findings
from ._report_data import ReportData

_SELECTED_SQL: Final = """
with selected as (
    select * from trades where market in ({markets}) and exchange in ({exchanges})
), days as (
    select distinct date from selected where date <= DATE '{day}' order by date desc limit {days}
)"""
_FLOWS_SQL: Final = """
select date, market, exchange, sum(buy_amount)::BIGINT as buy_amount,
    sum(sell_amount)::BIGINT as sell_amount
from selected where date in (from days) group by all order by all"""
_STOCKS_SQL: Final = """
, drawn as (from selected where exchange = '{exchange}' and date in (from days))
, codes as ({codes})
select * from drawn where stock_code in (from codes) order by date, symbol"""
_LARGEST_SQL: Final = """
select stock_code from drawn
group by 1 order by abs(sum(net_buy_amount)) desc, 1 limit 6"""
# More lines in one picture could not be told apart.
_MAX_STOCKS: Final = 8


def _validate_stocks(_: object, __: "Attribute[Any]", stocks: Sequence[str]) -> None:
    if len(stocks) > _MAX_STOCKS:
        raise ValueError(f"--stock: got {len(stocks)} of them; at most {_MAX_STOCKS} fit")
    for code in stocks:
        if not re.fullmatch(r"[0-9A-Z]{6}", code):
            raise ValueError(f"--stock: got {code!r}; expected six characters, as in 005930")


@frozen
class ArchiveSelection:
    """The part of an archive that a report covers: `days` days up to `day`, or to the latest."""

    day: date | None
    days: int
    markets: Sequence[Market]
    exchanges: Sequence[Exchange]
    stocks: Sequence[str] = field(validator=_validate_stocks)

    def load(self, archive: Archive) -> ReportData:
        """Return the data of the report; raises ValueError if the archive lacks the day."""
        entries = self._entries_of_day(archive)
        rows = [row for entry in entries for row in archive.read(entry.query)]
        selected = _SELECTED_SQL.format(
            markets=_sql_list(self.markets),
            exchanges=_sql_list(self.exchanges),
            day=entries[0].query.date,
            days=self.days,
        )
        stock_rows = self._stock_rows(archive, selected, _preferred_exchange(rows))
        flows = archive.query(selected + _FLOWS_SQL).to_pylist()
        drawn = self._drawn_entries(archive, {flow["date"] for flow in flows})
        findings = Findings()
        for entry in drawn:
            findings.add(entry.query, entry.findings)
        for query in archive.missing_files():
            if query in {entry.query for entry in drawn}:
                findings.add(query, ["its file is missing; fetch collects it again"])
        return ReportData(
            rows=rows,
            findings=findings,
            walks=len(drawn),
            remarks=[f"{entry.query}: {_remark(entry)}" for entry in entries],
            simulated=archive.simulated,
            days=[_day_flow(**flow) for flow in flows],
            stock_rows=stock_rows,
            stocks=self.stocks or None,
        )

    def _stock_rows(
        self, archive: Archive, selected: str, exchange: Exchange
    ) -> Sequence[ProgramTrade]:
        codes = f"values {_sql_list(self.stocks, '({})')}" if self.stocks else _LARGEST_SQL
        table = archive.query(selected + _STOCKS_SQL.format(exchange=exchange, codes=codes))
        rows = rows_of(table, ProgramTrade)
        if missing := set(self.stocks) - {row.stock_code for row in rows}:
            raise ValueError(f"--stock: no rows of {', '.join(sorted(missing))} on these days")
        return rows

    def _entries_of_day(self, archive: Archive) -> list[Entry]:
        entries = [entry for entry in archive.entries() if entry.rows and self._includes(entry)]
        if not entries:
            raise ValueError(
                f"{archive.path} holds no complete walk of these markets and exchanges of ka90004, "
                "which reports are made of"
            )
        first, latest = entries[0].query.date, entries[-1].query.date
        day = self.day or latest
        if of_day := [entry for entry in entries if entry.query.date == day]:
            return of_day
        raise ValueError(
            f"--date: {archive.path} holds no complete walk of {day}; it has {first} to {latest}"
        )

    def _drawn_entries(self, archive: Archive, days: set[date]) -> list[Entry]:
        return [
            entry
            for entry in archive.entries()
            if entry.rows and self._includes(entry) and min(days) <= entry.query.date <= max(days)
        ]

    def _includes(self, entry: Entry) -> bool:
        query = entry.query
        return (
            isinstance(query, ProgramTradeQuery)
            and query.market in self.markets
            and query.exchange in self.exchanges
        )


def _sql_list(values: Sequence[str], item: str = "{}") -> str:
    return ", ".join(item.format(f"'{value}'") for value in values)


def _remark(entry: Entry) -> str:
    provisional = "provisional, of a day that was not over; " if entry.provisional else ""
    return provisional + entry.audit


def _day_flow(date: date, market: str, exchange: str, **amounts: int) -> DayFlow:
    return DayFlow(date=date, market=Market(market), exchange=Exchange(exchange), **amounts)


def _preferred_exchange(rows: Sequence[ProgramTrade]) -> Exchange:
    """Return the exchange that the flows of single stocks are drawn for."""
    available = {row.exchange for row in rows}
    preference = (Exchange.CONSOLIDATED, Exchange.KRX, Exchange.NXT)
    return next(exchange for exchange in preference if exchange in available)
