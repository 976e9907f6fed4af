"""
Start workflow executions, and ask after them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from .converter import DATA_MAX, JSON, duration
from .exceptions import SerializationException, ServiceFault
from .swf.client import Client, create_client, service_faults
from .swf.events import CLOSE_EVENTS, attributes_of


@dataclass
class WorkflowStatus:
    """
    What ``get_workflow_status`` found out.

    ``execution_status``: ``OPEN`` or ``CLOSED``; ``workflow_description``: DescribeWorkflowExecution's whole reply;
    ``close_status``: ``COMPLETED``, ``FAILED``, ``CANCELED``, ``TERMINATED``, ``CONTINUED_AS_NEW`` or ``TIMED_OUT`` once it
    is closed; ``latest_activity_timestamp``: when an activity task was last scheduled; ``result``: the JSON text of a
    completed execution's result; ``failure_reason`` and ``failure_details``: of a failed one; ``exit_event``: the event
    that closed it, as the API gives it.
    """

    execution_status: str
    workflow_description: dict[str, Any]
    close_status: str | None = None
    latest_activity_timestamp: datetime | float | None = None
    result: str | None = None
    failure_reason: str | None = None
    failure_details: str | None = None
    exit_event: dict[str, Any] | None = None


def start_workflow(
    domain: str,
    workflow_name: str,
    workflow_version: str,
    task_list: str,
    lambda_role: str | None = None,
    input: Any = None,
    client: Client | None = None,
    task_start_to_close_timeout: float | str | timedelta | None = None,
    execution_start_to_close_timeout: float | str | timedelta | None = None,
    task_priority: int | str | None = None,
    tag_list: Sequence[str] | None = None,
    child_policy: str | None = None,
    *,
    workflow_id: str | None = None,
) -> dict[str, str]:
    """
    Start a workflow execution.

    Args:
        domain: where its type is registered.
        workflow_name: the type's name.
        workflow_version: the type's version.
        task_list: the task list that its deciders poll.
        lambda_role: ARN of the role with which SWF calls its Lambda functions; None: the type's default, if it has one.
        input: what ``run`` is given, at most 32,768 characters of JSON: a text is taken as JSON text (``'"Hello"'``), any
            other value is encoded; None: no input.
        client: an SWF client; None: ``create_client()``.
        task_start_to_close_timeout: seconds that a decision may take, or SWF's ``"NONE"``; None: the type's default.
        execution_start_to_close_timeout: seconds that the execution may last; None: the type's default.
        task_priority: higher goes first; None: the type's default.
        tag_list: at most 5 tags.
        child_policy: ``TERMINATE``, ``REQUEST_CANCEL`` or ``ABANDON``; None: the type's default.
        workflow_id: its id, of which one execution at a time may be open; None: ``<name>@<a random UUID>``.

    Returns:
        ``{"workflowId": ..., "runId": ...}``.

    Raises:
        SerializationException: the input is not JSON, or too long.
        ServiceFault: ``UnknownResourceFault`` (no such domain or type), ``WorkflowExecutionAlreadyStartedFault``, ...
        PyflowException: no client could be made.

    Source:
        SWF API Reference, StartWorkflowExecution.
    """
    optional = {
        "lambdaRole": lambda_role,
        "input": _input_text(input),
        "taskStartToCloseTimeout": _seconds(task_start_to_close_timeout, "task_start_to_close_timeout"),
        "executionStartToCloseTimeout": _seconds(execution_start_to_close_timeout, "execution_start_to_close_timeout"),
        "taskPriority": None if task_priority is None else str(task_priority),
        "tagList": None if tag_list is None else list(tag_list),
        "childPolicy": child_policy,
    }
    if workflow_id is None:
        workflow_id = f"{workflow_name}@{uuid4()}"
    client = create_client() if client is None else client
    with service_faults("StartWorkflowExecution"):
        reply = client.start_workflow_execution(
            domain=domain,
            workflowId=workflow_id,
            workflowType={"name": workflow_name, "version": workflow_version},
            taskList={"name": task_list},
            **{member: value for member, value in optional.items() if value is not None},
        )
    return {"workflowId": workflow_id, "runId": reply["runId"]}


def get_workflow_status(
    domain: str, workflow_id: str, run_id: str, client: Client | None = None
) -> WorkflowStatus | None:
    """
    Ask how an execution stands.

    Args:
        domain: its domain.
        workflow_id: its id.
        run_id: the run's id, as ``start_workflow`` gave it.
        client: an SWF client; None: ``create_client()``.

    Returns:
        Its status, or None where there is no such execution.

    Raises:
        ServiceFault: anything but ``UnknownResourceFault``.
        PyflowException: no client could be made.

    Source:
        SWF API Reference, DescribeWorkflowExecution, GetWorkflowExecutionHistory.
    """
    client = create_client() if client is None else client
    execution = {"workflowId": workflow_id, "runId": run_id}
    try:
        with service_faults("DescribeWorkflowExecution"):
            description = client.describe_workflow_execution(domain=domain, execution=execution)
    except ServiceFault as fault:
        if fault.code == "UnknownResourceFault":
            return None
        raise
    info = description["executionInfo"]
    status = WorkflowStatus(
        execution_status=info["executionStatus"],
        workflow_description=description,
        close_status=info.get("closeStatus"),
        latest_activity_timestamp=description.get("latestActivityTaskTimestamp"),
    )
    if status.execution_status == "CLOSED":
        with service_faults("GetWorkflowExecutionHistory"):
            # nothing follows the event that closes an execution
            history = client.get_workflow_execution_history(
                domain=domain, execution=execution, reverseOrder=True, maximumPageSize=1
            )
        _add_exit(status, history["events"])
    return status


def _add_exit(status: WorkflowStatus, events: list[dict[str, Any]]) -> None:
    for event in events:
        if event["eventType"] in CLOSE_EVENTS:
            status.exit_event = event
            if event["eventType"] == "WorkflowExecutionCompleted":
                status.result = attributes_of(event).get("result")
            elif event["eventType"] == "WorkflowExecutionFailed":
                status.failure_reason = attributes_of(event).get("reason")
                status.failure_details = attributes_of(event).get("details")


def _input_text(input: Any) -> str | None:
    """Return an input as JSON text, as ``start_workflow`` takes it."""
    if input is None:
        return None
    if not isinstance(input, str):
        return JSON.encode(input, "the workflow's input")
    try:
        json.loads(input, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SerializationException(
            f"the workflow's input is a text, but not JSON text: {error}. A text to be given to run as it is must be "
            f"encoded: json.dumps({input[:40]!r}{'...' if len(input) > 40 else ''})"
        ) from error
    if len(input) > DATA_MAX:
        raise SerializationException(f"the workflow's input is {len(input):,} characters long; SWF takes {DATA_MAX:,}")
    return input


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not in JSON")


def _seconds(value: float | str | timedelta | None, what: str) -> str | None:
    return value if isinstance(value, str) else duration(value, what)
