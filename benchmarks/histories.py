"""
Histories to measure with, as SWF hands them to a decider: activities one after the other, or all at once.

This file knows nothing of pyflow, because peers read it too.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["EVENTS_PER_STEP", "as_page", "decision_task", "fan_out_task"]

EVENTS_PER_STEP = 6
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


class _Events(list[dict[str, Any]]):
    def __init__(self, activity_id: str) -> None:
        super().__init__()
        self._activity_id = activity_id

    def add(self, kind: str, **attributes: Any) -> int:
        name = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        self.append({"eventId": len(self) + 1, "eventType": kind, "eventTimestamp": _THEN, name: attributes})
        return len(self)

    def start(self, name: str, text: str) -> int:
        self.add(
            "WorkflowExecutionStarted",
            input=text,
            workflowType={"name": name, "version": "1.0"},
            taskList={"name": "list"},
            childPolicy="TERMINATE",
            executionStartToCloseTimeout="3600",
            taskStartToCloseTimeout="60",
        )
        return self.await_decision()

    def await_decision(self) -> int:
        return self.add("DecisionTaskScheduled", taskList={"name": "list"}, startToCloseTimeout="60")

    def schedule(self, number: int, completed: int) -> int:
        return self.add(
            "ActivityTaskScheduled",
            activityId=self._activity_id.format(number + 1),
            activityType={"name": "step", "version": "1.0"},
            input=json.dumps({"number": number, "total": number}),
            taskList={"name": "list"},
            decisionTaskCompletedEventId=completed,
            scheduleToStartTimeout="NONE",
            scheduleToCloseTimeout="NONE",
            startToCloseTimeout="60",
            heartbeatTimeout="NONE",
        )

    def complete(self, task: int, taken: int, total: int) -> int:
        result = json.dumps({"total": total})
        return self.add("ActivityTaskCompleted", scheduledEventId=task, startedEventId=taken, result=result)


def decision_task(
    steps: int, *, of: int, activity_id: str = "activity{}", input_of: Callable[[int], str] = str
) -> dict[str, Any]:
    """Return the decision task, of a run of ``of`` steps, at which ``steps`` of them are done."""
    events = _Events(activity_id)
    scheduled = events.start("Steps", input_of(of))
    previous, started = 0, events.add("DecisionTaskStarted", scheduledEventId=scheduled, identity="decider")
    for number in range(steps):
        completed = events.add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
        task = events.schedule(number, completed)
        taken = events.add("ActivityTaskStarted", scheduledEventId=task, identity="worker")
        events.complete(task, taken, number + 1)
        scheduled = events.await_decision()
        previous, started = started, events.add("DecisionTaskStarted", scheduledEventId=scheduled, identity="decider")
    return _task("Steps", events, started, previous)


def fan_out_task(
    steps: int, *, activity_id: str = "activity{}", input_of: Callable[[int], str] = str
) -> dict[str, Any]:
    """Return the last decision task of a run that asked for ``steps`` activities at once: all of them are done."""
    events = _Events(activity_id)
    first = events.start("FanOut", input_of(steps))
    previous = events.add("DecisionTaskStarted", scheduledEventId=first, identity="decider")
    completed = events.add("DecisionTaskCompleted", scheduledEventId=first, startedEventId=previous)
    tasks = [events.schedule(number, completed) for number in range(steps)]
    taken = [events.add("ActivityTaskStarted", scheduledEventId=task, identity="worker") for task in tasks]
    for number, (task, start) in enumerate(zip(tasks, taken, strict=True)):
        events.complete(task, start, number)
        if number == 0:
            scheduled = events.await_decision()
    started = events.add("DecisionTaskStarted", scheduledEventId=scheduled, identity="decider")
    return _task("FanOut", events, started, previous)


def as_page(task: dict[str, Any]) -> bytes:
    """Return a decision task as the body that SWF sends."""
    return json.dumps(task, default=datetime.timestamp).encode("ascii")


def _task(name: str, events: list[dict[str, Any]], started: int, previous: int) -> dict[str, Any]:
    return {
        "taskToken": "token",
        "workflowExecution": {"workflowId": "workflow", "runId": "run"},
        "workflowType": {"name": name, "version": "1.0"},
        "startedEventId": started,
        "previousStartedEventId": previous,
        "events": list(events),
    }
