"""The next cursor, from the headers of an answer (wire-facts.md, section 5)."""

import zlib

import attrs
import pytest
from support.exchange import QUERY

from kiwoom_async import ContinuationError, Cursor
from kiwoom_async._protocol.cursor import next_cursor
from kiwoom_async._protocol.pages import first_cursor

CURSOR = attrs.evolve(first_cursor(QUERY), key="aZ0._-+/=", page=2)

PAGE_TWO = attrs.evolve(first_cursor(QUERY), key="K0", page=2)
PAGE_THREE = next_cursor({"cont-yn": "Y", "next-key": "K1"}, PAGE_TWO)


@pytest.mark.parametrize(
    "headers",
    [{}, {"cont-yn": "N"}, {"cont-yn": "N", "next-key": ""}, {"next-key": ""}, {"cont-yn": ""},
     {"cont-yn": " N "}, {"cont-yn": "N", "next-key": "K9"}],
)  # fmt: skip
def test_a_walk_ends_without_cont_yn(headers):
    assert next_cursor({"api-id": "ka90004"} | headers, PAGE_THREE) is None


def test_the_next_cursor_has_the_new_key_and_the_next_page():
    headers = {"cont-yn": "Y", "next-key": "aZ0._-+/="}
    following = next_cursor(headers, PAGE_THREE)
    assert (following.key, following.page) == ("aZ0._-+/=", 4)
    assert (following.api_id, following.body) == (PAGE_THREE.api_id, PAGE_THREE.body)
    assert Cursor.parse(str(following)) == following


def test_a_resumed_walk_notices_every_repeated_key():
    """After sixty pages, from the text of its cursor; a new key continues the walk."""
    cursor = first_cursor(QUERY)
    for number in range(2, 62):
        cursor = next_cursor({"cont-yn": "Y", "next-key": f"K{number}"}, cursor)
    assert len(str(cursor)) < 600
    resumed = Cursor.parse(str(cursor))
    for number in (2, 3, 30, 60, 61):
        with pytest.raises(ContinuationError, match="came before in this walk"):
            next_cursor({"cont-yn": "Y", "next-key": f"K{number}"}, resumed)
    assert next_cursor({"cont-yn": "Y", "next-key": "K62"}, resumed).page == 62


def test_a_checksum_across_two_earlier_keys_is_not_a_repeated_key():
    """The text of a cursor has four bytes of each earlier key, one after the other."""
    halves = b"\0" + zlib.crc32(b"K7").to_bytes(4, "big") + b"\0\0\0"
    earlier = tuple(int.from_bytes(halves[at : at + 4], "big") for at in (0, 4))
    between = Cursor.parse(str(attrs.evolve(CURSOR, earlier_keys=earlier)))
    assert next_cursor({"cont-yn": "Y", "next-key": "K7"}, between).key == "K7"
    after_all = attrs.evolve(between, earlier_keys=(*earlier, zlib.crc32(b"K7")))
    with pytest.raises(ContinuationError, match="came before in this walk"):
        next_cursor({"cont-yn": "Y", "next-key": "K7"}, after_all)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"cont-yn": "Y"}, "next-key: got an empty one"),
        ({"cont-yn": "Y", "next-key": " "}, "next-key: got an empty one"),
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
def test_invalid_continuation_headers_are_an_error_and_not_the_end(headers, reason):
    with pytest.raises(ContinuationError, match=reason):
        next_cursor(headers, PAGE_THREE)
