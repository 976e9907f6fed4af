"""How each thing the service remembers lies in its table: the statements, and the values that go into them."""

from collections.abc import Callable
from typing import Any, Final

from .rules.turn import encode
from .state import ActivityTask, Child, DecisionTask, Execution, LambdaTask, OpenItem, Timer

Row = tuple[Any, ...]

INSERT_EVENT: Final = "INSERT INTO events (run, id, type, at, attributes) VALUES (?, ?, ?, ?, ?)"
INSERT_EXECUTION: Final = """
INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_EXECUTION: Final = """
UPDATE executions SET task_list = ?, sticky_list = ?, sticky_wait = ?, cancel_requested = ?, previous_started_id = ?,
    context_id = ? WHERE run = ?
"""
CLOSE_EXECUTION: Final = """
UPDATE executions SET task_list = ?, sticky_list = ?, sticky_wait = ?, cancel_requested = ?, previous_started_id = ?,
    context_id = ?, due = ?, close_status = ?, closed_at = ? WHERE run = ?
"""
PUT: Final = {
    "waiting_decision_tasks": "INSERT OR REPLACE INTO waiting_decision_tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "started_decision_tasks": "INSERT OR REPLACE INTO started_decision_tasks VALUES (?, ?, ?, ?, ?)",
    "waiting_activity_tasks": "INSERT OR REPLACE INTO waiting_activity_tasks VALUES (?, ?, ?, ?, ?, ?, ?)",
    "started_activity_tasks": "INSERT OR REPLACE INTO started_activity_tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "timers": "INSERT OR REPLACE INTO timers VALUES (?, ?, ?)",
    "lambda_tasks": "INSERT OR REPLACE INTO lambda_tasks VALUES (?, ?, ?, ?)",
    "children": "INSERT OR REPLACE INTO children VALUES (?, ?, ?, ?, ?)",
}
DELETE: Final = {
    "waiting_decision_tasks": "DELETE FROM waiting_decision_tasks WHERE run = ? AND event_id = ?",
    "started_decision_tasks": "DELETE FROM started_decision_tasks WHERE run = ? AND event_id = ?",
    "waiting_activity_tasks": "DELETE FROM waiting_activity_tasks WHERE run = ? AND event_id = ?",
    "started_activity_tasks": "DELETE FROM started_activity_tasks WHERE run = ? AND event_id = ?",
    "timers": "DELETE FROM timers WHERE run = ? AND event_id = ?",
    "lambda_tasks": "DELETE FROM lambda_tasks WHERE run = ? AND event_id = ?",
    "children": "DELETE FROM children WHERE run = ? AND event_id = ?",
}


def execution_row(execution: Execution) -> Row:
    """Return the row of a new execution."""
    parent = execution.parent or (None, None, None, None)
    return (
        execution.run,
        execution.domain,
        execution.workflow_id,
        execution.run_id,
        execution.type_name,
        execution.type_version,
        execution.opened_at,
        execution.task_timeout,
        execution.execution_timeout,
        execution.child_policy,
        execution.priority,
        execution.lambda_role,
        encode(execution.tag_list),
        *parent,
        *running_values(execution),
        *closing_values(execution),
    )


def running_values(execution: Execution) -> Row:
    """Return what changes while an execution runs."""
    sticky = execution.sticky or (None, None)
    return (
        execution.task_list,
        *sticky,
        execution.cancel_requested,
        execution.previous_started_id,
        execution.context_id,
    )


def closing_values(execution: Execution) -> Row:
    """Return what closing an execution changes."""
    return (execution.due, execution.close_status, execution.closed_at)


def queue_values(execution: Execution, item: OpenItem) -> tuple[str, str, int, int]:
    """Return where a waiting task stands: domain, task list, priority, since when."""
    asked = item.attributes
    return (execution.domain, asked["taskList"]["name"], int(asked.get("taskPriority") or 0), item.opened_at)


def _decision_row(execution: Execution, task: DecisionTask) -> tuple[str, Row]:
    key = (execution.run, task.event_id, task.due)
    if task.started_id:
        return "started_decision_tasks", (*key, task.started_id, task.started_at)
    return "waiting_decision_tasks", (*key, task.available, *queue_values(execution, task))


def _activity_row(execution: Execution, task: ActivityTask) -> tuple[str, Row]:
    key = (execution.run, task.event_id, task.due)
    if task.started_id:
        return "started_activity_tasks", (
            *key,
            task.started_id,
            task.started_at,
            task.heartbeat_at,
            task.details,
            task.cancel_requested_id,
        )
    return "waiting_activity_tasks", (*key, *queue_values(execution, task))


def _timer_row(execution: Execution, timer: Timer) -> tuple[str, Row]:
    return "timers", (execution.run, timer.event_id, timer.due)


def _lambda_row(execution: Execution, task: LambdaTask) -> tuple[str, Row]:
    return "lambda_tasks", (execution.run, task.event_id, task.due, task.started_id)


def _child_row(execution: Execution, child: Child) -> tuple[str, Row]:
    return "children", (execution.run, child.event_id, child.run, child.run_id, child.started_id)


ROW_OF: Final[dict[type, Callable[[Execution, Any], tuple[str, Row]]]] = {
    DecisionTask: _decision_row,
    ActivityTask: _activity_row,
    Timer: _timer_row,
    LambdaTask: _lambda_row,
    Child: _child_row,
}
