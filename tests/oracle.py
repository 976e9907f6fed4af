"""
What must hold of every history, whoever was killed, throttled or cut off while it was made.

The numbers are those of the catalogue of failures that the tests are drawn from: each says what would be lost, doubled or wrong.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pyflow.history.check import check
from pyflow.swf.events import CLOSE_EVENTS, attributes_of

Events = list[dict[str, Any]]

# an event that ends or starts something -> the members that name where it came from, and what must stand there
CAUSES = {
    "DecisionTaskStarted": {"scheduledEventId": "DecisionTaskScheduled"},
    "DecisionTaskCompleted": {"scheduledEventId": "DecisionTaskScheduled", "startedEventId": "DecisionTaskStarted"},
    "DecisionTaskTimedOut": {"scheduledEventId": "DecisionTaskScheduled", "startedEventId": "DecisionTaskStarted"},
    "ActivityTaskScheduled": {"decisionTaskCompletedEventId": "DecisionTaskCompleted"},
    "ActivityTaskStarted": {"scheduledEventId": "ActivityTaskScheduled"},
    "ActivityTaskCompleted": {"scheduledEventId": "ActivityTaskScheduled", "startedEventId": "ActivityTaskStarted"},
    "ActivityTaskFailed": {"scheduledEventId": "ActivityTaskScheduled", "startedEventId": "ActivityTaskStarted"},
    "ActivityTaskTimedOut": {"scheduledEventId": "ActivityTaskScheduled", "startedEventId": "ActivityTaskStarted"},
    "ActivityTaskCanceled": {"scheduledEventId": "ActivityTaskScheduled", "startedEventId": "ActivityTaskStarted"},
    "TimerStarted": {"decisionTaskCompletedEventId": "DecisionTaskCompleted"},
    "TimerFired": {"startedEventId": "TimerStarted"},
    "TimerCanceled": {"startedEventId": "TimerStarted", "decisionTaskCompletedEventId": "DecisionTaskCompleted"},
    "MarkerRecorded": {"decisionTaskCompletedEventId": "DecisionTaskCompleted"},
    "WorkflowExecutionCompleted": {"decisionTaskCompletedEventId": "DecisionTaskCompleted"},
    "WorkflowExecutionFailed": {"decisionTaskCompletedEventId": "DecisionTaskCompleted"},
}
ENDS_OF_ACTIVITY = {"ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskTimedOut", "ActivityTaskCanceled"}
ENDS_OF_TIMER = {"TimerFired", "TimerCanceled"}
ENDS_OF_DECISION = {"DecisionTaskCompleted", "DecisionTaskTimedOut"}


def sound(events: Events) -> None:
    """What one history must be by itself: O1 to O5, O7, O8."""
    ids_are_dense_and_time_does_not_go_back(events)
    one_decision_task_at_a_time(events)
    each_thing_ends_once(events)
    one_close_and_nothing_after_it(events)
    everything_has_its_cause(events)
    timers_keep_their_time(events)


def ids_are_dense_and_time_does_not_go_back(events: Events) -> None:
    """O1"""
    assert [event["eventId"] for event in events] == list(range(1, len(events) + 1))
    times = [event["eventTimestamp"] for event in events]
    assert times == sorted(times)


def one_decision_task_at_a_time(events: Events) -> None:
    """O2, and O4 of decision tasks: what was started ends once, before another one is started."""
    started: int | None = None
    scheduled: int | None = None
    for event in events:
        kind, attributes = event["eventType"], attributes_of(event)
        if kind == "DecisionTaskScheduled":
            assert scheduled is None, f"two decision tasks wait at event {event['eventId']}"
            scheduled = event["eventId"]
        elif kind == "DecisionTaskStarted":
            assert started is None, f"two decision tasks are started at event {event['eventId']}"
            assert attributes["scheduledEventId"] == scheduled
            started, scheduled = event["eventId"], None
        elif kind in ENDS_OF_DECISION:
            if attributes["startedEventId"] == 0:
                assert attributes["scheduledEventId"] == scheduled
                scheduled = None
            else:
                assert attributes["startedEventId"] == started
                started = None


def each_thing_ends_once(events: Events) -> None:
    """O3, O4: an activity task, or a timer, has at most one end."""
    ends = Counter(
        (
            event["eventType"] in ENDS_OF_TIMER,
            attributes_of(event).get("scheduledEventId", attributes_of(event).get("startedEventId")),
        )
        for event in events
        if event["eventType"] in ENDS_OF_ACTIVITY | ENDS_OF_TIMER
    )
    assert [what for what, times in ends.items() if times > 1] == []


def one_close_and_nothing_after_it(events: Events) -> None:
    """O5"""
    closes = [event["eventId"] for event in events if event["eventType"] in CLOSE_EVENTS]
    assert closes in ([], [len(events)])


def everything_has_its_cause(events: Events) -> None:
    """O7"""
    for event in events:
        for member, kind in CAUSES.get(event["eventType"], {}).items():
            cause = attributes_of(event)[member]
            if cause == 0 and member == "startedEventId":
                continue  # it was never started
            assert 0 < cause < event["eventId"], event
            assert events[cause - 1]["eventType"] == kind, event


def timers_keep_their_time(events: Events) -> None:
    """O8"""
    for event in events:
        if event["eventType"] == "TimerFired":
            started = events[attributes_of(event)["startedEventId"] - 1]
            waited_s = (event["eventTimestamp"] - started["eventTimestamp"]).total_seconds()
            assert waited_s >= int(attributes_of(started)["startToFireTimeout"]), event


def holds_what_was_acknowledged(events: Events, acknowledged: Iterable[int]) -> None:
    """O6: each answer that the service took is there, by the ``startedEventId`` of its task."""
    completed = {attributes_of(e)["startedEventId"] for e in events if e["eventType"] == "DecisionTaskCompleted"}
    assert set(acknowledged) <= completed


def bodies_ran_once(events: Events, ledger: Iterable[str]) -> None:
    """O9: no attempt of an activity was begun more often than its task was started; ``ledger`` has an activity id for each."""
    begun = Counter(ledger)
    started = Counter(
        attributes_of(events[attributes_of(event)["scheduledEventId"] - 1])["activityId"]
        for event in events
        if event["eventType"] == "ActivityTaskStarted"
    )
    assert [which for which, times in begun.items() if times > started[which]] == []
    assert max(started.values(), default=0) <= 1


def is_not_stuck(events: Events) -> None:
    """O12: an open run waits for something that can come: a decision task, an activity, a timer, or a signal it was told of."""
    if events[-1]["eventType"] in CLOSE_EVENTS:
        return
    opened = Counter()
    for event in events:
        kind, attributes = event["eventType"], attributes_of(event)
        opened[kind] += 1
        if kind in ENDS_OF_DECISION:
            opened["DecisionTaskScheduled"] -= 1
        if kind in ENDS_OF_ACTIVITY:
            opened["ActivityTaskScheduled"] -= 1
        if kind in ENDS_OF_TIMER:
            opened["TimerStarted"] -= 1
        del attributes
    assert any(opened[kind] > 0 for kind in ("DecisionTaskScheduled", "ActivityTaskScheduled", "TimerStarted")), events[
        -1
    ]


def replays(workflow: Any, workflow_id: str, run_id: str, events: Events) -> None:
    """O11: each prefix replays to what was decided there, cold and going on from memory."""
    check(workflow, workflow_id, run_id, events)
