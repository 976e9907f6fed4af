"""No statement of a poll, a response or a start walks through a table: each finds its rows by an index, however many there are."""

import re
import sqlite3

import pytest

from local_driver import Driver, activity, child
from pyflow.local import LocalSWF
from pyflow.swf import decisions

WALKS = re.compile(r"\bSCAN (?!CONSTANT ROW|[0-9]+ CONSTANT ROWS)(\w+)")


class Traced(sqlite3.Connection):
    """A connection that remembers its statements."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.statements: dict[str, None] = {}
        self.set_trace_callback(lambda statement: self.statements.setdefault(statement))

    def walked(self) -> dict[str, str]:
        """Statements that read a whole table or index, and SQLite's plan of them."""
        statements = [each for each in self.statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", each)]
        self.set_trace_callback(None)
        found = {}
        for statement in statements:
            plan = "; ".join(row[3] for row in self.execute("EXPLAIN QUERY PLAN " + statement))
            if WALKS.search(plan):
                found[statement] = plan
        assert statements
        return found


@pytest.fixture
def connections(monkeypatch):
    made = []

    def connect(path, **options):
        made.append(sqlite3.Connection.__new__(Traced))
        made[-1].__init__(path, **options)
        return made[-1]

    monkeypatch.setattr("pyflow.local.files.sqlite3.connect", connect)
    return made


def test_statements_of_tasks_and_executions_use_indexes(connections, tmp_path):
    with LocalSWF(tmp_path / "flow.db", poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        connections[-1].statements.clear()
        run_id = flow.start()
        flow.signal()
        flow.decide(
            activity(input="in"),
            activity("b"),
            decisions.start_timer("t", "60"),
            decisions.record_marker("m"),
            child(task_list="elsewhere"),
            executionContext="kept",
        )
        task = flow.activity_task()
        flow.client.record_activity_task_heartbeat(taskToken=task["taskToken"], details="half")
        swf._service.run(lambda _: swf._service.engine._cache.clear(), "")  # as if it had not been asked after for long
        flow.client.respond_activity_task_completed(taskToken=task["taskToken"], result="r")
        other = flow.activity_task()
        flow.client.respond_activity_task_failed(taskToken=other["taskToken"], reason="r")
        assert flow.no_decision_task("nobody's")
        flow.describe(run_id)
        flow.events(run_id)
        flow.client.count_pending_decision_tasks(domain="d", taskList={"name": "tl"})
        flow.decide(decisions.complete_workflow_execution(result="done"))
        flow.start()

        assert connections[-1].walked() == {}


def test_a_walk_would_be_seen(connections, tmp_path):
    with LocalSWF(tmp_path / "flow.db") as swf:
        Driver(swf.direct()).start()
        connections[-1].statements.clear()
        connections[-1].execute("SELECT run FROM events WHERE attributes = 'x'").fetchall()

        assert list(connections[-1].walked()) == ["SELECT run FROM events WHERE attributes = 'x'"]
