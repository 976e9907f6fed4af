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
    event_id = after
    closed_at: int | None = None
    news = _skip_known(events, after)
    for event_id, raw in enumerate(news, after + 1):
        try:
            kind = raw["eventType"]
            attributes = raw[EVENT_ATTRIBUTES[kind]]
            if raw["eventId"] != event_id:
                raise _out_of_order(raw, event_id)
            if kind in SILENT:
                continue
            if kind != "DecisionTaskStarted":
                current.append((event_id, kind, raw["eventTimestamp"], attributes))
                if kind in CLOSE_EVENTS and closed_at is None:
                    closed_at = event_id
                continue
            batches.append(Batch(current, event_id, event_id, raw["eventTimestamp"]))
        except (KeyError, TypeError) as error:
            raise _unreadable(raw, event_id) from error
        current = []
        if event_id == until:
            break
    _check_ends(news, after, event_id, closed_at)
    last_event_id = batches[-1].last_event_id if batches else after
    if until is not None and last_event_id != until:
        raise _unsound(
            f"it ends at event {event_id}, before the task's DecisionTaskStarted at {until}. A page may be missing"
        )
    if event_id != last_event_id:
        batches.append(Batch(current, event_id))
    return batches


def _skip_known(events: Sequence[dict[str, Any]], after: int) -> Sequence[dict[str, Any]]:
    """Drop what is known already without looking at it: ids are dense, so an id is a position."""
    if not after or not events:
        return events
    first = events[0].get("eventId") if isinstance(events[0], dict) else None
    return events[max(0, after + 1 - first) :] if isinstance(first, int) else events


def _check_ends(news: Sequence[dict[str, Any]], after: int, last_read: int, closed_at: int | None) -> None:
    """Raise if a history begins with another event than it must, or goes on behind its close."""
    if news and after == 0 and news[0]["eventType"] != "WorkflowExecutionStarted":
        raise _unsound(f"it begins with {news[0]['eventType']}, not with WorkflowExecutionStarted", 1)
    if closed_at is not None and closed_at != last_read:
        kind = news[closed_at - after]["eventType"]
        raise _unsound(f"event {closed_at + 1} ({kind}) follows the close at event {closed_at}", closed_at + 1)


def _unsound(problem: str, event_id: int | None = None) -> HistoryException:
    return HistoryException(f"history is not sound: {problem}.", event_id=event_id)


def _out_of_order(raw: dict[str, Any], expected: int) -> HistoryException:
    """Say which event stands where another was expected."""
    event_id = raw["eventId"]
    return _unsound(
        f"event {expected} was expected next, event {event_id} ({raw['eventType']}) came. Events may be missing, "
        f"repeated or out of order; fetch the whole history again",
        event_id,
    )


def _unreadable(raw: Any, expected: int) -> HistoryException:
    """Say what is wrong with an event that could not be read."""
    if not isinstance(raw, dict):
        return _unsound(f"event {expected} is {type(raw).__name__}, not an object")
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
    return _unsound(problem, at)
