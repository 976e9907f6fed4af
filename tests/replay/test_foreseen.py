"""
An ask whose answer history shows right away is not compared at length: everything must be as if it were.

The oracle is the same replay without that way, for whatever code asks and whatever history holds.
"""

import enum
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pyflow
from histories import RUN_ID, START
from histories import history as numbered
from pyflow import HistoryException, NondeterminismException, SerializationException
from pyflow.converter import JSON
from pyflow.replay.replayer import Replayer
from pyflow.run import Run
from pyflow.swf.model import EVENT_ATTRIBUTES


class Text(str):
    """Says that it is the same as anything."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True


class One(enum.IntEnum):
    ONE = 1


def history(held, *, options=None, before=()):
    """Give the history of so many activities, each asked for when the one before it was done; ``before`` stands in the first response."""
    events = []

    def add(kind, **attributes):
        name = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        events.append({"eventId": len(events) + 1, "eventType": kind, "eventTimestamp": START, name: attributes})
        return len(events)

    def decide():
        return add("DecisionTaskStarted", scheduledEventId=add("DecisionTaskScheduled"))

    add("WorkflowExecutionStarted")
    started = decide()
    for number, text in enumerate(held, 1):
        completed = add("DecisionTaskCompleted", startedEventId=started, executionContext="pyflow rules 1")
        for kind, attributes in before if number == 1 else ():
            add(kind, **attributes)
        said = {} if text is None else {"input": text}
        asked = add(
            "ActivityTaskScheduled",
            activityId=f"activity{number}",
            activityType={"name": "a", "version": "1"},
            decisionTaskCompletedEventId=completed,
            **said,
            **(options or {}),
        )
        add("ActivityTaskCompleted", scheduledEventId=asked, startedEventId=asked, result=str(number))
        started = decide()
    return events


def workflow(values, *, timeout=None, then=lambda swf, future: None):
    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            for value in values:
                future = self.swf.invoke_activity("a", "1", value, timeout)
                then(self.swf, future)
                future.result()

    return Program


def replay(workflow_class, events, *, plainly, until=-1):
    """Give what became of a replay: drifts, decisions, how the code ended; ``plainly``: without a look at what comes."""
    live = Run(workflow_class, "order-1", RUN_ID)
    with pytest.MonkeyPatch.context() as patch:
        if plainly:
            patch.setattr(Replayer, "ask_foreseen", lambda *_: False)
        try:
            live.advance(events, len(events) if until == -1 else until)
        except (NondeterminismException, HistoryException) as error:
            return type(error), str(error), getattr(error, "where", None)
        finally:
            live.close()
    return live.drifts, live.decisions(), live.runtime.fault, live.last_event_id


def both(workflow_class, events, *, until=-1):
    plain = replay(workflow_class, events, plainly=True, until=until)
    assert repr(replay(workflow_class, events, plainly=False, until=until)) == repr(plain)
    return plain


NUMBERS = [0, 1, -1, 1.0, 0.0, -0.0, 10**20, 1e300, math.nan, math.inf, 1j, One.ONE]
SCALARS = st.sampled_from([*NUMBERS, None, True, False, "", "a", "1", "\u4e2d", "\ud800", Text("a"), object(), b"x"])
KEYS = st.sampled_from(["a", "b", "", "1", Text("a"), 1, None, True, (1,)])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=2).map(tuple) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=5,
)


def text_of(value):
    """Give the text that history has of a value, whatever may be in it."""
    return None if value is None else json.dumps(value, default=str, skipkeys=True)


def respelled(text):
    return st.sampled_from(
        [text, text and text.replace(" ", ""), text and f" {text}\n", text and text.replace("1", "1.0")]
    )


@given(
    VALUES.flatmap(lambda value: st.tuples(st.just(value), respelled(text_of(value))))
    | st.tuples(VALUES, VALUES.map(text_of))
)
@example((None, "null"))
@example(({"a": None}, '{"b": null}'))
@example(({"a": True}, '{"a": 1}'))
@example((Text("a"), '"b"'))
@example(([Text("a")], '["b"]'))
@example(({"a": Text("a")}, '{"a": "b"}'))
@example(([1], "[1, 2]"))
@example(({Text("a"): 1}, '{"b": 1}'))
@example(("\ud800", '"\\ud800"'))
@example((math.nan, "NaN"))
@example(("x", "pyflow.payload/1 codecs=none data="))
def test_input_is_drift_or_refused_or_neither_just_as_if_it_was_compared_at_length(case):
    asked, held = case
    both(workflow([asked, "then"]), history([held, '"then"']))


def test_input_that_is_the_same_is_not_encoded_at_all(monkeypatch):
    events = history(['{"a": [1, 2.5, null, true]}', '"then"'])
    encode, encoded = type(JSON).encode, []
    monkeypatch.setattr(type(JSON), "encode", lambda *args, **more: encoded.append(args[1]) or encode(*args, **more))
    live = Run(workflow([{"a": [1, 2.5, None, True]}, "then"]), "order-1", RUN_ID)
    live.advance(events, len(events))
    live.close()

    assert encoded == [None]  # the result of the workflow


@pytest.mark.parametrize(("asked", "held"), [("30", "30"), ("30", "60"), (None, "60")])
def test_other_duration_is_drift(asked, held):
    drifts, *_ = both(workflow([1], timeout=asked), history(["1"], options={"startToCloseTimeout": held}))

    assert [(drift.what, drift.recorded, drift.asked) for drift in drifts] == (
        [("startToCloseTimeout", "60", "30")] if asked == "30" and held == "60" else []
    )
    assert all(drift.where is not None for drift in drifts)


@pytest.mark.parametrize("held", [1, 2])
def test_input_changed_behind_the_ask_counts_as_it_was(held):
    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            value = {"a": 1}
            future = self.swf.invoke_activity("a", "1", value)
            value["a"] = 2
            future.result()

    drifts, *_ = both(Program, history([json.dumps({"a": held})]))

    assert [drift.asked for drift in drifts] == ([] if held == 1 else ['{"a": 1}'])


def test_what_cannot_be_sent_is_refused_at_the_call_where_history_holds_something_else():
    refused = []

    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            try:
                self.swf.invoke_activity("a", "1", object())
            except SerializationException as error:
                refused.append(error)

    replay(Program, history(["{}"]), plainly=False)

    assert len(refused) == 1


@pytest.mark.parametrize("edit", ["id", "type", "kind", "withdrawn", "a timer before"])
def test_what_does_not_fit_is_refused_with_the_same_words(edit):
    events = history(["1", "2"], before=[("TimerStarted", {"timerId": "sleep1"})] if edit == "a timer before" else ())
    asked = events[4]["activityTaskScheduledEventAttributes"] if edit in {"id", "type"} else {}
    if edit == "id":
        asked["activityId"] = "activity9"
    if edit == "type":
        asked["activityType"] = {"name": "b", "version": "1"}
    if edit == "kind":
        events[4] = {**events[3], "eventId": 5, "eventType": "MarkerRecorded"}
        events[4]["markerRecordedEventAttributes"] = {"markerName": "invoke_once1"}

    error, *_ = both(workflow([1, 2], then=lambda _, future: future.cancel() if edit == "withdrawn" else None), events)

    assert error is NondeterminismException


@pytest.mark.parametrize("count", range(3, 18))
def test_history_may_end_anywhere(count):
    """What is behind the last DecisionTaskStarted of a recorded history is matched all the same, and to its end."""
    events = history(["1", "2", "3"])[:count]
    both(workflow([1, 2, 3]), events, until=None)


def test_answer_with_a_wrong_id_is_refused():
    events = history(["1"])
    events[4]["eventId"] = 99

    error, message, _ = both(workflow([1]), events)

    assert error is HistoryException
    assert "event 5 was expected next, event 99" in message


def test_answer_without_a_completed_decision_task_before_it_is_taken_as_it_comes():
    events = history(["1"])
    events[3] = {**events[0], "eventId": 4, "eventType": "WorkflowExecutionSignaled"}
    events[3]["workflowExecutionSignaledEventAttributes"] = {"signalName": "s"}

    both(workflow([1]), events)


def test_response_that_answers_while_parked_must_answer_all():
    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            self.swf.invoke_activity("a", "1").result()
            self.swf.wait_for_all([self.swf.invoke_activity("a", "1") for _ in range(2)])

    events = numbered("""
        1 WorkflowExecutionStarted
        2 DecisionTaskScheduled
        3 DecisionTaskStarted scheduledEventId=2
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 ActivityTaskScheduled activityId=activity1 activityType=a/1
        6 WorkflowExecutionSignaled signalName=s
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
       10 TimerStarted timerId=pyflow.park.1
       11 ActivityTaskCompleted scheduledEventId=5 startedEventId=5
       12 DecisionTaskScheduled
       13 DecisionTaskStarted scheduledEventId=12
       14 DecisionTaskCompleted scheduledEventId=12 startedEventId=13
       15 ActivityTaskScheduled activityId=activity2 activityType=a/1
       16 DecisionTaskScheduled
       17 DecisionTaskStarted scheduledEventId=16
    """)

    error, message, _ = both(Program, events)

    assert error is NondeterminismException
    assert "activity3" in message


ASKS = st.lists(
    st.sampled_from(["activity", "timer", "withdrawn", "withdrawn later", "spawned"]), min_size=1, max_size=6
)


@given(ASKS, ASKS, st.sampled_from(["", "signal", "left out", "twice"]), st.integers(0, 9))
def test_many_asks_in_one_batch_are_taken_as_if_each_was_owed(first, second, mishap, where):
    """Whatever is asked for together, taken back or not; a signal, a missing or a doubled answer among the answers."""

    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            for group in (first, second):
                futures = []
                for kind in group:
                    future = self.ask(kind)
                    if kind != "withdrawn":
                        futures.append(future)
                for kind, future in zip([kind for kind in group if kind != "withdrawn"], futures):
                    if kind == "withdrawn later":
                        future.cancel()
                self.swf.wait_for_all(futures)

        def ask(self, kind):
            if kind == "timer":
                return self.swf.start_timer(5)
            if kind == "spawned":
                return self.swf.spawn(lambda: self.ask("activity").result())
            future = self.swf.invoke_activity("a", "1", [kind])
            if kind == "withdrawn":
                future.cancel()
            return future

    events = recorded_by(Program)
    answers = [n for n, event in enumerate(events) if event["eventType"] in {"ActivityTaskScheduled", "TimerStarted"}]
    at = answers[where % len(answers)] if answers else 3
    if mishap == "signal":
        events.insert(at, {**events[0], "eventId": 0, "eventType": "WorkflowExecutionSignaled"})
        events[at]["workflowExecutionSignaledEventAttributes"] = {"signalName": "s"}
    if mishap == "left out" and answers:
        del events[at]
    if mishap == "twice" and answers:
        events.insert(at, {**events[at]})
    both(Program, renumbered(events))


def renumbered(events):
    """Give the events ids without a gap again, also where they name each other."""
    numbers = {event["eventId"]: number for number, event in enumerate(events, 1)}
    result = []
    for number, event in enumerate(events, 1):
        member = EVENT_ATTRIBUTES[event["eventType"]]
        attributes = {
            name: numbers.get(value, 0) if name.endswith("EventId") else value for name, value in event[member].items()
        }
        result.append({**event, "eventId": number, member: attributes})
    return result


def recorded_by(workflow_class):
    """Give the history that comes of a workflow's own decisions: all that is asked for is done before the next of them."""
    events = numbered("""
        1 WorkflowExecutionStarted
        2 DecisionTaskScheduled
        3 DecisionTaskStarted scheduledEventId=2
    """)

    def add(kind, **attributes):
        name = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        events.append({"eventId": len(events) + 1, "eventType": kind, "eventTimestamp": START, name: attributes})
        return len(events)

    while True:
        live = Run(workflow_class, "order-1", RUN_ID)
        live.advance(events, len(events))
        decisions = live.decisions()
        live.close()
        if decisions[-1]["decisionType"] == "CompleteWorkflowExecution":
            return events
        add("DecisionTaskCompleted", startedEventId=len(events), executionContext="pyflow rules 1")
        done = []
        for decision in decisions:
            if decision["decisionType"] == "ScheduleActivityTask":
                asked = add("ActivityTaskScheduled", **decision["scheduleActivityTaskDecisionAttributes"])
                done.append(
                    ("ActivityTaskCompleted", {"scheduledEventId": asked, "startedEventId": asked, "result": "1"})
                )
            else:
                assert decision["decisionType"] == "StartTimer"
                attributes = decision["startTimerDecisionAttributes"]
                asked = add("TimerStarted", **attributes)
                done.append(("TimerFired", {"timerId": attributes["timerId"], "startedEventId": asked}))
        for kind, attributes in done:
            add(kind, **attributes)
        add("DecisionTaskStarted", scheduledEventId=add("DecisionTaskScheduled"))


def test_cancel_that_history_lacks_is_named_with_its_place():
    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            first, second = (self.swf.invoke_activity("a", "1") for _ in range(2))
            first.result()
            second.cancel(wait=True)

    events = numbered("""
        1 WorkflowExecutionStarted
        2 DecisionTaskScheduled
        3 DecisionTaskStarted scheduledEventId=2
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 ActivityTaskScheduled activityId=activity1 activityType=a/1
        6 ActivityTaskScheduled activityId=activity2 activityType=a/1
        7 ActivityTaskCompleted scheduledEventId=5 startedEventId=5
        8 DecisionTaskScheduled
        9 DecisionTaskStarted scheduledEventId=8
       10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
       11 DecisionTaskStarted scheduledEventId=8
    """)

    error, message, where = both(Program, events)

    assert error is NondeterminismException
    assert "activity2" in message
    assert where.endswith("Program.run")
    assert f":{Program.run.__code__.co_firstlineno + 3} " in where
