"""The constructors of pyflow.swf.decisions, and those of the decisions that pyflow itself makes from an invocation's data."""

from typing import Any

from pyflow.swf.decisions import *  # noqa: F403
from pyflow.swf.decisions import Decision, _decision


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
