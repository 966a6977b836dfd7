"""The HTML report: all figures on one page without requests, scripts or font files."""

from collections.abc import Iterator, Sequence
from typing import Final

from kiwoom_async import Exchange, ProgramTrade

from ._canvas import PHONE_WIDTH_INCHES, SCREEN_WIDTH_INCHES, Picture, render
from ._concentration import concentration
from ._day_flows import DayFlow
from ._html import bullet_list, html_document, paragraph, responsive_figure, stock_tables
from ._markets import by_market_and_exchange
from ._net_flow import net_flow
from ._ranking import most_bought_and_sold, rank_by_net
from ._scatter import buy_against_sell
from ._selection import drop_duplicates, select_exchange, single_day_rows, validated_list
from ._stock_flow import stock_flow
from ._style import format_days

_STOCKS_PER_TABLE: Final = 15
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
    """Return an HTML page with the figures of a day, and of several days if they are given.

    `rows` are of one day, for four figures and the tables. `days` and `stock_rows` are for
    `net_flow` and `stock_flow`, each drawn if it has at least two days; `stocks` are codes as in
    `stock_flow`. `remarks`, such as the walks' audits, are listed below the title. With
    `simulated` the page says that its numbers are invented. `exchange` as in
    `most_bought_and_sold`, for all figures but `by_market_and_exchange`.

    Each figure is there twice, for screens and for phones. The same input gives the same bytes,
    with the same matplotlib and fonts. Raises ValueError as the figures do.
    """
    day_rows = single_day_rows(rows)
    remark_list = validated_list("remarks", remarks, str)
    flows = validated_list("days", days, DayFlow)
    unique_stock_rows = drop_duplicates(validated_list("stock_rows", stock_rows, ProgramTrade))
    first_figure, *other_figures = _figures(day_rows, flows, unique_stock_rows, stocks, exchange)
    day = format_days(row.date for row in day_rows)
    notes = (*_NOTES, _SIMULATED if simulated else _SOURCE)
    body = (
        f'<h1>{_TITLE} <span lang="ko">(종목별 프로그램 매매)</span> <span>{day}</span></h1>',
        paragraph(_SIMULATED, "simulated") if simulated else "",
        bullet_list(remark_list),
        first_figure,
        _tables(day_rows, exchange),
        *other_figures,
        f"<footer><h2>Notes</h2>{bullet_list(notes)}</footer>",
    )
    return html_document(", ".join(filter(None, (_TITLE, day))), filter(None, body))


def _figures(
    rows: Sequence[ProgramTrade],
    days: Sequence[DayFlow],
    stock_rows: Sequence[ProgramTrade],
    stocks: Sequence[str] | None,
    exchange: Exchange | None,
) -> Iterator[str]:
    """Yield the HTML of each figure, drawn for screens and for phones."""
    on_screen = _pictures(rows, days, stock_rows, stocks, exchange, width=SCREEN_WIDTH_INCHES)
    on_phone = _pictures(rows, days, stock_rows, stocks, exchange, width=PHONE_WIDTH_INCHES)
    for wide, narrow in zip(on_screen, on_phone, strict=True):
        yield responsive_figure(render(wide, "svg"), render(narrow, "svg"), wide.alt)


def _pictures(
    rows: Sequence[ProgramTrade],
    days: Sequence[DayFlow],
    stock_rows: Sequence[ProgramTrade],
    stocks: Sequence[str] | None,
    exchange: Exchange | None,
    *,
    width: float,
) -> Iterator[Picture]:
    yield most_bought_and_sold(rows, exchange=exchange, width=width)
    yield by_market_and_exchange(rows, width=width)
    yield buy_against_sell(rows, exchange=exchange, width=width)
    yield concentration(rows, exchange=exchange, width=width)
    if len({flow.date for flow in days}) > 1:
        yield net_flow(days, exchange=exchange, width=width)
    if len({row.date for row in stock_rows}) > 1:
        yield stock_flow(stock_rows, stocks=stocks, exchange=exchange, width=width)


def _tables(rows: Sequence[ProgramTrade], exchange: Exchange | None) -> str:
    selected, venue = select_exchange(rows, exchange)
    bought, sold = rank_by_net(selected, _STOCKS_PER_TABLE)
    return stock_tables({f"Most bought, {venue}": bought, f"Most sold, {venue}": sold})
