"""
History, cut into batches: every event up to and including a DecisionTaskStarted (contract 1).

Here a history is also proved sound, so that nothing above asks again: ids without a gap, types that SWF has, the
attributes of each type present, nothing after the close.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyflow.exceptions import HistoryException
from pyflow.swf.events import CLOSE_EVENTS, HistoryEvent
from pyflow.swf.model import EVENT_ATTRIBUTES

from .tables import SILENT


@dataclass(slots=True)
class Batch:
    """
    The events that are applied before code resumes.

    ``events`` leaves out those that say nothing to a replay; ``last_event_id`` is the id of its last event, of whatever type.
    ``started_event_id`` is the id of the DecisionTaskStarted that ends it, ``time`` its timestamp; both are None for the
    tail of a recorded history, which is matched and never resumed.
    """

    events: list[HistoryEvent]
    last_event_id: int
    started_event_id: int | None = None
    time: datetime | float | None = None


def split(events: Sequence[dict[str, Any]], *, after: int = 0, until: int | None = None) -> list[Batch]:
    """
    Cut events in the API's form into batches.

    Args:
        events: in id order; those with ids up to ``after`` are skipped.
        after: the id of the last event that is known already.
        until: the ``startedEventId`` of the task: nothing past it is read. None: all of it, a tail included.

    Returns:
        The batches in order; the last one is a tail if ``until`` is None and the history does not end with a
        DecisionTaskStarted.

    Raises:
        HistoryException: a gap, a repeated id, an unknown type, attributes missing, a first event other than
            WorkflowExecutionStarted, an event after the close, or no DecisionTaskStarted at ``until``.
    """
    batches: list[Batch] = []
    current: list[HistoryEvent] = []
    expected = after + 1
    closed_at: int | None = None
    for raw in _skip_known(events, after):
        try:
            event_id = raw["eventId"]
            kind = raw["eventType"]
            attributes = raw[EVENT_ATTRIBUTES[kind]]
            if event_id != expected or closed_at is not None or (expected == 1 and kind != "WorkflowExecutionStarted"):
                raise _out_of_place(event_id, kind, expected, closed_at)
            expected += 1
            if kind in SILENT:
                continue
            if kind != "DecisionTaskStarted":
                current.append((event_id, kind, raw["eventTimestamp"], attributes))
                if kind in CLOSE_EVENTS:
                    closed_at = event_id
                continue
            batches.append(Batch(current, event_id, event_id, raw["eventTimestamp"]))
        except (KeyError, TypeError) as error:
            raise _unreadable(raw, expected) from error
        if event_id == until:
            return batches
        current = []
    if until is not None:
        raise HistoryException(
            f"history is not sound: it ends at event {expected - 1}, before the task's DecisionTaskStarted at {until}. "
            f"A page may be missing."
        )
    last_event_id = batches[-1].last_event_id if batches else after
    if expected - 1 > last_event_id:
        batches.append(Batch(current, expected - 1))
    return batches


def _skip_known(events: Sequence[dict[str, Any]], after: int) -> Sequence[dict[str, Any]]:
    """Drop what is known already without looking at it: ids are dense, so an id is a position."""
    if not after or not events:
        return events
    first = events[0].get("eventId") if isinstance(events[0], dict) else None
    return events[max(0, after + 1 - first) :] if isinstance(first, int) else events


def _out_of_place(event_id: int, kind: str, expected: int, closed_at: int | None) -> HistoryException:
    """Say why an event cannot stand where it stands."""
    if closed_at is not None:
        problem = f"event {event_id} ({kind}) follows the close at event {closed_at}"
    elif event_id != expected:
        problem = (
            f"event {expected} was expected next, event {event_id} ({kind}) came. Events may be missing, "
            f"repeated or out of order; fetch the whole history again"
        )
    else:
        problem = f"it begins with {kind}, not with WorkflowExecutionStarted"
    return HistoryException(f"history is not sound: {problem}.", event_id=event_id)


def _unreadable(raw: Any, expected: int) -> HistoryException:
    """Say what is wrong with an event that could not be read."""
    if not isinstance(raw, dict):
        return HistoryException(f"history is not sound: event {expected} is {type(raw).__name__}, not an object.")
    kind = raw.get("eventType")
    event_id = raw.get("eventId")
    at = event_id if isinstance(event_id, int) else expected
    if not isinstance(event_id, int):
        problem = f"event {expected} has no integer eventId"
    elif kind not in EVENT_ATTRIBUTES:
        problem = f"event {at} has the type {kind!r}, which SWF does not have"
    elif "eventTimestamp" not in raw:
        problem = f"event {at} ({kind}) has no eventTimestamp"
    else:
        problem = f"event {at} ({kind}) lacks its {EVENT_ATTRIBUTES[kind]}"
    return HistoryException(f"history is not sound: {problem}.", event_id=at)
