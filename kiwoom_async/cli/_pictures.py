"""What `kiwoom-async report` is made of, and its page: a day asked of the server. Extra: plot."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from kiwoom_async import KiwoomClient, ProgramTrade, ProgramTradeQuery, Walk
from kiwoom_async.report import DayFlow, report_html

from ._progress import Progress


@frozen
class Material:
    """What a report is made of."""

    rows: Sequence[ProgramTrade]
    remarks: Sequence[str]
    simulated: bool
    days: Sequence[DayFlow] = ()
    stock_rows: Sequence[ProgramTrade] = ()
    stocks: Sequence[str] | None = None

    def write(self, path: Path) -> None:
        """Write the page: whole, or not at all."""
        text = report_html(
            self.rows,
            days=self.days,
            stock_rows=self.stock_rows,
            stocks=self.stocks,
            remarks=self.remarks,
            simulated=self.simulated,
        )
        made = path.with_name(f"{path.name}.new")
        try:
            with made.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            made.replace(path)
        except OSError:
            made.unlink(missing_ok=True)
            raise


async def of_server(
    client: Callable[..., KiwoomClient], queries: Sequence[ProgramTradeQuery]
) -> Material:
    """The day that the queries are of."""
    progress = Progress()
    found: dict[ProgramTradeQuery, list[Any]] = {query: [] for query in queries}
    async with client(on_event=progress.tell) as kiwoom:
        progress.expect({query: kiwoom.estimate([query]).calls for query in queries})
        with progress:
            async with kiwoom.merge(queries) as pages:
                async for page in pages:
                    found[page.query].append(page)
    walks = [Walk.of(query, its) for query, its in found.items()]
    rows = [row for walk in walks for row in walk.rows]
    # A server on this machine is a simulated one, on a port or in this process.
    simulated = urlsplit(kiwoom.base_url).hostname in {"localhost", "127.0.0.1", "::1"}
    return Material(rows, [f"{walk.query}: {walk.audit}" for walk in walks], simulated)
