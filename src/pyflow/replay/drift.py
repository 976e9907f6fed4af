"""Drift: what code asks for otherwise than history recorded it, and what does not matter for matching (contract 6)."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pyflow.swf.events import HistoryEvent
from pyflow.swf.model import DECISION_ATTRIBUTES

from .invocations import Invocation, Place
from .reserved import RETRY
from .tables import DRIFTS, REPEATING

_JSON: Final = frozenset({"input", "result"})


class Drift(NamedTuple):
    """An input or duration that is not what history recorded: ``recorded`` and ``asked`` are texts or None."""

    event_id: int
    who: str
    what: str
    recorded: Any
    asked: Any
    where: Place | None


def drifts_of(invocation: Invocation, event: HistoryEvent) -> Iterator[Drift]:
    """Compare what was asked for with the event that answers it."""
    event_id, event_type, _, recorded = event
    if event_type not in REPEATING or invocation.id.startswith(RETRY):
        return  # a failed one repeats nothing, and a changed policy governs only the attempts to come
    decision = invocation.decide()
    asked_for = decision[DECISION_ATTRIBUTES[decision["decisionType"]]]
    for what, asked in asked_for.items() if "input" in asked_for else [*asked_for.items(), ("input", None)]:
        held = recorded.get(what)
        if what in DRIFTS and asked != held and not (what in _JSON and _same_json(asked, held)):
            yield Drift(event_id, str(invocation), what, held, asked, invocation.where)


def _same_json(one: str | None, other: str | None) -> bool:
    try:
        return bool(json.loads(one or "null") == json.loads(other or "null"))
    except ValueError:
        return False
