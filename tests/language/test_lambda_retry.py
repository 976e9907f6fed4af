"""The silent retry of Lambda functions: named, replaced, turned off, and what history holds of it stands."""

import pytest

import pyflow
from histories import task
from pyflow import LAMBDA_RETRY, RetryPolicy

OWN = RetryPolicy(initial=7, jitter=0, max_attempts=2)
FAILED = """
    1 WorkflowExecutionStarted
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 LambdaFunctionScheduled id=lambda1 name=f input=1
    6 LambdaFunctionStarted scheduledEventId=5
    7 LambdaFunctionFailed scheduledEventId=5 startedEventId=6 reason=REASON
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
"""
SILENTLY = (
    FAILED
    + """
    10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9 executionContext=pyflow rules 1
    11 LambdaFunctionScheduled id=lambda1 name=f input=1
    12 LambdaFunctionStarted scheduledEventId=11
    13 LambdaFunctionFailed scheduledEventId=11 startedEventId=12 reason=REASON
    14 DecisionTaskScheduled
    15 DecisionTaskStarted scheduledEventId=14
"""
)
PAUSED = (
    FAILED
    + """
    10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9 executionContext=pyflow rules 1
    11 TimerStarted timerId=pyflow.retry.lambda1.2 startToFireTimeout=7
    12 TimerFired timerId=pyflow.retry.lambda1.2 startedEventId=11
    13 DecisionTaskScheduled
    14 DecisionTaskStarted scheduledEventId=13
"""
)


def calling(*retry):
    options = {"retry": retry[0]} if retry else {}

    class Calls(pyflow.Workflow):
        NAME = "W"
        function = pyflow.LambdaDescriptor("f", **options)

        def run(self, _):
            try:
                return self.function(1).result()
            except pyflow.InvocationFailedException as error:
                return error.reason

    return Calls


def decided(deciders, workflow, history, reason="ServiceException"):
    """The decisions, each as its kind and the values of its attributes."""
    decisions = deciders(workflow).decide(task(history.replace("REASON", reason)))
    return [(kind, *attributes.values()) for kind, attributes in (each.values() for each in decisions)]


ASKED_AGAIN = [("ScheduleLambdaFunction", "lambda1", "f", "1")]
GIVEN_UP = [("CompleteWorkflowExecution", '"ServiceException"')]


@pytest.mark.parametrize("retry", [(), (LAMBDA_RETRY,), (RetryPolicy(**vars(LAMBDA_RETRY)),)])
@pytest.mark.parametrize("reason", ["ServiceException", "SdkClientException"])
def test_a_failure_of_the_lambda_service_is_asked_for_again_under_its_id(deciders, retry, reason):
    assert decided(deciders, calling(*retry), FAILED, reason) == ASKED_AGAIN


def test_a_failure_of_the_function_is_not(deciders):
    assert decided(deciders, calling(), FAILED, "ValueError") == [("CompleteWorkflowExecution", '"ValueError"')]


def test_none_turns_it_off(deciders):
    assert decided(deciders, calling(None), FAILED) == GIVEN_UP


def test_another_policy_takes_its_place_with_pauses_and_ids_of_its_own(deciders):
    assert decided(deciders, calling(OWN), FAILED) == [("StartTimer", "pyflow.retry.lambda1.2", "7")]
    assert decided(deciders, calling(OWN), PAUSED) == [("ScheduleLambdaFunction", "lambda1.2", "f", "1")]


def test_what_history_has_retried_silently_stays_so_when_it_is_turned_off(deciders):
    assert decided(deciders, calling(None), SILENTLY) == GIVEN_UP


def test_what_history_has_retried_silently_counts_as_one_attempt_of_a_policy_that_came_later(deciders):
    assert decided(deciders, calling(OWN), SILENTLY) == [("StartTimer", "pyflow.retry.lambda1.2", "7")]


def test_what_2_0_0_has_retried_replays_under_each_policy(deciders):
    of_2_0_0 = SILENTLY.replace(" executionContext=pyflow rules 1", "")

    assert decided(deciders, calling(), of_2_0_0) == ASKED_AGAIN
    assert decided(deciders, calling(None), of_2_0_0) == GIVEN_UP


def test_it_ends_after_five(deciders):
    history = FAILED
    for number in range(5):
        at = 9 + number * 6
        history += f"""
    {at + 1} DecisionTaskCompleted scheduledEventId={at - 1} startedEventId={at} executionContext=pyflow rules 1
    {at + 2} LambdaFunctionScheduled id=lambda1 name=f input=1
    {at + 3} LambdaFunctionStarted scheduledEventId={at + 2}
    {at + 4} LambdaFunctionFailed scheduledEventId={at + 2} startedEventId={at + 3} reason=REASON
    {at + 5} DecisionTaskScheduled
    {at + 6} DecisionTaskStarted scheduledEventId={at + 5}
"""
        assert decided(deciders, calling(), history) == (ASKED_AGAIN if number < 4 else GIVEN_UP)


class TestDescriptors:
    def decision(self, deciders, descriptor):
        class Asks(pyflow.Workflow):
            NAME = "W"
            asked = descriptor

            def run(self, _):
                return self.asked(1).result()

        begun = "\n".join(FAILED.splitlines()[:4])
        (decision,) = deciders(Asks).decide(task(begun))
        (attributes,) = [value for value in decision.values() if isinstance(value, dict)]
        return attributes

    def test_an_activity_has_all_of_swfs_options(self, deciders):
        descriptor = pyflow.ActivityDescriptor(
            "a", "1", 5, "list", schedule_to_start=6, schedule_to_close="NONE", heartbeat=7.5, priority=-3
        )
        assert self.decision(deciders, descriptor) == {
            "activityId": "activity1",
            "activityType": {"name": "a", "version": "1"},
            "input": "1",
            "startToCloseTimeout": "5",
            "scheduleToStartTimeout": "6",
            "scheduleToCloseTimeout": "NONE",
            "heartbeatTimeout": "8",
            "taskList": {"name": "list"},
            "taskPriority": "-3",
        }

    def test_a_child_has_all_of_swfs_options(self, deciders):
        descriptor = pyflow.ChildWorkflowDescriptor(
            "c", "1", "ABANDON", "role", "list", 60, task_start_to_close_timeout=5, tags=("a", "b"), priority=4
        )
        attributes = self.decision(deciders, descriptor)
        assert attributes.pop("workflowId").endswith(".child_workflow1")
        assert attributes == {
            "workflowType": {"name": "c", "version": "1"},
            "input": "1",
            "childPolicy": "ABANDON",
            "lambdaRole": "role",
            "taskList": {"name": "list"},
            "executionStartToCloseTimeout": "60",
            "taskStartToCloseTimeout": "5",
            "tagList": ["a", "b"],
            "taskPriority": "4",
        }

    @pytest.mark.parametrize("kind", ["activity", "child"])
    def test_a_failure_is_tried_again_by_its_policy(self, flow, kind):
        tries = []

        @pyflow.activity("fails", start_to_close=5)
        def fails():
            tries.append("activity")
            raise ValueError

        class Fails(pyflow.Workflow):
            NAME = "Fails"

            def run(self, _):
                if not self.swf.is_replaying:
                    tries.append("child")
                raise ValueError

        class Tries(pyflow.Workflow):
            NAME = "Tries"
            activity = pyflow.ActivityDescriptor("fails", "1.0", retry=OWN)
            child = pyflow.ChildWorkflowDescriptor("Fails", "1.0", retry=OWN)

            def run(self, _):
                began = self.swf.now()
                with pytest.raises(pyflow.InvocationFailedException):
                    getattr(self, kind)().result()
                return (self.swf.now() - began).total_seconds()

        flow.use(fails, Fails)

        assert flow.run(Tries) == 7
        assert set(tries) == {kind}


class TestPolicy:
    """What the whole chain asks a policy: by timeout kind and total time, see test_retries; by predicate and ``retry_after`` here."""

    class Busy(Exception):
        def __init__(self, seconds):
            super().__init__(f"busy for {seconds}")
            self.retry_after = seconds

    def elapsed(self, flow, retry, error):
        tries = []

        @pyflow.activity("asks", start_to_close=5, retry=retry)
        def asks():
            tries.append(1)
            if len(tries) < 3:
                raise error

        class Asks(pyflow.Workflow):
            NAME = "Asks"

            def run(self, _):
                began = self.swf.now()
                try:
                    asks()
                except pyflow.InvocationFailedException as failure:
                    return failure.reason
                return (self.swf.now() - began).total_seconds()

        flow.use(asks)
        return flow.run(Asks)

    def test_an_exception_that_says_when_is_believed(self, flow):
        assert self.elapsed(flow, RetryPolicy(initial=1, jitter=0), self.Busy(20)) == 40

    @pytest.mark.parametrize(("text", "result"), [("busy for 20", 40), ("other", "TestPolicy.Busy")])
    def test_a_predicate_has_the_last_word(self, flow, text, result):
        policy = RetryPolicy(when=lambda failure: failure.remote_message == text)
        assert self.elapsed(flow, policy, self.Busy(20)) == result
