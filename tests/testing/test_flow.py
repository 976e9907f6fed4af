"""The fixture ``flow``: workflows run to their end, time skips, every history is replayed, and failures say why."""

import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

import pyflow
from pyflow.history.check import DriftException
from pyflow.testing import Flow, SpinningException, StuckException


@pyflow.activity("add one", "1.0", start_to_close=60)
def add_one(number):
    if number == 13:
        raise RuntimeError("unlucky")
    return number + 1


class Napping(pyflow.Workflow):
    NAME = "Napping"

    def run(self, number):
        for _ in range(3):
            number = add_one(number)
            self.swf.sleep(30 * 86_400)
        return [number, self.swf.workflow_time().isoformat()]


class Parent(pyflow.Workflow):
    NAME = "Parent"
    nap = pyflow.ChildWorkflowDescriptor("Napping", "1.0")
    double = pyflow.LambdaDescriptor("double")

    def run(self, number):
        napping, doubled = self.nap(number), self.double(number)
        self.swf.wait_for_all(napping, doubled)
        recorded = self.swf.invoke_once(object.__sizeof__, 5).result()
        return [napping.result()[0], doubled.result(), recorded > 0]


class Guarded(pyflow.Workflow):
    NAME = "Guarded"

    def run(self, _):
        try:
            self.swf.sleep(1000)
        except pyflow.WorkflowCanceledException:
            return add_one(1)


class Forever(pyflow.Workflow):
    NAME = "Forever"

    def run(self, _):
        self.swf.spawn(self.look)
        self.swf.invoke_activity("add one", "1.0", 1, task_list="elsewhere").result()

    def look(self):
        self.swf.receive("approve")


class Failing(pyflow.Workflow):
    NAME = "Failing"

    def run(self, _):
        add_one(13)


def test_ninety_days_pass_at_once(flow):
    before = flow.clock.now_ms()

    number, ended = flow.run(Napping, 1)

    assert number == 4
    assert flow.clock.now_ms() - before == 90 * 86_400_000
    assert ended == datetime.fromtimestamp(flow.clock.now_ms() / 1000, UTC).isoformat()


def test_children_lambdas_and_recorded_values_work(flow):
    flow.lambda_function("double", lambda event, context: event * 2)

    assert flow.run(Parent, 3) == [6, 6, True]


def test_time_passes_only_as_far_as_it_is_told(flow):
    execution = flow.start(Napping, 1)
    flow.run_until_blocked()
    assert "Napping.run" in execution.waiting

    flow.advance(days=29)
    assert execution.history[-1]["eventType"] == "TimerStarted"
    flow.advance(days=1, seconds=1)
    assert [event["eventType"] for event in execution.history].count("TimerFired") == 1


def test_cancel_reaches_the_workflow(flow):
    execution = flow.start(Guarded)
    flow.run_until_blocked()
    execution.cancel()

    assert execution.result() == 2


def test_failure_is_raised_with_its_reason_and_traceback(flow):
    with pytest.raises(pyflow.WorkflowFailedException) as caught:
        flow.run(Failing)

    assert caught.value.reason == "Caught exception while executing workflow ('Failing', '1.0')"
    assert "RuntimeError: unlucky" in caught.value.details


def test_stuck_workflow_fails_at_once_with_the_stack_of_every_fiber_and_what_may_be_why(flow):
    execution = flow.start(Forever)
    execution.signal("aprove", "Ada")
    before = flow.clock.now_ms()

    with pytest.raises(StuckException) as caught:
        execution.result()

    assert flow.clock.now_ms() == before
    message = str(caught.value)
    assert "Forever.run\n    for activity activity1" in message
    assert "Forever.look\n    for signal 'approve'" in message
    assert "signals that came: 'aprove'" in message
    assert "activity add one 1.0 waits in task list 'elsewhere', which is not served" in message


def test_task_list_of_a_call_is_served_when_it_is_named(flow):
    flow.task_lists.add("elsewhere")
    execution = flow.start(Forever)
    assert execution.result() is None


def test_execution_that_was_given_a_timeout_times_out(flow):
    with pytest.raises(pyflow.WorkflowTimedOutException, match="START_TO_CLOSE"):
        flow.run(Forever, execution_start_to_close_timeout=31_536_000)


def test_time_passes_by_seconds_timedelta_or_what_makes_one(flow):
    began_ms = flow.clock.now_ms()
    flow.advance(1.5)
    flow.advance(timedelta(minutes=1))
    flow.advance(timedelta(hours=1), days=1)
    assert flow.clock.now_ms() - began_ms == 1_500 + 60_000 + 3_600_000 + 86_400_000


def test_what_an_execution_waits_for_is_told_with_its_place(flow):
    execution = flow.start(Napping, 1)
    flow.run_until_blocked()

    assert "sleep1" in execution.waiting
    assert " at " in execution.waiting
    assert execution.waiting.endswith("in Napping.run")


class Steps(pyflow.Workflow):
    NAME = "Steps"

    def run(self, count):
        for number in range(count):
            add_one(number)


def test_polls_bring_only_what_is_new(flow, monkeypatch):
    monkeypatch.setattr("pyflow.testing.workers.PAGE_EVENTS", 4)
    seen = []
    poll = flow.client.poll_for_decision_task

    def counted(**request):
        task = poll(**request)
        seen.append(len(task.get("events", ())))
        return task

    flow.client.__dict__["poll_for_decision_task"] = counted
    flow.run(Steps, 12)
    assert flow.run(Steps, 12) is None

    assert max(seen) == 4


def test_run_that_is_not_kept_any_more_is_read_whole(flow):
    execution = flow.start(Napping, 1)
    flow.run_until_blocked()
    flow.use(pyflow.activity("another", "1.0", start_to_close=1)(lambda: None))  # everything is served anew

    assert execution.result()[0] == 4


class Spinning(pyflow.Workflow):
    NAME = "Spinning"

    def run(self, _):
        while True:
            with suppress(Exception):
                self.turn()

    def turn(self):
        self.turns = getattr(self, "turns", 0) + 1


def test_code_that_spins_is_interrupted_and_its_line_named():
    flow = Flow(spin_s=0.2)
    with pytest.raises(SpinningException, match="Spinning neither waits nor ends: ") as caught:
        flow.run(Spinning)
    flow.close()

    assert re.search(r"test_flow.py:\d+ in Spinning.run", str(caught.value))


class Asking(pyflow.Workflow):
    NAME = "Asking"

    def run(self, _):
        while True:
            add_one(1)


def test_execution_that_asks_for_ever_is_given_up_and_named(flow, monkeypatch):
    monkeypatch.setattr("pyflow.testing.scheduler.STEPS_MAX", 60)
    execution = flow.start(Asking)

    with pytest.raises(SpinningException, match=r"Asking 1.0 asks for more and more .* at activity activity30"):
        execution.result()


def test_lambda_functions_run_in_the_tests_own_thread(flow):
    threads = []

    def double(event, context):
        threads.append(threading.current_thread())
        return event * 2

    flow.lambda_function("double", double)
    flow.run(Parent, 3)

    assert threads == [threading.current_thread()]


class Racing(pyflow.Workflow):
    NAME = "Racing"

    def run(self, _):
        first, second, timer = add_one.submit(1), add_one.submit(2), self.swf.start_timer(5)
        return [future.result() for future in self.swf.as_completed(first, second, timer)]


@pytest.mark.parametrize(
    ("wanted", "result"),
    [
        (["activity2", "activity1", "time"], [3, 2, None]),
        (["time", "activity2", "activity1"], [None, 3, 2]),
        (["activity1", "time", "activity2"], [2, None, 3]),
    ],
)
def test_order_in_which_things_happen_can_be_chosen(wanted, result):
    order = list(wanted)

    def choose(moves):
        for move in moves:
            if move.kind == "decide":
                return move
        found = next(move for move in moves if order[0] in (move.kind, move.what.partition(" ")[0]))
        del order[0]
        return found

    with Flow(choose=choose) as flow:
        assert flow.run(Racing) == result
    assert not order


def test_flow_of_a_block_is_checked_at_its_end_and_lets_errors_pass():
    drawn = iter(range(100))

    class Dice(pyflow.Workflow):
        NAME = "Dice"

        def run(self, _):
            self.swf.sleep(next(drawn))

    with pytest.raises(pyflow.NondeterminismException), Flow() as flow:
        flow.run(Dice)
    with pytest.raises(KeyError), Flow() as flow:
        flow.run(Dice)
        raise KeyError
    with Flow(replay=False) as flow:
        flow.run(Dice)


def test_difference_names_where_the_code_stood_that_recorded_the_history():
    takes = iter([True, False, False, False])

    class Changing(pyflow.Workflow):
        NAME = "Changing"

        def run(self, _):
            self.swf.sleep(1)
            if next(takes):
                add_one(1)
            else:
                self.swf.sleep(2)

    flow = Flow()
    flow.use(add_one)
    flow.run(Changing)
    with pytest.raises(pyflow.NondeterminismException) as caught:
        flow.check()
    flow.close()

    assert "activity" in caught.value.expected
    assert "sleep2" in caught.value.found
    assert "test_flow.py" in caught.value.where
    note, _ = caught.value.__notes__
    assert "history's side was recorded by code that went on to wait at" in note
    assert ".Changing.run" in note


def test_seed_makes_the_same_history_twice():
    histories = []
    for _ in range(2):
        flow = Flow()
        execution = flow.start(Napping, 1, workflow_id="one")
        execution.result()
        histories.append(execution.history)
        flow.close()

    assert histories[0] == histories[1]


def test_replay_that_does_something_else_fails_and_names_both_sides():
    drawn = iter(range(100))

    class Dice(pyflow.Workflow):
        NAME = "Dice"

        def run(self, _):
            self.swf.sleep(next(drawn))

    flow = Flow()
    flow.run(Dice)
    with pytest.raises(pyflow.NondeterminismException) as caught:
        flow.check()
    flow.close()

    assert "'startToFireTimeout': '1'" in caught.value.expected
    assert "'startToFireTimeout': '2'" in caught.value.found
    assert "Dice.run" in caught.value.where


def test_drift_fails_the_replay():
    inputs = iter([1, 2, 2, 2, 2, 2])

    class Drifting(pyflow.Workflow):
        NAME = "Drifting"

        def run(self, _):
            add_one(next(inputs))

    flow = Flow()
    flow.use(add_one)
    flow.run(Drifting)
    with pytest.raises(DriftException) as caught:
        flow.check()
    flow.close()

    assert (caught.value.drift.recorded, caught.value.drift.asked) == ("1", "2")
    assert "Drifting.run" in caught.value.where


def test_two_things_of_one_name_are_refused(flow):
    flow.use(add_one)
    with pytest.raises(pyflow.PyflowException, match="two things are both named 'add one'"):
        flow.use(pyflow.activity("add one", "1.0", start_to_close=60)(lambda: None))
    with pytest.raises(TypeError, match=r"use\(\) takes workflow classes"):
        flow.use(3)
