"""Histories to measure with: a run of ``steps`` activities, one after the other, as SWF hands it to a decider."""

import json
from datetime import UTC, datetime
from typing import Any

import pyflow

__all__ = ["EVENTS_PER_STEP", "Steps", "decision_task"]

EVENTS_PER_STEP = 6
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


class Steps(pyflow.Workflow):
    """Each step's input is what the step before it returned."""

    NAME = "Steps"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, steps: int) -> int:
        total = 0
        for number in range(steps):
            total = self.step({"number": number, "total": total}).result()["total"]
        return total


class _Events(list[dict[str, Any]]):
    def add(self, kind: str, **attributes: Any) -> int:
        name = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        self.append({"eventId": len(self) + 1, "eventType": kind, "eventTimestamp": _THEN, name: attributes})
        return len(self)


def decision_task(steps: int, *, of: int) -> dict[str, Any]:
    """Return the decision task, of a run of ``of`` steps, at which ``steps`` of them are done."""
    events = _Events()
    events.add("WorkflowExecutionStarted", input=str(of))
    scheduled = events.add("DecisionTaskScheduled", taskList={"name": "list"})
    previous, started = 0, events.add("DecisionTaskStarted", scheduledEventId=scheduled)
    for number in range(steps):
        completed = events.add("DecisionTaskCompleted", scheduledEventId=scheduled, startedEventId=started)
        task = events.add(
            "ActivityTaskScheduled",
            activityId=f"activity{number + 1}",
            activityType={"name": "step", "version": "1.0"},
            input=json.dumps({"number": number, "total": number}),
            taskList={"name": "list"},
            decisionTaskCompletedEventId=completed,
        )
        taken = events.add("ActivityTaskStarted", scheduledEventId=task)
        result = json.dumps({"total": number + 1})
        events.add("ActivityTaskCompleted", scheduledEventId=task, startedEventId=taken, result=result)
        scheduled = events.add("DecisionTaskScheduled", taskList={"name": "list"})
        previous, started = started, events.add("DecisionTaskStarted", scheduledEventId=scheduled)
    return {
        "taskToken": "token",
        "workflowExecution": {"workflowId": "steps", "runId": "run"},
        "workflowType": {"name": "Steps", "version": "1.0"},
        "startedEventId": started,
        "previousStartedEventId": previous,
        "events": list(events),
    }
