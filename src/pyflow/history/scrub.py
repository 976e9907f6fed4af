"""
Histories that may leave the house: payloads become placeholders of the same shape.

A text becomes as many ``x``, a number 0; the names of members, lengths of lists, ``true``, ``false`` and ``null`` stay. So code
that passes values on and asks in the same order still replays. Code that acts on a value (compares it, looks it up, counts up
to it, makes a name of it) acts otherwise on its placeholder, and such a history replays no longer; inputs that are computed
differ, so drift says nothing.

Ids, names of types, functions, signals and markers, the reasons of failures, task lists, times, and where code waited stay: they
are what a replay matches, and what retries are decided by. Where a workflow
id says something of a person, scrubbing does not help.
"""

import json
import re
from dataclasses import replace
from typing import Any, Final

from pyflow.failures import MARK
from pyflow.swf.events import attributes_of
from pyflow.swf.model import EVENT_ATTRIBUTES

from .files import History

__all__ = ["scrub"]

PAYLOADS: Final = frozenset({"input", "result", "details"})
"""Members of an event's attributes that hold values of the author's."""

_OUR_MARKERS: Final = "pyflow."


def scrub(history: History) -> History:
    """
    Return a history with placeholders for all payloads.

    Args:
        history: stays as it is.
    """
    return replace(history, events=[_scrubbed(event) for event in history.events], scrubbed=True)


def _scrubbed(event: dict[str, Any]) -> dict[str, Any]:
    attributes = dict(attributes_of(event))
    if attributes.get("markerName", "").startswith(_OUR_MARKERS):
        return event
    for name in PAYLOADS & attributes.keys():
        attributes[name] = _text(attributes[name])
    if "executionContext" in attributes:
        lines = attributes["executionContext"].splitlines()
        attributes["executionContext"] = "\n".join(line for line in lines if not line.startswith("status "))
    if "tagList" in attributes:
        attributes["tagList"] = ["x" * len(tag) for tag in attributes["tagList"]]
    return {**event, EVENT_ATTRIBUTES[event["eventType"]]: attributes}


def _text(text: str) -> str:
    """Scrub a payload: the values of a JSON text, a failure's all but its first line, of any other text all."""
    if text.startswith(MARK):
        head, _, rest = text.partition("\n")
        return head + "\n" + re.sub(r"\S", "x", rest)
    try:
        value = json.loads(text)
    except ValueError:
        return "x" * len(text)
    return json.dumps(_value(value))


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return "x" * len(value)
    if isinstance(value, dict):
        return {name: _value(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_value(member) for member in value]
    return value if value is None or isinstance(value, bool) else 0
