"""The fixture ``flow``: workflows run to their end, time skips, every history is replayed, and failures say why."""

from datetime import UTC, datetime

import pytest

import pyflow
from pyflow.history.check import DriftException
from pyflow.testing import Flow


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
        self.swf.invoke_activity("nobody's", "1.0", task_list="elsewhere").result()


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


def test_stuck_workflow_fails_at_once_and_says_where(flow):
    flow.client.register_activity_type(
        domain=flow.domain,
        name="nobody's",
        version="1.0",
        **dict.fromkeys(add_one.registration, "NONE"),
    )
    execution = flow.start(Forever, execution_start_to_close_timeout=31_536_000)
    flow.run_until_blocked()

    with pytest.raises(pyflow.WorkflowTimedOutException, match="START_TO_CLOSE"):
        execution.result()


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


def test_plugin_fails_the_test_whose_replay_differs_and_imports_nothing_before(pytester):
    pytester.makepyfile(
        """
        import sys
        assert "pyflow.local" not in sys.modules

        import pyflow

        calls = []

        class Dice(pyflow.Workflow):
            NAME = "Dice"

            def run(self, _):
                calls.append(1)
                self.swf.sleep(len(calls))

        def test_dice(flow):
            flow.run(Dice)

        def test_calm(flow):
            class Calm(pyflow.Workflow):
                NAME = "Calm"

                def run(self, _):
                    return 7

            assert flow.run(Calm) == 7
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*NondeterminismException*Dice.run*"])
