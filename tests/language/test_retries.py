"""Retries: policies that change between decisions, cancels among attempts, children and closes."""

import math
import random
from datetime import timedelta

import pytest

import pyflow
from histories import history, short, task
from pyflow import RetryPolicy
from pyflow.swf.events import attributes_of


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


class TestRefusals:
    """What SWF refuses at once is tried again by a policy where somebody can mend it while the pauses go on."""

    EVER = RetryPolicy(initial=7, jitter=0)

    def refused(self, cause):
        head, _, _ = FAILED.partition("    5 ")
        return f"""{head}
            5 ScheduleActivityTaskFailed activityId=activity1 activityType=pay/1.0 cause={cause}
            6 WorkflowExecutionSignaled signalName=hello
            7 DecisionTaskScheduled
            8 DecisionTaskStarted scheduledEventId=7
        """

    @pytest.mark.parametrize(
        "cause",
        ["ACTIVITY_TYPE_DOES_NOT_EXIST", "ACTIVITY_TYPE_DEPRECATED", "OPERATION_NOT_PERMITTED", "ASSUME_ROLE_FAILED"],
    )
    def test_what_can_be_mended_meanwhile_is_asked_for_again(self, deciders, cause):
        decisions = deciders(paying(self.EVER)).decide(task(self.refused(cause)))
        assert short(decisions) == ["StartTimer pyflow.retry.activity1.2"]

    @pytest.mark.parametrize(
        "cause",
        [
            "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
            "DEFAULT_TASK_LIST_UNDEFINED",
            "LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION",
        ],
    )
    def test_what_would_be_refused_for_ever_fails_at_once_unless_it_is_named(self, deciders, cause):
        refused = task(self.refused(cause))
        assert short(deciders(paying(self.EVER)).decide(refused)) == [f'CompleteWorkflowExecution "{cause}"']

        named = RetryPolicy(initial=7, jitter=0, retry_on=cause)
        assert short(deciders(paying(named)).decide(refused)) == ["StartTimer pyflow.retry.activity1.2"]

    def test_what_was_asked_for_again_before_goes_on(self, deciders):
        paused = f"""{self.refused("DEFAULT_TASK_LIST_UNDEFINED")}
            9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8 executionContext=pyflow rules 1
            10 TimerStarted timerId=pyflow.retry.activity1.2 startToFireTimeout=7
            11 TimerFired timerId=pyflow.retry.activity1.2 startedEventId=10
            12 DecisionTaskScheduled
            13 DecisionTaskStarted scheduledEventId=12
        """
        assert short(deciders(paying(self.EVER)).decide(task(paused))) == ["ScheduleActivityTask activity1.2"]

    def test_type_that_is_registered_in_a_pause_is_found(self, flow):
        class Early(pyflow.Workflow):
            NAME = "Early"

            def run(self, _):
                return self.swf.invoke_activity("late", "1.0", 3, retry=RetryPolicy(initial=100, jitter=0)).result()

        execution = flow.start(Early)
        flow.run_until_blocked()
        flow.use(pyflow.activity("late", "1.0", start_to_close=60)(lambda number: number * 2))

        assert execution.result() == 6
        causes = [attributes_of(event).get("cause") for event in execution.history]
        assert causes.count("ACTIVITY_TYPE_DOES_NOT_EXIST") == 1


class TestInputThatAWorkerCannotOpen:
    """It lacks a codec, a key, an object: a fault of whoever deployed it, for which no execution is to fail."""

    UNOPENED = FAILED.replace("ConnectionError", "pyflow.unopened")

    @pytest.mark.parametrize("policy", [None, FEWER, RetryPolicy(no_retry_on="pyflow.unopened")])
    def test_is_asked_for_again_whatever_the_policy(self, deciders, policy):
        assert short(deciders(paying(policy)).decide(task(self.UNOPENED))) == ["StartTimer pyflow.retry.activity1.2"]

    def test_is_given_up_after_a_day(self, deciders):
        events = history(self.UNOPENED)
        for event in events[6:]:
            event["eventTimestamp"] += timedelta(days=1)
        assert short(deciders(paying(FEWER)).decide(task(events))) == ['CompleteWorkflowExecution "pyflow.unopened"']


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

        assert flow.run(Waiting) == 30  # the third attempt would begin at 40


class TestPolicy:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"initial": -1},
            {"initial": math.nan},
            {"initial": math.inf},
            {"factor": 0.9},
            {"factor": math.nan},
            {"factor": math.inf},
            {"max_interval": -1},
            {"max_interval": 31_536_001},
            {"max_interval": math.inf},
            {"max_interval": timedelta(days=366)},
            {"jitter": 1.1},
            {"jitter": math.nan},
            {"max_attempts": 0},
            {"max_total": -1},
            {"max_total": math.nan},
        ],
        ids=str,
    )
    def test_that_no_timer_could_follow_is_refused_where_it_is_made(self, wrong):
        """Not when an attempt has failed: that would pause the execution."""
        with pytest.raises(ValueError, match=r"a retry policy needs|max_attempts counts"):
            RetryPolicy(**wrong)

    def test_pauses_grow_to_the_longest_and_stay_there_for_ever(self):
        policy = RetryPolicy(
            initial=timedelta(milliseconds=1500), factor=1e9, max_interval=timedelta(hours=1), jitter=0
        )
        assert [policy.pause_s(attempt, random) for attempt in (1, 2, 40, 1_000)] == [1.5, 3_600, 3_600, 3_600]

    @pytest.mark.parametrize("jitter", [0.25, 1])
    def test_jitter_takes_off_at_most_its_part(self, jitter):
        pauses = [RetryPolicy(initial=100, jitter=jitter).pause_s(1, random.Random(seed)) for seed in range(500)]
        assert 100 * (1 - jitter) <= min(pauses) < 100 * (1 - jitter) + 5
        assert 95 < max(pauses) <= 100

    def test_jitter_differs_between_attempts_and_replays(self, flow, monkeypatch):
        """Each attempt draws for itself: a fleet that failed together does not come again together."""
        monkeypatch.delattr(Refused, "retry_after")
        execution = flow.start(
            failing_activity(RetryPolicy(initial=1_000, factor=1, max_interval=1_000, max_attempts=4))
        )
        execution.result()
        pauses = [
            attributes_of(event)["startToFireTimeout"]
            for event in execution.history
            if event["eventType"] == "TimerStarted"
        ]
        assert len(set(pauses)) == 3
        assert all(500 <= int(pause) <= 1_000 for pause in pauses)


@pyflow.activity("refuse", "1.0", start_to_close=60)
def refuse(_):
    raise Refused("not now")


class Refused(Exception):
    retry_after = 70


class RefusedForever(pyflow.Workflow):
    NAME = "RefusedForever"

    def run(self, _):
        raise Refused("not now")


def refused_lambda(event, context):
    raise Refused("not now")


def failing_activity(policy):
    return outcome_of_all(lambda swf: refuse.options(retry=policy).submit(1))


def outcome_of_all(ask):
    class Asking(pyflow.Workflow):
        NAME = "Asking"

        def run(self, _):
            began = self.swf.now()
            future = ask(self.swf)
            try:
                future.result()
            except pyflow.InvocationFailedException as error:
                return [error.reason, future.invocation_id.rpartition(".")[2], (self.swf.now() - began).total_seconds()]

    return Asking


KINDS = {
    "activity": lambda swf, policy: refuse.options(retry=policy).submit(1),
    "named activity": lambda swf, policy: swf.invoke_activity("refuse", "1.0", 1, retry=policy),
    "lambda": lambda swf, policy: swf.invoke_lambda("f", 1, retry=policy),
    "child": lambda swf, policy: swf.start_child(RefusedForever, retry=policy),
    "named child": lambda swf, policy: swf.invoke_child_workflow("RefusedForever", "1.0", retry=policy),
}
PLAIN = {"initial": 10, "factor": 2, "jitter": 0}


@pytest.mark.parametrize(
    ("policy", "last", "seconds"),
    [
        ({"max_attempts": 3}, 3, 30),
        ({"max_attempts": 4, "max_interval": 15}, 4, 40),
        ({"max_total": 30}, 3, 30),
        ({"max_total": timedelta(seconds=29)}, 2, 10),
        ({"max_attempts": 2, "retry_on": Refused}, 2, 10),
        ({"max_attempts": 2, "retry_on": "Refused"}, 2, 10),
        ({"max_attempts": 2, "retry_on": pyflow.InvocationFailedException}, 2, 10),
        ({"max_attempts": 2, "retry_on": (KeyError, "Refused")}, 2, 10),
        ({"retry_on": KeyError}, 1, 0),
        ({"no_retry_on": Refused}, 1, 0),
        ({"no_retry_on": "Refused", "retry_on": Refused}, 1, 0),
        ({"max_attempts": 2, "when": lambda failure: "not now" in str(failure)}, 2, 10),
        ({"when": lambda failure: failure.reason == "other"}, 1, 0),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_each_parameter_counts_for_each_kind(flow, monkeypatch, kind, policy, last, seconds):
    monkeypatch.delattr(Refused, "retry_after")
    flow.use(RefusedForever, refuse)
    flow.lambda_function("f", refused_lambda)
    _, attempt, took = flow.run(outcome_of_all(lambda swf: KINDS[kind](swf, RetryPolicy(**PLAIN | policy))))
    assert [int(attempt) if attempt.isdigit() else 1, took] == [last, seconds]


@pytest.mark.parametrize(("policy", "seconds"), [({"max_attempts": 2}, 70), ({"max_total": 69}, 0)])
@pytest.mark.parametrize("kind", ["activity", "child"])
def test_the_failure_itself_may_say_when_to_come_again(flow, kind, policy, seconds):
    flow.use(RefusedForever, refuse)
    assert flow.run(outcome_of_all(lambda swf: KINDS[kind](swf, RetryPolicy(**policy))))[2] == seconds
