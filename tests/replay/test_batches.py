"""History cut into batches, and what is refused before any of it is applied."""

import pytest

from histories import history
from pyflow import HistoryException
from pyflow.replay.batches import split

TWO = history("""
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 TimerStarted timerId=sleep1 startToFireTimeout=1 decisionTaskCompletedEventId=4
    6 TimerFired timerId=sleep1 startedEventId=5
    7 DecisionTaskScheduled
    8 DecisionTaskStarted scheduledEventId=7
    9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
   10 WorkflowExecutionCompleted result=5 decisionTaskCompletedEventId=9
""")


def test_batch_ends_with_its_decision_task_started_and_the_rest_is_a_tail():
    first, second, tail = split(TWO)

    assert [(batch.last_event_id, batch.started_event_id) for batch in (first, second, tail)] == [
        (3, 3),
        (8, 8),
        (10, None),
    ]
    assert [kind for _, kind, _, _ in second.events] == ["DecisionTaskCompleted", "TimerStarted", "TimerFired"]
    assert second.time == TWO[7]["eventTimestamp"]


def test_nothing_past_the_task_is_read():
    assert split([*TWO[:8], "no event"], until=8)[-1].last_event_id == 8


def test_what_is_known_is_not_read():
    known = ["no event"] * 2

    assert [batch.last_event_id for batch in split([TWO[0], *known, *TWO[3:8]], after=3, until=8)] == [8]
    assert [batch.last_event_id for batch in split(TWO[3:8], after=3, until=8)] == [8]


@pytest.mark.parametrize(
    ("events", "until", "message"),
    [
        (TWO[:7], 8, "it ends at event 7, before the task's DecisionTaskStarted at 8"),
        ([], 3, "it ends at event 0"),
        ([*TWO, {**TWO[6], "eventId": 11}], None, r"event 11 \(DecisionTaskScheduled\) follows the close at event 10"),
        (
            [*TWO, {**TWO[9], "eventId": 11}],
            None,
            r"event 11 \(WorkflowExecutionCompleted\) follows the close at event 10",
        ),
        ([{**TWO[1], "eventId": 1}, *TWO[1:]], None, "it begins with DecisionTaskScheduled"),
        ([{**TWO[4], "eventId": 1}, *TWO[1:]], 8, "it begins with TimerStarted"),
        ([TWO[0], None], None, "event 2 is NoneType, not an object"),
    ],
)
def test_history_that_is_not_sound_is_refused(events, until, message):
    with pytest.raises(HistoryException, match=message):
        split(events, until=until)
