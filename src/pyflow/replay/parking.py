"""
Parking: the answer to a task that cannot be decided.

SWF has no way to refuse a decision task, and one that is only left to time out comes back at once, for ever. A parked run
answers with a reserved timer and a marker that says why, so that it costs a few events an hour and goes on by itself when
code that can decide it is deployed. Replay takes such a task for one that timed out (contract 6).
"""

from collections.abc import Sequence
from typing import Any, Final

from pyflow.swf import decisions as swf
from pyflow.swf.decisions import Decision
from pyflow.swf.events import attributes_of

from .reserved import PARK
from .tables import ANSWERS

PAUSE_MAX_S: Final = 600


def parking(events: Sequence[dict[str, Any]], reason: str) -> list[Decision]:
    """
    Return the decisions that park a run.

    Args:
        events: the whole history, in the API's form.
        reason: why, for a person; cut to the 32,768 characters of a marker.

    Returns:
        A timer of 1 s, doubled with each parking in a row up to 10 minutes, and a marker, both named ``pyflow.park.N``; nothing
        while an earlier such timer is open.
    """
    open_timers: set[int] = set()
    number = in_a_row = 0
    for event in events:
        kind = event["eventType"]
        answer = ANSWERS.get(kind)
        if kind == "TimerFired":
            open_timers.discard(attributes_of(event).get("startedEventId", 0))
        if answer is None or not answer.id_in:
            continue
        name = attributes_of(event).get(answer.id_in, "")
        if not name.startswith(PARK):
            in_a_row = 0
        elif kind == "TimerStarted":
            open_timers.add(event["eventId"])
            number = max(number, int(name.removeprefix(PARK)))
            in_a_row += 1
    if open_timers:
        return []
    name = f"{PARK}{number + 1}"
    pause_s = min(PAUSE_MAX_S, 2 ** min(in_a_row, 10))
    return [swf.start_timer(name, str(pause_s)), swf.record_marker(name, details=reason[:32_768])]
