"""Figures of program trading, and an HTML page with all of them. Extra: plot (matplotlib).

from kiwoom_async.report import most_bought_and_sold, report_html
most_bought_and_sold(walk.rows).savefig("ranking.png")
Path("report.html").write_text(report_html(walk.rows), encoding="utf-8")

Every figure is a `matplotlib.figure.Figure` that a notebook shows by itself. It is made without
pyplot and leaves matplotlib's settings as they were, so that any thread may draw it. Amounts are
drawn in 100 million won (억원), as is usual in Korea; rows hold million won. Red is bought and
blue is sold, as Korean prices are red when they rise; a shape or a sign always says the same.
"""

from kiwoom_async.errors import require_extra

with require_extra("plot", "matplotlib"):
    import matplotlib  # noqa: F401 - the modules below need it

from ._canvas import Picture
from ._concentration import concentration
from ._day_flows import DayFlow, day_flows
from ._markets import by_market_and_exchange
from ._net_flow import net_flow
from ._ranking import most_bought_and_sold
from ._report_html import report_html
from ._scatter import buy_against_sell
from ._stock_flow import stock_flow

__all__ = [
    "DayFlow",
    "Picture",
    "buy_against_sell",
    "by_market_and_exchange",
    "concentration",
    "day_flows",
    "most_bought_and_sold",
    "net_flow",
    "report_html",
    "stock_flow",
]
