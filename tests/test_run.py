"""A live run: waits, cancel requests, closings, and who may ask."""

import gc
import threading

import pytest

import pyflow
from histories import RUN_ID, START, history, short, task
from pyflow.run import Run

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""

TWO_LAMBDAS = (
    FIRST
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 LambdaFunctionScheduled id=lambda1 name=a
    6 LambdaFunctionScheduled id=lambda2 name=b
    7 LambdaFunctionStarted scheduledEventId=5
    8 LambdaFunctionStarted scheduledEventId=6
    9 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8 result="b"
   10 DecisionTaskScheduled
   11 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7 result="a"
   12 DecisionTaskStarted scheduledEventId=10
"""
)


def workflow(run):
    """Make a workflow class of a run function."""
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})


def decide(run, events, deciders, **options):
    return short(deciders(workflow(run), **options).decide(task(events)))


class TestWaits:
    def test_all_gives_the_order_of_completion(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            return [future.result() for future in self.swf.wait_for_all(a, b)]

        assert decide(run, TWO_LAMBDAS, deciders) == ['CompleteWorkflowExecution ["b", "a"]']

    def test_any_gives_all_that_are_done_in_the_order_of_completion(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            return [future.result() for future in self.swf.wait_for_any([a, b])]

        assert decide(run, TWO_LAMBDAS, deciders) == ['CompleteWorkflowExecution ["b", "a"]']

    def test_any_goes_on_with_the_first(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            return len(self.swf.wait_for_any(a, b))

        late = '11 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7 result="a"'
        events = TWO_LAMBDAS.replace(late, "11 WorkflowExecutionSignaled signalName=x")
        assert decide(run, events, deciders) == ["CompleteWorkflowExecution 1"]

    @pytest.mark.parametrize("shape", [tuple, list, iter, lambda fs: [[f] for f in fs], lambda fs: fs + fs])
    def test_any_iterable_is_flattened_and_each_future_counts_once(self, shape, deciders):
        def run(self, _):
            futures = [self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)]
            return len(self.swf.wait_for_all(shape(futures)))

        assert decide(run, TWO_LAMBDAS, deciders) == ["CompleteWorkflowExecution 2"]

    @pytest.mark.parametrize("wait", ["wait_for_all", "wait_for_any"])
    @pytest.mark.parametrize("nothing", [(), ([],)])
    def test_nothing_is_waited_for_at_once(self, wait, nothing, deciders):
        def run(self, _):
            return getattr(self.swf, wait)(*nothing)

        assert decide(run, FIRST, deciders) == ["CompleteWorkflowExecution []"]

    def test_what_is_no_future_is_refused(self, deciders):
        def run(self, _):
            try:
                self.swf.wait_for_all(3)
            except TypeError as error:
                return str(error)

        assert "futures and iterables of futures, not 3" in decide(run, FIRST, deciders)[0]

    def test_timed_wait_that_is_in_time_cancels_its_timer(self, deciders):
        def run(self, _):
            a = self.swf.invoke_lambda("a", None)
            self.swf.timed_wait_for_all(60, [a])
            return self.swf.invoke_lambda("b", None).result()

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 LambdaFunctionScheduled id=lambda1 name=a
            6 TimerStarted timerId=sleep1 startToFireTimeout=60
            7 LambdaFunctionStarted scheduledEventId=5
            8 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7 result=1
            9 DecisionTaskScheduled
           10 DecisionTaskStarted scheduledEventId=9
        """
        )
        assert decide(run, events, deciders) == ["CancelTimer sleep1", "ScheduleLambdaFunction lambda2"]

    def test_timed_wait_raises_when_the_timer_fires_first(self, deciders):
        def run(self, _):
            a = self.swf.invoke_lambda("a", None)
            try:
                self.swf.timed_wait_for_any(60, a)
            except pyflow.WaitTimedOutException as error:
                return str(error)

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 LambdaFunctionScheduled id=lambda1 name=a
            6 TimerStarted timerId=sleep1 startToFireTimeout=60
            7 TimerFired timerId=sleep1 startedEventId=6
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
        """
        )
        assert decide(run, events, deciders) == [
            'CompleteWorkflowExecution "0 of 1 were done when the 60 seconds were over"'
        ]

    def test_timed_wait_of_what_is_done_asks_for_no_timer(self, deciders):
        def run(self, _):
            done = self.swf.invoke_once(lambda: 1)
            self.swf.timed_wait_for_all(60, done)
            self.swf.sleep(5)

        assert decide(run, FIRST, deciders) == ["RecordMarker invoke_once1", "StartTimer sleep2"]

    def test_result_of_something_done_does_not_switch(self, deciders):
        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            a.result()
            return [b.done, b.result(), a.result()]

        assert decide(run, TWO_LAMBDAS, deciders) == ['CompleteWorkflowExecution [true, "b", "a"]']

    def test_wrapped_future_can_be_waited_for(self, deciders):
        from pyflow.future import WrappedFuture

        class Doubled(WrappedFuture):
            def result(self):
                return super().result() * 2

        def run(self, _):
            a, b = self.swf.invoke_lambda("a", None), Doubled(self.swf.invoke_lambda("b", None))
            return [future.result() for future in self.swf.wait_for_all(a, b)]

        assert decide(run, TWO_LAMBDAS, deciders) == ['CompleteWorkflowExecution ["bb", "a"]']


class TestTimers:
    @pytest.mark.parametrize(("seconds", "text"), [(0, "0"), (1.2, "2"), (3, "3"), (31_536_000, "31536000")])
    def test_durations_are_rounded_up(self, seconds, text, deciders):
        def run(self, _):
            self.swf.sleep(seconds)

        decisions = deciders(workflow(run)).decide(task(FIRST))
        assert decisions[0]["startTimerDecisionAttributes"]["startToFireTimeout"] == text

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 31_536_001, "soon", None])
    def test_what_is_no_duration_is_refused_at_the_call(self, seconds, deciders):
        def run(self, _):
            try:
                self.swf.sleep(seconds)
            except ValueError:
                return "refused"

        assert decide(run, FIRST, deciders) == ['CompleteWorkflowExecution "refused"']


class TestCancelRequest:
    CANCEL = FIRST + (
        """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 WorkflowExecutionCancelRequested
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        """
    )

    def test_is_raised_at_the_wait_and_closes_as_canceled(self, deciders):
        def run(self, _):
            self.swf.invoke_lambda("a", None).result()

        assert decide(run, self.CANCEL, deciders) == ["CancelWorkflowExecution"]

    def test_can_be_caught_to_clean_up(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_lambda("a", None).result()
            except pyflow.WorkflowCanceledException:
                self.swf.invoke_lambda("undo", None).result()
                raise

        assert decide(run, self.CANCEL, deciders) == ["ScheduleLambdaFunction lambda2"]

    def test_is_raised_once(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_lambda("a", None).result()
            except pyflow.WorkflowCanceledException:
                self.swf.invoke_lambda("undo", None).result()
                return "cleaned"

        events = self.CANCEL + (
            """
            9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
            10 LambdaFunctionScheduled id=lambda2 name=undo
            11 WorkflowExecutionCancelRequested
            12 DecisionTaskScheduled
            13 LambdaFunctionStarted scheduledEventId=10
            14 LambdaFunctionCompleted scheduledEventId=10 startedEventId=13
            15 DecisionTaskStarted scheduledEventId=12
            """
        )
        assert decide(run, events, deciders) == ['CompleteWorkflowExecution "cleaned"']

    def test_before_the_first_decision_is_raised_at_the_first_wait(self, deciders):
        def run(self, _):
            future = self.swf.invoke_lambda("a", None)
            try:
                future.result()
            except pyflow.WorkflowCanceledException:
                return "before"

        events = """
            1 WorkflowExecutionStarted
            2 DecisionTaskScheduled
            3 WorkflowExecutionCancelRequested
            4 DecisionTaskStarted scheduledEventId=2
        """
        assert decide(run, events, deciders) == ["ScheduleLambdaFunction lambda1", 'CompleteWorkflowExecution "before"']

    BOTH = FIRST + (
        """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionStarted scheduledEventId=5
        7 LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=1
        8 DecisionTaskScheduled
        9 WorkflowExecutionCancelRequested
        10 DecisionTaskStarted scheduledEventId=8
        """
    )

    def test_after_what_the_wait_waits_for_is_raised_at_the_next_wait(self, deciders):
        def run(self, _):
            self.swf.invoke_lambda("a", None).result()
            try:
                self.swf.sleep(1)
            except pyflow.WorkflowCanceledException:
                return "at the next wait"

        assert decide(run, self.BOTH, deciders) == ["StartTimer sleep1", 'CompleteWorkflowExecution "at the next wait"']

    def test_before_what_the_wait_waits_for_is_raised_there(self, deciders):
        def run(self, _):
            future = self.swf.invoke_lambda("a", None)
            try:
                future.result()
            except pyflow.WorkflowCanceledException:
                return future.result()

        events = FIRST + (
            """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 LambdaFunctionScheduled id=lambda1 name=a
            6 LambdaFunctionStarted scheduledEventId=5
            7 WorkflowExecutionCancelRequested
            8 DecisionTaskScheduled
            9 LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=1
            10 DecisionTaskStarted scheduledEventId=8
            """
        )
        assert decide(run, events, deciders) == ["CompleteWorkflowExecution 1"]


class TestClosing:
    def test_result_that_is_not_json_fails_the_execution_and_names_the_type(self, deciders):
        decisions = deciders(workflow(lambda self, _: object())).decide(task(FIRST))

        (attributes,) = [d["failWorkflowExecutionDecisionAttributes"] for d in decisions]
        assert "the result of the workflow cannot be sent as JSON" in attributes["reason"]
        assert "object" in attributes["reason"]

    @pytest.mark.parametrize(("length", "closing"), [(32_766, "Complete"), (32_767, "Fail")])
    def test_result_over_swfs_length_fails_the_execution_and_names_the_size(self, length, closing, deciders):
        (decision,) = deciders(workflow(lambda self, _: "x" * length)).decide(task(FIRST))

        assert decision["decisionType"] == f"{closing}WorkflowExecution"
        if closing == "Fail":
            assert "32,769 characters" in decision["failWorkflowExecutionDecisionAttributes"]["reason"]

    def test_input_that_is_not_json_fails_the_execution_and_runs_nothing(self, deciders):
        def run(self, _):
            self.swf.invoke_lambda("never", None)

        (decision,) = deciders(workflow(run)).decide(task(FIRST.replace("input=5", "input={bad")))
        assert decision["failWorkflowExecutionDecisionAttributes"]["reason"] == "Invalid input to workflow"

    def test_uncaught_exception_fails_the_execution_with_its_traceback(self, deciders):
        def run(self, _):
            raise KeyError("lost")

        (decision,) = deciders(workflow(run)).decide(task(FIRST))
        attributes = decision["failWorkflowExecutionDecisionAttributes"]
        assert attributes["reason"] == "Caught exception while executing workflow ('W', '1.0')"
        assert "KeyError: 'lost'" in attributes["details"]

    def test_traceback_shows_the_author_s_frames_and_not_pyflow_s(self, deciders):
        def run(self, _):
            try:
                raise KeyError("first")
            except KeyError:
                self.swf.invoke_lambda("a", object())

        (decision,) = deciders(workflow(run)).decide(task(FIRST))
        details = decision["failWorkflowExecutionDecisionAttributes"]["details"]
        assert "test_run.py" in details
        assert "KeyError: 'first'" in details
        assert "the input of Lambda function 'a' cannot be sent as JSON" in details
        assert "/src/pyflow/" not in details

    def test_sys_exit_fails_the_execution_and_not_the_decider(self, deciders):
        def run(self, _):
            raise SystemExit(3)

        (decision,) = deciders(workflow(run)).decide(task(FIRST))
        assert decision["decisionType"] == "FailWorkflowExecution"

    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
    def test_what_is_not_the_workflows_fault_gets_out_and_leaves_nothing(self, error, deciders):
        def run(self, _):
            raise error

        with pytest.raises(error):
            deciders(workflow(run)).kept.process_decision_task(task(FIRST))

    def test_failure_texts_are_cut_to_swfs_lengths(self, deciders):
        def run(self, _):
            raise pyflow.WorkflowFailedException("r" * 300, "d" * 40_000)

        (decision,) = deciders(workflow(run)).decide(task(FIRST))
        attributes = decision["failWorkflowExecutionDecisionAttributes"]
        assert len(attributes["reason"]) == 256
        assert len(attributes["details"]) == 32_768
        assert attributes["details"].endswith("... [cut]")

    def test_returning_with_open_invocations_completes(self, deciders):
        def run(self, _):
            self.swf.invoke_lambda("a", None)
            return 1

        assert decide(run, FIRST, deciders) == ["ScheduleLambdaFunction lambda1", "CompleteWorkflowExecution 1"]


class TestWhoMayAsk:
    def test_another_thread_is_refused_at_once(self, deciders):
        caught = []

        def run(self, _):
            future = self.swf.invoke_lambda("a", None)

            def elsewhere():
                for ask in (future.result, lambda: self.swf.start_timer(1), lambda: self.swf.wait_for_all(future)):
                    try:
                        ask()
                    except pyflow.NotInWorkflowException as error:
                        caught.append(error)

            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            future.result()

        assert short(deciders(workflow(run)).cold.process_decision_task(task(FIRST)).decisions) == [
            "ScheduleLambdaFunction lambda1"
        ]
        assert len(caught) == 3

    def test_code_outside_is_refused(self, deciders):
        futures = []

        def run(self, _):
            futures.append(self.swf.invoke_lambda("a", None))
            futures[0].result()

        deciders(workflow(run)).kept.process_decision_task(task(FIRST))
        with pytest.raises(pyflow.NotInWorkflowException, match="only the code of its run method"):
            futures[0].result()
        with pytest.raises(pyflow.NotInWorkflowException):
            pyflow.activity("x", start_to_close=60)(lambda: None).submit()

    def test_another_run_is_refused(self, deciders):
        leaked = []

        def first(self, _):
            leaked.append(self.swf.invoke_lambda("a", None))
            leaked[0].result()

        def second(self, _):
            try:
                leaked[0].result()
            except pyflow.NotInWorkflowException:
                return "refused"

        deciders(workflow(first)).kept.process_decision_task(task(FIRST))
        assert decide(second, FIRST, deciders) == ['CompleteWorkflowExecution "refused"']

    def test_function_given_to_invoke_once_is_refused(self, deciders):
        def run(self, _):
            future = self.swf.invoke_once(lambda: self.swf.sleep(1))
            try:
                future.result()
            except pyflow.InvocationFailedException as error:
                return error.details.splitlines()[-1]

        assert "may ask nothing of pyflow" in decide(run, FIRST, deciders)[-1]

    def test_closed_run_gets_nothing_out_and_its_finally_runs(self, deciders):
        seen = []

        class Guarded(pyflow.Workflow):
            NAME = "W"

            def run(self, _):
                try:
                    self.swf.sleep(60)
                except Exception:
                    seen.append("caught")
                finally:
                    seen.append("finally")
                    for ask in (
                        lambda: self.swf.start_timer(1),
                        lambda: self.swf.invoke_lambda("a", None),
                        lambda: self.swf.sleep(1),
                        lambda: self.swf.invoke_once(lambda: seen.append("called")),
                    ):
                        try:
                            ask()
                        except BaseException as error:
                            seen.append(type(error).__name__)

        run = Run(Guarded, "order-1", RUN_ID)
        run.advance(history(FIRST), 3)
        before = run.decisions()
        assert seen == []

        run.close()

        assert seen == ["finally"] + ["FiberClosed"] * 4
        assert run.decisions() == before


class TestTime:
    def test_workflow_time_is_that_of_the_decision_task(self, deciders):
        def run(self, _):
            before = self.swf.workflow_time()
            a = self.swf.invoke_lambda("a", None)
            self.swf.invoke_lambda("b", None)
            a.result()
            return [before.isoformat(), self.swf.workflow_time().isoformat()]

        first, second = (START.replace(second=n).isoformat() for n in (3, 12))
        assert decide(run, TWO_LAMBDAS, deciders) == [f'CompleteWorkflowExecution ["{first}", "{second}"]']

    def test_replaying_is_true_only_where_a_task_was_completed(self, deciders):
        seen = []

        def run(self, _):
            seen.append(self.swf.is_replaying)
            a, b = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
            self.swf.wait_for_all(a, b)
            seen.append(self.swf.is_replaying)

        deciders(workflow(run)).cold.process_decision_task(task(TWO_LAMBDAS))
        assert seen == [True, False]


class TestRecordedValues:
    def test_new_one_is_there_at_once_and_is_recorded_by_one_marker(self, deciders):
        def run(self, _):
            return self.swf.invoke_once(lambda: {"n": 1}).result()

        decisions = deciders(workflow(run)).cold.process_decision_task(task(FIRST)).decisions
        assert decisions[0]["recordMarkerDecisionAttributes"] == {
            "markerName": "invoke_once1",
            "details": '{"succeeded": true, "result": {"n": 1}}',
        }
        assert short(decisions) == ["RecordMarker invoke_once1", 'CompleteWorkflowExecution {"n": 1}']

    def test_recorded_one_is_read_ahead_and_not_called_again(self, deciders):
        def run(self, _):
            value = self.swf.invoke_once(lambda: pytest.fail("called again")).result()
            self.swf.sleep(1)
            return value

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 MarkerRecorded markerName=invoke_once1 details={"succeeded": true, "result": 7}
            6 TimerStarted timerId=sleep1 startToFireTimeout=1
            7 TimerFired timerId=sleep1 startedEventId=6
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
        """
        )
        decided = deciders(workflow(run)).cold.process_decision_task(task(events))
        assert short(decided.decisions) == ["CompleteWorkflowExecution 7"]

    def test_with_a_signal_of_2_0_0_it_settles_where_the_marker_stands(self, deciders):
        def run(self, _):
            future = self.swf.invoke_once(lambda: pytest.fail("called again"))
            before = future.done
            value = future.result()
            return [before, value, self.swf.workflow_time().second]

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 MarkerRecorded markerName=invoke_once1 details={"succeeded": true, "result": 7}
            6 SignalExternalWorkflowExecutionInitiated workflowId=order-1 signalName=invoke_once_signal1
            7 ExternalWorkflowExecutionSignaled initiatedEventId=6
            8 WorkflowExecutionSignaled signalName=invoke_once_signal1
            9 DecisionTaskScheduled
            10 DecisionTaskStarted scheduledEventId=9
        """
        )
        decided = deciders(workflow(run)).cold.process_decision_task(task(events))
        assert short(decided.decisions) == ["CompleteWorkflowExecution [false, 7, 10]"]

    @pytest.mark.parametrize("value", [object(), "x" * 40_000])
    def test_value_that_cannot_be_recorded_is_a_failure_that_is_recorded(self, value, deciders):
        def run(self, _):
            future = self.swf.invoke_once(lambda: value)
            return [future.failed, future.exception.reason]

        decisions = short(deciders(workflow(run)).decide(task(FIRST)))
        assert decisions == [
            "RecordMarker invoke_once1",
            'CompleteWorkflowExecution [true, "The value cannot be recorded"]',
        ]

    def test_failure_is_the_future_s(self, deciders):
        def run(self, _):
            future = self.swf.invoke_once(lambda: 1 / 0)
            return [
                future.succeeded,
                future.failed,
                "ZeroDivisionError" in future.exception.details,
                future.invocation_id,
            ]

        assert decide(run, FIRST, deciders)[-1] == 'CompleteWorkflowExecution [false, true, true, "invoke_once1"]'


def test_runs_leave_no_fiber_behind(deciders):
    from pyflow._fiber import Fiber

    def run(self, _):
        self.swf.sleep(60)

    def fibers():
        gc.collect()
        return [thing for thing in gc.get_objects() if issubclass(type(thing), Fiber)]

    def new():
        return [fiber for fiber in fibers() if not any(fiber is one for one in before)]

    before = fibers()
    both = deciders(workflow(run))
    both.kept._runs_kept = 5
    for number in range(50):
        one = task(FIRST)
        one["workflowExecution"]["runId"] = f"run-{number}"
        both.kept.process_decision_task(one)
    assert len(new()) == 5
    both.kept.forget()
    assert new() == []


def test_code_that_waits_reads_no_batch_beyond_the_last():
    def run(self, _):
        return self.swf.invoke_lambda("a", None).result(), self.swf.invoke_lambda("c", None).result()

    live = Run(workflow(run), "order-1", RUN_ID)
    live.advance(
        history(
            FIRST
            + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 LambdaFunctionScheduled id=lambda1 name=a
    6 LambdaFunctionCompleted scheduledEventId=5 startedEventId=5 result="a"
    7 DecisionTaskScheduled
    8 DecisionTaskStarted scheduledEventId=7
"""
        ),
        8,
    )

    assert live.progress[0] == 2
    assert not live.runtime.replayer.in_tail
    live.close()
