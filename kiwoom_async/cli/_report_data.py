"""The data of `kiwoom-async report` and its page; the data of one day from the server.

Extra: plot.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from kiwoom_async import KiwoomClient, ProgramTrade, ProgramTradeQuery
from kiwoom_async.report import DayFlow, report_html

from ._findings import Findings, findings_of
from ._output import replacing
from ._progress import Progress
from ._walks import collect_walks


@frozen
class ReportData:
    """The arguments of `report_html`, and the findings of the walks that they come from."""

    rows: Sequence[ProgramTrade]
    findings: Findings
    walks: int
    remarks: Sequence[str]
    simulated: bool
    days: Sequence[DayFlow] = ()
    stock_rows: Sequence[ProgramTrade] = ()
    stocks: Sequence[str] | None = None

    def write_html(self, path: Path) -> None:
        """Write the page, whole or not at all."""
        html = report_html(
            self.rows,
            days=self.days,
            stock_rows=self.stock_rows,
            stocks=self.stocks,
            remarks=self.remarks,
            simulated=self.simulated,
        )
        with replacing(path) as file:
            file.write(html.encode())


async def fetch_report_data(
    make_client: Callable[..., KiwoomClient], queries: Sequence[ProgramTradeQuery]
) -> ReportData:
    """Return the data of a report on the queries' day."""
    progress = Progress()
    async with make_client(on_event=progress.on_event) as kiwoom:
        walks = await collect_walks(kiwoom, queries, progress)
    return ReportData(
        rows=[row for walk in walks for row in walk.rows],
        findings=findings_of(walks),
        walks=len(walks),
        remarks=[f"{walk.query}: {walk.audit}" for walk in walks],
        # A server on this machine is a simulated one, on a port or in this process.
        simulated=urlsplit(kiwoom.base_url).hostname in {"localhost", "127.0.0.1", "::1"},
    )
