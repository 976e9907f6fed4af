"""What happens around a close that SWF refused, from numbered histories: nothing new is asked, only the close again."""

import itertools

import pytest

import pyflow
from histories import history, short, task
from pyflow import WorkflowCanceledException

OPENED = """
    1 WorkflowExecutionStarted
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 TimerStarted timerId=timeout1 startToFireTimeout=50
    6 TimerStarted timerId=f1.sleep1 startToFireTimeout=100
    7 ActivityTaskScheduled activityId=f2.activity1 activityType=a/1.0 decisionTaskCompletedEventId=4
    8 WorkflowExecutionSignaled signalName=end
    9 DecisionTaskScheduled
    10 DecisionTaskStarted scheduledEventId=9
"""
ARRIVING = {
    "signal": "WorkflowExecutionSignaled signalName=handled",
    "timer": "TimerFired timerId=timeout1 startedEventId=5",
    "fiber's timer": "TimerFired timerId=f1.sleep1 startedEventId=6",
    "completion": "ActivityTaskCompleted scheduledEventId=7 startedEventId=7 result=1",
    "cancel": "WorkflowExecutionCancelRequested",
}
CLOSES = {
    "complete": "CompleteWorkflowExecution",
    "fail": "FailWorkflowExecution",
    "cancel": "CancelWorkflowExecution",
    "continue": "ContinueAsNewWorkflowExecution",
}


def closing(how):
    class Closing(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            with self.swf.scope(timeout=50):
                self.swf.spawn(self.swf.sleep, 100)
                self.swf.spawn(lambda: self.swf.invoke_activity("a", "1.0").result())
                self.swf.receive("end")
            if how == "fail":
                raise pyflow.WorkflowFailedException("no", "way")
            if how == "cancel":
                raise WorkflowCanceledException("over")
            if how == "continue":
                self.swf.continue_as_new()
            return "done"

        @pyflow.signal
        def handled(self):
            self.swf.start_timer(7)

    return Closing


@pytest.mark.parametrize("how", CLOSES)
@pytest.mark.parametrize("arriving", list(itertools.permutations(ARRIVING, 3)), ids="-".join)
def test_refused_close_is_asked_for_again_and_nothing_else(deciders, how, arriving):
    """The scope's timer, withdrawn as the block was left, fires all the same; its cancel comes to nothing."""
    lines = [f"{number} {ARRIVING[name]}" for number, name in enumerate(arriving, 11)]
    cancel_of_timer = "CancelTimerFailed timerId=timeout1 cause=TIMER_ID_UNKNOWN"
    if "timer" not in arriving:
        cancel_of_timer = "TimerCanceled timerId=timeout1 startedEventId=5"
    lines += [
        "14 DecisionTaskScheduled",
        "15 DecisionTaskCompleted scheduledEventId=9 startedEventId=10 executionContext=pyflow rules 1",
        f"16 {cancel_of_timer}",
        f"17 {CLOSES[how]}Failed cause=UNHANDLED_DECISION decisionTaskCompletedEventId=15",
        "18 DecisionTaskStarted scheduledEventId=14",
    ]
    decider = deciders(closing(how))
    first = decider.decide(task(OPENED))
    assert [one.split()[0] for one in short(first)] == ["CancelTimer", CLOSES[how]]
    again = decider.decide(task(history(OPENED + "\n".join(lines))))
    assert [one.split()[0] for one in short(again)] == [CLOSES[how]]


@pytest.mark.parametrize("arriving", list(itertools.permutations(["end", *ARRIVING], 3)), ids="-".join)
def test_any_three_in_any_order_before_the_close_decide_the_same_cold_and_kept(deciders, arriving):
    """The fixture decides each task by a run that is kept and by a new one; here every order of what a batch can hold."""
    events = {**ARRIVING, "end": "WorkflowExecutionSignaled signalName=end"}
    opened = OPENED.split("8 WorkflowExecutionSignaled", maxsplit=1)[0]
    lines = [f"{number} {events[name]}" for number, name in enumerate(arriving, 8)]
    lines += ["11 DecisionTaskScheduled", "12 DecisionTaskStarted scheduledEventId=11"]
    decider = deciders(closing("complete"))
    decider.decide(task(opened, until=3))
    decisions = short(decider.decide(task(history(opened + "\n".join(lines)))))
    ends = [name for name in arriving if name in {"end", "timer", "cancel"}]
    if not ends:
        assert not any("Workflow" in one for one in decisions)
    elif ends[0] == "cancel":
        assert decisions[-1].startswith("CancelWorkflowExecution")
    else:
        assert decisions[-1] == 'CompleteWorkflowExecution "done"'


def test_cancel_that_a_shield_holds_back_does_not_bring_a_later_one_forward(deciders):
    """The work was done before its own scope's time was over: what history has first, code sees first."""

    class Shielded(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            said = []
            with self.swf.shield(), self.swf.scope(timeout=50):
                said.append(self.swf.invoke_activity("a", "1.0").result())
            return said

    happened = """
        1 WorkflowExecutionStarted
        2 DecisionTaskScheduled
        3 DecisionTaskStarted scheduledEventId=2
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
        5 TimerStarted timerId=timeout1 startToFireTimeout=50
        6 ActivityTaskScheduled activityId=activity1 activityType=a/1.0 decisionTaskCompletedEventId=4
        7 WorkflowExecutionCancelRequested
        8 ActivityTaskCompleted scheduledEventId=6 startedEventId=6 result=1
        9 TimerFired timerId=timeout1 startedEventId=5
        10 DecisionTaskScheduled
        11 DecisionTaskStarted scheduledEventId=10
    """
    assert short(deciders(Shielded).decide(task(happened))) == ["CompleteWorkflowExecution [1]"]
