"""The JSON of the service: ASCII that every reader of JSON reads, whatever is in it; and back."""

import json

import pytest

from pyflow.local.text import decode, encode

VALUES = [
    {"scheduledEventId": 5, "identity": "", "taskList": {"name": "list"}, "tagList": ["a", "b"]},
    '"\\/\b\f\n\r\t\x00\x1f\x7f',
    "ä \u2028 \U0001f600",
    {"nobody checks": "\ud800"},
    [0, -1, 2**53, 2**63, 2**64, 2**70, True, False, None],
    [0.001, 1500000000.0, 1764142131.123],
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_text_is_ascii_without_spaces_and_reads_as_what_it_was(value: object) -> None:
    text = encode(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert decode(text) == value


def test_what_an_earlier_version_wrote_is_read() -> None:
    assert decode('{"more": "\\ud800", "infinite": Infinity, "\u00e4": 1}') == {
        "more": "\ud800",
        "infinite": float("inf"),
        "ä": 1,
    }


def test_text_that_is_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="property name"):
        decode("{,}")
