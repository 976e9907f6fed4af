"""
Histories as numbered lists, for tests to read.

::

    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 LambdaFunctionScheduled id=lambda1 name=add input=5

What follows ``=`` is the attribute's text, up to two blanks or the end of the line; ids of events are numbers,
``activityType=name/version`` and ``workflowType=name/version`` are types.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pyflow.swf.model import EVENT_ATTRIBUTES

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN_ID = "22X56OQhwfy+AtGx1iSo3HX51AK2DdtKzfUnU/RQElbms="
CHILD_PREFIX = "22X56OQhwfy-AtGx1iSo3HX51AK2DdtKzfUnU_RQElbms."

Event = dict[str, Any]


def history(text: str) -> list[Event]:
    """Read a numbered list; the n-th event stands at START + n seconds."""
    return [_event(line.strip()) for line in text.strip().splitlines() if line.strip()]


def _event(line: str) -> Event:
    number, kind, *rest = line.split(maxsplit=2)
    attributes: dict[str, Any] = {}
    for name, value in re.findall(r"(\w+)=(.*?)(?=\s+\w+=|$)", rest[0] if rest else ""):
        if name.endswith("EventId"):
            attributes[name] = int(value)
        elif name in {"activityType", "workflowType"}:
            type_name, version = value.split("/")
            attributes[name] = {"name": type_name, "version": version}
        else:
            attributes[name] = value.replace("\\n", "\n")
    return {
        "eventId": int(number),
        "eventType": kind,
        "eventTimestamp": START + timedelta(seconds=int(number)),
        EVENT_ATTRIBUTES[kind]: attributes,
    }


def task(events: list[Event] | str, workflow_class: Any = None, *, until: int | None = None) -> dict[str, Any]:
    """Make the decision task that ends with the last DecisionTaskStarted, or the one at ``until``."""
    if isinstance(events, str):
        events = history(events)
    started = until or max(event["eventId"] for event in events if event["eventType"] == "DecisionTaskStarted")
    completed = [
        event["decisionTaskCompletedEventAttributes"]["startedEventId"]
        for event in events[:started]
        if event["eventType"] == "DecisionTaskCompleted"
    ]
    return {
        "taskToken": f"token-{started}",
        "workflowExecution": {"workflowId": "order-1", "runId": RUN_ID},
        "workflowType": {
            "name": getattr(workflow_class, "NAME", "W"),
            "version": getattr(workflow_class, "VERSION", "1.0"),
        },
        "startedEventId": started,
        "previousStartedEventId": completed[-1] if completed else 0,
        "events": events[:started],
    }


def short(decisions: list[dict[str, Any]]) -> list[str]:
    """Say decisions in a word or two each: ``ScheduleLambdaFunction lambda1``, ``CompleteWorkflowExecution 5``."""
    return [_short(decision) for decision in decisions]


def _short(decision: dict[str, Any]) -> str:
    kind = decision["decisionType"]
    attributes = next(value for key, value in decision.items() if key != "decisionType")
    for name in ("id", "activityId", "timerId", "workflowId", "markerName", "result", "reason", "details"):
        if name in attributes:
            return f"{kind} {attributes[name]}"
    return str(kind)
