"""Closing an execution, by whatever way, and what that does to its children and its parent."""

from typing import Any

from pyflow.local.effects import ApplyChildPolicy, TellParent
from pyflow.local.state import Attributes

from .turn import Turn, given


def close(turn: Turn, event_type: str, attributes: Attributes, status: str) -> None:
    """Record the closing event; end everything that is open; tell the parent. Nothing is recorded afterwards."""
    execution = turn.execution
    turn.record(event_type, attributes)
    execution.close_status = status
    execution.closed_at = turn.at
    execution.due = None
    for item in execution.open_items():
        item.closed = True
        turn.touch(item)
    execution.scheduled = execution.started = None
    for group in (execution.activities, execution.timers, execution.children, execution.lambdas):
        group.clear()
    for names in (execution.activity_ids, execution.timer_ids, execution.lambda_ids):
        names.clear()
    turn.touch(execution)
    # A child that goes on as new is still its parent's open child.
    if execution.parent is not None and status != "CONTINUED_AS_NEW":
        outcome = given(attributes, "result", "reason", "details", "timeoutType")
        if status == "TERMINATED":
            outcome = {}
        turn.effects.append(TellParent(execution.parent, "Child" + event_type, outcome))


def terminate(turn: Turn, cause: str, request: dict[str, Any]) -> None:
    """Close as TERMINATED; ``request`` may give ``reason``, ``details`` and a ``childPolicy`` that overrides."""
    execution = turn.execution
    policy = request.get("childPolicy") or execution.child_policy
    _leave_children(turn, policy)
    attributes = {"childPolicy": policy, "cause": cause, **given(request, "reason", "details")}
    close(turn, "WorkflowExecutionTerminated", attributes, "TERMINATED")


def time_out(turn: Turn) -> None:
    """Close as TIMED_OUT."""
    policy = turn.execution.child_policy
    _leave_children(turn, policy)
    attributes = {"timeoutType": "START_TO_CLOSE", "childPolicy": policy}
    close(turn, "WorkflowExecutionTimedOut", attributes, "TIMED_OUT")


def _leave_children(turn: Turn, policy: str) -> None:
    """Only termination and time-out hand the policy down; a run that closes by its own decision leaves its children alone."""
    running = tuple(child.run for child in turn.execution.children.values() if child.started_id)
    if running and policy != "ABANDON":
        turn.effects.append(ApplyChildPolicy(policy, running))
