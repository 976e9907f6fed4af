"""Starting an execution: its settings, and its first events."""

from typing import Any, Final

from pyflow.local.state import Attributes, Execution, Parent, milliseconds

from .turn import Turn, given

REQUIRED: Final = (
    ("executionStartToCloseTimeout", "defaultExecutionStartToCloseTimeout"),
    ("taskList", "defaultTaskList"),
    ("taskStartToCloseTimeout", "defaultTaskStartToCloseTimeout"),
    ("childPolicy", "defaultChildPolicy"),
)
OPTIONAL: Final = (("taskPriority", "defaultTaskPriority"), ("lambdaRole", "defaultLambdaRole"))


class Undefined(Exception):
    """A setting that neither the request nor the type gives; ``args[0]`` is its name in the API."""


def settings(asked: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """
    Return the effective settings of a new execution: what was asked for, else the type's defaults.

    Raises:
        Undefined: one of the four that must be known is not.
    """
    effective: dict[str, Any] = {}
    for name, default in REQUIRED:
        value = asked.get(name) or defaults.get(default)
        if not value:
            raise Undefined(name)
        effective[name] = value
    for name, default in OPTIONAL:
        value = asked.get(name) or defaults.get(default)
        if value:
            effective[name] = value
    return effective


def new_execution(
    run: int,
    run_id: str,
    domain: str,
    workflow_id: str,
    workflow_type: dict[str, str],
    effective: dict[str, Any],
    tag_list: list[str],
    parent: Parent | None,
    at: int,
) -> Execution:
    """Return an execution that has no events yet."""
    return Execution(
        run=run,
        domain=domain,
        workflow_id=workflow_id,
        run_id=run_id,
        type_name=workflow_type["name"],
        type_version=workflow_type["version"],
        opened_at=at,
        task_list=effective["taskList"]["name"],
        task_timeout=effective["taskStartToCloseTimeout"],
        execution_timeout=effective["executionStartToCloseTimeout"],
        child_policy=effective["childPolicy"],
        priority=effective.get("taskPriority"),
        lambda_role=effective.get("lambdaRole"),
        tag_list=tag_list,
        parent=parent,
    )


def start(turn: Turn, effective: dict[str, Any], input: str | None, continued_from: str | None = None) -> None:
    """Record the start of the turn's execution and its first decision task."""
    execution = turn.execution
    span = milliseconds(execution.execution_timeout)
    execution.due = None if span is None else turn.at + span
    attributes: Attributes = {
        "workflowType": execution.workflow_type(),
        **effective,
        "parentInitiatedEventId": execution.parent.initiated_id if execution.parent else 0,
        **given({"input": input, "continuedExecutionRunId": continued_from}, "input", "continuedExecutionRunId"),
    }
    if execution.tag_list:
        attributes["tagList"] = execution.tag_list
    if execution.parent:
        attributes["parentWorkflowExecution"] = {
            "workflowId": execution.parent.workflow_id,
            "runId": execution.parent.run_id,
        }
    turn.touch(execution)
    turn.record("WorkflowExecutionStarted", attributes)
