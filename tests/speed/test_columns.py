"""Rows are read quickly or with care: what comes out is the same, and errors are those of care."""

import json
import re
import string
import sys
from contextlib import suppress
from decimal import Decimal
from unittest import mock

import attrs
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.msgspec import forget_msgspec
from support.recorded import recorded

from kiwoom_async import (
    DecodeError,
    Exchange,
    KiwoomError,
    Market,
    ProgramTrade,
    ProgramTradeQuery,
)
from kiwoom_async._protocol import msgspec_pages as _msgspec
from kiwoom_async._protocol import pages
from kiwoom_async._protocol.columns import _at_once, _column, at_once, usual_rows
from kiwoom_async._protocol.convert import (
    _named_readers,
    decimal_number,
    magnitude_or_none,
    reader_of,
    register,
    structure,
    text,
    whole_number,
    wire,
)
from kiwoom_async._protocol.messages import (
    Request,
    Response,
    _json_object,
    _no_number,
    _unambiguous,
)
from kiwoom_async._protocol.query import first_cursor
from kiwoom_async.catalog.program_trades import PROGRAM_TRADES

QUERY = ProgramTradeQuery("2026-08-10", Market.KOSPI, Exchange.CONSOLIDATED)
CONTEXT = PROGRAM_TRADES.row_context(QUERY)
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


def with_care(raw_rows):
    """The rows as the detailed converter finds them, or its error."""
    try:
        return pages._any_rows(raw_rows, PROGRAM_TRADES, CONTEXT)
    except DecodeError as error:
        return error


def as_decoded(raw_rows, on_undecoded="raise"):
    body = json.dumps({"stk_prm_trde_prst": raw_rows, "return_code": 0}).encode()
    answer = Response(Request("ka90004", "/", {}, b"", ()), 200, {}, body)
    return pages.decode_page(answer, QUERY, first_cursor(QUERY), on_undecoded=on_undecoded)


@st.composite
def nearly_good_rows(draw):
    """Recorded rows, of which a few values were changed or left out."""
    found = []
    for row in draw(st.lists(st.sampled_from(RECORDED), max_size=4)):
        changed = draw(st.dictionaries(st.sampled_from(FIELDS), spelled | values, max_size=2))
        left_out = draw(st.sets(st.sampled_from(FIELDS), max_size=1)) if changed else set()
        found.append({name: v for name, v in (row | changed).items() if name not in left_out})
    return found


@pytest.mark.usefixtures("each_json")
@settings(max_examples=500)
@given(nearly_good_rows() | st.lists(rows | st.none() | spelled, max_size=3))
@example([dict.fromkeys(FIELDS, "")])
@example([RECORDED[0], dict.fromkeys(FIELDS, " ")])
def test_quick_rows_are_those_of_care_and_errors_are_those_of_care(raw_rows):
    careful = with_care(raw_rows)
    quick = usual_rows(raw_rows, ProgramTrade, CONTEXT)
    if quick is not None:
        assert [*map(repr, quick)] == [*map(repr, careful)]
        assert quick == careful
    if isinstance(careful, DecodeError):
        assert quick is None
        with pytest.raises(DecodeError) as caught:
            as_decoded(raw_rows)
        assert caught.value.problems == careful.problems
    else:
        page = as_decoded(raw_rows)
        assert page.rows == [row for row in careful if row is not None]
        assert page.blank_rows == careful.count(None)


@given(nearly_good_rows())
def test_a_row_that_cannot_be_read_is_delivered_as_it_was_sent(raw_rows):
    page = as_decoded(raw_rows, "deliver")
    for one in page.undecoded:
        assert one.raw == raw_rows[one.position]
    assert len(page.rows) + len(page.undecoded) + page.blank_rows == len(raw_rows)


@pytest.mark.usefixtures("each_json")
def test_what_the_server_usually_sends_is_read_quickly():
    for name in ("ka90004_rows_20260810_kospi_all", "ka90004_spec_example"):
        raw_rows = recorded(name)["stk_prm_trde_prst"]
        assert usual_rows(raw_rows, ProgramTrade, CONTEXT) == with_care(raw_rows)
    assert usual_rows([RECORDED[0] | {"netprps_prica": "--5"}], ProgramTrade, CONTEXT) is not None


def test_every_column_is_read_at_once():
    for field in attrs.fields(ProgramTrade):
        if "wire" in field.metadata:
            assert reader_of(ProgramTrade, field) in _at_once, field.name


@pytest.mark.usefixtures("each_json")
def test_a_column_is_read_at_once_where_it_can_be():
    def careful(value, _):
        raise AssertionError(f"{value} was read by itself")

    try:
        at_once(careful)(_at_once[whole_number])
        assert [*_column(careful)(["+1", "-2", "0"])] == [1, -2, 0]
    finally:
        del _at_once[careful]


def test_a_row_is_frozen_slotted_and_of_its_class():
    (row,) = usual_rows(RECORDED[:1], ProgramTrade, CONTEXT)
    (careful,) = with_care(RECORDED[:1])
    assert type(row) is ProgramTrade
    assert not hasattr(row, "__dict__")
    assert (row, hash(row), repr(row)) == (careful, hash(careful), repr(careful))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.price = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del row.price


def test_no_class_of_rows_checks_or_converts_in_its_constructor():
    """It would not be asked, see `register`."""
    for cls in _named_readers:
        assert not hasattr(cls, "__attrs_post_init__")
        assert all(one.validator is one.converter is None for one in attrs.fields(cls))


@attrs.frozen(kw_only=True, weakref_slot=False)
class Other:
    """Another TR's row: an optional field first, and no stock code."""

    note: str | None = attrs.field(default=None, metadata=wire("nt", "비고"))
    day: str
    number: int | None = attrs.field(metadata=wire("no", "번호"))
    share: Decimal = attrs.field(metadata=wire("shr", "비율"))


register(Other, note=lambda value, _: value)


def test_another_class_of_rows_needs_nothing_more():
    raw_rows = [{"nt": "x", "no": "", "shr": "+7.10"}, {"nt": "y", "no": "-7", "shr": "5"}]
    careful = structure([raw | {"day": "mon"} for raw in raw_rows], list[Other], "rows", Other)
    assert usual_rows(raw_rows, Other, {"day": "mon"}) == careful
    assert careful[0] == Other(note="x", day="mon", number=None, share=Decimal("7.10"))


@pytest.mark.parametrize(
    ("raw", "context"),
    [
        ({"nt": "", "no": "1", "shr": "1"}, {"day": "mon"}),
        ({"nt": None, "no": "1", "shr": "1"}, {"day": "mon"}),
        ({"no": "1", "shr": "1"}, {"day": "mon"}),
        ({"nt": "x", "no": "1", "shr": "1"}, {}),
    ],
)
def test_a_row_that_may_be_blank_or_incomplete_is_left_to_care(raw, context):
    assert usual_rows([raw], Other, context) is None


@pytest.mark.usefixtures("each_json")
@settings(max_examples=500)
@given(
    st.sampled_from([text, whole_number, magnitude_or_none, decimal_number]),
    st.lists(st.integers(-(10**22), 10**22).map("{:+}".format) | spelled | values, min_size=1),
)
@example(whole_number, ["1", "1_0"])
@example(whole_number, ["٣"])
@example(whole_number, ["-5", "+-5"])
@example(whole_number, ["++5"])
@example(whole_number, ["1", "+ 5"])
@example(whole_number, ["+\t5"])
@example(whole_number, ["1", "2,3"])
@example(whole_number, ["1", "2", ""])
@example(whole_number, ["1.0"])
@example(whole_number, ["1e2"])
@example(whole_number, ["9" * 20, "1"])
@example(whole_number, ["0" * 21])
@example(text, ["a", "\ud800"])
def test_a_column_at_once_is_the_column_one_by_one(reader, column):
    def read(how):
        try:
            return repr([*how()])
        except ValueError as error:
            return str(error)

    together = read(lambda: _column(reader)(column))
    assert together == read(lambda: [reader(value, None) for value in column])


@settings(max_examples=500)
@given(spelled)
@example("1_0")
@example("٣")
@example("0" * 21)
@example("-" + "0" * 20)
@example("--5")
@example("-0")
def test_int_and_the_pattern_agree(sent):
    whole = re.fullmatch(r"(\+|--?)?([0-9]{1,20})", sent.strip())
    if whole is None:
        with pytest.raises(ValueError, match="is not a whole number"):
            whole_number(sent)
    else:
        sign = -1 if "-" in (whole[1] or "") else 1
        assert whole_number(sent) == sign * int(whole[2])


@pytest.mark.parametrize("hundredths", range(101))
def test_small_shares_keep_their_places(hundredths):
    sent = f"+{hundredths // 100}.{hundredths % 100:02}"
    assert str(decimal_number(sent)) == sent[1:]


names = st.text(string.ascii_lowercase + ':"\\', max_size=2)
objects = st.lists(st.tuples(names, st.text('a:"', max_size=3)), max_size=4)


def as_text(pairs):
    """An object as JSON: unlike a dict, it may name one thing twice."""
    return "{" + ", ".join(f"{json.dumps(k)}: {v}" for k, v in pairs) + "}"


@settings(max_examples=500)
@given(objects, st.lists(objects, max_size=3), st.booleans())
@example([("a", "1"), ("a", "2")], [], False)
@example([("a", ":")], [[("b", "1"), ("b", "1")]], False)
@example([("a", "1")], [[("b", "1"), ("b", "1")]], True)
def test_a_name_that_stands_twice_is_found_wherever_it_stands(outer, inner, deeper):
    rows_text = ", ".join(as_text((k, json.dumps(v)) for k, v in pairs) for pairs in inner)
    held = f'{{"deeper": [{rows_text}]}}' if deeper else f"[{rows_text}]"
    text = as_text([*((k, json.dumps(v)) for k, v in outer), ("rows", held)])
    try:
        meant = json.loads(text, object_pairs_hook=_unambiguous)
    except ValueError:
        meant = None
    assert _json_object(text.encode()) == meant


PAGE = (
    '{"tot_1": "1", "tot_6": "", "stk_prm_trde_prst": '
    + json.dumps(RECORDED, ensure_ascii=False)
    + ', "return_code": 0, "return_msg": "정상적으로 처리되었습니다"}'
).encode()
BESIDE = ("tot_1", "tot_6", "return_msg")
CURSOR = first_cursor(QUERY)
CUTS = [match.start() for match in re.finditer(rb'[":,{}\[\]0-9]', PAGE)]
DAMAGE = [
    b'"', b":", b",", b'"tot_1": "2", ', b'"x": ":", ', b'"stk_nm": "a", ', b"null, ", b"0", b".0",
    b"+", b"-", b"e1", b"_", b" ", b"\\", b"\\ud800", b"\xff", b"\xed\xa0\x80", b"{}, ", b"[], ",
    b'"return_code": 1, ', b"\xef\xbb\xbf",
]  # fmt: skip


def either_way(body, status=200):
    """What comes of a page with msgspec, and without it."""
    answer = Response(Request("ka90004", "/", {}, b"", ()), status, {}, body)
    found = []
    for library in (msgspec, None):
        with mock.patch.dict(sys.modules, {"msgspec": library}):
            forget_msgspec()
            try:
                found.append(repr(attrs.astuple(pages.decode_page(answer, QUERY, CURSOR))))
            except KiwoomError as error:
                found.append(f"{type(error)}: {error}")
    return found


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
def test_a_page_is_the_same_with_msgspec_and_without(damage, old, new, status):
    body = PAGE
    for place, what in sorted(damage, reverse=True):
        body = body[:place] + what + body[place:]
    with_it, without = either_way(body.replace(old.encode(), new.encode(), 1), status)
    assert with_it == without


def test_msgspec_is_used_where_it_is_installed(monkeypatch):
    assert _msgspec.integers() is _msgspec.page_reader("rows", ("a",), ()) is None
    forget_msgspec()
    monkeypatch.setitem(sys.modules, "msgspec", msgspec)
    assert _msgspec.integers()(["+1", "-2", "0"]) == [1, -2, 0]
    read = _msgspec.page_reader("stk_prm_trde_prst", tuple(FIELDS), BESIDE)
    columns, stated = read(PAGE)
    assert columns == [*zip(*(row.values() for row in RECORDED), strict=True)]
    assert stated == {"tot_1": "1", "tot_6": "", "return_msg": "정상적으로 처리되었습니다"}


@pytest.mark.usefixtures("each_json")
def test_with_msgspec_a_usual_page_is_read_by_nothing_else(monkeypatch):
    asked = []
    monkeypatch.setattr(pages, "decode_body", lambda response: asked.append(response) or {})
    answer = Response(Request("ka90004", "/", {}, b"", ()), 200, {}, PAGE)
    with suppress(DecodeError):
        assert len(pages.decode_page(answer, QUERY, CURSOR).rows) == len(RECORDED)
    assert bool(asked) == (sys.modules["msgspec"] is None)


def test_a_page_of_too_many_rows_is_refused_either_way():
    rows = json.dumps(RECORDED[:1] * 5_001, ensure_ascii=False)
    body = f'{{"stk_prm_trde_prst": {rows}, "return_code": 0}}'.encode()
    with_it, without = either_way(body)
    assert "5,001 rows on one page" in with_it
    assert with_it == without


def test_a_msgspec_that_does_not_load_costs_no_page(monkeypatch, tmp_path):
    (tmp_path / "msgspec.py").write_text("raise ImportError('built for another machine')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "msgspec")
    forget_msgspec()
    assert _msgspec.integers() is None
    assert len(as_decoded(RECORDED).rows) == len(RECORDED)


numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**64), 1e308, -0.0])
# Halves of characters, too, which json alone takes.
texts = st.text(max_size=4) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=2)
documents = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(max_examples=1_000)
@given(documents, st.booleans(), st.binary(max_size=3), st.integers(min_value=0))
@example({"a": 1}, True, b"E400", 7)
@example({}, True, b"\xef\xbb\xbf", 0)
def test_what_json_finds_is_found(document, ascii_only, damage, place):
    try:
        text = json.dumps(document, ensure_ascii=ascii_only).encode()
    except ValueError:  # half a character as such, or digits without end
        return
    cut = place % (len(text) + 1)
    raw = text[:cut] + damage + text[cut:]
    try:
        meant = json.loads(
            raw.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_unambiguous
        )
    except ValueError:
        meant = None
    # As text: an int is no float, though they are equal.
    assert repr(_json_object(raw)) == repr(meant if isinstance(meant, dict) else None)
