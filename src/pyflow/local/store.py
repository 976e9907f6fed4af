"""
The database: the only place that speaks SQL (with rows.py, which holds the statements of single rows).

Operations change the state in memory and say here what they appended and touched. ``commit`` keeps what a whole group of them
changed as one row; the tables are brought up to date when there is much of it, or before somebody reads. So what is read is
always all there is, and a task that is scheduled, handed out and closed within moments never has a row.
"""

import ctypes
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Final

from . import rows
from .changes import Change, ExecutionChange, ItemChange, NetChange, Row
from .queries import Query
from .state import ActivityTask, Child, DecisionTask, Event, Execution, LambdaTask, OpenItem, Parent, Timer
from .text import decode

EVENTS_KEPT_MAX: Final = 1_000
BYTES_KEPT_MAX: Final = 1_000_000
"""How much the tables may lack: what a process reads again when it starts, and what is written at one go."""


class Store:
    """
    What the service remembers, durably.

    Args:
        connection: from ``files.connect``; this store is its only user.
        durable: what is committed outlives the process; False: there is no file.
    """

    def __init__(self, connection: sqlite3.Connection, *, durable: bool = True) -> None:
        self._connection = connection
        self._durable = durable
        self._events: list[Row] = []
        self._items: list[tuple[Execution, OpenItem]] = []
        self._executions: list[Execution] = []
        self._kept = self._read_kept()
        self._kept_events = self._kept_bytes = 0
        self._kept_is_written = False

    # -- writing

    def append_events(self, execution: Execution, events: list[Event]) -> None:
        """Add events to the end of a run's history."""
        run = execution.run
        self._events += [(run, event.id, event.type, event.at, event.attributes) for event in events]

    def keep(self, execution: Execution, item: OpenItem | Execution) -> None:
        """Note that an item has changed; its row follows with the group."""
        if item.dirty:
            return
        item.dirty = True
        if isinstance(item, Execution):
            self._executions.append(item)
        else:
            self._items.append((execution, item))

    def commit(self) -> None:
        """Make the group durable."""
        is_much = self._kept_events >= EVENTS_KEPT_MAX or self._kept_bytes >= BYTES_KEPT_MAX
        if self._connection.in_transaction or is_much:
            self._settle()
        elif self._has_changed:
            change = self._take_change()
            self._kept_events += len(change.events) or 1  # a heartbeat has none
            if self._durable:
                kept = change.encode()
                self._kept_bytes += len(kept)
                self._connection.execute("INSERT INTO changes (change) VALUES (?)", (kept,))
            self._kept.append(change)

    def roll_back(self) -> None:
        """
        Forget the group, unless it is committed: a commit may have been cut short by an exception from outside behind its last
        step. What is in memory elsewhere is worth nothing afterwards.
        """
        self._events.clear()
        self._items.clear()
        self._executions.clear()
        in_transaction = self._connection.in_transaction
        if self._kept_is_written and not in_transaction:
            self._kept = []
        self._kept_is_written = False
        if in_transaction:
            self._connection.execute("ROLLBACK")
        if self._durable:
            self._kept = self._read_kept()

    def forget_executions(self) -> None:
        """Forget all executions, with all that is open in them."""
        self._flush()
        self._begin()
        for table in ("executions", "events", *ITEMS):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self._connection.execute("DELETE FROM service WHERE key = 'last_run'")

    def close(self) -> None:
        """Close the database, with its tables up to date if the disk takes that; what is kept of groups is there in any case."""
        with suppress(sqlite3.Error):
            self.roll_back()
            self._settle()
        self._connection.close()

    def leak(self) -> None:
        """Let the connection never be closed in this process."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    @property
    def _has_changed(self) -> bool:
        """Whether the group has changed anything that is not written."""
        return bool(self._events or self._items or self._executions)

    def _begin(self) -> None:
        """Open the group's transaction if it is not open."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _settle(self) -> None:
        """Bring the tables up to date, durably, with all that is kept, and with the group."""
        self._flush()
        if self._connection.in_transaction:
            if self._durable and self._kept:
                self._connection.execute("DELETE FROM changes")
            self._connection.execute("COMMIT")
        self._kept = []
        self._kept_events = self._kept_bytes = 0
        self._kept_is_written = False

    def _read_kept(self) -> list[Change]:
        """Return what the file keeps of groups that the tables lack."""
        kept = self._connection.execute("SELECT change FROM changes ORDER BY number")
        return [Change.decode(change) for (change,) in kept]

    def _flush(self) -> None:
        """Write into the tables what they lack, inside the group's transaction, so that queries see it."""
        if self._kept and not self._kept_is_written:
            self._begin()
            self._write_change(NetChange(*self._kept))
            self._kept_is_written = True
        if self._has_changed:
            self._begin()
            self._write_change(NetChange(self._take_change()))

    def _take_change(self) -> Change:
        """Return what the group has changed, and begin anew."""
        events, self._events = self._events, []
        executions = [_execution_change(execution) for execution in self._executions]
        self._executions.clear()
        items: list[ItemChange] = []
        for execution, item in self._items:
            _add_changes(items, execution, item)
        self._items.clear()
        return Change(events, executions, items)

    def _write_change(self, change: NetChange) -> None:
        """Carry out a change of many groups in the tables."""
        states = change.states
        self._write(rows.INSERT_EXECUTION, [born + states[run] for run, born in change.born.items()])
        for run, state in states.items():
            if run not in change.born:
                self._connection.execute(rows.UPDATE_EXECUTION, (*state, run))
        self._write(rows.INSERT_EVENT, change.events)
        for table, items in change.items.items():
            self._write(rows.DELETE[table], [key for key, row in items.items() if row is None])
            self._write(rows.PUT[table], [row for row in items.values() if row is not None])

    def _write(self, statement: rows.Statement, values: list[Row]) -> None:
        """Carry out a statement for many rows."""
        most = rows.TOGETHER_MAX
        for first in range(0, len(values), most):
            part = values[first : first + most]
            self._connection.execute(statement.of(len(part)), list(chain.from_iterable(part)))

    def _select(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Read from tables that follow what groups change."""
        self._flush()
        return self._connection.execute(statement, values)

    # -- the service's own facts

    def service_fact(self, key: str) -> str | None:
        """Return a fact about this database."""
        row = self._connection.execute("SELECT value FROM service WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_service_fact(self, key: str, value: str) -> None:
        """Keep a fact about this database."""
        self._begin()
        self._connection.execute("INSERT OR REPLACE INTO service VALUES (?, ?)", (key, value))

    # -- domains and types

    def domains(self) -> list[Row]:
        """Return all domains: name, status, description, retention, tags as JSON text."""
        return self._connection.execute("SELECT * FROM domains").fetchall()

    def put_domain(self, *row: Any) -> None:
        """Keep a domain."""
        self._begin()
        self._connection.execute("INSERT OR REPLACE INTO domains VALUES (?, ?, ?, ?, ?)", row)

    def types(self) -> list[Row]:
        """Return all types, in the order of the table's columns."""
        return self._connection.execute("SELECT * FROM types").fetchall()

    def put_type(self, *row: Any) -> None:
        """Keep a type."""
        self._begin()
        self._connection.execute("INSERT OR REPLACE INTO types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def delete_type(self, *key: str) -> None:
        """Forget a type, by domain, kind, name and version."""
        self._begin()
        self._connection.execute("DELETE FROM types WHERE domain = ? AND kind = ? AND name = ? AND version = ?", key)

    # -- what a service must know when it starts

    def last_run(self) -> int:
        """Return the highest run number ever given."""
        highest = int(self._select("SELECT COALESCE(MAX(run), 0) FROM executions").fetchone()[0])
        return max(highest, int(self.service_fact("last_run") or 0))

    def latest_at(self) -> int:
        """Return the time of the last event there is."""
        row = self._select("SELECT at FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
        return 0 if row is None else int(row[0])

    def open_runs(self, domain: str) -> dict[str, int]:
        """Return the runs that are open in a domain, by workflow id."""
        return dict(
            self._select("SELECT workflow_id, run FROM executions WHERE domain = ? AND closed_at IS NULL", (domain,))
        )

    def waiting_tasks(self) -> Iterator[tuple[str, str, str, int, int, int, int]]:
        """Return kind, domain, list, negative priority, since when, run and event id of all tasks that polls may have."""
        return self._select(
            """
            SELECT 'decision', domain, task_list, -priority, opened_at, run, event_id FROM waiting_decision_tasks
                WHERE available
            UNION ALL
            SELECT 'activity', domain, task_list, -priority, opened_at, run, event_id FROM waiting_activity_tasks
            """
        )

    def deadlines(self) -> Iterator[tuple[int, int, int]]:
        """Return due time, run and event id of everything open that has a deadline; an execution's is at event 1."""
        return self._select(
            """
            SELECT due, run, 1 FROM executions WHERE closed_at IS NULL AND due IS NOT NULL
            UNION ALL SELECT due, run, event_id FROM waiting_decision_tasks WHERE due IS NOT NULL
            UNION ALL SELECT due, run, event_id FROM started_decision_tasks WHERE due IS NOT NULL
            UNION ALL SELECT due, run, event_id FROM waiting_activity_tasks WHERE due IS NOT NULL
            UNION ALL SELECT due, run, event_id FROM started_activity_tasks WHERE due IS NOT NULL
            UNION ALL SELECT due, run, event_id FROM timers
            UNION ALL SELECT due, run, event_id FROM lambda_tasks WHERE due IS NOT NULL
            """
        )

    def lambda_tasks(self) -> list[tuple[int, int, int]]:
        """Return run, event id and started id of all open Lambda functions, in the order of their scheduling."""
        return self._select(
            """
            SELECT t.run, t.event_id, t.started_id FROM lambda_tasks t
            JOIN events e ON e.run = t.run AND e.id = t.event_id ORDER BY e.sequence
            """
        ).fetchall()

    # -- executions

    def find_run(self, domain: str, workflow_id: str, run_id: str) -> int | None:
        """Return the number of a run, open or closed."""
        row = self._select(
            "SELECT run FROM executions WHERE domain = ? AND workflow_id = ? AND run_id = ?",
            (domain, workflow_id, run_id),
        ).fetchone()
        return None if row is None else int(row[0])

    def load_execution(self, run: int) -> Execution | None:
        """Return the state of a run as it was last kept; its cost follows what is open in it, not its history."""
        row = self._select("SELECT * FROM executions WHERE run = ?", (run,)).fetchone()
        if row is None:
            return None
        execution = _execution_of(row)
        last = self._select("SELECT id, at FROM events WHERE run = ? ORDER BY id DESC LIMIT 1", (run,)).fetchone()
        execution.last_id, execution.last_at = last
        if execution.open:
            self._load_items(execution)
        return execution

    def list_executions(self, query: Query, after: list[int] | None, limit: int, *, ascending: bool) -> list[Execution]:
        """Return the executions that a query is about, without what is open in them; newest first unless ``ascending``."""
        condition, values = query.page(after, limit, ascending=ascending)
        found = self._select("SELECT * FROM executions WHERE " + condition, values)  # noqa: S608 - see Query
        return [_execution_of(row) for row in found]

    def count_executions(self, query: Query) -> int:
        """Return how many executions a query is about."""
        condition, values = query.where()
        found = self._select("SELECT COUNT(*) FROM executions WHERE " + condition, values)  # noqa: S608
        return int(found.fetchone()[0])

    def oldest_close(self, domain: str) -> int | None:
        """Return when the first of a domain's closed executions was closed."""
        row = self._select(
            "SELECT MIN(closed_at) FROM executions WHERE domain = ? AND closed_at IS NOT NULL", (domain,)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def delete_closed(self, domain: str, until: int, limit: int) -> list[int]:
        """Forget executions of a domain that were closed by then, with their histories; return their runs."""
        self._flush()
        self._begin()
        found = self._connection.execute(
            "SELECT run FROM executions WHERE domain = ? AND closed_at <= ? ORDER BY closed_at LIMIT ?",
            (domain, until, limit),
        ).fetchall()
        self._connection.executemany("DELETE FROM events WHERE run = ?", found)
        self._connection.executemany("DELETE FROM executions WHERE run = ?", found)
        return [run for (run,) in found]

    def _load_items(self, execution: Execution) -> None:
        for table, *state in self._item_rows("waiting_decision_tasks", execution.run):
            event_id, at, attributes, due, available = state[:5]
            execution.scheduled = DecisionTask(
                event_id, at, attributes, due, stored_in=table, available=bool(available)
            )
        for table, *state in self._item_rows("started_decision_tasks", execution.run):
            event_id, at, attributes, due, started_id, started_at = state
            execution.started = DecisionTask(
                event_id, at, attributes, due, False, table, False, started_id, started_at, True
            )
        for name in ("waiting_activity_tasks", "started_activity_tasks"):
            for table, event_id, at, attributes, due, *rest in self._item_rows(name, execution.run):
                started = rest if name == "started_activity_tasks" else ()
                activity = ActivityTask(event_id, at, attributes, due, False, table, False, *started)
                execution.activities[event_id] = activity
                execution.activity_ids[attributes["activityId"]] = activity
        for table, event_id, at, attributes, due in self._item_rows("timers", execution.run):
            timer = Timer(event_id, at, attributes, due, stored_in=table)
            execution.timers[event_id] = execution.timer_ids[attributes["timerId"]] = timer
        for table, event_id, at, attributes, due, started_id in self._item_rows("lambda_tasks", execution.run):
            task = LambdaTask(event_id, at, attributes, due, False, table, False, started_id)
            execution.lambdas[event_id] = execution.lambda_ids[attributes["id"]] = task
        for table, event_id, at, attributes, *state in self._item_rows("children", execution.run):
            execution.children[event_id] = Child(event_id, at, attributes, None, False, table, False, *state)

    def _item_rows(self, table: str, run: int) -> list[list[Any]]:
        """Return table, event id, time, attributes, and the row's own columns, for each of a run's items in a table."""
        found = self._select(ITEMS[table], (run,)).fetchall()
        return [[table, row[0], row[1], decode(row[2]), *row[3:]] for row in found]

    def read_events(self, run: int, first: int, last: int) -> list[Event]:
        """Return the events of a run from ``first`` to ``last``, both included, ascending."""
        found = self._select(
            "SELECT id, type, at, attributes FROM events WHERE run = ? AND id BETWEEN ? AND ? ORDER BY id",
            (run, first, last),
        )
        return [Event(*row) for row in found]

    def count_events(self, run: int) -> Counter[str]:
        """Return how many events of each type a run has."""
        return Counter(dict(self._select("SELECT type, COUNT(*) FROM events WHERE run = ? GROUP BY type", (run,))))

    def latest_activity_at(self, run: int) -> int | None:
        """Return the time of the last event of any activity task of a run."""
        row = self._select(
            "SELECT at FROM events WHERE run = ? AND type GLOB 'ActivityTask*' ORDER BY id DESC LIMIT 1", (run,)
        ).fetchone()
        return None if row is None else int(row[0])

    def execution_context(self, run: int, event_id: int) -> str:
        """Return the execution context that a DecisionTaskCompleted recorded."""
        row = self._select("SELECT attributes FROM events WHERE run = ? AND id = ?", (run, event_id)).fetchone()
        return str(decode(row[0])["executionContext"])


ITEMS = {
    "waiting_decision_tasks": """
        SELECT e.id, e.at, e.attributes, t.due, t.available FROM waiting_decision_tasks t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ?""",
    "started_decision_tasks": """
        SELECT e.id, e.at, e.attributes, t.due, t.started_id, t.started_at FROM started_decision_tasks t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ?""",
    "waiting_activity_tasks": """
        SELECT e.id, e.at, e.attributes, t.due FROM waiting_activity_tasks t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ? ORDER BY e.id""",
    "started_activity_tasks": """
        SELECT e.id, e.at, e.attributes, t.due, t.started_id, t.started_at, t.heartbeat_at, t.details, t.cancel_requested_id
        FROM started_activity_tasks t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ? ORDER BY e.id""",
    "timers": """
        SELECT e.id, e.at, e.attributes, t.due FROM timers t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ? ORDER BY e.id""",
    "lambda_tasks": """
        SELECT e.id, e.at, e.attributes, t.due, t.started_id FROM lambda_tasks t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ? ORDER BY e.id""",
    "children": """
        SELECT e.id, e.at, e.attributes, t.child_run, t.child_run_id, t.started_id FROM children t
        JOIN events e ON e.run = t.run AND e.id = t.event_id WHERE t.run = ? ORDER BY e.id""",
}


def _execution_of(row: Row) -> Execution:
    """Return an execution as its row tells it, without what is open in it."""
    return Execution(
        run=row[0],
        domain=row[1],
        workflow_id=row[2],
        run_id=row[3],
        type_name=row[4],
        type_version=row[5],
        opened_at=row[6],
        task_timeout=row[7],
        execution_timeout=row[8],
        child_policy=row[9],
        priority=row[10],
        lambda_role=row[11],
        tag_list=decode(row[12]),
        parent=None if row[13] is None else Parent(*row[13:17]),
        task_list=row[17],
        sticky=None if row[18] is None else (row[18], row[19]),
        cancel_requested=bool(row[20]),
        previous_started_id=row[21],
        context_id=row[22],
        due=row[23],
        close_status=row[24],
        closed_at=row[25],
        stored=True,
    )


def _execution_change(execution: Execution) -> ExecutionChange:
    """Return what is to be kept of an execution that has changed."""
    execution.dirty = False
    born = None if execution.stored else rows.born_values(execution)
    execution.stored = True
    return ExecutionChange(execution.run, born, rows.state_values(execution))


def _add_changes(changes: list[ItemChange], execution: Execution, item: OpenItem) -> None:
    """Add what is to be kept of an item that has changed: it left a table, it stands in one, or both."""
    item.dirty = False
    before = item.stored_in
    key = (execution.run, item.event_id)
    table, row = (None, None) if item.closed else rows.ROW_OF[type(item)](execution, item)
    if before is not None and before != table:
        changes.append(ItemChange(before, key, None, is_new=False))
    if table is not None:
        changes.append(ItemChange(table, key, row, is_new=before != table))
    item.stored_in = table
