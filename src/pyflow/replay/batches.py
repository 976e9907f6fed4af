"""
History, cut into batches: every event up to and including a DecisionTaskStarted (contract 1).

Here a history is also proved sound, so that nothing above asks again: ids without a gap, types that SWF has, the
attributes of each type present, nothing after the close.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from pyflow.exceptions import HistoryException
from pyflow.swf.events import CLOSE_EVENTS, HistoryEvent
from pyflow.swf.model import EVENT_ATTRIBUTES


class Batch(NamedTuple):
    """
    The events that are applied before code resumes.

    ``started_event_id`` is the id of the DecisionTaskStarted that ends it, ``time`` its timestamp; both are None for the
    tail of a recorded history, which is matched and never resumed.
    """

    events: list[HistoryEvent]
    started_event_id: int | None
    time: datetime | float | None


def split(events: Iterable[dict[str, Any]], *, after: int = 0, until: int | None = None) -> list[Batch]:
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
    append = current.append
    expected = after + 1
    closed_at: int | None = None
    for raw in events:
        try:
            event_id = raw["eventId"]
            if event_id <= after:
                continue
            kind = raw["eventType"]
            event = HistoryEvent(event_id, kind, raw["eventTimestamp"], raw[EVENT_ATTRIBUTES[kind]])
        except (KeyError, TypeError) as error:
            raise _unsound(raw, expected) from error
        if event_id != expected:
            raise HistoryException(
                f"history is not sound: event {expected} was expected next, event {event_id} ({kind}) came. Events may be "
                f"missing, repeated or out of order; fetch the whole history again.",
                event_id=event_id,
            )
        if closed_at is not None:
            raise HistoryException(
                f"history is not sound: {kind} follows the close at event {closed_at}.", event_id=event_id
            )
        if expected == 1 and kind != "WorkflowExecutionStarted":
            raise HistoryException(
                f"history is not sound: it begins with {kind}, not with WorkflowExecutionStarted.", event_id=1
            )
        expected += 1
        append(event)
        if kind == "DecisionTaskStarted":
            batches.append(Batch(current, event_id, event.timestamp))
            if event_id == until:
                return batches
            current = []
            append = current.append
        elif kind in CLOSE_EVENTS:
            closed_at = event_id
    if until is not None:
        raise HistoryException(
            f"history is not sound: it ends at event {expected - 1}, before the task's DecisionTaskStarted at {until}. "
            f"A page may be missing."
        )
    if current:
        batches.append(Batch(current, None, None))
    return batches


def _unsound(raw: Any, expected: int) -> HistoryException:
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
