"""Values to text and back: what comes through, what is refused, and how long things may be."""

import json
import math
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyflow import SerializationException
from pyflow.converter import DATA_MAX, JSON, cut, duration

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_value_comes_back_as_it_went(value):
    assert JSON.decode(JSON.encode(value, "it")) == value


@given(JSON_VALUES)
def test_text_is_what_2_0_0_wrote(value):
    assert JSON.encode(value, "it") == json.dumps(value)


@given(JSON_VALUES, st.text(" \t\n\r", max_size=3))
def test_white_space_around_a_text_does_not_matter(value, space):
    assert JSON.decode(space + json.dumps(value) + space) == value


@pytest.mark.parametrize("text", ["", " ", "{", "1 2", "nul", "[1,]", "'x'", "\ufeff1"])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        JSON.decode(text)


WHITE = st.text(" \t\n\r", max_size=2)
DIGITS = st.text("0123456789", min_size=1, max_size=25) | st.integers(0, 10**400).map(str)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    DIGITS,
    st.just("") | DIGITS.map(".{}".format),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "-", "+"]), st.integers(0, 400)),
)
CHARACTERS = st.one_of(
    st.characters(),
    st.sampled_from(
        ['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\x", "\x00", "\x1f", "\x7f", "\ud800", "\udfff"]
    ),
    st.integers(0, 0xFFFF).map("\\u{:04x}".format),
    st.integers(0xD7FF, 0xE000).map("\\u{:04X}".format),
    st.integers(0x10000, 0x10FFFF).map(lambda code: json.dumps(chr(code))[1:-1]),
)
STRINGS = st.lists(CHARACTERS, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
KEYS = st.sampled_from(['""', '"a"', '"\\u0061"']) | STRINGS


def spaced(pattern, *parts):
    return st.builds(pattern.format, *(st.builds("{}{}{}".format, WHITE, part, WHITE) for part in parts))


JSON_TEXTS = st.recursive(
    NUMBERS
    | STRINGS
    | st.floats().map(json.dumps)
    | st.sampled_from(["true", "false", "null", "NaN", "Infinity", "-Infinity", "nul", "", "[", "{}", "[]", "[1,]"]),
    lambda inner: st.one_of(
        st.lists(spaced("{}", inner), max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.lists(spaced("{}:{}", KEYS, inner), max_size=4).map(lambda items: f"{{{','.join(items)}}}"),
    ),
    max_leaves=12,
)


def anatomy(value):
    """Take a value apart, so that two are equal only if all in them is of the same types too, in the same order."""
    if isinstance(value, dict):
        return dict, [(type(key), key, anatomy(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return list, [anatomy(inner) for inner in value]
    return type(value), repr(value)


@example("-0", "")
@example("-0.0", "")
@example("1e400", "")
@example("18446744073709551616", "")
@example('"\\ud83d\\ude00\\ud83d"', "")
@example('{"a": 1, "b": 2, "\\u0061": 3}', "")
@given(JSON_TEXTS, st.sampled_from(["", " ", "\n", "x", "\x00", "\ufeff", "\x0b"]))
def test_text_is_read_as_json_loads_reads_it(text, more):
    for whole in (text, text + more, more + text):
        try:
            expected = json.loads(whole)
        except ValueError:
            with pytest.raises(ValueError, match=r".+"):
                JSON.decode(whole)
        else:
            assert anatomy(JSON.decode(whole)) == anatomy(expected)


@pytest.mark.parametrize("depth", [150, 5_000, 200_000])
def test_deep_text_is_read_or_refused(depth):
    text = "[" * depth + "]" * depth
    try:
        json.loads(text)
    except RecursionError:
        with pytest.raises(SerializationException, match="nested too deeply"):
            JSON.decode(text)
    else:
        JSON.decode(text)


def cycle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, object(), {(1, 2): 3}, {object(): 1}, cycle(), 1j, [1j]]
)
def test_what_json_does_not_have_is_refused_with_its_name_and_type(value):
    with pytest.raises(SerializationException, match="the input of activity 'charge' cannot be sent as JSON") as caught:
        JSON.encode(value, "the input of activity", "charge")

    assert type(value).__name__ in str(caught.value)


def test_cycle_refused_once_is_refused_again():
    value = cycle()
    for _ in range(2):
        with pytest.raises(SerializationException):
            JSON.encode(value, "it")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * (DATA_MAX - 2), True),
        ("x" * (DATA_MAX - 1), False),
        ("\u4e2d" * 5_461, True),
        ("\u4e2d" * 5_462, False),
        ("\U0001f600" * 2_731, False),
    ],
)
def test_length_counts_the_characters_that_are_sent(text, fits):
    if fits:
        assert len(JSON.encode(text, "it")) <= DATA_MAX
    else:
        with pytest.raises(SerializationException, match="32,768"):
            JSON.encode(text, "it")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1"),
        (1.01, "2"),
        ("90", "90"),
        (timedelta(minutes=1, milliseconds=1), "61"),
        (31_536_000, "31536000"),
    ],
)
def test_duration_is_whole_seconds_rounded_up(value, text):
    assert duration(value, "it") == text


@pytest.mark.parametrize("value", [-1, -0.5, math.nan, math.inf, 31_536_001, "x", "", object(), timedelta(days=-1)])
def test_what_is_no_duration_is_refused_by_name(value):
    with pytest.raises(ValueError, match="the timeout must be"):
        duration(value, "the timeout")


def test_none_is_the_default():
    assert duration(None, "it") is None
    assert duration(None, "it", default="NONE") == "NONE"


@given(st.text(max_size=60))
def test_cut_keeps_what_fits_and_marks_what_it_cut(text):
    short = cut(text, 40)
    assert len(short) <= 40
    assert short == text if len(text) <= 40 else short.endswith("... [cut]")
