"""How each thing the service remembers lies in its table: the statements, and the values that go into them."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from .changes import Row
from .state import ActivityTask, Child, DecisionTask, Execution, LambdaTask, OpenItem, Timer
from .text import encode

TOGETHER_MAX: Final = 64


class Statement(NamedTuple):
    """
    A statement for a number of rows: SQLite is left, and Python's lock with it, once for all of them.

    ``head`` is followed by ``each`` for each row, with ``between`` in between.
    """

    head: str
    each: str
    between: str = ", "

    @cache  # noqa: B019 - one for each table and what is done to it, for ever
    def of(self, count: int) -> str:
        """Return the text for so many rows."""
        return self.head + self.between.join([self.each] * count)


def _put(table: str, columns: int) -> Statement:
    return Statement(f"INSERT OR REPLACE INTO {table} VALUES ", f"({', '.join('?' * columns)})")  # noqa: S608 - our own names


def _delete(table: str) -> Statement:
    # A list of pairs (IN (VALUES ...)) would have SQLite go through the whole table.
    return Statement(f"DELETE FROM {table} WHERE ", "(run = ? AND event_id = ?)", " OR ")  # noqa: S608 - our own names


INSERT_EVENT: Final = Statement("INSERT INTO events (run, id, type, at, attributes) VALUES ", "(?, ?, ?, ?, ?)")
INSERT_EXECUTION: Final = Statement("INSERT INTO executions VALUES ", f"({', '.join('?' * 26)})")
UPDATE_EXECUTION: Final = """
UPDATE executions SET task_list = ?, sticky_list = ?, sticky_wait = ?, cancel_requested = ?, previous_started_id = ?,
    context_id = ?, due = ?, close_status = ?, closed_at = ? WHERE run = ?
"""
COLUMNS: Final = {
    "waiting_decision_tasks": 8,
    "started_decision_tasks": 5,
    "waiting_activity_tasks": 7,
    "started_activity_tasks": 8,
    "timers": 3,
    "lambda_tasks": 4,
    "children": 5,
}
PUT: Final = {table: _put(table, columns) for table, columns in COLUMNS.items()}
DELETE: Final = {table: _delete(table) for table in COLUMNS}


def born_values(execution: Execution) -> Row:
    """Return what never changes about an execution; in its row, ``state_values`` follow."""
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
    )


def state_values(execution: Execution) -> Row:
    """Return what changes while an execution runs, and when it closes."""
    sticky = execution.sticky or (None, None)
    return (
        execution.task_list,
        *sticky,
        execution.cancel_requested,
        execution.previous_started_id,
        execution.context_id,
        execution.due,
        execution.close_status,
        execution.closed_at,
    )


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
