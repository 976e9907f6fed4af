"""Drift: what code asks for otherwise than history recorded it, and what does not matter for matching (contract 6)."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pyflow.exceptions import PayloadException
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


def drifts_of(
    invocation: Invocation, event: HistoryEvent, open_payload: Callable[[str], str] = lambda text: text
) -> Iterator[Drift]:
    """Compare what was asked for with the event that answers it; payloads as JSON, before any codec."""
    event_id, event_type, recorded = event
    if event_type not in REPEATING or invocation.id.startswith(RETRY):
        return  # a failed one repeats nothing, and a changed policy governs only the attempts to come
    decision = invocation.decide()
    asked_for = decision[DECISION_ATTRIBUTES[decision["decisionType"]]]
    for what, asked in asked_for.items() if "input" in asked_for else [*asked_for.items(), ("input", None)]:
        held = recorded.get(what)
        if what in DRIFTS and asked != held and not (what in _JSON and _same_json(asked, held, open_payload)):
            yield Drift(event_id, str(invocation), what, held, asked, invocation.where)


def _same_json(asked: str | None, held: str | None, open_payload: Callable[[str], str]) -> bool:
    try:
        return bool(json.loads(asked or "null") == json.loads(open_payload(held or "null")))
    except PayloadException:
        return True  # what cannot be had cannot be compared; people who want to know of drift have worse to mend
    except ValueError:
        return False
