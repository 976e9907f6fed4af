"""Processes that end in the middle of things: kill -9 under load, forks, bugs of our own."""

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import pytest

from local_driver import Driver, activity
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions
from pyflow.swf.events import attributes_of
from pyflow.swf.posts import Post

# Drives executions through all that they can do and says what was answered. Its lines are what must be in the file afterwards.
LOAD = """
import json, sys, threading
sys.path.insert(0, sys.argv[2])
from local_driver import Driver, activity
from pyflow.local import LocalSWF
from pyflow.swf import decisions

swf = LocalSWF(sys.argv[1], poll_wait_s=0.05)
try:
    flow = Driver(swf.direct(), defaultTaskStartToCloseTimeout="30")
except Exception:
    flow = Driver.__new__(Driver)
    flow.client = swf.direct()

def say(*words):
    sys.stdout.write(json.dumps(words) + "\\n")
    sys.stdout.flush()

def start(number):
    for n in range(10_000):
        name = f"{sys.argv[3]}-{number}-{n}"
        run_id = flow.start(name, input="x" * 200)
        say("started", name, run_id)
        flow.signal(name, name="first")
        say("signaled", name, run_id)

def decide():
    while True:
        task = flow.client.poll_for_decision_task(domain="d", taskList={"name": "tl"})
        if "taskToken" not in task:
            continue
        name = task["workflowExecution"]["workflowId"]
        done = any(event["eventType"] == "ActivityTaskCompleted" for event in task["events"])
        asked = any(event["eventType"] == "ActivityTaskScheduled" for event in task["events"])
        made = [decisions.complete_workflow_execution()] if done else [] if asked else [activity(start_to_close_timeout="30"), decisions.start_timer("t", "9")]
        try:
            flow.respond(task, *made)
            say("decided", name, task["workflowExecution"]["runId"], task["startedEventId"])
        except Exception as error:
            say("refused", name, task["workflowExecution"]["runId"], str(error))

def work():
    while True:
        task = flow.client.poll_for_activity_task(domain="d", taskList={"name": "tl"})
        if "taskToken" in task:
            flow.client.respond_activity_task_completed(taskToken=task["taskToken"], result="r")
            execution = task["workflowExecution"]
            say("worked", execution["workflowId"], execution["runId"], task["startedEventId"])

threads = [threading.Thread(target=start, args=(n,)) for n in range(2)]
threads += [threading.Thread(target=target) for target in (decide, decide, work, work)]
say("ready")
for thread in threads:
    thread.start()
"""


KINDS = {"started", "signaled", "decided", "worked"}


def load(path: Path, name: str, seconds: float, *, until: frozenset[str] | set[str] = frozenset()) -> list[list]:
    """Run the load on a file until it was told of such things and some time longer, kill it, and return what it was told."""
    command = [sys.executable, "-c", LOAD, str(path), str(Path(__file__).parents[1]), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert json.loads(first) == ["ready"]
            with pytest.raises(PyflowException, match=f"in use by the process with pid {process.pid}"):
                LocalSWF(path)
            lines = []
            while not until <= {json.loads(line)[0] for line in lines}:
                lines.append(process.stdout.readline())
            time.sleep(seconds)
        finally:
            process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def check(path: Path, told: list[list]) -> None:
    """Everything that was answered is in the file, nothing twice, and every history is sound."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    with LocalSWF(path, poll_wait_s=0.0) as swf:
        flow = Driver.__new__(Driver)
        flow.client = swf.direct()
        runs = {name: run_id for _, name, run_id, *_ in told}
        histories = {name: flow.events(run_id, name) for name, run_id in runs.items()}
        for events in histories.values():
            assert [event["eventId"] for event in events] == list(range(1, len(events) + 1))
            closed = [
                attributes_of(e).get("startedEventId") for e in events if e["eventType"] == "DecisionTaskCompleted"
            ]
            assert len(closed) == len(set(closed))
            worked = [attributes_of(e)["scheduledEventId"] for e in events if e["eventType"] == "ActivityTaskCompleted"]
            assert len(worked) == len(set(worked))
        for kind, name, _, *rest in told:
            found = [(event["eventType"], attributes_of(event).get("startedEventId")) for event in histories[name]]
            if kind == "signaled":
                assert [each for each, _ in found].count("WorkflowExecutionSignaled") == 1
            elif kind == "decided":
                assert ("DecisionTaskCompleted", rest[0]) in found
            elif kind == "worked":
                assert ("ActivityTaskCompleted", rest[0]) in found


def drain(path: Path) -> None:
    """No execution is stranded: what waits can be polled for, what was with the killed times out, and all come to their end."""
    clock = VirtualClock(start_s=time.time())
    with LocalSWF(path, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver.__new__(Driver)
        client = flow.client = swf.direct()
        everything = {"domain": "d", "startTimeFilter": {"oldestDate": 0}}
        where = {"domain": "d", "taskList": {"name": "tl"}}
        for _ in range(5):
            clock.advance(31)
            while (task := client.poll_for_decision_task(**where)).get("taskToken"):
                kinds = [event["eventType"] for event in task["events"]]
                attempts = kinds.count("ActivityTaskScheduled")
                if "ActivityTaskCompleted" in kinds:
                    flow.respond(task, decisions.complete_workflow_execution())
                elif attempts == kinds.count("ActivityTaskTimedOut"):
                    flow.respond(task, activity(f"again{attempts}", start_to_close_timeout="30"))
                else:
                    flow.respond(task)
            while (work := client.poll_for_activity_task(**where)).get("taskToken"):
                client.respond_activity_task_completed(taskToken=work["taskToken"])
            if not client.count_open_workflow_executions(**everything)["count"]:
                return
        raise AssertionError(client.list_open_workflow_executions(**everything)["executionInfos"][:3])


def test_what_was_answered_survives_kill_9(tmp_path) -> None:
    chance = random.Random(4)
    path = tmp_path / "flow.sqlite"
    told: list[list] = []
    for round_ in range(3):
        told += load(path, str(round_), chance.uniform(0.05, 0.3), until=KINDS if round_ == 2 else set())
        check(path, told)
    drain(path)
    assert {line[0] for line in told} >= KINDS


@pytest.mark.proof
def test_what_was_answered_survives_many_kills(tmp_path) -> None:
    chance = random.Random(5)
    for round_ in range(100):
        path = tmp_path / f"{round_ // 10}.sqlite"
        told = load(path, str(round_), chance.uniform(0.0, 0.5))
        check(path, told)
        if round_ % 10 == 9:
            drain(path)


def test_a_killed_owner_does_not_keep_the_file(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    load(path, "x", 0.05)
    began = time.monotonic()
    LocalSWF(path).close()
    assert time.monotonic() - began < 20


FORKS = """
import os, sys
sys.path.insert(0, sys.argv[2])
from local_driver import Driver, activity
from pyflow.local import LocalSWF
from pyflow.exceptions import PyflowException

swf = LocalSWF(sys.argv[1])
flow = Driver(swf.direct())
run_id = flow.start()
child = os.fork()
if not child:
    try:
        flow.signal()
    except PyflowException as error:
        swf.close()
        sys.exit(7 if "forked" in str(error) else 1)
    sys.exit(2)
_, status = os.waitpid(child, 0)
flow.signal()
print(os.waitstatus_to_exitcode(status), run_id, flush=True)
os._exit(0)
"""


def test_a_fork_leaves_the_service_to_its_parent(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(path), str(Path(__file__).parents[1])]
    code, run_id = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert code == "7"
    with LocalSWF(path) as swf:
        flow = Driver.__new__(Driver)
        flow.client = swf.direct()
        assert flow.history(run_id)[-1] == "WorkflowExecutionSignaled"


def test_a_bug_in_one_call_fails_that_call_alone(monkeypatch, caplog) -> None:
    with LocalSWF(poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        flow.start("good")

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("pyflow.local.operations.executions.messages.signal", broken)
        with pytest.raises(ServiceFault, match="applied nothing"):
            flow.signal("good")
        assert "ZeroDivisionError" in caplog.text
        monkeypatch.undo()
        flow.signal("good")


def test_a_call_that_is_interrupted_without_a_thread_leaves_no_half_of_it(monkeypatch) -> None:
    with LocalSWF(poll_wait_s=0.0, thread=False) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide()

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(swf._service.engine, "_follow", interrupted)
        with pytest.raises(KeyboardInterrupt):
            flow.signal()
        monkeypatch.undo()
        assert flow.history(run_id)[4:] == ["WorkflowExecutionSignaled", "DecisionTaskScheduled"]
        flow.decide()


def test_a_deadline_that_cannot_be_applied_is_left_out(clock, monkeypatch, caplog) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.start_timer("bad", "5"))
        other = flow.start("other")
        flow.decide(decisions.start_timer("good", "5"))
        monkeypatch.setattr("pyflow.local.engine.timeouts.expire", _expire_but(5, 1))
        clock.advance(5)
        assert "TimerFired" in flow.history(other, "other")
        assert "left out" in caplog.text
        assert "TimerFired" not in flow.history(run_id)


def test_a_poll_beside_a_deadline_that_cannot_be_applied_stands_in_line_once(monkeypatch) -> None:
    with LocalSWF(poll_wait_s=20.0) as swf:
        client = swf.direct()
        flow = Driver(client)
        flow.start()
        task = flow.decision_task()
        monkeypatch.setattr("pyflow.local.engine.timeouts.expire", _expire_but(5, 1))
        respond = {"taskToken": task["taskToken"], "decisions": [decisions.start_timer("bad", "0")]}
        replies, responded = SimpleQueue(), threading.Event()
        client.post(
            Post("PollForDecisionTask", {"domain": "d", "taskList": {"name": "tl"}}, replies.put, lambda: True),
            Post("RespondDecisionTaskCompleted", respond, lambda _: responded.set(), lambda: True),
        )
        assert responded.wait(10)
        flow.start("one")
        flow.start("two")
        assert replies.get(timeout=10)()["workflowExecution"]["workflowId"] == "one"
        assert flow.decision_task()["workflowExecution"]["workflowId"] == "two"
        assert replies.empty()


def _expire_but(event_id: int, run: int):
    from pyflow.local.rules.timeouts import expire

    def some(turn, which: int) -> None:
        if (turn.execution.run, which) == (run, event_id):
            raise ZeroDivisionError
        expire(turn, which)

    return some
