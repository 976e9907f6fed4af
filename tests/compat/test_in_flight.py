"""Runs in flight of pyflow 2.0.0, edge by edge; whole recorded histories are in ``golden/``."""

import pytest

import pyflow
from histories import short, task

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
"""


def decide(run, events, deciders, **options):
    workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
    return short(deciders(workflow_class, **options).decide(task(FIRST + events)))


@pytest.mark.parametrize(
    "events",
    [
        """
        5 StartChildWorkflowExecutionFailed workflowId=child_workflow1 workflowType=C/1.0 cause=CAUSE initiatedEventId=0
        6 DecisionTaskScheduled
        7 DecisionTaskStarted scheduledEventId=6
        """,
        """
        5 StartChildWorkflowExecutionInitiated workflowId=child_workflow1 workflowType=C/1.0
        6 StartChildWorkflowExecutionFailed workflowId=child_workflow1 workflowType=C/1.0 cause=CAUSE initiatedEventId=5
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        """,
    ],
    ids=["at once", "after initiated"],
)
def test_child_that_could_not_start_fails_with_swfs_cause(events, deciders):
    def run(self, _):
        child = self.swf.invoke_child_workflow("C", "1.0")
        self.swf.wait_for_all(child)
        return [str(child.exception), child.exception.cause]

    assert decide(run, events, deciders) == ['CompleteWorkflowExecution ["CAUSE", "CAUSE"]']


def test_lambda_that_fails_after_run_has_returned_is_not_asked_for_again(deciders):
    def run(self, _):
        self.swf.invoke_lambda("open", None)
        return self.swf.invoke_lambda("awaited", None).result()

    events = """
        5 LambdaFunctionScheduled id=lambda1 name=open
        6 LambdaFunctionScheduled id=lambda2 name=awaited
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionStarted scheduledEventId=6
        9 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8 result=1
       10 DecisionTaskScheduled
       11 DecisionTaskStarted scheduledEventId=10
       12 LambdaFunctionFailed scheduledEventId=5 startedEventId=7 reason=SdkClientException
       13 DecisionTaskScheduled
       14 DecisionTaskCompleted scheduledEventId=10 startedEventId=11
       15 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION
       16 DecisionTaskStarted scheduledEventId=13
    """
    assert decide(run, events, deciders) == ["CompleteWorkflowExecution 1"]


@pytest.mark.parametrize(
    ("ask", "events", "reason"),
    [
        (
            lambda swf: swf.invoke_activity("A", "1.0"),
            """
            5 ActivityTaskScheduled activityId=activity1 activityType=A/1.0
            6 ActivityTaskStarted scheduledEventId=5
            7 ActivityTaskCompleted scheduledEventId=5 startedEventId=6 result={
            """,
            "Decoding result failed",
        ),
        (
            lambda swf: swf.invoke_child_workflow("C", "1.0"),
            """
            5 StartChildWorkflowExecutionInitiated workflowId=child_workflow1 workflowType=C/1.0
            6 ChildWorkflowExecutionStarted initiatedEventId=5
            7 ChildWorkflowExecutionCompleted initiatedEventId=5 startedEventId=6 result={
            """,
            "Failed to decode child workflow output",
        ),
    ],
    ids=["activity", "child"],
)
def test_result_that_is_not_json_fails_in_the_words_of_2_0_0(ask, events, reason, deciders):
    def run(self, _):
        future = ask(self.swf)
        self.swf.wait_for_all(future)
        return future.exception.reason

    events += "8 DecisionTaskScheduled\n9 DecisionTaskStarted scheduledEventId=8"
    assert decide(run, events, deciders) == [f'CompleteWorkflowExecution "{reason}"']


def test_child_of_2_0_0_keeps_its_bare_id(deciders):
    def run(self, _):
        child = self.swf.invoke_child_workflow("C", "1.0")
        self.swf.wait_for_all(child)
        return [child.invocation_id, str(child.exception)]

    events = """
        5 StartChildWorkflowExecutionInitiated workflowId=child_workflow1 workflowType=C/1.0
        6 ChildWorkflowExecutionStarted initiatedEventId=5
        7 ChildWorkflowExecutionTimedOut initiatedEventId=5 startedEventId=6 timeoutType=START_TO_CLOSE
        8 DecisionTaskScheduled
        9 DecisionTaskStarted scheduledEventId=8
    """
    said = "InvocationStep 'child_workflow1' timed out"
    assert decide(run, events, deciders) == [f'CompleteWorkflowExecution ["child_workflow1", "{said}"]']


class TestOrderOfWaits:
    """2.0.0 gave what was done in one batch in the order of the arguments, and its code has acted on that."""

    SECOND_FIRST = """
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionScheduled id=lambda2 name=b
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionStarted scheduledEventId=6
        9 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8 result="b"
       10 DecisionTaskScheduled
       11 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7 result="a"
       12 DecisionTaskStarted scheduledEventId=10
    """
    AND_THEN = """
       13 DecisionTaskCompleted scheduledEventId=10 startedEventId=12 executionContext=CONTEXT
       14 TimerStarted timerId=sleep1 startToFireTimeout=1
       15 TimerFired timerId=sleep1 startedEventId=14
       16 DecisionTaskScheduled
       17 DecisionTaskStarted scheduledEventId=16
    """

    @staticmethod
    def run(self, _):
        a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
        results = [future.result() for future in self.swf.wait_for_all(a, b)]
        self.swf.sleep(1)
        return results

    def tasks(self, context):
        events = FIRST + self.SECOND_FIRST + self.AND_THEN.replace("CONTEXT", context)
        return [task(events, until=started) for started in (3, 12, 17)]

    @pytest.mark.parametrize(
        ("context", "results"), [("", '["a", "b"]'), ("mine", '["a", "b"]'), ("pyflow rules 1", '["b", "a"]')]
    )
    def test_is_that_of_whoever_decided_the_batch(self, context, results, deciders):
        both = deciders(type("W", (pyflow.Workflow,), {"NAME": "W", "run": self.run}))

        decided = [short(both.decide(one)) for one in self.tasks(context)]

        assert decided[-1] == [f"CompleteWorkflowExecution {results}"]

    def test_is_that_of_completion_where_nobody_has_decided_yet(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            return [future.result() for future in self.swf.wait_for_all(a, b)]

        assert decide(run, self.SECOND_FIRST, deciders) == ['CompleteWorkflowExecution ["b", "a"]']

    def test_what_was_done_in_earlier_batches_stands_first(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            first = [future.result() for future in self.swf.wait_for_all(a, b)]
            again = [future.result() for future in self.swf.wait_for_all(a, b)]
            self.swf.sleep(1)
            return [first, again]

        events = """
            5 LambdaFunctionScheduled id=lambda1 name=a
            6 LambdaFunctionScheduled id=lambda2 name=b
            7 LambdaFunctionCompleted scheduledEventId=6 startedEventId=0 result="b"
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
           10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
           11 LambdaFunctionCompleted scheduledEventId=5 startedEventId=0 result="a"
           12 DecisionTaskStarted scheduledEventId=10
        """ + self.AND_THEN.replace("CONTEXT", "")
        assert decide(run, events, deciders) == ['CompleteWorkflowExecution [["b", "a"], ["a", "b"]]']


class TestFuturesOfTheAuthorsOwn:
    """pyflow.future was there to be subclassed, and the waits of 2.0.0 only ever asked ``done``."""

    class Both(pyflow.future.Future):
        def __init__(self, one, other):
            super().__init__()
            self.one, self.other = one, other

        @property
        def done(self):
            return self.one.done and self.other.done

    class Lenient(pyflow.future.WrappedFuture):
        def __init__(self, base, timer):
            super().__init__(base)
            self.timer = timer

        @property
        def done(self):
            return super().done or self.timer.done

    EVENTS = """
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionScheduled id=lambda2 name=b
        7 TimerStarted timerId=sleep1 startToFireTimeout=9
        8 LambdaFunctionCompleted scheduledEventId=5 startedEventId=0
        9 DecisionTaskScheduled
       10 DecisionTaskStarted scheduledEventId=9
       11 DecisionTaskCompleted scheduledEventId=9 startedEventId=10
       12 TimerFired timerId=sleep1 startedEventId=7
       13 DecisionTaskScheduled
       14 DecisionTaskStarted scheduledEventId=13
    """

    def ask(self, swf):
        return swf.invoke_lambda("a", None), swf.invoke_lambda("b", None), swf.start_timer(9)

    class Plain:
        def __init__(self, timer):
            self.timer = timer

        def __getattr__(self, name):
            return getattr(self.timer, name)

    @pytest.mark.parametrize("wait", ["wait_for_all", "wait_for_any"])
    @pytest.mark.parametrize("shape", ["both", "lenient", "wrapped", "plain"])
    def test_are_waited_for_by_what_they_say(self, wait, shape, deciders):
        def run(swf_self, _):
            a, b, timer = self.ask(swf_self.swf)
            mine = {
                "both": self.Both(a, timer),
                "lenient": self.Lenient(b, timer),
                "wrapped": pyflow.future.WrappedFuture(self.Both(a, timer)),
                "plain": self.Plain(timer),
            }[shape]
            assert getattr(swf_self.swf, wait)(mine) == [mine]
            return [a.done, b.done, timer.done]

        assert decide(run, self.EVENTS, deciders) == ["CompleteWorkflowExecution [true, false, true]"]

    def test_are_waited_for_no_longer_than_the_timeout(self, deciders):
        def run(swf_self, _):
            a = swf_self.swf.invoke_lambda("a", None)
            b = swf_self.swf.invoke_lambda("b", None)
            try:
                swf_self.swf.timed_wait_for_all(9, self.Both(a, b), a)
            except pyflow.WaitTimedOutException:
                return "timed out"

        assert decide(run, self.EVENTS, deciders) == ['CompleteWorkflowExecution "timed out"']

    def test_stand_where_they_were_seen_to_be_done(self, deciders):
        def run(swf_self, _):
            a, _, timer = self.ask(swf_self.swf)
            mine = self.Both(a, timer)
            return [[mine, a, timer].index(one) for one in swf_self.swf.wait_for_all(mine, a, timer)]

        assert decide(run, self.EVENTS, deciders) == ["CompleteWorkflowExecution [1, 0, 2]"]

    def test_that_raise_fail_the_workflow_and_not_the_decider(self, deciders):
        class Broken(pyflow.future.Future):
            def __init__(self):
                pass

            @property
            def done(self):
                raise ZeroDivisionError

        def run(swf_self, _):
            swf_self.swf.wait_for_any(Broken())

        started = "1 WorkflowExecutionStarted\n2 DecisionTaskScheduled\n3 DecisionTaskStarted scheduledEventId=2"
        workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
        (decision,) = deciders(workflow_class).decide(task(started))
        assert decision["failWorkflowExecutionDecisionAttributes"]["details"].strip().endswith("ZeroDivisionError")


def test_timed_wait_for_any_of_nothing_is_its_timeout(deciders):
    def run(self, _):
        try:
            self.swf.timed_wait_for_any(9)
        except pyflow.WaitTimedOutException:
            return "timed out"

    events = """
        5 TimerStarted timerId=sleep1 startToFireTimeout=9
        6 TimerFired timerId=sleep1 startedEventId=5
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
    """
    assert decide(run, events, deciders) == ['CompleteWorkflowExecution "timed out"']


@pytest.mark.parametrize(
    ("timeout", "sent"), [(None, None), (0, None), ("60", "60"), (60, "60"), ("NONE", "NONE"), (0.5, "1")]
)
def test_timeout_of_an_activity_is_sent_as_2_0_0_sent_it(timeout, sent, deciders):
    def run(self, _):
        self.swf.invoke_activity("A", "1.0", timeout=timeout).result()

    first = FIRST[: FIRST.index("    4 ")]
    workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
    (decision,) = deciders(workflow_class).decide(task(first))
    assert decision["scheduleActivityTaskDecisionAttributes"].get("startToCloseTimeout") == sent


class TestRefusedCloseOfItsOwn:
    """2.0.0 failed a run for an error of its own response, and SWF refused: the run lives, and nothing was sent."""

    REFUSED = """
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionCompleted scheduledEventId=5 startedEventId=0
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        9 WorkflowExecutionSignaled signalName=x
       10 DecisionTaskScheduled
       11 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
       12 FailWorkflowExecutionFailed cause=UNHANDLED_DECISION
       13 DecisionTaskStarted scheduledEventId=10
    """

    @staticmethod
    def run(self, _):
        self.swf.invoke_lambda("a", None).result()
        self.swf.invoke_lambda("b", None).result()

    def test_leaves_everything_owed(self, deciders):
        assert decide(self.run, self.REFUSED, deciders) == ["ScheduleLambdaFunction lambda2"]

    def test_leaves_everything_owed_where_code_fails_too(self, deciders):
        def run(self, _):
            self.swf.invoke_lambda("a", None).result()
            self.swf.start_timer(60)
            raise pyflow.WorkflowFailedException("R", None)

        assert decide(run, self.REFUSED, deciders) == ["StartTimer sleep1", "FailWorkflowExecution R"]

    def test_of_a_cancel_request_is_issued_as_code_has_it(self, deciders):
        def run(self, _):
            try:
                self.swf.sleep(60)
            except pyflow.WorkflowCanceledException:
                return "cleaned up"

        events = """
            5 TimerStarted timerId=sleep1 startToFireTimeout=60
            6 WorkflowExecutionCancelRequested
            7 DecisionTaskScheduled
            8 DecisionTaskStarted scheduledEventId=7
            9 WorkflowExecutionSignaled signalName=x
           10 DecisionTaskScheduled
           11 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
           12 CancelWorkflowExecutionFailed cause=UNHANDLED_DECISION
           13 DecisionTaskStarted scheduledEventId=10
        """
        assert decide(run, events, deciders) == ['CompleteWorkflowExecution "cleaned up"']

    def test_is_refused_where_something_was_sent_with_it(self, deciders):
        events = self.REFUSED.replace(
            "12 FailWorkflowExecutionFailed",
            "12 LambdaFunctionScheduled id=lambda2 name=b\n13 FailWorkflowExecutionFailed",
        ).replace("13 DecisionTaskStarted", "14 DecisionTaskStarted")

        with pytest.raises(pyflow.NondeterminismException):
            decide(self.run, events, deciders)

    def test_is_refused_where_pyflow_answers_for_it(self, deciders):
        events = self.REFUSED.replace("startedEventId=8\n", "startedEventId=8 executionContext=pyflow rules 1\n")

        with pytest.raises(pyflow.NondeterminismException):
            decide(self.run, events, deciders)

    def test_is_found_where_2_0_0_went_on_without_what_it_had_lost(self, deciders):
        events = self.REFUSED + (
            """
            14 DecisionTaskCompleted scheduledEventId=10 startedEventId=13
            15 WorkflowExecutionSignaled signalName=x
            16 DecisionTaskScheduled
            17 DecisionTaskStarted scheduledEventId=16
            """
        )
        with pytest.raises(pyflow.NondeterminismException) as caught:
            decide(self.run, events, deciders)

        assert caught.value.found == "lambda function lambda2 (b)"
