"""Signals, cancel requests and the news of children: what comes to an execution from outside it."""

from typing import Any

from pyflow.local.state import Child, Execution

from .turn import Turn, given


def signal(turn: Turn, request: dict[str, Any], sender: Execution | None = None, initiated_id: int = 0) -> None:
    """Record a signal, from the API or from another execution's decision."""
    attributes = given(request, "signalName", "input")
    attributes["externalInitiatedEventId"] = initiated_id
    if sender is not None:
        attributes["externalWorkflowExecution"] = sender.reference()
    turn.record("WorkflowExecutionSignaled", attributes)


def request_cancel(
    turn: Turn, sender: Execution | None = None, initiated_id: int = 0, *, by_policy: bool = False
) -> None:
    """Record a request to cancel. It closes nothing: the decider decides."""
    attributes: dict[str, Any] = {"externalInitiatedEventId": initiated_id}
    if sender is not None:
        attributes["externalWorkflowExecution"] = sender.reference()
    if by_policy:
        attributes["cause"] = "CHILD_POLICY_APPLIED"
    turn.execution.cancel_requested = True
    turn.touch(turn.execution)
    turn.record("WorkflowExecutionCancelRequested", attributes)


def delivered(turn: Turn, event_type: str, initiated_id: int, target: Execution) -> None:
    """Record with the sender that its signal or cancel request arrived; the target's run id is the one it resolved to."""
    turn.record(event_type, {"workflowExecution": target.reference(), "initiatedEventId": initiated_id})


def undelivered(turn: Turn, event_type: str, initiated_id: int, initiated: dict[str, Any]) -> None:
    """Record with the sender that there was no open execution to deliver to."""
    attributes = given(initiated, "workflowId", "runId", "control", "decisionTaskCompletedEventId")
    attributes |= {"cause": "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION", "initiatedEventId": initiated_id}
    turn.record(event_type, attributes)


def child_started(turn: Turn, child: Child, execution: Execution) -> None:
    """Record with the parent that its child runs."""
    child.run = execution.run
    child.run_id = execution.run_id
    turn.touch(child)
    child.started_id = turn.record(
        "ChildWorkflowExecutionStarted",
        {
            "workflowExecution": execution.reference(),
            "workflowType": execution.workflow_type(),
            "initiatedEventId": child.event_id,
        },
    )


def child_continued(turn: Turn, child: Child, execution: Execution) -> None:
    """Let the parent's open child be the run that went on as new; the parent has no event for it."""
    child.run = execution.run
    child.run_id = execution.run_id
    turn.touch(child)


def child_not_started(turn: Turn, child: Child) -> None:
    """Record with the parent that an open run has the child's workflow id."""
    asked = child.attributes
    child.closed = True
    del turn.execution.children[child.event_id]
    turn.touch(child)
    attributes = given(asked, "workflowId", "workflowType", "control")
    # SWF answers this one later, outside any decision, so there is no completed decision task to name.
    attributes |= {
        "cause": "WORKFLOW_ALREADY_RUNNING",
        "initiatedEventId": child.event_id,
        "decisionTaskCompletedEventId": 0,
    }
    turn.record("StartChildWorkflowExecutionFailed", attributes)


def child_closed(turn: Turn, child: Child, execution: Execution, event_type: str, outcome: dict[str, Any]) -> None:
    """Record with the parent how its child closed."""
    child.closed = True
    del turn.execution.children[child.event_id]
    turn.touch(child)
    turn.record(
        event_type,
        {
            "workflowExecution": execution.reference(),
            "workflowType": execution.workflow_type(),
            "initiatedEventId": child.event_id,
            "startedEventId": child.started_id,
            **outcome,
        },
    )
