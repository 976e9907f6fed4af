"""
Rich values as plain JSON, which workers in any language read.

One level at a time: the JSON encoder asks only for what it does not know, and goes on inside of what it is given. The forms are
those that ``hints`` reads: ISO 8601 for times, texts for decimals and UUIDs, base64 for bytes, arrays for sets.
"""

import base64
import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID


def to_plain(value: Any) -> Any:
    """
    Return what stands in JSON for a value that JSON does not have.

    Args:
        value: a dataclass instance, pydantic model, datetime, date, time, timedelta, Decimal, UUID, Enum, bytes or set.

    Returns:
        Something nearer to JSON; what is inside may be rich still.

    Raises:
        TypeError: there is no such thing.
        ValueError: this one cannot be sent: a decimal that is no number.
    """
    kind = type(value)
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    for known, write in _WRITERS:
        if isinstance(value, known):
            return write(value)
    raise TypeError(f"Object of type {kind.__qualname__} is not JSON serializable")


def plain_key(key: Any) -> Any:
    """Return a dict's key as JSON has it: a text, or what the JSON encoder makes one of."""
    if key is None or isinstance(key, (str, int, float)):
        return key
    text = to_plain(key)
    if not isinstance(text, (str, int, float)):
        raise TypeError(f"keys must be texts, or stand for one; {type(key).__qualname__} does not")
    return text


def _moment(value: datetime) -> str:
    offset = value.utcoffset()
    # ISO 8601 has offsets of whole minutes only; some places had others before there were time zones.
    return (value.astimezone(UTC) if offset is not None and offset.total_seconds() % 60 else value).isoformat()


def _duration(value: timedelta) -> str:
    whole = abs(value)
    seconds = (
        f"{whole.seconds}.{whole.microseconds:06d}".rstrip("0").rstrip(".")
        if whole.microseconds
        else str(whole.seconds)
    )
    return f"{'-' if value < timedelta() else ''}P{whole.days}DT{seconds}S"


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"Out of range decimal values are not JSON compliant: {value}")
    return str(value)


def _set(value: Any) -> list[Any]:
    """A set has no order, but the same set must give the same text in every process."""
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=lambda item: (type(item).__qualname__, repr(item)))


_WRITERS: Final[list[tuple[Any, Callable[[Any], Any]]]] = [
    (Enum, lambda value: value.value),
    (datetime, _moment),  # before date, which it is too
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _duration),
    (Decimal, _decimal),
    (UUID, str),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode()),
    ((set, frozenset), _set),
]
