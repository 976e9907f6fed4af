"""
One constructor for each of SWF's 13 decisions, returning the plain dicts that RespondDecisionTaskCompleted takes.

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


_IDS: Final = {
    "ScheduleLambdaFunction": "id",
    "ScheduleActivityTask": "activityId",
    "StartTimer": "timerId",
    "StartChildWorkflowExecution": "workflowId",
    "SignalExternalWorkflowExecution": "control",
    "RequestCancelExternalWorkflowExecution": "control",
}


def with_id(decision: Decision, id: str) -> Decision:
    """Return the same decision under another id."""
    kind = decision["decisionType"]
    member = DECISION_ATTRIBUTES[kind]
    return {"decisionType": kind, member: {**decision[member], _IDS[kind]: id}}


def _type(name: str, version: str) -> dict[str, str]:
    return {"name": name, "version": version}


def _task_list(name: str | None) -> dict[str, str] | None:
    return None if name is None else {"name": name}


def schedule_lambda_function(
    id: str,
    name: str,
    *,
    input: str | None = None,
    start_to_close_timeout: str | None = None,
    control: str | None = None,
) -> Decision:
    """Run a Lambda function."""
    attributes = {"id": id, "name": name}
    if input is not None:
        attributes["input"] = input
    if start_to_close_timeout is not None:
        attributes["startToCloseTimeout"] = start_to_close_timeout
    if control is not None:
        attributes["control"] = control
    return {"decisionType": "ScheduleLambdaFunction", "scheduleLambdaFunctionDecisionAttributes": attributes}


def schedule_activity_task(
    activity_id: str,
    name: str,
    version: str,
    *,
    input: str | None = None,
    control: str | None = None,
    task_list: str | None = None,
    task_priority: str | None = None,
    start_to_close_timeout: str | None = None,
    schedule_to_start_timeout: str | None = None,
    schedule_to_close_timeout: str | None = None,
    heartbeat_timeout: str | None = None,
) -> Decision:
    """Put an activity task on a task list."""
    attributes: dict[str, Any] = {"activityId": activity_id, "activityType": {"name": name, "version": version}}
    if input is not None:
        attributes["input"] = input
    if control is not None:
        attributes["control"] = control
    if task_list is not None:
        attributes["taskList"] = {"name": task_list}
    if task_priority is not None:
        attributes["taskPriority"] = task_priority
    if start_to_close_timeout is not None:
        attributes["startToCloseTimeout"] = start_to_close_timeout
    if schedule_to_start_timeout is not None:
        attributes["scheduleToStartTimeout"] = schedule_to_start_timeout
    if schedule_to_close_timeout is not None:
        attributes["scheduleToCloseTimeout"] = schedule_to_close_timeout
    if heartbeat_timeout is not None:
        attributes["heartbeatTimeout"] = heartbeat_timeout
    return {"decisionType": "ScheduleActivityTask", "scheduleActivityTaskDecisionAttributes": attributes}


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


def start_child_workflow_execution(
    workflow_id: str,
    name: str,
    version: str,
    *,
    input: str | None = None,
    control: str | None = None,
    task_list: str | None = None,
    task_priority: str | None = None,
    task_start_to_close_timeout: str | None = None,
    execution_start_to_close_timeout: str | None = None,
    child_policy: str | None = None,
    tag_list: list[str] | None = None,
    lambda_role: str | None = None,
) -> Decision:
    """Start a child workflow execution."""
    return _decision(
        "StartChildWorkflowExecution",
        {"workflowId": workflow_id, "workflowType": _type(name, version)},
        input=input,
        control=control,
        taskList=_task_list(task_list),
        taskPriority=task_priority,
        taskStartToCloseTimeout=task_start_to_close_timeout,
        executionStartToCloseTimeout=execution_start_to_close_timeout,
        childPolicy=child_policy,
        tagList=tag_list,
        lambdaRole=lambda_role,
    )


def signal_external_workflow_execution(
    workflow_id: str,
    signal_name: str,
    *,
    run_id: str | None = None,
    input: str | None = None,
    control: str | None = None,
) -> Decision:
    """Signal another execution, or this one."""
    return _decision(
        "SignalExternalWorkflowExecution",
        {"workflowId": workflow_id, "signalName": signal_name},
        runId=run_id,
        input=input,
        control=control,
    )


def request_cancel_external_workflow_execution(
    workflow_id: str, *, run_id: str | None = None, control: str | None = None
) -> Decision:
    """Ask another execution to cancel."""
    return _decision(
        "RequestCancelExternalWorkflowExecution", {"workflowId": workflow_id}, runId=run_id, control=control
    )


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
        taskList=_task_list(task_list),
        taskPriority=task_priority,
        taskStartToCloseTimeout=task_start_to_close_timeout,
        executionStartToCloseTimeout=execution_start_to_close_timeout,
        childPolicy=child_policy,
        tagList=tag_list,
        lambdaRole=lambda_role,
    )
