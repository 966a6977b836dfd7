"""A page as the manifest keeps it, from its coming until its walk is whole."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from kiwoom_async import (
    Cursor,
    Page,
    ProgramTrade,
    ProgramTradeQuery,
    ProgramTradeTotals,
    Rows,
    Undecoded,
)
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, to_arrow

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

TradePage = Page[ProgramTrade, ProgramTradeTotals, ProgramTradeQuery]


def columns(page: TradePage) -> tuple[int, str | None, int, str, str, bytes]:
    """Number, next, blank_rows, totals, undecoded and rows, as the manifest's table has them."""
    undecoded = [attrs.asdict(one) for one in page.undecoded]
    return (
        page.number,
        None if page.next is None else str(page.next),
        page.blank_rows,
        totals_json(page.totals),
        json.dumps(undecoded),
        _packed(page),
    )


def pages(query: ProgramTradeQuery, kept: Sequence[Mapping[str, Any]]) -> list[TradePage]:
    """The pages that were kept as these columns."""
    tables = [pa.ipc.open_stream(one["rows"]).read_all() for one in kept]
    # All at once: a table of fifty rows takes as long as one of a thousand.
    rows = iter(rows_of(pa.concat_tables(tables), ProgramTrade) if tables else ())
    return [
        _page(query, one, list(islice(rows, table.num_rows)))
        for one, table in zip(kept, tables, strict=True)
    ]


def _page(
    query: ProgramTradeQuery, kept: Mapping[str, Any], rows: Sequence[ProgramTrade]
) -> TradePage:
    return Page(
        query=query,
        number=kept["number"],
        rows=Rows(rows, ProgramTrade),
        totals=totals_of(kept["totals"]),
        next=None if kept["next"] is None else Cursor.parse(kept["next"]),
        blank_rows=kept["blank_rows"],
        undecoded=[Undecoded(**one) for one in json.loads(kept["undecoded"])],
    )


def _packed(page: TradePage) -> bytes:
    table = to_arrow(page.rows, ProgramTrade)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def totals_json(totals: ProgramTradeTotals) -> str:
    """The stated totals as text."""
    return json.dumps(attrs.asdict(totals), ensure_ascii=False)


def totals_of(text: str) -> ProgramTradeTotals:
    """The totals that `totals_json` wrote."""
    return ProgramTradeTotals(**json.loads(text)) if text else ProgramTradeTotals()
