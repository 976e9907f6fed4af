"""What runs leave behind: nothing, and nothing for the garbage collector."""

import gc
from pathlib import Path

import pytest

import pyflow
from alone import alone
from histories import history, task
from pyflow.run import Run

STEPS = """
    1 WorkflowExecutionStarted input=2
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 ActivityTaskScheduled activityId=activity1 activityType=step/1 input=1
    6 TimerStarted timerId=f1.sleep1 startToFireTimeout=9
    7 TimerStarted timerId=timeout1 startToFireTimeout=60
    8 WorkflowExecutionSignaled signalName=note input=7
    9 ActivityTaskStarted scheduledEventId=5
   10 ActivityTaskCompleted scheduledEventId=5 startedEventId=9 result=5
   11 DecisionTaskScheduled
   12 DecisionTaskStarted scheduledEventId=11
   13 DecisionTaskCompleted scheduledEventId=11 startedEventId=12 executionContext=pyflow rules 1
   14 TimerCanceled timerId=timeout1 startedEventId=7
   15 ActivityTaskScheduled activityId=activity2 activityType=step/1 input=5
   16 TimerFired timerId=f1.sleep1 startedEventId=6
   17 ActivityTaskStarted scheduledEventId=15
   18 ActivityTaskCompleted scheduledEventId=15 startedEventId=17 result=6
   19 DecisionTaskScheduled
   20 DecisionTaskStarted scheduledEventId=19
"""
TASKS = (3, 12, 20)


class Mixed(pyflow.Workflow):
    """A bit of everything: activities, a spawned fiber, a scope with a deadline, a signal's handler, a wait for many."""

    NAME = "W"
    step = pyflow.ActivityDescriptor("step", "1")

    def __init__(self, swf):
        super().__init__(swf)
        self.notes = []

    @pyflow.signal
    def note(self, value):
        self.notes.append(value)

    def run(self, _):
        first = self.step(1)
        beside = self.swf.spawn(self.swf.sleep, 9)
        with self.swf.scope(timeout=60):
            number = first.result()
        self.swf.wait_for_all(self.step(number), beside)
        return self.notes


cold_and_kept = pytest.mark.parametrize("runs_kept", [0, 10], ids=["cold", "kept"])


def decider_of(runs_kept):
    return pyflow.Decider([Mixed], "domain", "list", "test", client=object(), runs_kept=runs_kept)


def live(decider, number):
    """Decide all tasks of a run; the last one closes it."""
    for until in TASKS:
        one = task(STEPS, until=until)
        one["workflowExecution"]["runId"] = f"run-{number}"
        decided = decider.process_decision_task(one)
    assert [decision["decisionType"] for decision in decided.decisions] == ["CompleteWorkflowExecution"]


@cold_and_kept
@alone
def test_runs_leave_nothing_for_the_garbage_collector(runs_kept):
    decider = decider_of(runs_kept)
    live(decider, 0)
    gc.collect()
    gc.disable()
    for number in range(1, 21):
        live(decider, number)
    gc.set_debug(gc.DEBUG_SAVEALL)
    assert gc.collect() == 0, {type(thing) for thing in gc.garbage}


@cold_and_kept
@alone
def test_objects_are_as_many_after_many_runs(runs_kept):
    decider = decider_of(runs_kept)

    def count(first, last):
        for number in range(first, last):
            live(decider, number)
        gc.collect()
        return len(gc.get_objects())

    before, after = count(0, 100), count(100, 300)
    assert after - before < 20, (before, after)


@alone
def test_a_kept_run_holds_nothing_of_what_is_settled():
    class Steps(pyflow.Workflow):
        NAME = "W"
        step = pyflow.ActivityDescriptor("step", "1")

        def run(self, _):
            while True:
                self.step(1).result()

    def steps(first, last):
        """The events of some steps, each six behind the three that a run begins with."""
        for number in range(first, last):
            at = 3 + 6 * number
            yield from history(f"""
                {at + 1} DecisionTaskCompleted scheduledEventId={at - 1} startedEventId={at}
                {at + 2} ActivityTaskScheduled activityId=activity{number + 1} activityType=step/1 input=1
                {at + 3} ActivityTaskStarted scheduledEventId={at + 2}
                {at + 4} ActivityTaskCompleted scheduledEventId={at + 2} startedEventId={at + 3} result=5
                {at + 5} DecisionTaskScheduled
                {at + 6} DecisionTaskStarted scheduledEventId={at + 5}
            """)

    def decide(first, last):
        for number in range(first, last):
            run.advance(list(steps(number, number + 1)), 9 + 6 * number)
            assert [each["decisionType"] for each in run.decisions()] == ["ScheduleActivityTask"]
        gc.collect()
        return len(gc.get_objects())

    run = Run(Steps, "order-1", "run-1")
    run.advance(task(STEPS, until=3)["events"], 3)
    before, after = decide(0, 20), decide(20, 220)
    run.close()
    assert after - before < 20, (before, after)


@pytest.mark.proof
@alone
def test_a_hundred_thousand_runs_leave_no_slope():
    decider = decider_of(100)
    sizes = []
    for number in range(100_000):
        live(decider, number)
        if number % 20_000 == 19_999:
            gc.collect()
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4_096)
    decider.forget()
    assert max(sizes) - sizes[0] < 2_000_000, sizes
