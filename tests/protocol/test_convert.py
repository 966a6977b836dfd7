"""How Kiwoom spells numbers, signs, dates and blanks (wire-facts.md, sections 1 and 6)."""

from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import attrs
import pytest

from kiwoom_async import wire
from kiwoom_async._protocol.convert import (
    OptionalReader,
    is_blank,
    magnitude,
    read_decimal,
    read_integer,
    read_text,
)
from kiwoom_async._protocol.encode import request_body
from kiwoom_async._protocol.times import KST, http_time, kst_time
from kiwoom_async.errors import short_repr

read_optional_integer = OptionalReader(read_integer)
read_optional_magnitude = OptionalReader(magnitude)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("360000", 360000),
        ("+6800", 6800),
        ("-75000", -75000),
        ("--1109649", -1109649),
        (" 12 ", 12),
        ("00000120", 120),
        ("9" * 20, 10**20 - 1),
    ],
)
def test_integers_are_read_with_their_sign(sent, expected):
    assert read_integer(sent) == expected
    assert read_optional_integer(sent) == expected
    assert read_optional_magnitude(sent) == abs(expected)


@pytest.mark.parametrize(
    "sent",
    ["", " ", None, "abc", "1.5", "1,000", "1_000", "+-5", "---5", "++5", "-", "٣", "1e3", "0x1F",
     5, 5.0, True, [], {}, "9" * 21, "NaN"],
)  # fmt: skip
def test_text_that_is_not_an_integer_is_an_error(sent):
    with pytest.raises(ValueError, match="is not a whole number"):
        read_integer(sent)


@pytest.mark.parametrize("sent", ["", "  ", None])
def test_optional_readers_return_none_for_a_blank(sent):
    assert is_blank(sent)
    assert read_optional_integer(sent) is None
    assert read_optional_magnitude(sent) is None


@pytest.mark.parametrize("sent", ["0", 0, False, [], {}])
def test_zero_is_not_blank(sent):
    assert not is_blank(sent)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("+18.71", "18.71"),
        ("+0.00", "0.00"),
        ("-0.00", "0.00"),
        ("-1.05", "-1.05"),
        ("--1.05", "-1.05"),
        ("100", "100"),
        ("5.", "5"),
    ],
)
def test_decimals_keep_their_decimal_places(sent, expected):
    assert str(read_decimal(sent)) == expected
    assert isinstance(read_decimal(sent), Decimal)


@pytest.mark.parametrize(
    "sent", ["-18.715", "+18.715", "-12345678901234567890.12345678901234567890"]
)
def test_decimals_keep_every_digit_in_any_decimal_context(sent):
    with localcontext(prec=3):
        assert str(read_decimal(sent)) == sent.removeprefix("+")


@pytest.mark.parametrize(
    "sent", ["", None, "0." + "0" * 21, "NaN", "Infinity", "1e5", "1.2.3", 1.5, "+-1.0", "."]
)
def test_text_that_is_not_a_decimal_is_an_error(sent):
    with pytest.raises(ValueError, match="is not a decimal number"):
        read_decimal(sent)


def test_text_is_returned_as_sent():
    assert read_text(" 삼성전자 ") == " 삼성전자 "
    with pytest.raises(ValueError, match="5 is not text"):
        read_text(5)


def test_times_are_read_as_korean_time():
    assert kst_time("20261123083000") == datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("sent", ["", None, "20261123", "20261323083000", "2026112308300x", 5])
def test_text_that_is_not_a_time_is_an_error(sent):
    with pytest.raises(ValueError, match=r"is not a time|does not match|unconverted"):
        kst_time(sent)


def test_fields_of_a_query_are_sent_as_the_specification_writes_them():
    @attrs.frozen
    class ExampleQuery:
        day: date = attrs.field(metadata=wire("dt"))
        adjusted: bool = attrs.field(metadata=wire("upd_stkpc_tp"))
        count: int = attrs.field(metadata=wire("cnt"))
        label: str = attrs.field(metadata=wire("label"))
        note: str = "not sent"

    assert request_body(ExampleQuery(date(2026, 1, 5), True, 7, " x ")) == {
        "dt": "20260105",
        "upd_stkpc_tp": "1",
        "cnt": "7",
        "label": " x ",
    }


def test_short_repr_shortens_long_values():
    assert short_repr("abc") == "'abc'"
    assert len(short_repr("x" * 10_000)) < 50


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("Fri, 20 Nov 2026 15:30:00 GMT", datetime(2026, 11, 21, 0, 30, tzinfo=KST)),
        ("Fri, 20 Nov 2026 15:30:00 GMT, Fri, 20 Nov 2026 15:30:01 GMT", None),
        ("Fri, 20 Nov 2026 15:30:00 +0900", None),
        ("Fri, 32 Nov 2026 15:30:00 GMT", None),
        ("Fri, 20 Xyz 2026 15:30:00 GMT", None),
        ("Fri, 20 Nov 2026 99:99:99 GMT", None),
        ("Fri, 20 Nov 2026 ::::1:1: GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 01 Jan 0000 00:00:00 GMT", None),
        ("Fri, 20 Nov 2026 15:30:00 GMT\n", None),
        ("1795190400", None),
        ("", None),
    ],
)
def test_http_time_returns_none_for_an_invalid_date_header(value, time):
    assert http_time(value) == time
