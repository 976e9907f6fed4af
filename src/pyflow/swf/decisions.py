"""
Constructors of the decisions that pyflow makes one by one, as the plain dicts that RespondDecisionTaskCompleted takes.

The others (activities, Lambda functions, children, signals and cancels to others) are made from what an invocation carries, in
``replay/invocations.py``.

Members whose value is None are left out; an empty string is a value. Durations are SWF's strings of seconds.

Source: SWF API Reference, Decision and the thirteen ``...DecisionAttributes``.
"""

from typing import Any, Final

from .model import DECISION_ATTRIBUTES

Decision = dict[str, Any]

CLOSING: Final = frozenset(
    {
        "CompleteWorkflowExecution",
        "FailWorkflowExecution",
        "CancelWorkflowExecution",
        "ContinueAsNewWorkflowExecution",
    }
)
"""The decisions that close an execution: at most one a response, and last."""


def _decision(kind: str, attributes: dict[str, Any], **optional: Any) -> Decision:
    # Most options of most decisions are left out, and every replay passes here: so no dict is built to be thrown away.
    for name, value in optional.items():
        if value is not None:
            attributes[name] = value  # noqa: PERF403 - faster than a comprehension and an update for the few that are given
    return {"decisionType": kind, DECISION_ATTRIBUTES[kind]: attributes}


def given(**members: Any) -> dict[str, Any]:
    """Return those members of a decision that are given, in SWF's spelling: the others are None."""
    return {name: value for name, value in members.items() if value is not None}


def task_list(name: str | None) -> dict[str, str] | None:
    """Return a task list as SWF's decisions name it."""
    return None if name is None else {"name": name}


def request_cancel_activity_task(activity_id: str) -> Decision:
    """Ask for an activity task's cancellation."""
    return _decision("RequestCancelActivityTask", {"activityId": activity_id})


def start_timer(timer_id: str, start_to_fire_timeout: str, *, control: str | None = None) -> Decision:
    """Start a timer."""
    return _decision("StartTimer", {"timerId": timer_id, "startToFireTimeout": start_to_fire_timeout}, control=control)


def cancel_timer(timer_id: str) -> Decision:
    """Cancel a timer."""
    return _decision("CancelTimer", {"timerId": timer_id})


def record_marker(name: str, *, details: str | None = None) -> Decision:
    """Write a marker into the history."""
    return _decision("RecordMarker", {"markerName": name}, details=details)


def complete_workflow_execution(*, result: str | None = None) -> Decision:
    """Close this execution as COMPLETED."""
    return _decision("CompleteWorkflowExecution", {}, result=result)


def fail_workflow_execution(*, reason: str | None = None, details: str | None = None) -> Decision:
    """Close this execution as FAILED."""
    return _decision("FailWorkflowExecution", {}, reason=reason, details=details)


def cancel_workflow_execution(*, details: str | None = None) -> Decision:
    """Close this execution as CANCELED."""
    return _decision("CancelWorkflowExecution", {}, details=details)


def continue_as_new_workflow_execution(
    *,
    input: str | None = None,
    workflow_type_version: str | None = None,
    task_list: str | None = None,
    task_priority: str | None = None,
    task_start_to_close_timeout: str | None = None,
    execution_start_to_close_timeout: str | None = None,
    child_policy: str | None = None,
    tag_list: list[str] | None = None,
    lambda_role: str | None = None,
) -> Decision:
    """Close this execution as CONTINUED_AS_NEW and start its successor."""
    return _decision(
        "ContinueAsNewWorkflowExecution",
        {},
        input=input,
        workflowTypeVersion=workflow_type_version,
        taskList=None if task_list is None else {"name": task_list},
        taskPriority=task_priority,
        taskStartToCloseTimeout=task_start_to_close_timeout,
        executionStartToCloseTimeout=execution_start_to_close_timeout,
        childPolicy=child_policy,
        tagList=tag_list,
        lambdaRole=lambda_role,
    )
