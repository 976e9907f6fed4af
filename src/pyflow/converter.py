"""
Values to text and back, within SWF's lengths.

Source: SWF API Reference, the type Data (0 to 32,768 characters); RFC 8259.
"""

import json
import math
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from .exceptions import SerializationException

DATA_MAX: Final = 32_768
"""Characters of an input, a result, details, a marker."""

REASON_MAX: Final = 256
DURATION_MAX_S: Final = 31_536_000
"""A year: the longest that anything in SWF may last."""


def _json_encoder() -> Callable[[Any, int], Iterable[str]]:
    """Return what json.dumps(allow_nan=False) joins, without the encoder that dumps would make anew for each call."""
    plain = json.JSONEncoder(allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _level: plain.iterencode(value)
    encoder: Callable[[Any, int], Iterable[str]] = make(
        None, plain.default, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False
    )
    return encoder


_json_pieces: Final = _json_encoder()

# What json.loads calls when there is no white space around a text; that is the case for what other programs wrote.
_SCAN: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined] # typeshed leaves it out
_CUT_MARK: Final = "... [cut]"


class DataConverter:
    """
    JSON, as pyflow 2.0.0 wrote it: plain values that workers in any language read.

    NaN and the infinities, which JSON does not have, are refused.
    """

    def encode(self, value: Any, what: str, name: str | None = None) -> str:
        """
        Return the JSON text of a value.

        Args:
            value: what to send.
            what, name: what it is called in an error, such as ``the input of activity``, ``charge``.

        Raises:
            SerializationException: it is not JSON, or its text is over 32,768 characters.
        """
        problem: Exception | None = None
        try:
            text = "".join(_json_pieces(value, 0))
        except (TypeError, ValueError, RecursionError) as error:
            problem = error
        if problem is not None:  # raised out here, so that the author's traceback does not show the encoder's
            raise SerializationException(
                f"{_called(what, name)} cannot be sent as JSON: {problem} (its type is {type(value).__qualname__}). "
                f"Send numbers, texts, booleans, None, and lists and dicts of them."
            )
        if len(text) > DATA_MAX:
            raise SerializationException(
                f"{_called(what, name)} is {len(text):,} characters of JSON; SWF takes {DATA_MAX:,}. "
                f"Send a reference to where the data is instead."
            )
        return text

    def decode(self, text: str | None) -> Any:
        """
        Return the value of a JSON text; None for no text.

        Raises:
            ValueError: the text is not JSON.
        """
        if text is None:
            return None
        try:
            value, end = _SCAN(text, 0)
        except StopIteration:
            end = -1
        return value if end == len(text) else json.loads(text)


def _called(what: str, name: str | None) -> str:
    return what if name is None else f"{what} {name!r}"


JSON: Final = DataConverter()


def duration(value: float | str | timedelta | None, what: str, *, default: str | None = None) -> str | None:
    """
    Return a duration in SWF's form: a string of whole seconds.

    Args:
        value: seconds, a timedelta, or 2.0.0's string of seconds; fractions are rounded up. None: ``default``.
        what: its name in an error.
        default: the text for None; ``"NONE"`` where SWF has that, or None to leave it out.

    Raises:
        ValueError: negative, not finite, over a year (31,536,000 s), or not a number.
    """
    if value is None:
        return default
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be a number of seconds or a timedelta, not {value!r}") from None
    if not 0 <= seconds <= DURATION_MAX_S:
        raise ValueError(f"{what} must be from 0 to {DURATION_MAX_S:,} seconds (a year), not {value!r}")
    return str(math.ceil(seconds))


def cut(text: str, length: int = DATA_MAX) -> str:
    """Shorten prose to a length, with a mark where it was cut. Never for data."""
    return text if len(text) <= length else text[: length - len(_CUT_MARK)] + _CUT_MARK


def sendable(text: str, length: int = DATA_MAX) -> str:
    """Make prose fit: cut where it is too long, and nothing in it that UTF-8 does not have."""
    return cut(text.encode("utf-8", "replace").decode("utf-8"), length)
