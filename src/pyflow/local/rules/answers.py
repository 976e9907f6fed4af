"""RespondDecisionTaskCompleted: the decisions of one answer, applied in their order, each seeing what those before it did."""

from typing import Any

from pyflow.local.state import milliseconds
from pyflow.swf.model import DECISION_ATTRIBUTES

from . import decisions
from .turn import Turn, given


def complete_decision_task(turn: Turn, request: dict[str, Any], world: decisions.World) -> None:
    """Record the answer to the started decision task and carry out its decisions."""
    execution = turn.execution
    task = execution.started
    assert task is not None
    task.closed = True
    execution.started = None
    execution.previous_started_id = task.started_id
    turn.touch(task)
    turn.touch(execution)
    completed_id = turn.record(
        "DecisionTaskCompleted",
        {
            "scheduledEventId": task.event_id,
            "startedEventId": task.started_id,
            **given(request, "executionContext", "taskList", "taskListScheduleToStartTimeout"),
        },
    )
    if request.get("executionContext") is not None:
        execution.context_id = completed_id
    _override_task_list(turn, request)
    turn.hold()
    for decision in request.get("decisions") or ():
        kind = decision["decisionType"]
        attributes = decision.get(DECISION_ATTRIBUTES[kind]) or {}
        cause = world.refusal(kind, attributes)
        if cause is None:
            decisions.DECISIONS[kind](turn, attributes, completed_id, world)
        else:
            decisions.refuse(turn, kind, attributes, cause, completed_id)
    turn.release()
    turn.free_decision_task()


def _override_task_list(turn: Turn, request: dict[str, Any]) -> None:
    """
    Take the task list for later decision tasks: for good, or until a task on it is not answered in time.

    An answer without a task list ends a temporary override: it holds only as long as it is renewed.
    """
    execution = turn.execution
    execution.sticky = None
    name = (request.get("taskList") or {}).get("name")
    if name is None:
        return
    wait: str = request.get("taskListScheduleToStartTimeout") or "NONE"
    if milliseconds(wait) is None:
        execution.task_list = name
    else:
        execution.sticky = (name, wait)
