"""Rows read by columns: the same rows and errors as those of the converter."""

import json
import typing
import weakref
from decimal import Decimal

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.recorded import recorded

from kiwoom_async import DecodeError, Exchange, Market, ProgramTrade, ProgramTradeQuery, Query, wire
from kiwoom_async._protocol.convert import (
    magnitude,
    read_decimal,
    read_integer,
    read_stock_code,
    read_text,
    structure_rows,
)
from kiwoom_async._protocol.encode import request_body
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import decode_page, first_cursor
from kiwoom_async.speed import FastEngine, _columns
from kiwoom_async.speed._columns import column_reader, read_page

QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)
FROM_QUERY = {"date": QUERY.date, "market": QUERY.market, "exchange": QUERY.exchange}
RECORDED = recorded("ka90004_rows_20260810_kospi_all")["stk_prm_trde_prst"]
FIELDS = list(RECORDED[0])

# Every character of the numbers that are sent, and more that int() or Decimal() would accept.
number_like_text = st.text("0159+-._ \t\n\x1c\u00a0٣０eNa", max_size=24)
values = st.sampled_from(
    ["", " ", "0", "+0.00", "5", "--7", "9" * 21, "\ud800", None, 5, True, [], {}]
)
rows = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([row[name] for row in RECORDED]) | number_like_text for name in FIELDS
    },
)


def answer_of(raw_rows):
    """Return an answer with these rows."""
    raw = json.dumps({"stk_prm_trde_prst": raw_rows, "return_code": 0}).encode()
    return Response(Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, raw)


def by_converter(raw_rows):
    """Return the rows that the converter reads, or its error."""
    try:
        return structure_rows(raw_rows, ProgramTrade, FROM_QUERY, "stk_prm_trde_prst")
    except DecodeError as error:
        return error


def read_by_columns(raw_rows, query=QUERY):
    """Return the rows that are read by columns, or None."""
    result = read_page(answer_of(raw_rows), query)
    return None if result is None else result[0]


def decoded(raw_rows, on_undecoded="raise"):
    """Return the page that FastEngine decodes from these rows."""
    cursor = first_cursor(QUERY)
    return FastEngine().decode_page(answer_of(raw_rows), QUERY, cursor, on_undecoded)


@st.composite
def nearly_good_rows(draw):
    """Draw recorded rows of which a few values are changed or left out."""
    found = []
    for row in draw(st.lists(st.sampled_from(RECORDED), max_size=4)):
        changed = draw(
            st.dictionaries(st.sampled_from(FIELDS), number_like_text | values, max_size=2)
        )
        left_out = draw(st.sets(st.sampled_from(FIELDS), max_size=1)) if changed else set()
        found.append({name: v for name, v in (row | changed).items() if name not in left_out})
    return found


@settings(max_examples=500)
@given(nearly_good_rows() | st.lists(rows | st.none() | number_like_text, max_size=3))
@example([dict.fromkeys(FIELDS, "")])
@example([RECORDED[0], dict.fromkeys(FIELDS, " ")])
def test_rows_and_errors_equal_those_of_the_converter(raw_rows):
    converted = by_converter(raw_rows)
    fast = read_by_columns(raw_rows)
    if fast is not None:
        assert [*map(repr, fast)] == [*map(repr, converted)]
        assert fast == converted
    if isinstance(converted, DecodeError):
        assert fast is None
        with pytest.raises(DecodeError) as caught:
            decoded(raw_rows)
        assert caught.value.problems == converted.problems
    else:
        page = decoded(raw_rows)
        assert page.rows == [row for row in converted if row is not None]
        assert page.blank_rows == converted.count(None)


@given(nearly_good_rows())
def test_an_unreadable_row_is_delivered_as_it_was_sent(raw_rows):
    page = decoded(raw_rows, "deliver")
    for undecoded in page.undecoded:
        assert undecoded.raw == raw_rows[undecoded.position]
    assert len(page.rows) + len(page.undecoded) + page.blank_rows == len(raw_rows)


def test_recorded_pages_are_read_by_columns():
    for name in ("ka90004_rows_20260810_kospi_all", "ka90004_spec_example"):
        raw_rows = recorded(name)["stk_prm_trde_prst"]
        assert read_by_columns(raw_rows) == by_converter(raw_rows)
    assert read_by_columns([RECORDED[0] | {"netprps_prica": "--5"}]) is not None


def test_every_column_of_ka90004_is_read_as_a_whole():
    readers = _columns._page_reader(ProgramTradeQuery).builder._readers
    assert _columns._ValueByValue not in [type(reader) for reader in readers]


@pytest.mark.parametrize("name", ["\ud800", "a\udc00", "\ud800x"])
def test_half_a_character_is_left_to_the_converter(name):
    assert read_by_columns([RECORDED[0] | {"stk_nm": name}]) is None
    with pytest.raises(DecodeError, match="half a character"):
        decoded([RECORDED[0] | {"stk_nm": name}])


def test_a_row_is_a_frozen_slotted_instance_of_its_class():
    (row,) = read_by_columns(RECORDED[:1])
    (converted,) = by_converter(RECORDED[:1])
    assert type(row) is ProgramTrade
    assert not hasattr(row, "__dict__")
    assert (row, hash(row), repr(row)) == (converted, hash(converted), repr(converted))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.price = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del row.price


@attrs.frozen(kw_only=True, weakref_slot=False)
class ExampleRow:
    """A row with a wire name that is not an identifier, and without a stock code."""

    note: str = attrs.field(metadata=wire("250note", "비고"))
    day: str
    number: int | None = attrs.field(metadata=wire("no", "번호"))
    share: Decimal = attrs.field(metadata=wire("shr", "비율"))


@attrs.frozen
class ExampleQuery(Query[ExampleRow]):
    """The query of these rows."""

    api_id = "ka90004"
    path = "/other"
    rows_key = "stk_prm_trde_prst"

    day: str = attrs.field(metadata=wire("dt"))


def test_another_row_class_is_read_by_columns_without_registration():
    raw_rows = [
        {"250note": "x", "no": "", "shr": "+7.10"},
        {"250note": "y", "no": "-7", "shr": "5"},
    ]
    query = ExampleQuery("mon")
    converted = structure_rows(raw_rows, ExampleRow, {"day": "mon"}, "rows")
    assert read_by_columns(raw_rows, query) == converted
    assert converted[0] == ExampleRow(note="x", day="mon", number=None, share=Decimal("7.10"))
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
def test_a_row_that_may_be_blank_or_has_other_fields_is_left_to_the_converter(raw):
    assert read_by_columns([raw], ExampleQuery("mon")) is None


def query_of(row_class):
    """Return a query for rows of this class."""

    @attrs.frozen
    class RowQuery(Query[row_class]):
        api_id = "ka90004"
        path = "/other"
        rows_key = "stk_prm_trde_prst"

    return RowQuery()


def query_with_number(**options):
    """Return a query of rows whose one number has these attrs options."""

    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Row:
        code: str = attrs.field(metadata=wire("stk_cd"))
        number: int = attrs.field(metadata=wire("no"), **options)

    return query_of(Row)


def test_validators_and_converters_of_row_fields_are_applied():
    raw_rows = [{"stk_cd": "005930", "no": "50"}]
    assert read_by_columns(raw_rows, query_with_number())[0].number == 50
    cursor = first_cursor(query_with_number())
    validated = query_with_number(validator=attrs.validators.ge(100))
    with pytest.raises(DecodeError, match="'number' must be >= 100: 50"):
        FastEngine().decode_page(answer_of(raw_rows), validated, cursor)
    converted = query_with_number(converter=lambda value: value * 2)
    [row] = FastEngine().decode_page(answer_of(raw_rows), converted, cursor).rows
    assert row.number == 100


@pytest.mark.parametrize("options", [{"slots": False}, {"cache_hash": True}])
def test_a_row_class_with_more_than_fields_in_slots_is_left_to_the_converter(options):
    @attrs.frozen(kw_only=True, **options)
    class Row:
        code: str = attrs.field(metadata=wire("stk_cd"))

    query = query_of(Row)
    assert read_by_columns([{"stk_cd": "005930"}], query) is None
    page = FastEngine().decode_page(answer_of([{"stk_cd": "005930"}]), query, first_cursor(query))
    assert page.rows == [Row(code="005930")]


class Registered:
    """A base class that keeps its subclasses."""

    __slots__ = ()
    subclasses: typing.ClassVar = []

    def __init_subclass__(cls):
        Registered.subclasses.append(cls)


class Counted:
    """A base class that counts its instances."""

    __slots__ = ()
    made = 0

    def __new__(cls, *_, **__):
        Counted.made += 1
        return super().__new__(cls)


class Registering(type):
    """A metaclass that keeps its classes, in the place of `__init_subclass__`."""

    def __init__(cls, *_):
        Registered.subclasses.append(cls)


class RegisteredByMetaclass(metaclass=Registering):
    """A base class whose metaclass keeps its subclasses."""

    __slots__ = ()


@pytest.mark.parametrize("base", [Registered, RegisteredByMetaclass, Counted])
def test_a_row_class_with_a_hook_in_a_base_class_is_left_to_the_converter(base):
    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Row(base):
        code: str = attrs.field(metadata=wire("stk_cd"))

    subclasses, made = len(Registered.subclasses), Counted.made
    assert read_by_columns([{"stk_cd": "005930"}], query_of(Row)) is None
    assert (len(Registered.subclasses), Counted.made) == (subclasses, made)


def test_a_row_class_may_have_a_base_class_and_weak_references():
    @attrs.frozen(kw_only=True)
    class Stock:
        code: str = attrs.field(metadata=wire("stk_cd"))

    @attrs.frozen(kw_only=True)
    class Row(Stock):
        number: int = attrs.field(metadata=wire("no"))

    [row] = read_by_columns([{"stk_cd": "005930", "no": "5"}], query_of(Row))
    assert type(row) is Row
    assert row == Row(code="005930", number=5)
    assert weakref.ref(row)() is row
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.number = 6


def test_a_constructor_of_the_row_class_is_called():
    @attrs.frozen(weakref_slot=False)
    class Row:
        code: str = attrs.field(metadata=wire("stk_cd"))

        def __init__(self, code):
            self.__attrs_init__(code.lower())

    query, answer = query_of(Row), answer_of([{"stk_cd": "0005A0"}])
    assert FastEngine().decode_page(answer, query, first_cursor(query)).rows[0].code == "0005a0"


def test_annotations_may_be_text_or_optional():
    @attrs.frozen(kw_only=True, weakref_slot=False)
    class Row:
        code: "str" = attrs.field(metadata=wire("stk_cd"))
        number: "typing.Optional[int]" = attrs.field(metadata=wire("no"))  # noqa: UP045

    raw_rows = [{"stk_cd": "005930", "no": "5"}, {"stk_cd": "000660", "no": ""}]
    query = query_of(Row)
    rows = read_by_columns(raw_rows, query)
    assert [row.number for row in rows] == [5, None]
    assert rows == decode_page(answer_of(raw_rows), query, first_cursor(query)).rows


@settings(max_examples=500)
@given(
    st.sampled_from([read_text, read_integer, magnitude, read_decimal]),
    st.lists(
        st.integers(-(10**22), 10**22).map("{:+}".format) | number_like_text | values, min_size=1
    ),
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
@example(magnitude, ["--7", "5"])
@example(magnitude, ["5", "-+5"])
@example(read_text, ["a", "\ud800"])
def test_a_column_read_as_a_whole_equals_its_values_read_one_by_one(reader, column):
    def outcome(read):
        try:
            return repr([*read()])
        except ValueError as error:
            return str(error)

    at_once = outcome(lambda: column_reader(reader)(column))
    assert at_once == outcome(lambda: [reader(value, None) for value in column])


def test_a_blank_stock_code_is_left_to_the_converter():
    assert column_reader(read_stock_code)(["005930", "0156T0"]) == ["005930", "0156T0"]
    assert read_by_columns([RECORDED[0], RECORDED[1] | {"stk_cd": " "}]) is None
