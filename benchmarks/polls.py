"""Polls of a large service: 100,000 open executions, and a million events in the file."""

import sqlite3
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.http import Driver
from benchmarks.rows import OURS, Goal, Row
from benchmarks.timing import medians
from pyflow.local import LocalSWF

__all__ = ["measure"]

OPEN, EVENTS = 99_999, 1_000_000  # one below the quota of open executions: the one that is measured comes on top
EXECUTIONS = 100
FILL_EXECUTIONS = """
INSERT INTO executions
    SELECT run + n, domain, workflow_id || '-' || n, run_id || '-' || n, type_name, type_version, opened_at, task_timeout,
        execution_timeout, child_policy, priority, lambda_role, tag_list, parent_run, parent_workflow_id, parent_run_id,
        parent_initiated_id, task_list, sticky_list, sticky_wait, cancel_requested, previous_started_id, context_id, due,
        close_status, closed_at
    FROM executions, numbers WHERE run = 1
"""
FILL_EVENTS = """
INSERT INTO events (run, id, type, at, attributes)
    SELECT run + n, id, type, at, attributes FROM events, numbers WHERE run = 1 ORDER BY n, id
"""
FILL_TASKS = """
INSERT INTO started_activity_tasks SELECT run + n, event_id, due, started_id, started_at, heartbeat_at, details,
    cancel_requested_id FROM started_activity_tasks, numbers WHERE run = 1
"""


def measure(*, small: bool = False) -> list[Row]:
    """
    Return what an execution of seven calls costs there, two polls for decisions and one for an activity among them.

    Beside it: the same on a service that has nothing else. The open executions all wait for an activity that a worker has.
    """
    open_, events = (50, 500) if small else (OPEN, EVENTS)
    executions = 3 if small else EXECUTIONS
    with tempfile.TemporaryDirectory() as folder:
        large, empty = Path(folder) / "large.db", Path(folder) / "empty.db"
        fill(large, open_, events)
        with LocalSWF(large) as full, LocalSWF(empty) as fresh:
            drivers = {OURS: Driver(full.direct(), known=True), "an empty service": Driver(fresh.direct())}
            timed = {name: partial(driver.median, executions) for name, driver in drivers.items()}
            figures = {name: figure * 1e3 for name, figure in medians(timed, turns=2 if small else 7).items()}
    what = f"an execution of one activity, beside {open_:,} open ones and {events:,} events"
    return [Row(what, "ms", figures, goals=(Goal("an empty service", 1.25, most=True),))]


def fill(path: Path, open_: int, events: int) -> None:
    """Make a database with so many open executions: one is really made, and its rows are copied."""
    with LocalSWF(path) as swf:
        Driver(swf.direct()).leave_open(events // open_)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO numbers VALUES (?)", ((number,) for number in range(1, open_)))
    for statement in (FILL_EXECUTIONS, FILL_EVENTS, FILL_TASKS):
        connection.execute(statement)
    connection.commit()
    connection.close()
