"""
What an edit of workflow code does to its recorded histories: every edit at every position, replayed from every prefix.

A model of the edited program says what it asks for in each response. Where that is what the prefix holds, the edit lies ahead,
and the program must be taken and decide what the model says. Where only inputs or durations differ, that is drift. Where
anything else differs, the history is refused with both sides named. There is nothing between.
"""

import json
import re
from collections import Counter

import pytest

import pyflow
from histories import RUN_ID, START, task
from pyflow import Decider, NondeterminismException
from pyflow.run import Run
from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES

# -- programs as lists of steps ------------------------------------------------------------------------------------------


def ask(swf, step):
    kind, *rest = step
    if kind == "lambda":
        return swf.invoke_lambda(*rest)
    if kind == "activity":
        name, input_arg = rest
        return swf.invoke_activity(*name.split(), input_arg)
    if kind == "child":
        name, input_arg = rest
        return swf.invoke_child_workflow(*name.split(), input_arg)
    if kind == "timer":
        return swf.start_timer(*rest)
    return swf.invoke_once(lambda: rest)


def one_by_one(swf, steps):
    return [ask(swf, step).result() for step in steps]


def all_at_once(swf, steps):
    futures = [ask(swf, step) for step in steps]
    return [future.result() for future in futures]


def in_pairs(swf, steps):
    return [value for n in range(0, len(steps), 2) for value in all_at_once(swf, steps[n : n + 2])]


SHAPES = [one_by_one, all_at_once, in_pairs]
END = "end"  # a step at which run returns

MIXED = [
    ("lambda", "f", 1),
    ("activity", "a 1.0", 1),
    ("timer", 5),
    ("recorded", "v"),
    ("child", "c 1.0", 1),
    ("lambda", "g", 2),
    ("timer", 7),
    ("activity", "b 1.0", 2),
]
ALIKE = [("lambda", "f", 1), ("lambda", "f", 2), ("lambda", "f", 3)]


def workflow(steps, shape):
    class Program(pyflow.Workflow):
        NAME = "Program"

        def run(self, _):
            if END not in steps:
                return shape(self.swf, steps)
            return shape(self.swf, steps[: steps.index(END)])

    return Program


# -- a service that does the same for the same decisions -----------------------------------------------------------------

BEGINS = {
    "ScheduleLambdaFunction": ("LambdaFunctionScheduled", "LambdaFunctionCompleted", "scheduledEventId"),
    "ScheduleActivityTask": ("ActivityTaskScheduled", "ActivityTaskCompleted", "scheduledEventId"),
    "StartTimer": ("TimerStarted", "TimerFired", "startedEventId"),
    "StartChildWorkflowExecution": (
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionCompleted",
        "initiatedEventId",
    ),
    "RecordMarker": ("MarkerRecorded", None, None),
    "CompleteWorkflowExecution": ("WorkflowExecutionCompleted", None, None),
}


def decide(workflow_class, events):
    decider = Decider([workflow_class], "domain", "list", "me", client=object(), runs_kept=0)
    return decider.process_decision_task(task(events, workflow_class)).decisions


def record(workflow_class):
    """Run a program to its end, one thing done after another; give its history and what it decided at each task."""
    events = []
    decided = {}
    open_things = []

    def add(kind, **attributes):
        number = len(events) + 1
        seconds = START.timestamp() + number
        events.append(
            {"eventId": number, "eventType": kind, "eventTimestamp": seconds, EVENT_ATTRIBUTES[kind]: attributes}
        )
        return number

    add("WorkflowExecutionStarted")
    while True:
        scheduled = add("DecisionTaskScheduled")
        started = add("DecisionTaskStarted", scheduledEventId=scheduled)
        decided[started] = decide(workflow_class, list(events))
        add(
            "DecisionTaskCompleted",
            scheduledEventId=scheduled,
            startedEventId=started,
            executionContext="pyflow rules 1",
        )
        for decision in decided[started]:
            kind = decision["decisionType"]
            begins, ends, began_in = BEGINS[kind]
            began_at = add(begins, **decision[DECISION_ATTRIBUTES[kind]])
            if ends is not None:
                result = {} if ends == "TimerFired" else {"result": f'"of event {began_at}"'}
                open_things.append((ends, {began_in: began_at, **result}))
            if kind == "CompleteWorkflowExecution":
                return events, decided
        ends, attributes = open_things.pop(0)
        add(ends, **attributes)


# -- edits ---------------------------------------------------------------------------------------------------------------

ADDED = [
    ("lambda", "new", 0),
    ("activity", "new 1.0", 0),
    ("timer", 9),
    ("child", "new 1.0", 0),
    ("recorded", "new"),
    ("lambda", "f", 1),
    ("timer", 5),
]


def edits(steps):
    for at in range(len(steps) + 1):
        for new in ADDED:
            yield f"add {' '.join(map(str, new))} at {at}", [*steps[:at], new, *steps[at:]]
        yield f"return at {at}", [*steps[:at], END, *steps[at:]]
    for at, step in enumerate(steps):
        before, after = steps[:at], steps[at + 1 :]
        yield f"remove {step[0]} at {at}", [*before, *after]
        for name, other in edits_of(*step):
            yield f"{name} for {step[0]} at {at}", [*before, other, *after]
        for to in range(at + 1, len(steps)):
            swapped = list(steps)
            swapped[at], swapped[to] = swapped[to], swapped[at]
            yield f"swap {at} and {to}", swapped


def edits_of(kind, *rest):
    for other in ADDED:
        if other[0] != kind:
            yield other[0], other
    if kind == "timer":
        yield "other duration", (kind, 99)
    elif kind == "recorded":
        yield "other value", (kind, "other")
    else:
        name, input_arg = rest
        yield "other name", (kind, f"re{name}", input_arg)
        yield "other input", (kind, name, {"other": 1})
        yield "no input", (kind, name, None)
        if kind != "lambda":
            yield "other version", (kind, f"{name}.1", input_arg)


CASES = [
    pytest.param(steps, shape, edited, id=f"{shape.__name__}: {name}")
    for steps in (MIXED, ALIKE)
    for shape in SHAPES
    for name, edited in edits(steps)
]


# -- what an edited program asks for, without pyflow ---------------------------------------------------------------------


def responses(steps, shape):
    """
    Say what a program asks for in each response in which it asks for something: a dict of inputs by kind, number and name.

    Recorded values have no name and no input: nothing of the call is in history but its place among them.
    """
    closing = steps.index(END) if END in steps else len(steps)
    size = {one_by_one: 1, in_pairs: 2, all_at_once: len(steps) + 1}[shape]
    numbers = Counter()
    said = [{}]
    for n in range(0, closing, size):
        group = steps[n : min(n + size, closing)]
        for kind, *rest in group:
            numbers[kind] += 1
            name, input_arg = (None, None) if kind == "recorded" else (None, *rest) if kind == "timer" else rest
            said[-1][kind, numbers[kind], name] = input_arg
        if any(kind != "recorded" for kind, *_ in group):
            said.append({})
    said[-1]["close"] = None
    return said


def asked(decisions):
    """Say what decisions ask for, in the model's form."""
    said = {}
    for decision in decisions:
        attributes = decision[DECISION_ATTRIBUTES[decision["decisionType"]]]
        kind = {
            "ScheduleLambdaFunction": "lambda",
            "ScheduleActivityTask": "activity",
            "StartTimer": "timer",
            "StartChildWorkflowExecution": "child",
            "RecordMarker": "recorded",
        }.get(decision["decisionType"])
        if kind is None:
            said["close"] = None
            continue
        id_in = {"lambda": "id", "activity": "activityId", "timer": "timerId", "child": "workflowId"}
        number = int(re.search(r"\d+$", attributes[id_in.get(kind, "markerName")]).group())
        of_type = attributes.get("activityType") or attributes.get("workflowType")
        name = f"{of_type['name']} {of_type['version']}" if of_type else attributes.get("name")
        duration = attributes.get("startToFireTimeout")
        said[kind, number, name] = json.loads(duration or attributes.get("input", "null"))
    return said


def replay(workflow_class, events, until):
    """Give what became of a replay: the exception, or the decisions and the drifts."""
    live = Run(workflow_class, "order-1", RUN_ID)
    try:
        live.advance(events, until)
        return None, live.decisions(), live.drifts
    except NondeterminismException as error:
        return error, None, None
    finally:
        live.close()


@pytest.mark.parametrize(("steps", "shape", "edited"), CASES)
def test_edit_is_ahead_or_drift_or_refused(steps, shape, edited):
    events, decided = record(workflow(steps, shape))
    model, edited_model = responses(steps, shape), responses(edited, shape)
    edited_class = workflow(edited, shape)
    past = 0

    for started, decisions in [*decided.items(), (None, [])]:
        error, edited_decisions, drifts = replay(edited_class, events[:started], started)
        if [one.keys() for one in edited_model[:past]] != [one.keys() for one in model[:past]]:
            assert error is not None
            assert error.expected
            assert error.found or "test_nondeterminism.py" in error.where
        else:
            assert error is None
            differing = sum(one[key] != other[key] for one, other in zip(model[:past], edited_model) for key in one)
            # the result in the close at the end may differ too
            assert len(drifts) in {differing, differing + (started is None and edited != steps)}
            assert asked(edited_decisions) == (edited_model[past] if decisions else {})
        past += bool(decisions)


@pytest.mark.parametrize("steps", [MIXED, ALIKE])
@pytest.mark.parametrize("shape", SHAPES)
def test_model_says_what_the_unedited_program_asks(steps, shape):
    _, decided = record(workflow(steps, shape))

    assert [asked(decisions) for decisions in decided.values() if decisions] == responses(steps, shape)


def test_recorded_values_are_matched_by_their_order_alone():
    """What a call was is not in history: one put right before another takes its value. The documentation says so."""
    events, _ = record(workflow([("recorded", "old"), ("timer", 5)], one_by_one))
    edited = workflow([("recorded", "new"), ("timer", 5), ("recorded", "old")], one_by_one)

    error, decisions, drifts = replay(edited, events[:-2], len(events) - 2)

    assert (error, drifts) == (None, [])
    assert '[["old"], null, ["old"]]' in json.dumps(decisions).replace("\\", "")
    assert "by order alone" in pyflow.WorkflowInvocationHelper.invoke_once.__doc__
