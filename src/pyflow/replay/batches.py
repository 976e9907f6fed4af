"""
What of a history is new, and what to say where it is not sound.

A history is read once, event by event, while it is applied (``Replayer.apply``), and proved sound on the way: ids without a gap,
types that SWF has, the attributes of each type present, nothing after the close. Here stands what can be seen before.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import index
from typing import Any

from pyflow.exceptions import HistoryException
from pyflow.swf.model import EVENT_ATTRIBUTES


def news(events: Sequence[dict[str, Any]], *, after: int, until: int | None) -> Sequence[dict[str, Any]]:
    """
    Return what of a history is to be applied.

    Args:
        events: in the API's form and in id order, from anywhere at or before ``after + 1`` on.
        after: the id of the last event that is known already; nothing up to it is looked at.
        until: the ``startedEventId`` of the task: nothing past it is looked at. None: all of it, a tail included.

    Raises:
        HistoryException: it does not begin with WorkflowExecutionStarted, or there is no DecisionTaskStarted at ``until``.
    """
    # Ids are dense, so an id is a position. Where that does not hold, it shows when the events are applied.
    try:
        begin = after + 1 - index(events[0]["eventId"])
    except (IndexError, KeyError, TypeError):
        begin = after
    new = events[max(0, begin) : None if until is None else max(0, begin + until - after)]
    if after == begin == 0 and new and isinstance(new[0], dict):
        kind = new[0].get("eventType", "")
        if kind != "WorkflowExecutionStarted" and EVENT_ATTRIBUTES.get(kind, "") in new[0]:
            raise unsound(f"it begins with {kind}, not with WorkflowExecutionStarted", 1)
    if until is not None and until > after:
        try:
            is_whole = new[-1]["eventId"] == until
        except (IndexError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            check_order(new, after + 1)
            raise unsound(
                f"it ends at event {after + len(new)}, before the task's DecisionTaskStarted at {until}. A page may be missing"
            )
    return new


def whole_batches(events: Sequence[Any]) -> int:
    """Tell how many of the events there are up to the last DecisionTaskStarted."""
    for count in range(len(events), 0, -1):
        event = events[count - 1]
        if isinstance(event, dict) and event.get("eventType") == "DecisionTaskStarted":
            return count
    return 0


def check_order(events: Sequence[dict[str, Any]], expected: int) -> None:
    """Raise if one of the events stands where another was expected."""
    for position, event in enumerate(events, expected):
        event_id = event.get("eventId") if isinstance(event, dict) else None
        if not isinstance(event_id, int):
            raise unreadable(event, position)
        if event_id != position:
            raise unsound(
                f"event {position} was expected next, event {event_id} ({event.get('eventType')}) came. Events may be missing, "
                f"repeated or out of order; fetch the whole history again",
                event_id,
            )


def moment(started: dict[str, Any], event_id: int) -> datetime | float:
    """Return the time of a DecisionTaskStarted; one that went through JSON has it as a number or as ISO text."""
    time: datetime | float | str = started["eventTimestamp"]
    if not isinstance(time, str):
        return time
    try:
        return datetime.fromisoformat(time)
    except ValueError as error:
        raise unsound(f"event {event_id} has the eventTimestamp {time!r}", event_id) from error


def unsound(problem: str, event_id: int | None = None) -> HistoryException:
    """Return the error for a history that does not hold together."""
    return HistoryException(f"history is not sound: {problem}.", event_id=event_id)


def unreadable(event: Any, expected: int, error: Exception | None = None) -> Exception:
    """Say what is wrong with an event that could not be read or applied; gives back an error that is no fault of it."""
    if not isinstance(event, dict):
        return unsound(f"event {expected} is {type(event).__name__}, not an object")
    kind = event.get("eventType")
    event_id = event.get("eventId")
    at = event_id if isinstance(event_id, int) else expected
    if not isinstance(event_id, int):
        problem = f"event {expected} has no integer eventId"
    elif kind not in EVENT_ATTRIBUTES:
        problem = f"event {at} has the type {kind!r}, which SWF does not have"
    elif "eventTimestamp" not in event:
        problem = f"event {at} ({kind}) has no eventTimestamp"
    elif EVENT_ATTRIBUTES[kind] not in event:
        problem = f"event {at} ({kind}) lacks its {EVENT_ATTRIBUTES[kind]}"
    elif isinstance(error, KeyError):
        problem = f"event {at} ({kind}) lacks {error}"
    else:
        return error or unsound(f"event {at} ({kind}) cannot be read", at)
    return unsound(problem, at)
