"""A cursor is text that survives a file, bound to its query, and refused when it is damaged."""

import base64
import json
import zlib

import attrs
import pytest

from kiwoom_async import ContinuationError, Cursor, Exchange, Market, ProgramTradeQuery
from kiwoom_async._protocol.cursor import next_cursor
from kiwoom_async._protocol.pages import cursor_matches, first_cursor

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
CURSOR = attrs.evolve(first_cursor(QUERY), key="aZ0._-+/=", page=2)


def test_a_cursor_survives_its_text():
    text = str(CURSOR)
    assert Cursor.parse(text) == CURSOR
    assert Cursor.parse(text).page == 2
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(" \"'$&;|<>*?()[]{}!\\`#~%")


def test_a_cursor_read_from_a_file_may_bring_its_newline():
    assert Cursor.parse(f" {CURSOR}\n") == CURSOR


@pytest.mark.parametrize("key", ["키", "a b", "a\r\nX: y", 5, None])
def test_a_key_that_no_header_may_carry_makes_no_cursor(key):
    with pytest.raises(ValueError, match="no header may carry"):
        attrs.evolve(CURSOR, key=key)


FORGED = [5, [1, 2, 3, 4], ["ka90004", [], "K2"], {}, None, ["ka90004", [], "K2", "x"],
          ["ka90004", [], "K2", -5], ["ka90004", [], "", 7], ["ka90004", [], "K2", 1],
          ["ka90004", [], "K2", True], ["ka90004", [], "K2", 2, 5],
          ["ka90004", [], "K2", 2, "account", "more"]]  # fmt: skip


@pytest.mark.parametrize("text", [*map(json.dumps, FORGED), "[" * 200_000])
def test_a_forged_cursor_is_refused(text):
    data = text.encode()
    coded = base64.urlsafe_b64encode(zlib.crc32(data).to_bytes(4, "big") + data).decode()
    with pytest.raises(ValueError, match="is not, or not all of, what"):
        Cursor.parse(f"k1.{coded.rstrip('=')}")


def test_a_cursor_that_names_its_app_key_is_read_back_with_it():
    named = attrs.evolve(CURSOR, account="0123456789abcdef")
    assert Cursor.parse(str(named)) == named != CURSOR
    following = next_cursor({"cont-yn": "Y", "next-key": "another"}, named)
    assert following is not None
    assert following.account == named.account


def test_the_first_cursor_is_a_cursor_too():
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
    """Every cut and every changed character, because a wrong key would ask for another page."""
    text = str(CURSOR)
    damaged = [text[:end] for end in range(len(text))]
    for at in range(len(text) - 1):
        other = "A" if text[at] != "A" else "B"
        damaged.append(text[:at] + other + text[at + 1 :])
    for one in damaged:
        with pytest.raises(ValueError, match="is not, or not all of, what"):
            Cursor.parse(one)


@pytest.mark.parametrize(
    "text", ["", "k1.", "k1.====", "k1.🙂", "ka90004", "x" * 1000, None, 5, b"k1.", ["k1."]]
)
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match=r"^cursor: "):
        Cursor.parse(text)


def test_the_none_of_a_finished_walk_is_named():
    with pytest.raises(ValueError, match="finished walk"):
        Cursor.parse(str(None))


# ---- continuation

BEFORE = attrs.evolve(first_cursor(QUERY), key="K0", page=2)
ASKED = next_cursor({"cont-yn": "Y", "next-key": "K1"}, BEFORE)


@pytest.mark.parametrize(
    "headers",
    [{}, {"cont-yn": "N"}, {"cont-yn": "N", "next-key": ""}, {"next-key": ""}, {"cont-yn": ""},
     {"cont-yn": " N "}, {"cont-yn": "N", "next-key": "K9"}],
)  # fmt: skip
def test_the_end_of_a_walk(headers):
    assert next_cursor({"api-id": "ka90004"} | headers, ASKED) is None


def test_the_next_cursor():
    headers = {"cont-yn": "Y", "next-key": "aZ0._-+/="}
    following = next_cursor(headers, ASKED)
    assert (following.key, following.page) == ("aZ0._-+/=", 4)
    assert (following.api_id, following.body) == (ASKED.api_id, ASKED.body)
    assert Cursor.parse(str(following)) == following


def test_a_walk_that_is_taken_up_again_knows_the_keys_before():
    """After sixty pages, from its text; a circle of any length is noticed, a new key is not."""
    cursor = first_cursor(QUERY)
    for number in range(2, 62):
        cursor = next_cursor({"cont-yn": "Y", "next-key": f"K{number}"}, cursor)
    assert len(str(cursor)) < 600
    taken_up = Cursor.parse(str(cursor))
    for number in (2, 3, 30, 60, 61):
        with pytest.raises(ContinuationError, match="came before in this walk"):
            next_cursor({"cont-yn": "Y", "next-key": f"K{number}"}, taken_up)
    assert next_cursor({"cont-yn": "Y", "next-key": "K62"}, taken_up).page == 62


def test_a_key_is_not_found_between_two_others():
    """What is kept of each key is four bytes, one after the other."""
    checksum = zlib.crc32(b"K7").to_bytes(4, "big")
    halves = b"\0" + checksum + b"\0\0\0"
    earlier = tuple(int.from_bytes(halves[at : at + 4], "big") for at in (0, 4))
    between = Cursor.parse(str(attrs.evolve(CURSOR, earlier_keys=earlier)))
    assert next_cursor({"cont-yn": "Y", "next-key": "K7"}, between).key == "K7"
    after_all = attrs.evolve(between, earlier_keys=(*earlier, zlib.crc32(b"K7")))
    with pytest.raises(ContinuationError, match="came before in this walk"):
        next_cursor({"cont-yn": "Y", "next-key": "K7"}, after_all)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"cont-yn": "Y"}, "next-key is empty"),
        ({"cont-yn": "Y", "next-key": " "}, "next-key is empty"),
        ({"cont-yn": "Y", "next-key": "K1"}, "came before"),
        ({"cont-yn": "Y", "next-key": "K0"}, "came before"),
        ({"cont-yn": "Y", "next-key": "K\r2"}, "no key may have"),
        ({"cont-yn": "Y", "next-key": "키"}, "no key may have"),
        ({"cont-yn": "Y", "next-key": "K2,"}, "no key may have"),
        ({"cont-yn": "Y", "next-key": "K2, K3"}, "no key may have"),
        ({"cont-yn": "Y", "next-key": "K2\u00a0"}, "no key may have"),
        ({"cont-yn": "y", "next-key": "K2"}, "expected Y or N"),
        ({"cont-yn": "Y, Y", "next-key": "K2"}, "expected Y or N"),
        ({"next-key": "K2"}, "expected Y or N"),
    ],
)
def test_a_chain_that_cannot_be_trusted_is_an_error_and_not_an_end(headers, reason):
    with pytest.raises(ContinuationError, match=reason):
        next_cursor(headers, ASKED)
