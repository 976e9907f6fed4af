"""What of the decisions that are owed goes into one response: SWF's limits on it, and on what may be open at once."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from pyflow.swf import decisions as swf
from pyflow.swf.decisions import Decision
from pyflow.swf.model import DECISION_ATTRIBUTES

from .invocations import Invocation
from .reserved import RESERVED
from .tables import Kind

DECISIONS_MAX: Final = 100
"""Decisions in one response; AWS names no number, every framework for SWF keeps to this one."""

RESPONSE_BYTES_MAX: Final = 900_000
"""Of the 1 MB that a request may have with its headers."""

FEW: Final = RESPONSE_BYTES_MAX // 40_000
"""So many decisions fit into any response: none is longer than its payload and a page of other members."""

OPEN_MAX: Final = {Kind.LAMBDA: 1_000, Kind.ACTIVITY: 1_000, Kind.CHILD: 1_000, Kind.TIMER: 990}
"""How many of a kind one execution may have open; of SWF's 1,000 timers a few are left for the engine's own."""

OPEN_MAX_LEAST: Final = min(OPEN_MAX.values())

PAYLOADS: Final = {
    "ScheduleActivityTask": "input",
    "StartChildWorkflowExecution": "input",
    "SignalExternalWorkflowExecution": "input",
    "ContinueAsNewWorkflowExecution": "input",
    "CompleteWorkflowExecution": "result",
    "RecordMarker": "details",
}
"""What is sealed of which decisions. A Lambda function gets its input as it stands; reasons and failures are for people."""

Outbox = dict[str, Invocation]
"""
What is owed, in the order it was asked for, by its id. All ids that the engine makes differ, whatever they are of; a child's,
which may be the author's own, a cancel and the close have words in front of theirs that no id of SWF's begins with.
"""

CHILD_KEY: Final = "child: "
CANCEL_KEY: Final = "cancel: "
CLOSE_KEY: Final = "close: "


def owed_decisions(
    outbox: Outbox, begun: Mapping[Kind, Mapping[int, Any]], at_limit: Collection[Kind]
) -> list[Decision]:
    """
    Return what is owed, in the order it was asked for, a closing decision last.

    Of a kind that has as many open as an execution may have, what is more waits until one of them is over.
    """
    # Whatever is open, a single one has room if its kind does not stand at its limit.
    fit = not at_limit if len(outbox) == 1 else len(outbox) + max(map(len, begun.values())) <= OPEN_MAX_LEAST
    items = outbox.items() if fit else _within_limits(outbox, begun)
    owed = [
        invocation.decide() if key == invocation.id else _decision(key, invocation)
        for key, invocation in items
        if key != CLOSE_KEY
    ]
    close = outbox.get(CLOSE_KEY)
    if close is not None:
        owed.append(close.decide())
    return owed


def sealed(owed: list[Decision], seal: Callable[[str], str]) -> list[Decision]:
    """Return decisions with their payloads as they are sent; those that one response cannot hold stay as they are."""
    return [_sealed(decision, seal) for decision in owed[:DECISIONS_MAX]] + owed[DECISIONS_MAX:]


def _sealed(decision: Decision, seal: Callable[[str], str]) -> Decision:
    decision_type = decision["decisionType"]
    member = PAYLOADS.get(decision_type)
    key = DECISION_ATTRIBUTES[decision_type]
    attributes = decision[key]
    if member not in attributes or attributes.get("markerName", "").startswith(RESERVED):
        return decision
    return {**decision, key: {**attributes, member: seal(attributes[member])}}


def fitting(owed: list[Decision]) -> int:
    """Tell how many of the decisions fit into one response, leaving room for the timer that brings the next."""
    count = len(owed)
    if count <= FEW:
        return count
    if count > DECISIONS_MAX:
        count = DECISIONS_MAX - 1
    room = RESPONSE_BYTES_MAX
    for fits, decision in enumerate(owed[:count]):
        room -= len(json.dumps(decision))
        if room < 0:
            return fits
    return count


def _within_limits(outbox: Outbox, begun: Mapping[Kind, Mapping[int, Any]]) -> Iterator[tuple[str, Invocation]]:
    room = {kind: limit - len(begun[kind]) for kind, limit in OPEN_MAX.items()}
    for key, invocation in outbox.items():
        kind = invocation.kind
        if kind in room and not key.startswith(CANCEL_KEY):
            room[kind] -= 1
            if room[kind] < 0:
                continue
        yield key, invocation


def _decision(key: str, invocation: Invocation) -> Decision:
    if not key.startswith(CANCEL_KEY):
        return invocation.decide()
    return (
        swf.cancel_timer(invocation.id)
        if invocation.kind is Kind.TIMER
        else swf.request_cancel_activity_task(invocation.id)
    )
