"""History read batch by batch, and what is refused of one that is not sound."""

import pytest

from histories import history
from pyflow import HistoryException
from pyflow.replay.replayer import Replayer

TWO = history("""
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 WorkflowExecutionSignaled signalName=one
    6 WorkflowExecutionSignaled signalName=two
    7 DecisionTaskScheduled
    8 DecisionTaskStarted scheduledEventId=7
    9 WorkflowExecutionSignaled signalName=three
   10 WorkflowExecutionTerminated
""")


def batches(events, until=None, replayer=None):
    """Give for each batch its last event, its DecisionTaskStarted and the signals in it."""
    replayer = replayer or Replayer("run")
    replayer.read(events, until)
    found = []
    while replayer.last_event_id < replayer.read_up_to:
        replayer.apply()
        started = None if replayer.in_tail else replayer.started_event_id
        found.append((replayer.last_event_id, started, [name for _, name, _ in replayer.signals]))
    return found


def test_batch_ends_with_its_decision_task_started_and_the_rest_is_a_tail():
    assert batches(TWO) == [(3, 3, []), (8, 8, ["one", "two"]), (10, None, ["three"])]


def test_time_is_that_of_the_decision_task_started():
    replayer = Replayer("run")

    batches([*TWO[:7], {**TWO[7], "eventTimestamp": "2026-01-01T00:00:00+00:00"}], replayer=replayer)

    assert replayer.time.isoformat() == "2026-01-01T00:00:00+00:00"


def test_nothing_past_the_task_is_read():
    assert batches([*TWO[:8], "no event"], until=8)[-1] == (8, 8, ["one", "two"])


@pytest.mark.parametrize("known", [[TWO[0], "no event", "no event"], []])
def test_what_is_known_is_not_read(known):
    replayer = Replayer("run")
    batches(TWO, until=3, replayer=replayer)

    assert batches([*known, *TWO[3:8]], until=8, replayer=replayer) == [(8, 8, ["one", "two"])]
    assert batches(TWO[:8], until=8, replayer=replayer) == []


@pytest.mark.parametrize(
    ("events", "until", "message"),
    [
        (TWO[:7], 8, "it ends at event 7, before the task's DecisionTaskStarted at 8"),
        ([], 3, "it ends at event 0"),
        ([*TWO[:3], *TWO[4:8]], 8, r"event 4 was expected next, event 5 \(WorkflowExecutionSignaled\) came"),
        ([TWO[0], TWO[1], TWO[1], *TWO[2:8]], 8, r"event 3 was expected next, event 2 \(DecisionTaskScheduled\) came"),
        ([*TWO[:6], *TWO[7:9]], None, r"event 7 was expected next, event 8 \(DecisionTaskStarted\) came"),
        ([*TWO, {**TWO[6], "eventId": 11}], None, r"event 11 \(DecisionTaskScheduled\) follows the close at event 10"),
        (
            [*TWO, {**TWO[9], "eventId": 11}],
            None,
            r"event 11 \(WorkflowExecutionTerminated\) follows the close at event 10",
        ),
        ([{**TWO[1], "eventId": 1}, *TWO[1:]], None, "it begins with DecisionTaskScheduled"),
        ([{**TWO[4], "eventId": 1}, *TWO[1:]], 8, "it begins with WorkflowExecutionSignaled"),
        ([TWO[0], None], None, "event 2 is NoneType, not an object"),
        ([*TWO[:2], {**TWO[2], "eventTimestamp": "soon"}], 3, "event 3 has the eventTimestamp 'soon'"),
    ],
)
def test_history_that_is_not_sound_is_refused(events, until, message):
    with pytest.raises(HistoryException, match=message):
        batches(events, until=until)
