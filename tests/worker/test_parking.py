"""A run that cannot be decided harms no one, says why, and goes on by itself when code comes that can decide it."""

import time
from datetime import timedelta

import pytest

import pyflow
from crews import WAIT_S, attributes, kinds, site, wait_for
from pyflow.local import VirtualClock


@pyflow.activity("step", "1.0", start_to_close=60)
def step(number: int) -> int:
    return number + 1


class Steps(pyflow.Workflow):
    NAME = "Steps"

    def run(self, count):
        number = 0
        for _ in range(count):
            number = step(number)
        return number


class Before(pyflow.Workflow):
    NAME = "Changing"

    def run(self, _):
        first = self.swf.start_timer(1)
        self.swf.receive("go")
        first.result()
        return "before"


class After(Before):
    def run(self, _):
        self.swf.receive("go")
        return "after"


def test_a_parked_run_costs_few_events_and_goes_on_when_fixed_code_comes():
    clock = VirtualClock()
    with site(clock=clock) as here:
        first = here.decider(Before, affinity=False)
        execution = here.start(Before)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
        first.stop()
        wait_for(lambda: not first._crews, "end of the first")
        changed = here.decider(After, runs_kept=0)
        for number in range(1, 26):
            due_s = here.swf.pending("d").due_ms / 1000
            clock.advance(max(0.0, due_s - clock.now_ms() / 1000))
            wait_for(lambda: kinds(execution.history()).count("MarkerRecorded") == number, "parking")
        changed.stop()
        wait_for(lambda: not changed._crews, "end of the changed one")
        events = execution.history()
        times = [event["eventTimestamp"] for event in events]
        settled = [at for at in times if at > times[0] + timedelta(hours=1)]
        for at in settled:
            assert sum(at <= other < at + timedelta(hours=1) for other in settled) <= 50
        assert "history holds TimerStarted sleep1" in attributes(events, "MarkerRecorded")[0]["details"]
        assert execution.describe()["latestExecutionContext"].startswith("pyflow rules 1\nparked: ")
        here.decider(Before)
        clock.advance(600)
        execution.signal("go")
        assert execution.result(WAIT_S) == "before"


@pytest.mark.parametrize("clock", [time.process_time, pytest.param(time.perf_counter, marks=pytest.mark.proof)])
def test_one_poison_among_a_hundred_slows_nobody_down(clock):
    """What it takes of the processor, always; the time that passes, where the machine has not much else to do."""

    def took(with_poison: bool) -> float:
        with site() as here:
            here.worker(step, concurrency=4)
            here.decider(Steps, After, runs_kept=1_000)
            poison = [here.start(After, workflow_id="poison")] if with_poison else []
            for each in poison:
                each.signal("go")
            began_s = clock()
            executions = [here.start(Steps, 3) for _ in range(100)]
            for execution in executions:
                assert execution.result(60) == 3
            return clock() - began_s

    alone = min(took(False) for _ in range(2))
    beside = min(took(True) for _ in range(2))
    assert beside < 2 * alone + 0.5


@pytest.mark.parametrize(
    ("policy", "made"), [("park", "TimerStarted"), ("fail", "WorkflowExecutionFailed"), ("leave", None)]
)
def test_what_is_done_with_code_that_does_not_fit_is_settable(policy, made):
    with site() as here:
        first = here.decider(Before, affinity=False)
        execution = here.start(Before)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
        first.stop()
        wait_for(lambda: not first._crews, "end of the first")
        before = len(execution.history())
        here.decider(After, on_undecidable=policy, runs_kept=0)
        execution.signal("go")
        wait_for(lambda: kinds(execution.history()).count("DecisionTaskStarted") == 2, "second task")
        if made is None:
            time.sleep(0.1)
            assert kinds(execution.history())[-1] == "DecisionTaskStarted"
        else:
            wait_for(lambda: made in kinds(execution.history()[before:]), made)
        if policy == "fail":
            with pytest.raises(pyflow.WorkflowFailedException, match="cannot be decided") as caught:
                execution.result(WAIT_S)
            assert "history holds TimerStarted sleep1" in caught.value.details


def test_code_that_ends_its_process_is_parked_under_every_policy_but_leave():
    class Ends(pyflow.Workflow):
        NAME = "Ends"

        def run(self, _):
            raise KeyboardInterrupt

    with site() as here:
        here.decider(Ends, on_undecidable="fail")
        execution = here.start(Ends)
        marker = wait_for(lambda: attributes(execution.history(), "MarkerRecorded"), "marker")[0]
        assert marker["details"].startswith("KeyboardInterrupt")
