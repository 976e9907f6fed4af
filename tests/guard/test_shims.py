"""Strict: what time, random and uuid give in a workflow is a function of history. Outside of one nothing has changed."""

import json
import os
import pickle
import random
import subprocess
import sys
import threading
import time
import uuid
from uuid import uuid4

import pytest

import pyflow
from pyflow import guard
from pyflow.chance import Chance
from pyflow.history.check import check
from pyflow.testing import Flow

REAL_UUID4 = uuid4


class Everything(pyflow.Workflow):
    NAME = "Everything"

    def run(self, _):
        def draw():
            return [
                random.random(),
                random.choice("abcdef"),
                random.getrandbits(40),
                str(uuid.uuid4()),
                str(REAL_UUID4()),
            ]

        def clocks():
            return [
                time.time(),
                time.time_ns() / 1e9,
                time.monotonic(),
                time.perf_counter(),
                time.process_time_ns() / 1e9,
            ]

        first = [draw(), clocks()]
        self.swf.sleep(random.randint(10, 20))
        second = self.swf.spawn(lambda: [draw(), clocks(), self.swf.sleep(random.uniform(1, 5))])
        other = [
            draw(),
            self.swf.random.random(),
            time.strftime("%Y-%m-%d", time.gmtime()),
            time.ctime() == time.asctime(),
        ]
        return [first, second.result()[:2], other, self.swf.workflow_time().timestamp()]


@pytest.fixture
def strict():
    flow = Flow(guard="strict")
    yield flow
    flow.check()
    flow.close()


def test_time_is_that_of_the_decision_task_on_every_clock(strict):
    execution = strict.start(Everything)
    (_, clocks), (_, later), (*_, date, same), end = execution.result()

    begun, woken, *_ = [
        event["eventTimestamp"].timestamp()
        for event in execution.history
        if event["eventType"] == "DecisionTaskStarted"
    ]
    assert clocks == pytest.approx([begun] * 5)
    assert later == pytest.approx([woken] * 5)
    assert end > woken
    assert date == time.strftime("%Y-%m-%d", time.gmtime(woken))
    assert same


def test_draws_are_of_a_stream_of_their_own_in_each_fiber(strict):
    execution = strict.start(Everything)
    first, _, other, _ = execution.result()

    stream = Chance(execution.first_run_id, "0.modules")
    assert first[0] == [
        stream.random(),
        stream.choice("abcdef"),
        stream.getrandbits(40),
        str(stream.uuid4()),
        str(stream.uuid4()),
    ]
    # what self.swf.random gives does not depend on whether there is a guard, or on what libraries draw
    assert other[1] == Chance(execution.first_run_id, "0").random()


def test_draws_are_pinned():
    stream = Chance("a run", "0.modules")
    assert [stream.getrandbits(32), stream.getrandbits(32)] == [2368443839, 1909106448]


RECORD = """
import json, sys, warnings
sys.path[:0] = {paths!r}
from test_shims import Everything
from pyflow.testing import Flow
flow = Flow(guard="strict")
execution = flow.start(Everything, workflow_id="one")
execution.result()
flow.check()
print(json.dumps([execution.first_run_id, execution.history], default=lambda time: time.isoformat()))
"""


def test_histories_replay_from_every_prefix_under_other_hash_seeds():
    code = RECORD.format(paths=[os.path.dirname(__file__)])
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]
    run_id, events = json.loads(made[0])
    check(Everything, "one", run_id, events, guard="strict")


def test_a_replay_without_the_guard_is_found_out(strict):
    execution = strict.start(Everything)
    execution.result()

    with pytest.raises(pyflow.NondeterminismException):
        check(Everything, execution.workflow_id, execution.first_run_id, execution.history, guard="warn")


def test_predicates_see_the_time_of_history_too(strict):
    class Patient(pyflow.Workflow):
        NAME = "Patient"

        def run(self, _):
            until = time.time() + 60
            self.swf.spawn(self.swf.sleep, 30)
            self.swf.spawn(self.swf.sleep, 90)
            seen = []
            self.swf.wait_until(lambda: seen.append(time.time()) or time.time() >= until)
            return [until, seen]

    until, seen = strict.run(Patient)
    assert sorted({round(each - until) for each in seen}) == [-60, -30, 30]


def test_what_is_recorded_sees_the_real_ones(strict):
    class Recording(pyflow.Workflow):
        NAME = "Recording"

        def run(self, _):
            return self.swf.invoke_once(lambda: [time.time(), random.random(), os.urandom(4).hex()]).result()

    before = time.time()
    now, drawn, entropy = strict.run(Recording)
    assert before - 1 <= now
    assert now != strict.clock.now_ms() / 1000
    assert len(entropy) == 8
    assert drawn != strict.run(Recording)[1]


def test_warn_changes_nothing_that_code_sees():
    class Seeing(pyflow.Workflow):
        NAME = "Seeing"

        def run(self, _):
            random.seed(4)
            return [time.time(), random.random()]

    flow = Flow(guard="warn")
    before = time.time()
    now, drawn = flow.run(Seeing)
    flow.close()

    assert before - 1 <= now <= time.time() + 1
    random.seed(4)
    assert drawn == random.random()


def test_runs_that_2_0_0_began_keep_the_real_ones_and_are_never_stopped():
    """Its history holds what they gave; a guard that changed them, or stopped the run, would break what works."""
    seen = []

    class Old(pyflow.Workflow):
        NAME = "Old"

        def run(self, _):
            seen.append(time.time())
            os.urandom(1)
            self.swf.sleep(1)

    flow = Flow(guard="strict")
    execution = flow.start(Old)
    task = flow.client.poll_for_decision_task(domain=flow.domain, taskList={"name": flow.task_list})
    start_timer = {
        "decisionType": "StartTimer",
        "startTimerDecisionAttributes": {"timerId": "sleep1", "startToFireTimeout": "1"},
    }
    flow.client.respond_decision_task_completed(taskToken=task["taskToken"], decisions=[start_timer])
    before = time.time()
    execution.result()
    flow.close()

    assert seen
    assert all(before - 1 <= each for each in seen)


def test_outside_of_workflows_all_is_as_before():
    guard.install("warn")
    random.seed(7)
    drawn = [random.random(), random.choice(range(1000)), random.sample(range(100), 3)]
    plain = random.Random(7)
    assert drawn == [plain.random(), plain.choice(range(1000)), plain.sample(range(100), 3)]
    assert abs(time.time() - time.time_ns() / 1e9) < 5
    assert time.localtime(0).tm_year in {1969, 1970}
    assert time.strftime("%Y", time.gmtime(0)) == "1970"
    assert pickle.loads(pickle.dumps(time.time)) is not None
    assert pickle.loads(pickle.dumps(uuid.uuid4()))
    assert time.time.__name__ == "time"
    assert "seconds since the Epoch" in time.time.__doc__ or "current time" in time.time.__doc__

    class Timer:
        clock = time.perf_counter  # no instance is handed to it

    assert Timer().clock() > 0
    assert threading.Thread(target=int).start() is None


def test_it_is_installed_once_and_taken_out_whole():
    guard.uninstall()
    real = {name: getattr(time, name) for name in ("time", "sleep", "strftime")}
    real_random, real_start = random.random, threading.Thread.start
    guard.install("off")
    assert time.time is real["time"]
    guard.install("strict")
    ours = time.time
    guard.install("warn")
    assert time.time is ours is not real["time"]
    time.sleep = lambda seconds: None
    theirs = time.sleep
    guard.uninstall()
    assert {name: getattr(time, name) for name in real} == {**real, "sleep": theirs}
    assert random.random == real_random
    assert threading.Thread.start is real_start
    time.sleep = real["sleep"]
    guard.install("warn")


def test_an_unknown_guard_is_refused():
    with pytest.raises(ValueError, match="guard is one of 'off', 'warn', 'strict', not 'loose'"):
        pyflow.Decider([Everything], "d", "l", "i", client=object(), guard="loose")


def test_nothing_is_said_while_the_interpreter_ends():
    program = """
import gc
from pyflow import guard
guard.install("warn")
from time import perf_counter
gc.callbacks.append(lambda *_: perf_counter())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
