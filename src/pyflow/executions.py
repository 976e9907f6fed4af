"""
Start workflow executions.
"""

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Generic, Literal
from uuid import uuid4

from .converter import JSON, DataConverter, duration
from .exceptions import SerializationException, ServiceFault
from .future import R
from .handles import WorkflowHandle, newest_run
from .others import WorkflowCode
from .payloads.hints import hints_of
from .swf.client import Client, create_client, service_faults
from .swf.events import attributes_of
from .swf.repeating import repeat

FIND_TRIES: Final = 5
FIND_PAUSE_S: Final = 0.2
"""Between tries to find the open execution of an id: SWF lists it a moment after it has started it."""


class StartedWorkflow(dict[str, str], Generic[R]):
    """
    What ``start_workflow`` returns: ``{"workflowId": ..., "runId": ...}``, with a handle on it.

    Attributes:
        handle: the execution, to wait for its result, signal it, ...
        reused: it was open already, and nothing was started.
    """

    def __init__(self, handle: WorkflowHandle[R], *, reused: bool = False) -> None:
        super().__init__(handle.execution)
        self.handle = handle
        self.reused = reused


def start_workflow(
    domain: str,
    workflow_name: str | None = None,
    workflow_version: str | None = None,
    task_list: str | None = None,
    lambda_role: str | None = None,
    input: Any = None,
    client: Client | None = None,
    task_start_to_close_timeout: float | str | timedelta | None = None,
    execution_start_to_close_timeout: float | str | timedelta | None = None,
    task_priority: int | str | None = None,
    tag_list: Sequence[str] | None = None,
    child_policy: str | None = None,
    *,
    workflow: type[WorkflowCode[Any, R]] | None = None,
    workflow_id: str | None = None,
    tags: Sequence[str] | None = None,
    id_reuse: Literal["fail", "use_existing"] = "fail",
    converter: DataConverter = JSON,
) -> StartedWorkflow[R]:
    """
    Start a workflow execution.

    Args:
        domain: where its type is registered.
        workflow_name, workflow_version: the type; or give ``workflow``.
        task_list: the task list that its deciders poll; None: the type's default, if it has one.
        lambda_role: ARN of the role with which SWF calls its Lambda functions; None: the type's default, if it has one.
        input: what ``run`` is given: a text is taken as JSON text (``'"Hello"'``), any other value is encoded; None: no input.
        client: an SWF client; None: ``create_client()``.
        task_start_to_close_timeout: seconds that a decision may take, or SWF's ``"NONE"``; None: the type's default.
        execution_start_to_close_timeout: seconds that the execution may last; None: the type's default.
        task_priority: higher goes first; None: the type's default.
        tag_list: at most 5 tags, of up to 256 characters.
        child_policy: ``TERMINATE``, ``REQUEST_CANCEL`` or ``ABANDON``; None: the type's default.
        workflow: the class, instead of its name and version.
        workflow_id: its id, of which one execution at a time may be open; None: ``<name>@<a random UUID>``.
        tags: as ``tag_list``.
        id_reuse: what to do if an execution of this id is open. ``"fail"``: raise SWF's fault. ``"use_existing"``: give that
            one, if it is of the same type; its input stays its own. So a start that is repeated starts once.
        converter: what values become on their way; the one that its workers have.

    Returns:
        ``{"workflowId": ..., "runId": ...}``, with ``.handle``.

    Raises:
        TypeError: the type or the tags are given twice, or no type.
        ValueError: ``id_reuse`` without a workflow id, or not one of the two.
        SerializationException: the input is not JSON, or too long.
        PayloadStoreException: the payload store did not take the input.
        ServiceFault: ``UnknownResourceFault`` (no such domain or type), ``WorkflowExecutionAlreadyStartedFault``, ... What passes
            (throttling, no connection, an answer that was lost) is tried five times; if the first try had started it after
            all, that execution is what is returned.
        PyflowException: no client could be made.

    Source:
        SWF API Reference, StartWorkflowExecution.
    """
    name, version = _type_of(workflow, workflow_name, workflow_version)
    if id_reuse not in {"fail", "use_existing"} or (id_reuse == "use_existing" and workflow_id is None):
        raise ValueError(f"id_reuse is 'fail', or 'use_existing' with a workflow_id of your own, not {id_reuse!r}")
    if tags is not None and tag_list is not None:
        raise TypeError("tags and tag_list are the same: give one of them")
    tag_list = tag_list if tags is None else tags
    request = {
        "taskList": None if task_list is None else {"name": task_list},
        "lambdaRole": lambda_role,
        "input": _input_text(input, converter),
        "taskStartToCloseTimeout": _seconds(task_start_to_close_timeout, "task_start_to_close_timeout"),
        "executionStartToCloseTimeout": _seconds(execution_start_to_close_timeout, "execution_start_to_close_timeout"),
        "taskPriority": None if task_priority is None else str(task_priority),
        "tagList": None if tag_list is None else list(tag_list),
        "childPolicy": child_policy,
        "domain": domain,
        "workflowId": f"{name}@{uuid4()}" if workflow_id is None else workflow_id,
        "workflowType": {"name": name, "version": version},
    }
    request = {member: value for member, value in request.items() if value is not None}
    client = create_client() if client is None else client
    reading = {"converter": converter, "returns": None if workflow is None else hints_of(workflow.run).result}
    if id_reuse == "fail":
        return _start(client, request, reading)
    return _start_or_find(client, request, reading)


def _type_of(workflow: Any, name: str | None, version: str | None) -> tuple[str, str]:
    if workflow is None:
        if name is None or version is None:
            raise TypeError("start_workflow needs the workflow's class, or its workflow_name and workflow_version")
        return name, version
    if name is not None or version is not None:
        raise TypeError("give the workflow's class, or its name and version, not both")
    if workflow.NAME is None:
        raise TypeError(f"{workflow.__qualname__} has no NAME: it names no workflow type")
    return workflow.NAME, workflow.VERSION


def _start(client: Client, request: dict[str, Any], reading: dict[str, Any]) -> StartedWorkflow[Any]:
    reply = repeat(client.start_workflow_execution, "StartWorkflowExecution", **request)
    run_id = _run_of_lost_answer(client, request) if reply is None else reply["runId"]
    return StartedWorkflow(WorkflowHandle[Any](client, request["domain"], request["workflowId"], run_id, **reading))


def _run_of_lost_answer(client: Client, request: dict[str, Any]) -> str:
    """
    Find the run that an earlier try of a request has started, whose answer did not come.

    Raises:
        ServiceFault: the execution that is there is somebody else's.
    """
    for tries_left in reversed(range(FIND_TRIES)):
        newest = newest_run(client, request["domain"], request["workflowId"], open_only=tries_left > 0)
        run_id: str | None = None if newest is None else newest["execution"]["runId"]
        while run_id is not None:
            started = _started(client, request, run_id)
            if "continuedExecutionRunId" not in started:
                if all(started.get(member) == request.get(member) for member in ("workflowType", "input", "tagList")):
                    return run_id
                break
            run_id = started["continuedExecutionRunId"]
        if tries_left:
            time.sleep(FIND_PAUSE_S)
    raise ServiceFault(
        "WorkflowExecutionAlreadyStartedFault",
        f"the answer to the start of {request['workflowId']!r} was lost, and what is open under this id was started otherwise",
        operation="StartWorkflowExecution",
    )


def _started(client: Client, request: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Return the attributes of a run's first event."""
    execution = {"workflowId": request["workflowId"], "runId": run_id}
    with service_faults("GetWorkflowExecutionHistory"):
        page = client.get_workflow_execution_history(domain=request["domain"], execution=execution, maximumPageSize=1)
    return dict(attributes_of(page["events"][0]))


def _start_or_find(client: Client, request: dict[str, Any], reading: dict[str, Any]) -> StartedWorkflow[Any]:
    """Start, or give the open execution of the id and type. Either may change under way, so both are tried again."""
    domain, workflow_id = request["domain"], request["workflowId"]
    for tries_left in reversed(range(FIND_TRIES)):
        try:
            return _start(client, request, reading)
        except ServiceFault as fault:
            if fault.code != "WorkflowExecutionAlreadyStartedFault":
                raise
            found = newest_run(client, domain, workflow_id, open_only=True)
            if found is not None and found["workflowType"] == request["workflowType"]:
                execution = WorkflowHandle[Any](client, domain, workflow_id, found["execution"]["runId"], **reading)
                return StartedWorkflow(execution, reused=True)
            if found is not None or not tries_left:
                raise
        time.sleep(FIND_PAUSE_S)
    raise AssertionError("the last try returns or raises")


def _input_text(input: Any, converter: DataConverter) -> str | None:
    """Return an input as it is sent; ``start_workflow`` says what it takes."""
    if input is None:
        return None
    if not isinstance(input, str):
        return converter.seal(converter.encode(input, "the workflow's input"))
    try:
        json.loads(input, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SerializationException(
            f"the workflow's input is a text, but not JSON text: {error}. A text to be given to run as it is must be "
            f"encoded: json.dumps({input[:40]!r}{'...' if len(input) > 40 else ''})"
        ) from error
    converter.refuse_too_long(input, "the workflow's input")
    return converter.seal(input)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not in JSON")


def _seconds(value: float | str | timedelta | None, what: str) -> str | None:
    return value if isinstance(value, str) else duration(value, what)
