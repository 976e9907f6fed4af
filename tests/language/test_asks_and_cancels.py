"""Cancel of everything that can be asked for, at each point of its life; and what may not be asked where."""

import pytest

import pyflow
from histories import short, task


def deciding(code):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": code})


ASKS = {
    "lambda": lambda swf: swf.invoke_lambda("f", 1),
    "activity": lambda swf: swf.invoke_activity("a", "1.0"),
    "timer": lambda swf: swf.start_timer(100),
    "child": lambda swf: swf.invoke_child_workflow("C", "1.0"),
    "signal": lambda swf: swf.external("other").signal("s"),
    "cancel": lambda swf: swf.external("other").cancel(),
    "spawned": lambda swf: swf.spawn(swf.sleep, 100),
    "recorded": lambda swf: swf.invoke_once(int),
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("when", ["at once", "later", "after the end"])
@pytest.mark.parametrize("what", ASKS)
def test_cancel_of_anything_at_any_time_ends_and_replays(flow, what, when, wait):
    flow.lambda_function("f", lambda event, context: event)

    class Other(pyflow.Workflow):
        NAME = "C"

        def run(self, _):
            self.swf.sleep(100)

    def run(self, _):
        future = ASKS[what](self.swf)
        if when != "at once":
            self.swf.sleep(1 if when == "later" else 900)
        future.cancel(wait=wait)
        future.cancel(wait=wait)
        assert future.done
        self.swf.sleep(1000)
        return future.succeeded or type(future.exception).__name__

    flow.use(Other)
    result = flow.run(type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__}))
    assert result in {True, "InvocationCanceledException", "InvocationFailedException", "InvocationTimedOutException"}
    if when == "at once" and what not in {"recorded", "lambda", "signal", "cancel"}:
        assert result == "InvocationCanceledException"


def test_canceled_lambda_is_not_asked_for_again_by_itself(deciders):
    """2.0.0's silent retry is for those that somebody waits for."""

    def run(self, _):
        future = self.swf.invoke_lambda("f", 1)
        self.swf.receive("stop")
        future.cancel()
        self.swf.receive("end")

    happened = """
        1 WorkflowExecutionStarted
        2 DecisionTaskScheduled
        3 DecisionTaskStarted scheduledEventId=2
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
        5 LambdaFunctionScheduled id=lambda1 name=f input=1
        6 WorkflowExecutionSignaled signalName=stop
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8 executionContext=pyflow rules 1
        10 LambdaFunctionFailed scheduledEventId=5 reason=ServiceException
        11 DecisionTaskScheduled
        12 DecisionTaskStarted scheduledEventId=11
    """
    assert short(deciders(deciding(run)).decide(task(happened))) == []


class TestPredicates:
    @pytest.mark.parametrize("holds_late", [True, False])
    def test_predicate_may_ask_nothing_at_its_first_call_or_later(self, flow, holds_late):
        def run(self, _):
            state = []
            self.swf.spawn(lambda: (self.swf.sleep(1), state.append(1)))

            def predicate():
                if state or not holds_late:
                    self.swf.start_timer(1)
                return bool(state)

            with pytest.raises(pyflow.NotInWorkflowException):
                self.swf.wait_until(predicate)
            return "refused"

        assert flow.run(type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__})) == "refused"

    @pytest.mark.parametrize("signal_first", [True, False])
    def test_deadline_and_what_makes_it_hold_in_one_batch_are_taken_in_order(self, flow, signal_first):
        def run(self, _):
            said = []
            self.swf.spawn(lambda: said.append(self.swf.receive("go")))
            try:
                self.swf.wait_until(lambda: bool(said), timeout=10)
            except pyflow.WaitTimedOutException:
                return "too late"
            return said

        execution = flow.start(type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__}))
        flow.run_until_blocked()
        if signal_first:
            execution.signal("go", 1)
        flow.clock.advance(10)
        execution.signal("go", 2)
        assert execution.result() == ([1] if signal_first else "too late")
