"""
Recorded histories as files.

The form ``pyflow.history/1`` is JSON: the execution, and its events as the API gives them, with times as seconds since the
epoch. What ``aws swf get-workflow-execution-history`` prints is read too: it holds the events and nothing else.
"""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pyflow.exceptions import PyflowException

__all__ = ["FORMAT", "History", "dump", "load", "save"]

FORMAT: Final = "pyflow.history/1"

Event = dict[str, Any]


@dataclass(frozen=True)
class History:
    """
    A recorded history, or the beginning of one.

    Attributes:
        events: in the API's form, in id order; ``eventTimestamp`` is seconds since the epoch.
        workflow_type: ``{"name": ..., "version": ...}``.
        domain, workflow_id, run_id: of the execution; None where the file does not say. Children's ids and random draws
            are made from the run id: without it they cannot be replayed.
        scrubbed: its payloads are placeholders; see ``pyflow.history.scrub``.
        schedule: the choices by which an exploration came to it, in words; None for any other history.
    """

    events: list[Event]
    workflow_type: dict[str, str]
    domain: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    scrubbed: bool = False
    schedule: list[str] | None = None


def load(path: str | Path) -> History:
    """
    Read a history from a file.

    Args:
        path: a file in the form ``pyflow.history/1``, or of what ``aws swf get-workflow-execution-history`` printed as JSON.

    Returns:
        The history. That its events hold together is not looked at here: whoever replays it says so.

    Raises:
        PyflowException: the file cannot be read or is neither; the message names the file and what is wrong.

    Source:
        SWF API Reference, GetWorkflowExecutionHistory; AWS CLI Command Reference, swf get-workflow-execution-history.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PyflowException(f"cannot read history file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PyflowException(f"{path} is not a history file: it is not JSON ({error})") from error
    try:
        return _history(content)
    except ValueError as error:
        raise PyflowException(f"{path} is not a history file: {error}") from error


def save(history: History, path: str | Path) -> None:
    """
    Write a history to a file in the form ``pyflow.history/1``, one event a line.

    Args:
        history: its times may be seconds since the epoch or aware datetimes, as boto3 gives them.
        path: the file; what was there before is replaced.

    Raises:
        ValueError: an event's time is neither.
        PyflowException: the file cannot be written.
    """
    text = dump(history)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise PyflowException(f"cannot write history file {path}: {error.strerror}") from error


def dump(history: History) -> str:
    """
    Return a history as text in the form ``pyflow.history/1``, one event a line.

    Raises:
        ValueError: an event's time is neither a number nor an aware datetime.
    """
    head = {
        "format": FORMAT,
        "domain": history.domain,
        "workflowId": history.workflow_id,
        "runId": history.run_id,
        "workflowType": history.workflow_type,
        "scrubbed": history.scrubbed or None,
        "schedule": history.schedule,
    }
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items() if value is not None]
    events = ",\n".join(json.dumps({**event, "eventTimestamp": _seconds(event)}) for event in history.events)
    return "{\n" + ",\n".join([*members, f'"events": [\n{events}\n]']) + "\n}\n"


def _history(content: Any) -> History:
    if not isinstance(content, dict) or "events" not in content:
        raise ValueError('it is no JSON object with "events"')
    form = content.get("format")
    if form not in (None, FORMAT):
        raise ValueError(f'its format is {form!r}; this pyflow reads "{FORMAT}" and what the AWS CLI prints')
    events = content["events"]
    if not isinstance(events, list) or not events:
        raise ValueError('its "events" are no list of events')
    events = [_event(event, number) for number, event in enumerate(events, 1)]
    workflow_type = content.get("workflowType") or _started_type(events[0])
    if not isinstance(workflow_type, dict) or not {"name", "version"} <= set(workflow_type):
        raise ValueError(f"its workflowType is {workflow_type!r}, not an object of name and version")
    domain, workflow_id, run_id = (_text(content, name) for name in ("domain", "workflowId", "runId"))
    schedule = content.get("schedule")
    if schedule is not None and not (isinstance(schedule, list) and all(isinstance(step, str) for step in schedule)):
        raise ValueError(f"its schedule is {schedule!r}, not a list of texts")
    return History(events, workflow_type, domain, workflow_id, run_id, content.get("scrubbed") is True, schedule)


def _event(event: Any, number: int) -> Event:
    if not isinstance(event, dict) or not {"eventId", "eventType", "eventTimestamp"} <= set(event):
        raise ValueError(f"event {number} of its list lacks an eventId, an eventType or an eventTimestamp")
    return {**event, "eventTimestamp": _seconds(event)}


def _seconds(event: Event) -> float:
    """Return an event's time as seconds since the epoch."""
    time = event["eventTimestamp"]
    if isinstance(time, (int, float)) and math.isfinite(time):
        return time
    try:
        moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"the eventTimestamp of event {event['eventId']} is {time!r}, neither a number nor an ISO time with its zone"
    )


def _started_type(event: Event) -> Any:
    """Return the workflow type that a first event names."""
    try:
        return event["workflowExecutionStartedEventAttributes"]["workflowType"]
    except (KeyError, TypeError):
        raise ValueError(
            "it names no workflowType, and its first event is no WorkflowExecutionStarted that does"
        ) from None


def _text(content: dict[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {name} is {value!r}, not a text")
    return value
