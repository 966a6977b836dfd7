"""Pages read by columns are those that the default engine reads, and its errors are theirs."""

import json
import re
from decimal import Decimal

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.recorded import recorded

from kiwoom_async import (
    DecodeError,
    Exchange,
    KiwoomError,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
    Query,
    wire,
)
from kiwoom_async._protocol import pages
from kiwoom_async._protocol.convert import (
    magnitude,
    read_decimal,
    read_integer,
    read_stock_code,
    read_text,
    reader_of,
    request_body,
    structure_rows,
)
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import first_cursor
from kiwoom_async.speed import FastEngine, _columns
from kiwoom_async.speed._columns import column_reader, read_page

QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)
FROM_QUERY = {"date": QUERY.date, "market": QUERY.market, "exchange": QUERY.exchange}
RECORDED = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"]
FIELDS = list(RECORDED[0])

# Every letter that some number is spelled with, or that int() or Decimal() would take besides.
spelled = st.text("0159+-._ \t\n\x1c\u00a0٣０eNa", max_size=24)
values = st.sampled_from(
    ["", " ", "0", "+0.00", "5", "--7", "9" * 21, "\ud800", None, 5, True, [], {}]
)
rows = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from([row[name] for row in RECORDED]) | spelled for name in FIELDS},
)


def answer_of(raw_rows):
    raw = json.dumps({"stk_prm_trde_prst": raw_rows, "return_code": 0}).encode()
    return Response(Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, raw)


def with_care(raw_rows):
    """Return the rows as the converter reads them, or its error."""
    try:
        return structure_rows(raw_rows, ProgramTrade, FROM_QUERY, "stk_prm_trde_prst")
    except DecodeError as error:
        return error


def by_columns(raw_rows, query=QUERY):
    """Return the rows as they are read by columns, or None."""
    result = read_page(answer_of(raw_rows), query)
    return None if result is None else result[0]


def decoded(raw_rows, on_undecoded="raise"):
    cursor = first_cursor(QUERY)
    return FastEngine().decode_page(answer_of(raw_rows), QUERY, cursor, on_undecoded)


@st.composite
def nearly_good_rows(draw):
    """Recorded rows, of which a few values were changed or left out."""
    found = []
    for row in draw(st.lists(st.sampled_from(RECORDED), max_size=4)):
        changed = draw(st.dictionaries(st.sampled_from(FIELDS), spelled | values, max_size=2))
        left_out = draw(st.sets(st.sampled_from(FIELDS), max_size=1)) if changed else set()
        found.append({name: v for name, v in (row | changed).items() if name not in left_out})
    return found


@settings(max_examples=500, deadline=None)
@given(nearly_good_rows() | st.lists(rows | st.none() | spelled, max_size=3))
@example([dict.fromkeys(FIELDS, "")])
@example([RECORDED[0], dict.fromkeys(FIELDS, " ")])
def test_rows_and_errors_are_those_of_the_converter(raw_rows):
    careful = with_care(raw_rows)
    fast = by_columns(raw_rows)
    if fast is not None:
        assert [*map(repr, fast)] == [*map(repr, careful)]
        assert fast == careful
    if isinstance(careful, DecodeError):
        assert fast is None
        with pytest.raises(DecodeError) as caught:
            decoded(raw_rows)
        assert caught.value.problems == careful.problems
    else:
        page = decoded(raw_rows)
        assert page.rows == [row for row in careful if row is not None]
        assert page.blank_rows == careful.count(None)


@given(nearly_good_rows())
def test_a_row_that_cannot_be_read_is_delivered_as_it_was_sent(raw_rows):
    page = decoded(raw_rows, "deliver")
    for undecoded in page.undecoded:
        assert undecoded.raw == raw_rows[undecoded.position]
    assert len(page.rows) + len(page.undecoded) + page.blank_rows == len(raw_rows)


def test_recorded_pages_are_read_by_columns():
    for name in ("ka90004_rows_20260810_kospi_all", "ka90004_spec_example"):
        raw_rows = recorded(name)["stk_prm_trde_prst"]
        assert by_columns(raw_rows) == with_care(raw_rows)
    assert by_columns([RECORDED[0] | {"netprps_prica": "--5"}]) is not None


def test_every_column_of_ka90004_is_converted_at_once():
    for field in attrs.fields(ProgramTrade):
        if "wire" in field.metadata:
            assert type(column_reader(reader_of(field))) is not _columns._ValueByValue, field.name


def test_a_row_is_frozen_slotted_and_of_its_class():
    (row,) = by_columns(RECORDED[:1])
    (careful,) = with_care(RECORDED[:1])
    assert type(row) is ProgramTrade
    assert not hasattr(row, "__dict__")
    assert (row, hash(row), repr(row)) == (careful, hash(careful), repr(careful))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.price = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del row.price


@attrs.frozen(kw_only=True, weakref_slot=False)
class Other:
    """Another request's row: a wire name that is no identifier, and no stock code."""

    note: str = attrs.field(metadata=wire("250note", "비고"))
    day: str
    number: int | None = attrs.field(metadata=wire("no", "번호"))
    share: Decimal = attrs.field(metadata=wire("shr", "비율"))


@attrs.frozen
class OtherQuery(Query[Other]):
    """The query of such rows."""

    api_id = "ka90004"
    path = "/other"
    rows_key = "stk_prm_trde_prst"

    day: str = attrs.field(metadata=wire("dt"))


def test_another_row_class_needs_nothing_more():
    raw_rows = [
        {"250note": "x", "no": "", "shr": "+7.10"},
        {"250note": "y", "no": "-7", "shr": "5"},
    ]
    query = OtherQuery("mon")
    careful = structure_rows(raw_rows, Other, {"day": "mon"}, "rows")
    assert by_columns(raw_rows, query) == careful
    assert careful[0] == Other(note="x", day="mon", number=None, share=Decimal("7.10"))
    assert request_body(query) == {"dt": "mon"}


@pytest.mark.parametrize(
    "raw",
    [
        {"250note": "", "no": "1", "shr": "1"},
        {"250note": None, "no": "1", "shr": "1"},
        {"no": "1", "shr": "1"},
        {"250note": "x", "no": "1", "shr": "1", "more": "1"},
    ],
)
def test_a_row_that_may_be_blank_or_has_other_names_is_left_to_the_converter(raw):
    assert by_columns([raw], OtherQuery("mon")) is None


def row_class(**options):
    """Return a query of rows whose one number has these attrs options."""

    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Row:
        code: str = attrs.field(metadata=wire("stk_cd"))
        number: int = attrs.field(metadata=wire("no"), **options)

    class RowQuery(Query[Row]):
        api_id = "ka90004"
        path = "/other"
        rows_key = "stk_prm_trde_prst"

    return attrs.frozen(RowQuery)()


def test_a_validator_refuses_and_a_converter_converts_in_this_engine_too():
    raw_rows = [{"stk_cd": "005930", "no": "50"}]
    assert by_columns(raw_rows, row_class())[0].number == 50
    cursor = first_cursor(row_class())
    validated = row_class(validator=attrs.validators.ge(100))
    with pytest.raises(DecodeError, match="'number' must be >= 100: 50"):
        FastEngine().decode_page(answer_of(raw_rows), validated, cursor)
    converted = row_class(converter=lambda value: value * 2)
    [row] = FastEngine().decode_page(answer_of(raw_rows), converted, cursor).rows
    assert row.number == 100


@pytest.mark.parametrize("options", [{"slots": False}, {}, {"cache_hash": True}])
def test_a_class_of_another_layout_is_left_to_the_converter(options):
    @attrs.frozen(kw_only=True, **options)
    class Row:
        code: str = attrs.field(metadata=wire("stk_cd"))

    @attrs.frozen
    class RowQuery(Query[Row]):
        api_id = "ka90004"
        path = "/other"
        rows_key = "stk_prm_trde_prst"

    assert by_columns([{"stk_cd": "005930"}], RowQuery()) is None
    page = FastEngine().decode_page(
        answer_of([{"stk_cd": "005930"}]), RowQuery(), first_cursor(RowQuery())
    )
    assert page.rows == [Row(code="005930")]


@settings(max_examples=500)
@given(
    st.sampled_from([read_text, read_integer, magnitude, read_decimal]),
    st.lists(st.integers(-(10**22), 10**22).map("{:+}".format) | spelled | values, min_size=1),
)
@example(read_integer, ["1", "1_0"])
@example(read_integer, ["٣"])
@example(read_integer, ["-5", "+-5"])
@example(read_integer, ["++5"])
@example(read_integer, ["1", "+ 5"])
@example(read_integer, ["+\t5"])
@example(read_integer, ["1", "2,3"])
@example(read_integer, ["1", "2", ""])
@example(read_integer, ["1.0"])
@example(read_integer, ["1e2"])
@example(read_integer, ["9" * 20, "1"])
@example(read_integer, ["0" * 21])
@example(read_text, ["a", "\ud800"])
def test_a_column_at_once_is_the_column_value_by_value(reader, column):
    def outcome(read):
        try:
            return repr([*read()])
        except ValueError as error:
            return str(error)

    at_once = outcome(lambda: column_reader(reader)(column))
    assert at_once == outcome(lambda: [reader(value, None) for value in column])


PAGE = (
    '{"tot_1": "1", "tot_6": "", "stk_prm_trde_prst": '
    + json.dumps(RECORDED, ensure_ascii=False)
    + ', "return_code": 0, "return_msg": "정상적으로 처리되었습니다"}'
).encode()
CURSOR = first_cursor(QUERY)
CUTS = [match.start() for match in re.finditer(rb'[":,{}\[\]0-9]', PAGE)]
DAMAGE = [
    b'"', b":", b",", b'"tot_1": "2", ', b'"x": ":", ', b'"stk_nm": "a", ', b"null, ", b"0", b".0",
    b"+", b"-", b"e1", b"_", b" ", b"\\", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"{}, ", b"[], ",
    b'"return_code": 1, ', b"\xef\xbb\xbf",
]  # fmt: skip


def both_ways(body, status=200):
    """Return what each engine makes of a page."""
    answer = Response(Request("ka90004", "/", {}, b"", ()), status, {"api-id": "ka90004"}, body)
    outcomes = []
    for decode_page in (FastEngine().decode_page, pages.decode_page):
        try:
            outcomes.append(repr(attrs.astuple(decode_page(answer, QUERY, CURSOR))))
        except KiwoomError as error:
            outcomes.append(f"{type(error)}: {error}")
    return outcomes


@settings(max_examples=1_000)
@given(
    st.lists(st.tuples(st.sampled_from(CUTS), st.sampled_from(DAMAGE)), max_size=2),
    st.sampled_from(["{", '", "', '"0"', ": 0", "stk_cd", "return_msg", "tot_1", "005930_AL"]),
    st.sampled_from(["{", '", "x": "', '""', ": 0.0", ": true", "x", "tot_2", " ", "null"]),
    st.sampled_from([200, 429, 500]),
)
@example([], "{", "{", 200)
@example([], '"1"', "null", 200)
@example([(CUTS[1], b'"deep": ' + b"[" * 100_000)], "{", "{", 200)
@example([], '"return_code": 0', '"return_code": 5', 200)
def test_a_page_is_the_same_in_both_engines(damage, old, new, status):
    body = PAGE
    for place, what in sorted(damage, reverse=True):
        body = body[:place] + what + body[place:]
    fast, default = both_ways(body.replace(old.encode(), new.encode(), 1), status)
    assert fast == default


def test_a_page_of_too_many_rows_is_refused_by_both_engines():
    rows = json.dumps(RECORDED[:1] * 5_001, ensure_ascii=False)
    body = f'{{"stk_prm_trde_prst": {rows}, "return_code": 0}}'.encode()
    fast, default = both_ways(body)
    assert "5,001 rows on one page" in fast
    assert fast == default


def test_an_ordinary_page_is_not_read_a_second_time(monkeypatch):
    monkeypatch.setattr(pages, "decode_body", None)
    answer = Response(Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, PAGE)
    assert len(FastEngine().decode_page(answer, QUERY, CURSOR).rows) == len(RECORDED)


def test_a_stock_code_is_never_blank():
    assert column_reader(read_stock_code)(["005930", "0156T0"]) == ["005930", "0156T0"]
    assert by_columns([RECORDED[0], RECORDED[1] | {"stk_cd": " "}]) is None
