"""Executions: start, tell, stop, describe, and their histories."""

from typing import Any, Final

from pyflow.local import faults
from pyflow.local.calls import Context
from pyflow.local.engine import Engine
from pyflow.local.pages import page_size, seal_page, unseal_page
from pyflow.local.rules import close, messages, start
from pyflow.local.rules.turn import Turn, given
from pyflow.local.state import Execution

Request = dict[str, Any]
Reply = dict[str, Any]

SPANS: Final = {
    "openActivityTasks": (
        "ActivityTaskScheduled",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "ActivityTaskCanceled",
    ),
    "openDecisionTasks": ("DecisionTaskScheduled", "DecisionTaskCompleted", "DecisionTaskTimedOut"),
    "openTimers": ("TimerStarted", "TimerFired", "TimerCanceled"),
    "openChildWorkflowExecutions": (
        "ChildWorkflowExecutionStarted",
        "ChildWorkflowExecutionCompleted",
        "ChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionCanceled",
        "ChildWorkflowExecutionTimedOut",
        "ChildWorkflowExecutionTerminated",
    ),
    "openLambdaFunctions": (
        "LambdaFunctionScheduled",
        "LambdaFunctionCompleted",
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "StartLambdaFunctionFailed",
    ),
}
"""For each count of what is open, the event that opens one and those that end one."""


def start_workflow_execution(engine: Engine, request: Request, context: Context) -> Reply:
    """Start an execution; its workflow id must have no open run."""
    domain = engine.registry.writable_domain(request["domain"])
    named = request["workflowType"]
    found = domain.type("WorkflowType", named["name"], named["version"])
    if found.status != "REGISTERED":
        raise faults.type_fault("TypeDeprecatedFault", "WorkflowType", found.name, found.version)
    try:
        effective = start.settings(request, found.defaults)
    except start.Undefined as undefined:
        raise faults.default_undefined(undefined.args[0]) from None
    workflow_id = request["workflowId"]
    if workflow_id in domain.open_runs:
        raise faults.already_started()
    if domain.open_executions_left() <= 0:
        raise faults.limit_exceeded(f"{faults.OPEN_EXECUTIONS_MAX} executions are open in domain {domain.name}")
    execution = start.new_execution(
        engine.next_run(),
        engine.ids.run_id(),
        domain.name,
        workflow_id,
        {"name": found.name, "version": found.version},
        effective,
        request.get("tagList") or [],
        None,
        context.at,
    )
    engine.add_execution(execution)
    turn = Turn(execution, context.at)
    start.start(turn, effective, request.get("input"))
    engine.settle(turn)
    return {"runId": execution.run_id}


def signal_workflow_execution(engine: Engine, request: Request, context: Context) -> None:
    """Record a signal in an open execution."""
    turn = _turn_of_open(engine, request, context)
    messages.signal(turn, request)
    engine.settle(turn)


def request_cancel_workflow_execution(engine: Engine, request: Request, context: Context) -> None:
    """Record a cancel request in an open execution."""
    turn = _turn_of_open(engine, request, context)
    messages.request_cancel(turn)
    engine.settle(turn)


def terminate_workflow_execution(engine: Engine, request: Request, context: Context) -> None:
    """Close an open execution at once."""
    turn = _turn_of_open(engine, request, context)
    close.terminate(turn, "OPERATOR_INITIATED", request)
    engine.settle(turn)


def describe_workflow_execution(engine: Engine, request: Request, context: Context) -> Reply:
    """Describe an execution, open or closed."""
    execution = _named(engine, request, context)
    reply: Reply = {
        "executionInfo": execution_info(execution),
        "executionConfiguration": {
            "taskStartToCloseTimeout": execution.task_timeout,
            "executionStartToCloseTimeout": execution.execution_timeout,
            "taskList": {"name": execution.task_list},
            "childPolicy": execution.child_policy,
            **given(
                {"taskPriority": execution.priority, "lambdaRole": execution.lambda_role}, "taskPriority", "lambdaRole"
            ),
        },
    }
    reply["openCounts"] = _open_counts(engine, execution)
    latest = engine.store.latest_activity_at(execution.run)
    if latest is not None:
        reply["latestActivityTaskTimestamp"] = latest / 1000
    if execution.context_id:
        reply["latestExecutionContext"] = engine.store.execution_context(execution.run, execution.context_id)
    return reply


def get_workflow_execution_history(engine: Engine, request: Request, context: Context) -> Reply:
    """Give a page of an execution's history."""
    execution = _named(engine, request, context)
    backwards = bool(request.get("reverseOrder"))
    size = page_size(request)
    token = request.get("nextPageToken")
    if token:
        run, begin, reverse = unseal_page(engine.tokens, token, "history", context.at)
        backwards = bool(reverse)
        if run != execution.run:
            raise faults.invalid("Invalid token")
    else:
        begin = execution.last_id if backwards else 1
    if backwards:
        end = max(1, begin - size + 1)
        reply: Reply = {"events": engine.read_events(execution, end, begin)[::-1]}
        following, more = end - 1, end > 1
    else:
        end = min(execution.last_id, begin + size - 1)
        reply = {"events": engine.read_events(execution, begin, end)}
        following, more = end + 1, end < execution.last_id
    if more:
        reply["nextPageToken"] = seal_page(engine.tokens, "history", context.at, execution.run, following, backwards)
    return reply


def _open_counts(engine: Engine, execution: Execution) -> dict[str, int]:
    """
    Count what is open.

    A close leaves the counts as they stood (seen in captured traffic), though nothing of it can be answered any more: so a closed
    execution's are what its history opened and did not end.
    """
    if execution.open:
        return {
            "openActivityTasks": len(execution.activities),
            "openDecisionTasks": 1 if execution.scheduled or execution.started else 0,
            "openTimers": len(execution.timers),
            "openChildWorkflowExecutions": len(execution.children),
            "openLambdaFunctions": len(execution.lambdas),
        }
    happened = engine.store.count_events(execution.run)
    counts = {name: happened[opens] - sum(happened[end] for end in ends) for name, (opens, *ends) in SPANS.items()}
    counts["openDecisionTasks"] = min(1, counts["openDecisionTasks"])
    return counts


def execution_info(execution: Execution) -> Reply:
    """Return what lists and descriptions tell of an execution."""
    info: Reply = {
        "execution": execution.reference(),
        "workflowType": execution.workflow_type(),
        "startTimestamp": execution.opened_at / 1000,
        "executionStatus": "OPEN" if execution.open else "CLOSED",
        "cancelRequested": execution.cancel_requested,
    }
    if execution.closed_at is not None:
        info["closeTimestamp"] = execution.closed_at / 1000
        info["closeStatus"] = execution.close_status
    if execution.parent is not None:
        info["parent"] = {"workflowId": execution.parent.workflow_id, "runId": execution.parent.run_id}
    if execution.tag_list:
        info["tagList"] = execution.tag_list
    return info


def _named(engine: Engine, request: Request, context: Context) -> Execution:
    named = request["execution"]
    return engine.find_execution(request["domain"], named["workflowId"], named["runId"], context.at)


def _turn_of_open(engine: Engine, request: Request, context: Context) -> Turn:
    execution = engine.open_execution(request["domain"], request["workflowId"], request.get("runId"))
    return Turn(execution, context.at)
