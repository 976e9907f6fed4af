"""The tables themselves, and every history that a service may write for one invocation of each kind."""

import contextlib

import pytest

import pyflow
from histories import history, task
from pyflow.exceptions import HistoryException
from pyflow.replay.invocations import Invocation, new_invocation
from pyflow.replay.machine import diagram
from pyflow.replay.tables import ANSWERS, CLOSES, OUTCOMES, SETTLED, SILENT, TABLES, Kind, State
from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES

FRAME = {
    "DecisionTaskStarted",
    "DecisionTaskCompleted",
    "WorkflowExecutionStarted",
    "WorkflowExecutionSignaled",
    "WorkflowExecutionCancelRequested",
    "WorkflowExecutionTerminated",
    "WorkflowExecutionTimedOut",
    "ChildWorkflowExecutionStarted",
}


@pytest.mark.parametrize("kind", Kind)
def test_every_state_of_a_table_is_reachable_from_requested(kind):
    table = TABLES[kind]
    reached = {State.REQUESTED}
    while more := {target for (source, _), target in table.items() if source in reached} - reached:
        reached |= more

    assert {state for (source, _), target in table.items() for state in (source, target)} == reached


@pytest.mark.parametrize("kind", Kind)
def test_every_state_that_is_not_settled_has_a_way_out(kind):
    table = TABLES[kind]
    states = {State.REQUESTED, *table.values()}

    assert {state for state in states - SETTLED if not any(source is state for source, _ in table)} == set()


def test_every_trigger_is_an_ask_or_an_event_of_swf():
    triggers = {trigger for table in TABLES.values() for _, trigger in table}

    assert triggers - set(EVENT_ATTRIBUTES) == {"retry", "cancel"}


def test_every_event_type_of_swf_has_its_place():
    placed = set(ANSWERS) | set(OUTCOMES) | SILENT | FRAME

    assert set(EVENT_ATTRIBUTES) - placed == set()
    assert not set(ANSWERS) & (SILENT | FRAME)


def test_every_closing_answer_names_a_decision():
    assert set(CLOSES.values()) <= set(DECISION_ATTRIBUTES)


@pytest.mark.parametrize("kind", Kind)
def test_diagram_draws_every_edge(kind):
    assert diagram(kind).count("-->") == len(TABLES[kind]) + 1


def test_unexpected_event_names_the_machine_its_state_the_event_and_the_path():
    invocation = new_invocation(Kind.TIMER, "sleep1", None, {})
    invocation.step("TimerStarted")

    with pytest.raises(HistoryException) as caught:
        invocation.step("StartTimerFailed")

    assert "timer sleep1: StartTimerFailed is not expected while it is open (its path: TimerStarted)" in str(
        caught.value
    )
    assert invocation.state is State.OPEN


# -- every history ---------------------------------------------------------------------------------------------------------


def batch(*lines):
    """Number the events of a history that is given from its fourth event on: a response, what follows, a new task."""
    first = ["WorkflowExecutionStarted", "DecisionTaskScheduled", "DecisionTaskStarted scheduledEventId=2"]
    numbered = [f"{number} {line}" for number, line in enumerate([*first, *lines], 1)]
    return "\n".join(numbered)


RESPONSE = "DecisionTaskCompleted scheduledEventId=2 startedEventId=3"


def ends(*middle, response=RESPONSE):
    count = 3 + 1 + len(middle)
    return batch(response, *middle, "DecisionTaskScheduled", f"DecisionTaskStarted scheduledEventId={count + 1}")


def lambdas():
    def ask(self):
        return self.swf.invoke_lambda("f", None)

    scheduled = "LambdaFunctionScheduled id=lambda1 name=f"
    yield ask, ends(scheduled)
    yield ask, ends("ScheduleLambdaFunctionFailed id=lambda1 name=f cause=ID_ALREADY_IN_USE")
    yield ask, ends(scheduled, "StartLambdaFunctionFailed scheduledEventId=5 cause=ASSUME_ROLE_FAILED message=m")
    for end in ("Completed", "Failed", "TimedOut"):
        yield (
            ask,
            ends(
                scheduled,
                "LambdaFunctionStarted scheduledEventId=5",
                f"LambdaFunction{end} scheduledEventId=5 startedEventId=6",
            ),
        )
    yield ask, ends(scheduled, "LambdaFunctionFailed scheduledEventId=5 startedEventId=0 reason=ServiceException")


def activities():
    def ask(self):
        return self.swf.invoke_activity("f", "1")

    scheduled = "ActivityTaskScheduled activityId=activity1 activityType=f/1"
    yield (
        ask,
        ends("ScheduleActivityTaskFailed activityId=activity1 activityType=f/1 cause=ACTIVITY_TYPE_DOES_NOT_EXIST"),
    )
    for end in ("Completed", "Failed", "TimedOut", "Canceled"):
        yield (
            ask,
            ends(
                scheduled,
                "ActivityTaskStarted scheduledEventId=5",
                f"ActivityTask{end} scheduledEventId=5 startedEventId=6",
            ),
        )
        yield ask, ends(scheduled, f"ActivityTask{end} scheduledEventId=5 startedEventId=0")


def timers():
    def ask(self):
        return self.swf.start_timer(9)

    started = "TimerStarted timerId=sleep1"
    yield ask, ends("StartTimerFailed timerId=sleep1 cause=TIMER_ID_ALREADY_IN_USE")
    yield ask, ends(started, "TimerFired timerId=sleep1 startedEventId=5")


def timed_waits():
    def ask(self):
        done = self.swf.invoke_lambda("f", None)
        with contextlib.suppress(pyflow.WaitTimedOutException):
            self.swf.timed_wait_for_all(9, done)
        return self.swf.start_timer(1)

    def withdrawn(self):
        self.swf.timed_wait_for_all(9, self.swf.invoke_once(lambda: 1))
        return self.swf.start_timer(1)

    asked = [RESPONSE, "LambdaFunctionScheduled id=lambda1 name=f", "TimerStarted timerId=sleep1 startToFireTimeout=9"]
    done = [
        *asked,
        "LambdaFunctionCompleted scheduledEventId=5 startedEventId=0",
        "DecisionTaskScheduled",
        "DecisionTaskStarted scheduledEventId=8",
    ]
    second = "DecisionTaskCompleted scheduledEventId=8 startedEventId=9"
    next_task = ["DecisionTaskScheduled", "DecisionTaskStarted scheduledEventId=8"]
    yield ask, batch(*done)
    yield (
        ask,
        batch(
            *done, second, "TimerCanceled timerId=sleep1 startedEventId=6", "TimerStarted timerId=sleep2", *next_task
        ),
    )
    yield (
        ask,
        batch(*done, second, "TimerStarted timerId=sleep2", "TimerFired timerId=sleep1 startedEventId=6", *next_task),
    )
    yield (
        ask,
        batch(
            *done,
            second,
            "CancelTimerFailed timerId=sleep1 cause=OPERATION_NOT_PERMITTED",
            "TimerStarted timerId=sleep2",
            *next_task,
        ),
    )
    yield (
        ask,
        batch(
            *done,
            "TimerFired timerId=sleep1 startedEventId=6",
            "DecisionTaskScheduled",
            second,
            "CancelTimerFailed timerId=sleep1 cause=TIMER_ID_UNKNOWN",
            "TimerStarted timerId=sleep2",
            "DecisionTaskStarted scheduledEventId=8",
        ),
    )
    yield (
        ask,
        batch(
            *done,
            "DecisionTaskTimedOut scheduledEventId=8 startedEventId=9",
            "TimerFired timerId=sleep1 startedEventId=6",
            *next_task,
        ),
    )
    yield (
        withdrawn,
        ends(
            'MarkerRecorded markerName=invoke_once1 details={"succeeded": true}',
            "TimerStarted timerId=sleep1",
            "TimerStarted timerId=sleep2",
        ),
    )
    yield (
        withdrawn,
        ends(
            'MarkerRecorded markerName=invoke_once1 details={"succeeded": true}',
            "StartTimerFailed timerId=sleep1 cause=OPEN_TIMERS_LIMIT_EXCEEDED",
            "TimerStarted timerId=sleep2",
        ),
    )


def children():
    def ask(self):
        return self.swf.invoke_child_workflow("f", "1")

    initiated = "StartChildWorkflowExecutionInitiated workflowId=child_workflow1 workflowType=f/1"
    failed = "StartChildWorkflowExecutionFailed workflowId=child_workflow1 workflowType=f/1"
    yield ask, ends(f"{failed} cause=WORKFLOW_TYPE_DOES_NOT_EXIST initiatedEventId=0")
    yield ask, ends(initiated, f"{failed} cause=WORKFLOW_ALREADY_RUNNING initiatedEventId=5")
    for end in ("Completed", "Failed", "TimedOut", "Canceled", "Terminated"):
        yield (
            ask,
            ends(
                initiated,
                "ChildWorkflowExecutionStarted initiatedEventId=5",
                f"ChildWorkflowExecution{end} initiatedEventId=5 startedEventId=6",
            ),
        )


def markers():
    def ask(self):
        self.swf.invoke_once(lambda: 1)
        return self.swf.start_timer(9)

    recorded = 'MarkerRecorded markerName=invoke_once1 details={"succeeded": true, "result": 1}'
    own_signal = "SignalExternalWorkflowExecutionInitiated workflowId=order-1 signalName=invoke_once_signal1"
    timer = "TimerStarted timerId=sleep1"
    yield ask, ends(recorded, timer)
    yield ask, ends("RecordMarkerFailed markerName=invoke_once1 cause=OPERATION_NOT_PERMITTED", timer)
    yield ask, ends(recorded, own_signal, timer, "ExternalWorkflowExecutionSignaled initiatedEventId=6")
    failed = "SignalExternalWorkflowExecutionFailed initiatedEventId=6 cause=OPERATION_NOT_PERMITTED"
    yield ask, ends(recorded, own_signal, timer, failed)


def canceled_activities():
    def ask(self):
        activity = self.swf.invoke_activity("f", "1")
        self.swf.invoke_lambda("go", None).result()
        activity.cancel(wait=True)
        return self.swf.start_timer(9)

    asked = [
        RESPONSE,
        "ActivityTaskScheduled activityId=activity1 activityType=f/1",
        "LambdaFunctionScheduled id=lambda1 name=go",
        "LambdaFunctionCompleted scheduledEventId=6 startedEventId=0",
        "DecisionTaskScheduled",
        "DecisionTaskStarted scheduledEventId=8",
    ]
    second = "DecisionTaskCompleted scheduledEventId=8 startedEventId=9"
    refused = "RequestCancelActivityTaskFailed activityId=activity1 cause=OPERATION_NOT_PERMITTED"
    yield ask, batch(*asked, second, refused, "DecisionTaskScheduled", "DecisionTaskStarted scheduledEventId=12")
    for end in ("Completed", "Failed", "TimedOut", "Canceled"):
        ended = f"ActivityTask{end} scheduledEventId=5 startedEventId=0"
        requested = "ActivityTaskCancelRequested activityId=activity1"
        yield (
            ask,
            batch(*asked, second, requested, ended, "DecisionTaskScheduled", "DecisionTaskStarted scheduledEventId=13"),
        )
        overtaken = "RequestCancelActivityTaskFailed activityId=activity1 cause=ACTIVITY_ID_UNKNOWN"
        yield (
            ask,
            batch(*asked, ended, "DecisionTaskScheduled", second, overtaken, "DecisionTaskStarted scheduledEventId=11"),
        )
        timed_out = "DecisionTaskTimedOut scheduledEventId=8 startedEventId=9"
        yield ask, batch(*asked, timed_out, ended, "DecisionTaskScheduled", "DecisionTaskStarted scheduledEventId=12")


def withdrawn():
    def ask(self):
        for future in (
            self.swf.invoke_lambda("f", None),
            self.swf.invoke_activity("f", "1"),
            self.swf.invoke_child_workflow("f", "1"),
            self.swf.start_timer(5),
        ):
            future.cancel()
        return self.swf.start_timer(9)

    yield ask, ends("TimerStarted timerId=sleep2")


def others():
    cancel = lambda self: self.swf.external("x").cancel()
    asked = "RequestCancelExternalWorkflowExecutionInitiated workflowId=x control=cancel1"
    yield cancel, ends(asked, "ExternalWorkflowExecutionCancelRequested initiatedEventId=5")
    unknown = "cause=UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"
    yield cancel, ends(asked, f"RequestCancelExternalWorkflowExecutionFailed initiatedEventId=5 {unknown}")
    signal = lambda self: self.swf.external("x").signal("s", 1)
    asked = "SignalExternalWorkflowExecutionInitiated workflowId=x signalName=s input=1 control=signal1"
    yield signal, ends(asked, "ExternalWorkflowExecutionSignaled initiatedEventId=5")
    yield signal, ends(asked, f"SignalExternalWorkflowExecutionFailed initiatedEventId=5 {unknown}")


def closes():
    def fails(self):
        raise pyflow.WorkflowFailedException("r", "d")

    def cancels(self):
        raise pyflow.WorkflowCanceledException

    for ask, decision, event in (
        (lambda self: None, "Complete", "Completed"),
        (fails, "Fail", "Failed"),
        (cancels, "Cancel", "Canceled"),
        (lambda self: self.swf.continue_as_new(), "ContinueAsNew", "ContinuedAsNew"),
    ):
        yield ask, ends(f"{decision}WorkflowExecutionFailed cause=UNHANDLED_DECISION")
        yield ask, batch(RESPONSE, f"WorkflowExecution{event}")


ALL = [
    pytest.param(ask, events, id=f"{kind.__name__}-{number}")
    for kind in (
        lambdas,
        activities,
        canceled_activities,
        withdrawn,
        timers,
        timed_waits,
        children,
        others,
        markers,
        closes,
    )
    for number, (ask, events) in enumerate(kind())
]


class Asks(pyflow.Workflow):
    """Asks for one thing and waits until it is settled, whatever comes of it."""

    NAME = "W"
    ask = staticmethod(lambda self: None)

    def run(self, _):
        future = self.ask(self)
        if future is not None:
            self.swf.wait_for_all(future)


def replay(ask, events, deciders):
    from pyflow.run import Run

    workflow_class = type("Asks", (Asks,), {"ask": staticmethod(ask)})
    live = Run(workflow_class, "order-1", "run")
    live.advance(history(events), None)
    live.close()
    both = deciders(workflow_class)
    started = [event["eventId"] for event in history(events) if event["eventType"] == "DecisionTaskStarted"]
    for event_id in started:
        both.decide(task(events, until=event_id))


@pytest.mark.parametrize(("ask", "events"), ALL)
def test_each_history_a_service_may_write_is_accepted_from_each_prefix(ask, events, deciders):
    replay(ask, events, deciders)


def test_together_they_visit_every_edge_of_every_table(deciders, monkeypatch):
    visited = set()
    step, take = Invocation.step, Invocation.take

    def stepped(self, trigger):
        visited.add((self.kind, self.state, trigger))
        return step(self, trigger)

    def taken(self, event_id, event_type, attributes):
        visited.add((self.kind, self.state, event_type))
        return take(self, event_id, event_type, attributes)

    monkeypatch.setattr(Invocation, "step", stepped)
    monkeypatch.setattr(Invocation, "take", taken)
    for case in ALL:
        replay(*case.values, deciders)

    edges = {(kind, *edge) for kind, table in TABLES.items() for edge in table}
    assert edges - visited == set()


def test_page_of_the_diagrams_is_drawn_from_these_tables():
    from pathlib import Path

    from pyflow.replay.machine import page

    assert (Path(__file__).parents[2] / "docs" / "state-machines.md").read_text() == page()
