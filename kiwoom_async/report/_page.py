"""One page of all pictures, which needs nothing but itself: no request, no script, no font."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from kiwoom_async import Exchange, ProgramTrade

from ._choice import checked, each_once, of_one_day, of_one_exchange
from ._concentration import concentration
from ._flows import DayFlow
from ._html import listed, page, paragraph, picture, tables
from ._ink import day_text
from ._markets import by_market_and_exchange
from ._net_flow import net_flow
from ._paper import PHONE, WIDE, Picture, drawn
from ._ranking import most_bought_and_sold, ranked
from ._scatter import buy_against_sell
from ._stock_flow import stock_flow

# A picture at a width in inches.
Drawing = Callable[[float], Picture]

_IN_TABLES: Final = 15
_TITLE: Final = "Program trading by stock"
_SIMULATED: Final = "Simulated exchange: the numbers are invented."
_SOURCE: Final = "Source: Kiwoom Securities' REST request ka90004 (종목별프로그램매매현황)."
_NOTES: Final = (
    "Amounts are in 100 million won (억원).",
    "Shares (전체거래비율) are percent of the market's whole program turnover, bought and sold.",
    "Net (순매수) is bought minus sold. Red is bought and blue is sold, as usual in Korea.",
    "Consolidated (통합) is KRX and NXT together: it holds both, and must not be added to them.",
)


def report_html(
    rows: Sequence[ProgramTrade],
    *,
    days: Sequence[DayFlow] = (),
    stock_rows: Sequence[ProgramTrade] = (),
    stocks: Sequence[str] | None = None,
    remarks: Sequence[str] = (),
    simulated: bool = False,
    exchange: Exchange | None = None,
) -> str:
    """A whole HTML page of a day, and of several days where they are given.

    `rows` are of one day, for four pictures and the tables. `days` and `stock_rows` are for the
    flows of markets and of stocks, each drawn where it has two days at least; `stocks` are codes
    as in `stock_flow`. `remarks` are
    printed below the title, such as the walks' audits. With `simulated` the page says that its
    numbers are invented. `exchange` as in `most_bought_and_sold`, for all but the comparison of
    exchanges.

    Each picture is there twice, for screens and for phones. The same input gives the same bytes,
    with the same matplotlib and fonts. ValueError as the figures raise it.
    """
    of_day = of_one_day(rows)
    said = checked("remarks", remarks, str)
    flows = checked("days", days, DayFlow)
    of_stocks = each_once(checked("stock_rows", stock_rows, ProgramTrade))
    when = day_text(row.date for row in of_day)
    title = f"{_TITLE}{', ' * bool(when)}{when}"
    first, *others = _drawings(of_day, flows, (of_stocks, stocks), exchange)
    body = (
        f'<h1>{_TITLE} <span lang="ko">(종목별 프로그램 매매)</span> <span>{when}</span></h1>',
        paragraph(_SIMULATED, "simulated") if simulated else "",
        listed(said),
        _twice(first),
        _tables(of_day, exchange),
        *map(_twice, others),
        f"<footer><h2>Notes</h2>{listed([*_NOTES, _SIMULATED if simulated else _SOURCE])}</footer>",
    )
    return page(title, filter(None, body))


def _drawings(
    rows: Sequence[ProgramTrade],
    days: Sequence[DayFlow],
    of_stocks: tuple[Sequence[ProgramTrade], Sequence[str] | None],
    exchange: Exchange | None,
) -> Iterator[Drawing]:
    yield lambda width: most_bought_and_sold(rows, exchange=exchange, width=width)
    yield lambda width: by_market_and_exchange(rows, width=width)
    yield lambda width: buy_against_sell(rows, exchange=exchange, width=width)
    yield lambda width: concentration(rows, exchange=exchange, width=width)
    if len({flow.date for flow in days}) > 1:
        yield lambda width: net_flow(days, exchange=exchange, width=width)
    stock_rows, stocks = of_stocks
    if len({row.date for row in stock_rows}) > 1:
        yield lambda width: stock_flow(stock_rows, stocks=stocks, exchange=exchange, width=width)


def _twice(draw: Drawing) -> str:
    wide, slim = draw(WIDE), draw(PHONE)
    return picture(drawn(wide, "svg"), drawn(slim, "svg"), wide.alt)


def _tables(rows: Sequence[ProgramTrade], exchange: Exchange | None) -> str:
    of_venue, venue = of_one_exchange(rows, exchange)
    bought, sold = ranked(of_venue, _IN_TABLES)
    return tables(((f"Most bought, {venue}", bought), (f"Most sold, {venue}", sold)))
