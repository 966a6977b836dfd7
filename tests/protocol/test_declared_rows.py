"""Requests that a user declares: kinds of fields, codes, and what a query does by default."""

import base64
import datetime as dt
import json
import zlib
from enum import Enum
from typing import Any, Generic, TypeVar

import attrs
import pytest

from kiwoom_async import Cursor, DecodeError, Environment, Query, wire
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import decode_page, first_cursor
from kiwoom_async.errors import require_extra


class Side(Enum):
    """A side of the book."""

    BUY = "buy"
    SELL = "sell"


@attrs.frozen
class Tick:
    """A row."""

    time: dt.time = attrs.field(metadata=wire("tm", read=dt.time.fromisoformat))
    note: str | None = attrs.field(metadata=wire("note"))
    side: Side = attrs.field(metadata=wire("side", codes={Side.BUY: "1", Side.SELL: "2"}))
    kind: Side | None = attrs.field(metadata=wire("kind", codes={Side.BUY: "1", Side.SELL: "2"}))


@attrs.frozen
class Ticks(Query[Tick]):
    """A request without totals."""

    api_id = "ka10003"
    path = "/api/dostk/stkinfo"
    rows_key = "rows"

    symbol: str = attrs.field(metadata=wire("stk_cd"))


def page_of(*rows: dict[str, Any], query: Any = None) -> Any:
    query = query or Ticks("005930")
    body = json.dumps({"return_code": 0, "rows": rows}).encode()
    headers = {"api-id": query.api_id, "cont-yn": "N"}
    response = Response(Request(query.api_id, "/", {}, b"", ()), 200, headers, body)
    return decode_page(response, query, first_cursor(query))


SENT = {"tm": "09:00:01", "note": "", "side": "1", "kind": ""}


def test_fields_of_every_kind_are_read() -> None:
    page = page_of(SENT, SENT | {"note": "vi", "side": "2", "kind": "2"})
    time = dt.time(9, 0, 1)
    assert page.rows == [
        Tick(time, None, Side.BUY, None), Tick(time, "vi", Side.SELL, Side.SELL),
    ]  # fmt: skip
    assert page.totals is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"side": "9"}, "'9' is not one of 1, 2"),
        ({"side": ""}, "'' is not one of 1, 2"),
        ({"tm": "noon"}, "noon"),
        ({"tm": 9}, "9 is not text"),
        ({"note": 5}, "5 is not text"),
    ],
)
def test_what_cannot_be_read_is_an_error(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        page_of(SENT, SENT | changes)


def test_an_unknown_code_of_a_field_that_may_be_missing_is_none() -> None:
    assert page_of(SENT | {"kind": "7"}).rows[0].kind is None


def test_a_class_without_a_reader_is_named() -> None:
    @attrs.frozen
    class Row:
        tags: list[str] = attrs.field(metadata=wire("tags"))

    with pytest.raises(TypeError, match=r"Row.tags: got type list\[str\]; no reader is known"):

        @attrs.frozen
        class Rows(Query[Row]):
            api_id = "ka10003"
            path = "/api/dostk/stkinfo"
            rows_key = "rows"


def test_a_query_has_defaults_for_what_it_does_not_declare() -> None:
    query = Ticks("005930")
    row = page_of(SENT).rows[0]
    assert query.row_key(row) is row
    assert query.check(dt.date(2026, 11, 20), Environment.PRODUCTION) is None
    assert query.day() is None
    assert (query.expected_pages(), query.size_group()) == (1, 1)
    assert [*query.checks([row], None)] == []


def test_queries_may_be_subclasses_of_queries() -> None:
    class MoreTicks(Ticks):
        pass

    T = TypeVar("T")

    class Named(Ticks, Generic[T]):
        pass

    assert MoreTicks.row_class is Named.row_class is Tick


def test_a_text_with_more_fields_than_a_cursor_has_is_refused() -> None:
    data = json.dumps(["ka10003", [], "K", 2, "", 0, "more"]).encode() + b"\n"
    data = zlib.crc32(data).to_bytes(4, "big") + data
    with pytest.raises(ValueError, match="is not, or not all of"):
        Cursor.parse("k1." + base64.urlsafe_b64encode(data).decode().rstrip("="))


def test_a_missing_extra_is_named_and_other_missing_modules_are_not() -> None:
    with (
        pytest.raises(ModuleNotFoundError, match=r"pip install 'kiwoom-async\[arrow\]'"),
        require_extra("arrow", "no_such_package"),
    ):
        import no_such_package
    with (
        pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'"),
        require_extra("arrow", "pyarrow"),
    ):
        import no_such_package  # noqa: F401
