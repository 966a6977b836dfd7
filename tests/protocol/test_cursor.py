"""Cursors as text: they survive a file, belong to one query, and are refused when damaged."""

import base64
import json
import zlib

import attrs
import pytest
from support.exchange import QUERY

from kiwoom_async import Cursor, Exchange, Market, ProgramTradeQuery
from kiwoom_async._protocol.cursor import next_cursor
from kiwoom_async._protocol.pages import cursor_matches, first_cursor

CURSOR = attrs.evolve(first_cursor(QUERY), key="aZ0._-+/=", page=2)


def test_a_cursor_is_parsed_back_from_its_text():
    text = str(CURSOR)
    assert Cursor.parse(text) == CURSOR
    assert Cursor.parse(text).page == 2
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(" \"'$&;|<>*?()[]{}!\\`#~%")


def test_whitespace_around_the_text_of_a_cursor_is_ignored():
    assert Cursor.parse(f" {CURSOR}\n") == CURSOR


@pytest.mark.parametrize("key", ["키", "a b", "a\r\nX: y", 5, None])
def test_a_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(ValueError, match="no header may carry"):
        attrs.evolve(CURSOR, key=key)


FORGED = [5, [1, 2, 3, 4], ["ka90004", [], "K2"], {}, None, ["ka90004", [], "K2", "x"],
          ["ka90004", [], "K2", -5], ["ka90004", [], "", 7], ["ka90004", [], "K2", 1],
          ["ka90004", [], "K2", True], ["ka90004", [], "K2", 2, 5],
          ["ka90004", [], "K2", 2, "account", "more"]]  # fmt: skip


@pytest.mark.parametrize("text", [*map(json.dumps, FORGED), "[" * 200_000])
def test_a_forged_cursor_is_refused(text):
    data = text.encode()
    encoded = base64.urlsafe_b64encode(zlib.crc32(data).to_bytes(4, "big") + data).decode()
    with pytest.raises(ValueError, match="is not, or not all of, what"):
        Cursor.parse(f"k1.{encoded.rstrip('=')}")


def test_a_cursor_keeps_the_account_of_its_app_key():
    named = attrs.evolve(CURSOR, account="0123456789abcdef")
    assert Cursor.parse(str(named)) == named != CURSOR
    following = next_cursor({"cont-yn": "Y", "next-key": "another"}, named)
    assert following is not None
    assert following.account == named.account


def test_the_first_cursor_has_page_one_and_an_empty_key():
    first = first_cursor(QUERY)
    assert (first.page, first.key) == (1, "")
    assert Cursor.parse(str(first)) == first


@pytest.mark.parametrize(
    "other",
    [
        ProgramTradeQuery("2026-11-19", Market.KOSPI, Exchange.KRX),
        ProgramTradeQuery("2026-11-20", Market.KOSDAQ, Exchange.KRX),
        ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.NXT),
    ],
)
def test_a_cursor_belongs_to_one_query(other):
    assert cursor_matches(CURSOR, QUERY)
    assert cursor_matches(Cursor.parse(str(CURSOR)), QUERY)
    assert not cursor_matches(CURSOR, other)
    assert not cursor_matches(attrs.evolve(CURSOR, api_id="ka90003"), QUERY)


def test_a_damaged_cursor_is_refused():
    """Every cut and every changed character; a wrong key would request another page."""
    text = str(CURSOR)
    damaged = [text[:end] for end in range(len(text))]
    for at in range(len(text) - 1):
        other = "A" if text[at] != "A" else "B"
        damaged.append(text[:at] + other + text[at + 1 :])
    for damaged_text in damaged:
        with pytest.raises(ValueError, match="is not, or not all of, what"):
            Cursor.parse(damaged_text)


@pytest.mark.parametrize(
    "text", ["", "k1.", "k1.====", "k1.🙂", "ka90004", "x" * 1000, None, 5, b"k1.", ["k1."]]
)
def test_text_that_is_not_a_cursor_is_refused(text):
    with pytest.raises(ValueError, match=r"^cursor: "):
        Cursor.parse(text)


def test_the_error_for_the_text_none_names_a_finished_walk():
    with pytest.raises(ValueError, match="finished walk"):
        Cursor.parse(str(None))
