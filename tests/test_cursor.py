"""A cursor is text that survives a file, bound to its query, and refused when it is damaged."""

import pytest

from kiwoom_async import Cursor, Exchange, Market, ProgramTradeQuery

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
CURSOR = Cursor.first(QUERY).following("aZ0._-+/= 키")


def test_a_cursor_survives_its_text():
    text = str(CURSOR)
    assert Cursor.parse(text) == CURSOR
    assert Cursor.parse(text).page == 2
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set(" \"'$&;|<>*?()[]{}!\\`#~%")


def test_the_first_cursor_is_a_cursor_too():
    first = Cursor.first(QUERY)
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
    assert CURSOR.belongs_to(QUERY)
    assert Cursor.parse(str(CURSOR)).belongs_to(QUERY)
    assert not CURSOR.belongs_to(other)


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
    "text", ["", "k1.", "k1.====", "k1.🙂", "ka90004", "x" * 1000, f" {CURSOR}"]
)
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(ValueError, match=r"^cursor: "):
        Cursor.parse(text)


def test_the_none_of_a_finished_walk_is_named():
    with pytest.raises(ValueError, match="finished walk"):
        Cursor.parse(str(None))
