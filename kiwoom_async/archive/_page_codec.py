"""Pages to and from the columns in which the manifest stores them."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import attrs

from kiwoom_async import Cursor, Page, Query, Rows, Undecoded
from kiwoom_async.errors import require_extra
from kiwoom_async.tables import rows_of, to_arrow

from ._records import decode_records, encode_record

with require_extra("archive", "pyarrow"):
    import pyarrow as pa

WalkPage = Page[Any, Any]


def encode_page(page: WalkPage) -> tuple[int, str | None, int, str, str, bytes, int | None, bool]:
    """Return the values of a page's columns, from `number` on, in their order."""
    undecoded = [attrs.asdict(row) for row in page.undecoded]
    return (
        page.number,
        None if page.next is None else str(page.next),
        page.blank_rows,
        encode_totals(page.totals),
        json.dumps(undecoded),
        _encode_rows(page),
        page.stated_rows,
        page.restarted,
    )


def decode_pages(query: Query[Any, Any], stored: Sequence[Mapping[str, Any]]) -> list[WalkPage]:
    """Return the pages of these columns, in the same order."""
    tables = [pa.ipc.open_stream(columns["rows"]).read_all() for columns in stored]
    # Converted together: a table of fifty rows takes as long as one of a thousand.
    rows = iter(rows_of(pa.concat_tables(tables), query.row_class) if tables else ())
    return [
        Page(
            query=query,
            number=columns["number"],
            rows=Rows(islice(rows, table.num_rows), query.row_class),
            totals=decode_totals(columns["totals"], query.totals_class),
            next=None if columns["next"] is None else Cursor.parse(columns["next"]),
            blank_rows=columns["blank_rows"],
            undecoded=[Undecoded(**row) for row in json.loads(columns["undecoded"])],
            stated_rows=columns["stated_rows"],
            restarted=bool(columns["restarted"]),
        )
        for columns, table in zip(stored, tables, strict=True)
    ]


def _encode_rows(page: WalkPage) -> bytes:
    table = to_arrow(page.rows, page.query.row_class)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def encode_totals(totals: Any) -> str:
    """Return the stated totals as JSON, "" for a request that has none.

    ValueError for totals that could not be read back.
    """
    if totals is None:
        return ""
    text = json.dumps(encode_record(totals), ensure_ascii=False)
    decode_totals(text, type(totals))
    return text


def _decode_totals(text: str, totals_class: Any) -> Any:
    """Return the totals from JSON; unstated ones for an empty text."""
    if totals_class is None:
        return None
    if not text:
        return totals_class()
    (totals,) = decode_records([json.loads(text)], totals_class)
    return totals


# Every page repeats the totals of its walk. Not as a decorator: mypy takes no class for Hashable.
decode_totals: Final[Callable[[str, Any], Any]] = lru_cache(maxsize=64)(_decode_totals)
