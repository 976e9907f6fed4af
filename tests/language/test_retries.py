"""Retries: policies that change between decisions, cancels among attempts, children and closes."""

import pytest

import pyflow
from histories import history, short, task
from pyflow import RetryPolicy


@pyflow.activity("pay", "1.0", start_to_close=60)
def pay(amount):
    return amount


def paying(retry, amount=5):
    class Paying(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            try:
                return (pay.options(retry=retry) if retry else pay)(amount)
            except pyflow.InvocationFailedException as error:
                return error.reason

    return Paying


FAILED = """
    1 WorkflowExecutionStarted
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 ActivityTaskScheduled activityId=activity1 activityType=pay/1.0 input=5
    6 ActivityTaskStarted scheduledEventId=5
    7 ActivityTaskFailed scheduledEventId=5 startedEventId=6 reason=ConnectionError
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
"""
PAUSED = (
    FAILED
    + """
    10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9 executionContext=pyflow rules 1
    11 TimerStarted timerId=pyflow.retry.activity1.2 startToFireTimeout=7
    12 TimerFired timerId=pyflow.retry.activity1.2 startedEventId=11
    13 DecisionTaskScheduled
    14 DecisionTaskStarted scheduledEventId=13
"""
)
AGAIN = (
    PAUSED
    + """
    15 DecisionTaskCompleted scheduledEventId=13 startedEventId=14 executionContext=pyflow rules 1
    16 ActivityTaskScheduled activityId=activity1.2 activityType=pay/1.0 input=5
    17 ActivityTaskStarted scheduledEventId=16
    18 ActivityTaskFailed scheduledEventId=16 startedEventId=17 reason=ConnectionError
    19 DecisionTaskScheduled
    20 DecisionTaskStarted scheduledEventId=19
"""
)

MORE = RetryPolicy(initial=7, jitter=0)
FEWER = RetryPolicy(initial=1, jitter=0, max_attempts=1)
ANOTHER = RetryPolicy(initial=50, jitter=0.9, no_retry_on="ConnectionError")


class TestChangedPolicy:
    @pytest.mark.parametrize("policy", [FEWER, ANOTHER, None])
    def test_attempt_that_is_decided_is_made_and_none_after_it(self, deciders, policy):
        """Also where the policy was taken away altogether."""
        decider = deciders(paying(policy))
        assert short(decider.decide(task(PAUSED))) == ["ScheduleActivityTask activity1.2"]
        assert short(decider.decide(task(AGAIN))) == ['CompleteWorkflowExecution "ConnectionError"']

    @pytest.mark.parametrize("policy", [FEWER, ANOTHER, None])
    def test_attempt_that_is_not_decided_is_governed_by_the_new_one(self, deciders, policy):
        assert short(deciders(paying(policy)).decide(task(FAILED))) == ['CompleteWorkflowExecution "ConnectionError"']

    def test_more_attempts_do_not_undo_a_failure_that_was_decided(self, deciders):
        closed_with = """
            10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9 executionContext=pyflow rules 1
            11 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION decisionTaskCompletedEventId=10
            12 WorkflowExecutionSignaled signalName=hello
            13 DecisionTaskScheduled
            14 DecisionTaskStarted scheduledEventId=13
        """
        decisions = deciders(paying(MORE)).decide(task(FAILED + closed_with))
        assert short(decisions) == ['CompleteWorkflowExecution "ConnectionError"']

    def test_input_of_a_further_attempt_stays_when_the_policy_is_taken_away(self, deciders):
        decision = deciders(paying(None)).decide(task(PAUSED))[0]["scheduleActivityTaskDecisionAttributes"]
        assert decision["input"] == "5"
        assert decision["activityType"] == {"name": "pay", "version": "1.0"}


def test_no_attempt_begins_once_run_has_returned(deciders):
    class Leaving(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            pay.options(retry=MORE).submit(5)
            self.swf.receive("end")

    closing = """
        10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9 executionContext=pyflow rules 1
        11 TimerStarted timerId=pyflow.retry.activity1.2 startToFireTimeout=7
        12 WorkflowExecutionSignaled signalName=end
        13 DecisionTaskScheduled
        14 DecisionTaskStarted scheduledEventId=13
        15 TimerFired timerId=pyflow.retry.activity1.2 startedEventId=11
        16 DecisionTaskScheduled
        17 DecisionTaskCompleted scheduledEventId=13 startedEventId=14 executionContext=pyflow rules 1
        18 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION decisionTaskCompletedEventId=17
        19 DecisionTaskStarted scheduledEventId=16
    """
    decisions = deciders(Leaving).decide(task(history(FAILED + closing)))
    assert short(decisions) == ["CompleteWorkflowExecution null"]


class TestOnTheService:
    def test_child_is_started_again_under_an_id_of_its_own(self, flow):
        seen = []

        class Shaky(pyflow.Workflow):
            NAME = "Shaky"

            def run(self, _):
                if not self.swf.is_replaying:
                    seen.append(self.swf.workflow_id)
                if not self.swf.workflow_id.endswith(".3"):
                    raise pyflow.WorkflowFailedException("SHAKY", None)
                return "stands"

        class Parent(pyflow.Workflow):
            NAME = "Parent"

            def run(self, _):
                child = self.swf.start_child(Shaky, workflow_id="tower", retry=MORE)
                return [child.result(), child.workflow_id]

        flow.use(Shaky)
        assert flow.run(Parent) == ["stands", "tower.3"]
        assert list(dict.fromkeys(seen)) == ["tower", "tower.2", "tower.3"]

    def test_timeouts_are_retried_by_their_kind(self, flow):
        class Waiting(pyflow.Workflow):
            NAME = "Waiting"

            def run(self, kind):
                policy = RetryPolicy(initial=1, jitter=0, max_attempts=3, retry_on=kind)
                try:
                    pay.options(task_list="nobody", schedule_to_start=10, retry=policy)(1)
                except pyflow.InvocationTimedOutException as error:
                    return [error.timeout_type, self.swf.history_length > 20]

        assert flow.run(Waiting, "SCHEDULE_TO_START") == ["SCHEDULE_TO_START", True]
        assert flow.run(Waiting, "HEARTBEAT") == ["SCHEDULE_TO_START", False]

    def test_total_time_ends_the_attempts(self, flow):
        class Waiting(pyflow.Workflow):
            NAME = "Waiting"

            def run(self, _):
                policy = RetryPolicy(initial=10, factor=1, jitter=0, max_total=35)
                began = self.swf.now()
                try:
                    pay.options(task_list="nobody", schedule_to_start=10, retry=policy)(1)
                except pyflow.InvocationTimedOutException:
                    return (self.swf.now() - began).total_seconds()

        assert flow.run(Waiting) == 50
