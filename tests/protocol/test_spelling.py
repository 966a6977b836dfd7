"""Properties of reading numbers and JSON: as the specification writes them, or refused."""

import json
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiwoom_async._protocol.convert import read_decimal, read_integer
from kiwoom_async._protocol.messages import _object_of_unique_names, _refuse_constant, json_object

# Every character of the numbers that are sent, and more that int() or Decimal() would accept.
number_like_text = st.text("0159+-._ \t\n\x1c\u00a0٣０eNa", max_size=24)


@settings(max_examples=500)
@given(number_like_text)
@example("1_0")
@example("٣")
@example("0" * 21)
@example("-" + "0" * 20)
@example("--5")
@example("-0")
def test_integers_match_the_pattern_of_the_specification(sent):
    whole = re.fullmatch(r"(\+|--?)?([0-9]{1,20})", sent.strip())
    if whole is None:
        with pytest.raises(ValueError, match="is not a whole number"):
            read_integer(sent)
    else:
        sign = -1 if "-" in (whole[1] or "") else 1
        assert read_integer(sent) == sign * int(whole[2])


@pytest.mark.parametrize("hundredths", range(101))
def test_small_shares_keep_their_decimal_places(hundredths):
    sent = f"+{hundredths // 100}.{hundredths % 100:02}"
    assert str(read_decimal(sent)) == sent[1:]


names = st.text(string.ascii_lowercase + ':"\\', max_size=2)
objects = st.lists(st.tuples(names, st.text('a:"', max_size=3)), max_size=4)


def json_of_pairs(pairs):
    """Return an object as JSON; a name may be repeated, unlike in a dict."""
    return "{" + ", ".join(f"{json.dumps(k)}: {v}" for k, v in pairs) + "}"


@settings(max_examples=500)
@given(objects, st.lists(objects, max_size=3), st.booleans())
@example([("a", "1"), ("a", "2")], [], False)
@example([("a", ":")], [[("b", "1"), ("b", "1")]], False)
@example([("a", "1")], [[("b", "1"), ("b", "1")]], True)
def test_json_with_a_repeated_name_at_any_depth_is_refused(outer, inner, deeper):
    rows_text = ", ".join(json_of_pairs((k, json.dumps(v)) for k, v in pairs) for pairs in inner)
    held = f'{{"deeper": [{rows_text}]}}' if deeper else f"[{rows_text}]"
    text = json_of_pairs([*((k, json.dumps(v)) for k, v in outer), ("rows", held)])
    try:
        expected = json.loads(text, object_pairs_hook=_object_of_unique_names)
    except ValueError:
        expected = None
    assert json_object(text.encode()) == expected


numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**64), 1e308, -0.0])
# Including lone surrogates, which only the json module accepts.
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
def test_json_object_agrees_with_the_json_module(document, ascii_only, damage, place):
    try:
        text = json.dumps(document, ensure_ascii=ascii_only).encode()
    except ValueError:  # a lone surrogate, or too many digits
        return
    cut = place % (len(text) + 1)
    raw = text[:cut] + damage + text[cut:]
    try:
        expected = json.loads(
            raw.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_of_unique_names,
        )
    except ValueError:
        expected = None
    # Compared as text, because 1 == 1.0.
    assert repr(json_object(raw)) == repr(expected if isinstance(expected, dict) else None)
