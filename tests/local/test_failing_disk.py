"""A disk that fails: full, unreadable, torn by a power cut, flipped bits. Never half a change, never a silent wrong state."""

import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import decisions
from local_driver import Driver, activity, child
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.local.state import Event, Execution
from pyflow.local.store import EVENTS_KEPT_MAX, Store


class FailingConnection:
    """
    A connection that fails like a bad disk once ``left`` more statements have passed, until it is mended.

    ``reads`` fail as well, or writes alone; ``once`` lets the disk recover by itself after one failure.
    """

    def __init__(self, swf: LocalSWF) -> None:
        store = swf._service._store
        self.connection = store._connection
        store._connection = self
        self.left: int | None = None
        self.reads = self.once = False

    def __getattr__(self, name: str):
        return getattr(self.connection, name)

    def execute(self, statement: str, *values):
        self._count(statement)
        return self.connection.execute(statement, *values)

    def executemany(self, statement: str, values):
        self._count(statement)
        return self.connection.executemany(statement, values)

    def _count(self, statement: str) -> None:
        if self.left is None or (not self.reads and statement.lstrip().startswith(("SELECT", "ROLLBACK"))):
            return
        if self.left == 0:
            self.left = None if self.once else 0
            raise sqlite3.OperationalError("disk I/O error" if self.reads else "database or disk is full")
        self.left -= 1


@pytest.fixture(params=[0, 7, EVENTS_KEPT_MAX])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many events the tables may lack."""
    monkeypatch.setattr("pyflow.local.store.EVENTS_KEPT_MAX", request.param)
    return request.param


def test_a_disk_that_takes_no_writes_costs_the_call_and_nothing_else(clock, tmp_path, caplog, kept) -> None:
    with LocalSWF(tmp_path / "flow.sqlite", clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        failing = FailingConnection(swf)
        for statements in range(12):
            name = f"w{statements}"
            run_id = flow.start(name, taskPriority=str(statements))
            task = flow.decision_task()
            before = flow.events(run_id, name), flow.describe(run_id, name)
            failing.left = statements
            decision = (
                activity("a"),
                decisions.start_timer("t", "60"),
                decisions.start_child_workflow_execution(f"k{name}", "flow", "1"),
            )
            try:
                flow.respond(task, *decision)
            except ServiceFault as fault:
                assert (fault.status, fault.code) == (500, "InternalFailure")
                failing.left = None
                assert (flow.events(run_id, name), flow.describe(run_id, name)) == before
                flow.respond(task, *decision)
            failing.left = None
            assert flow.history(run_id, name).count("DecisionTaskCompleted") == 1
        assert statements > 8
        assert "applied" in caplog.text


def test_deadlines_wait_for_a_disk_that_takes_no_writes(clock, tmp_path, caplog) -> None:
    with LocalSWF(tmp_path / "flow.sqlite", clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.start_timer("t", "5"))
        failing = FailingConnection(swf)
        failing.left = 0
        clock.advance(5)
        while "takes no writes" not in caplog.text:
            time.sleep(0.01)
        failing.left = None
        assert "TimerFired" in flow.history(run_id)


def test_a_disk_that_gives_nothing_at_all_costs_calls_and_not_the_service(clock, tmp_path, caplog) -> None:
    with LocalSWF(tmp_path / "flow.sqlite", clock=clock, poll_wait_s=0.5) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.start_timer("t", "5"))
        failing = FailingConnection(swf)
        failing.reads, failing.left = True, 0
        polled: list[dict] = []
        polling = threading.Thread(
            target=lambda: polled.append(flow.client.poll_for_decision_task(domain="d", taskList={"name": "none"}))
        )
        for _ in range(2):
            with pytest.raises(ServiceFault) as refused:
                flow.signal()
            assert refused.value.status == 500
        failing.left = None
        polling.start()
        while not swf._service._waiting and polling.is_alive():
            time.sleep(0.001)
        failing.left = 0
        with pytest.raises(ServiceFault):
            flow.start("other")
        polling.join()
        assert polled == [{"previousStartedEventId": 0, "startedEventId": 0}]
        clock.advance(5)
        failing.left = None
        assert flow.history(run_id)[-2:] == ["TimerFired", "DecisionTaskScheduled"]


@pytest.mark.parametrize("thread", [True, False])
def test_a_poll_that_waits_is_not_refused_for_what_the_disk_does_not_take(
    monkeypatch, tmp_path, caplog, thread
) -> None:
    """It may be the one that finds much to be written; and who is refused stands in no line any more."""
    monkeypatch.setattr("pyflow.local.store.EVENTS_KEPT_MAX", 1)
    with LocalSWF(tmp_path / "flow.sqlite", poll_wait_s=20.0 if thread else 0.0, thread=thread) as swf:
        monkeypatch.setattr(swf._service, "_may_lead", lambda: False)
        flow = Driver(swf.direct())
        flow.start()
        failing = FailingConnection(swf)
        failing.left = 0
        polled: list[Any] = []

        def poll() -> None:
            try:
                polled.append(flow.client.poll_for_decision_task(domain="d", taskList={"name": "other"}))
            except BaseException as error:
                polled.append(error)

        polling = threading.Thread(target=poll)
        polling.start()
        while "takes no writes" not in caplog.text and polling.is_alive():
            time.sleep(0.001)
        failing.left = None
        flow.start("other", taskList={"name": "other"})
        polling.join(10)
        if not thread:
            assert polled.pop() == {"previousStartedEventId": 0, "startedEventId": 0}
            poll()
        assert [task["workflowExecution"]["workflowId"] for task in polled] == ["other"]


@pytest.mark.parametrize("fails", ["LambdaFunctionStarted", "LambdaFunctionCompleted"])
def test_a_lambda_goes_on_when_the_disk_does(monkeypatch, tmp_path, fails) -> None:
    monkeypatch.setattr("pyflow.local.lambda_tasks.RETRY_S", 0.001)
    lambdas = {"f": lambda event, context: 1}
    with LocalSWF(tmp_path / "flow.sqlite", poll_wait_s=0.0, lambdas=lambdas, lambda_threads=False) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", "f"))
        append_events, failed = Store.append_events, []

        def full(store: Store, execution: Execution, events: list[Event]) -> None:
            if events[0].type == fails and not failed:
                failed.append(True)
                raise sqlite3.OperationalError("database or disk is full")
            append_events(store, execution, events)

        monkeypatch.setattr(Store, "append_events", full)
        swf.run_lambda()
        assert failed
        assert flow.history(run_id)[-3:] == [
            "LambdaFunctionStarted",
            "LambdaFunctionCompleted",
            "DecisionTaskScheduled",
        ]


class Stubborn:
    """A client that asks once more where the service failed."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.refused = 0

    def __getattr__(self, action: str) -> Callable[..., Any]:
        def ask(**request: Any) -> Any:
            try:
                return getattr(self.client, action)(**request)
            except ServiceFault as fault:
                assert fault.status == 500
                self.refused += 1
                return getattr(self.client, action)(**request)

        return ask


def scenario(flow: Driver, clock: VirtualClock) -> None:
    """A run through most of what is written."""
    flow.start("w", tagList=["t"])
    flow.signal("w")
    flow.decide(
        activity("a"),
        activity("b"),
        decisions.start_timer("t", "5"),
        decisions.start_timer("u", "9"),
        child(task_list="kids"),
        executionContext="x",
    )
    work = flow.activity_task()
    flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"], details="half")
    flow.client.respond_activity_task_completed(taskToken=work["taskToken"])
    clock.advance(6)
    flow.respond(flow.decision_task("kids"), decisions.complete_workflow_execution())
    flow.decide(decisions.cancel_timer("u"), decisions.request_cancel_activity_task("b"))
    flow.client.request_cancel_workflow_execution(domain="d", workflowId="w")
    flow.decide(decisions.record_marker("m"))
    flow.signal("w")
    flow.decide(decisions.continue_as_new_workflow_execution())
    flow.client.terminate_workflow_execution(domain="d", workflowId="w")


def runs_of(swf: LocalSWF) -> list[Any]:
    """Everything that is kept of runs, but what is drawn at random."""
    store = swf._service._store
    runs = range(1, store.last_run() + 1)
    executions = [store.load_execution(run) for run in runs]
    return [
        [(run, event.id, event.type, event.at) for run in runs for event in store.read_events(run, 1, 1_000)],
        [(each.run, each.workflow_id, each.close_status, each.closed_at) for each in executions if each],
    ]


def took(path: Path, *, fails_at: int | None, reads: bool = False) -> tuple[list[Any], int, bool]:
    """What is kept after the scenario on a disk that fails once, how many calls were refused, and whether it failed at all."""
    clock = VirtualClock(start_s=1_000_000)
    with LocalSWF(path, clock=clock, poll_wait_s=0.0, seed=3) as swf:
        flow = Driver(swf.direct())
        stubborn = flow.client = Stubborn(flow.client)
        failing = FailingConnection(swf)
        failing.reads, failing.once, failing.left = reads, True, fails_at
        scenario(flow, clock)
        failed = failing.left is None
        failing.left = None
        return runs_of(swf), stubborn.refused, failed


def fail_at_each_statement(tmp_path: Path, step: int, *, reads: bool) -> int:
    whole, *_ = took(tmp_path / "whole.sqlite", fails_at=None)
    refusals = statement = 0
    failed = True
    while failed:
        kept, refused, failed = took(tmp_path / f"{statement}.sqlite", fails_at=statement, reads=reads)
        assert kept == whole, statement
        refusals += refused
        statement += step
    return refusals


@pytest.mark.parametrize("reads", [False, True])
def test_a_disk_that_fails_once_leaves_no_half_change(tmp_path: Path, reads: bool, kept: int) -> None:
    assert fail_at_each_statement(tmp_path, 7, reads=reads) >= 3


@pytest.mark.proof
@pytest.mark.parametrize("reads", [False, True])
def test_a_disk_that_fails_once_at_any_statement_leaves_no_half_change(tmp_path: Path, reads: bool, kept: int) -> None:
    assert fail_at_each_statement(tmp_path, 1, reads=reads) >= 15


@pytest.fixture
def copied(tmp_path: Path) -> tuple[Path, dict[int, list[str]]]:
    """The files of a service that is at work, as a power cut leaves them, and all that it has answered."""
    clock = VirtualClock(start_s=1_000_000)
    source, copy = tmp_path / "source.sqlite", tmp_path / "copy.sqlite"
    with LocalSWF(source, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        for n in range(60):
            flow.start(f"w{n}", input="x" * 500)
            flow.decide(
                activity("a"), decisions.start_timer("t", "60"), decisions.record_marker("m", details="y" * 500)
            )
            if n == 20:
                swf._service._store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        answered = histories_of(swf)
        shutil.copy(source, copy)
        shutil.copy(f"{source}-wal", f"{copy}-wal")
    return copy, answered


def histories_of(swf: LocalSWF) -> dict[int, list[str]]:
    store = swf._service._store
    return {
        run: [event.type + event.attributes for event in store.read_events(run, 1, 1_000)]
        for run in range(1, store.last_run() + 1)
    }


def reopened(path: Path) -> dict[int, list[str]] | None:
    """What a service finds in a file; None where it refuses the file."""
    try:
        swf = LocalSWF(path, clock=VirtualClock(start_s=1_000_000), poll_wait_s=0.0)
    except PyflowException:
        return None
    with swf:
        return histories_of(swf)


def answers(path: Path) -> bool:
    """Whether a service takes a file; then it answers, be it that it cannot."""
    try:
        swf = LocalSWF(path, clock=VirtualClock(start_s=1_000_000), poll_wait_s=0.0)
    except PyflowException:
        return False
    with swf:
        client = swf.direct()
        for call in (
            lambda: client.signal_workflow_execution(domain="d", workflowId="w0", signalName="s"),
            lambda: client.list_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0}),
            lambda: client.poll_for_activity_task(domain="d", taskList={"name": "tl"}),
        ):
            with suppress(ServiceFault):
                call()
        return True


def tear(copied: tuple[Path, dict[int, list[str]]], tmp_path: Path, times: int) -> None:
    copy, answered = copied
    chance = random.Random(times)
    kept = 0
    log = Path(f"{copy}-wal").read_bytes()
    for n in range(times):
        path = tmp_path / f"torn{n}.sqlite"
        shutil.copy(copy, path)
        torn = bytearray(log[: chance.randrange(len(log) + 1)])
        if torn and n % 2:
            torn[chance.randrange(len(torn))] ^= 1 << chance.randrange(8)
        Path(f"{path}-wal").write_bytes(torn)
        found = reopened(path)
        if found is None:
            continue
        kept += 1
        for run, events in found.items():
            assert events == answered[run][: len(events)]
        for name in (path, f"{path}-wal", f"{path}-lock"):
            Path(name).unlink(missing_ok=True)
    assert kept > times // 2


def flip(copied: tuple[Path, dict[int, list[str]]], tmp_path: Path, times: int) -> None:
    copy, _ = copied
    LocalSWF(copy).close()
    whole = copy.read_bytes()
    chance = random.Random(times)
    path = tmp_path / "flipped.sqlite"
    refused = 0
    for _ in range(times):
        flipped = bytearray(whole)
        for _ in range(chance.choice([1, 1, 8])):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        refused += not answers(path)
    assert refused > times // 50


def test_a_log_torn_by_a_power_cut_is_read_up_to_where_it_is_whole(copied, tmp_path: Path) -> None:
    tear(copied, tmp_path, 20)


def test_a_file_with_flipped_bits_is_refused_or_answers(copied, tmp_path: Path) -> None:
    flip(copied, tmp_path, 40)


@pytest.mark.proof
def test_a_log_torn_anywhere_is_read_up_to_where_it_is_whole(copied, tmp_path: Path) -> None:
    tear(copied, tmp_path, 1_000)


@pytest.mark.proof
def test_a_file_with_bits_flipped_anywhere_is_refused_or_answers(copied, tmp_path: Path) -> None:
    flip(copied, tmp_path, 1_000)
