"""
What time does: timers fire, tasks and executions time out.

The caller's turn is at the deadline, not at the moment of noticing, so that the event has the deadline's own time.
"""

from pyflow.local.state import ActivityTask, DecisionTask, LambdaTask, Timer

from . import close, tasks
from .turn import Turn


def expire(turn: Turn, event_id: int) -> None:
    """Apply the deadline of the item that this event opened; the execution's own is named by its first event."""
    execution = turn.execution
    if event_id == execution.event_id:
        close.time_out(turn)
        return
    for decision in (execution.started, execution.scheduled):
        if decision is not None and decision.event_id == event_id:
            _decision_timed_out(turn, decision)
            return
    if (activity := execution.activities.get(event_id)) is not None:
        _activity_timed_out(turn, activity)
    elif (task := execution.lambdas.get(event_id)) is not None:
        _lambda_timed_out(turn, task)
    else:
        _fire(turn, execution.timers[event_id])


def _decision_timed_out(turn: Turn, task: DecisionTask) -> None:
    execution = turn.execution
    task.closed = True
    turn.touch(task)
    if task.started_id:
        execution.started = None
    else:
        execution.scheduled = None
    if execution.sticky is not None:
        # The decider that the override led to did not answer: any decider of the execution's own list may.
        execution.sticky = None
        turn.touch(execution)
    turn.record(
        "DecisionTaskTimedOut",
        {
            "timeoutType": "START_TO_CLOSE" if task.started_id else "SCHEDULE_TO_START",
            "scheduledEventId": task.event_id,
            "startedEventId": task.started_id,
        },
    )
    turn.free_decision_task()


def _activity_timed_out(turn: Turn, task: ActivityTask) -> None:
    timeout = task.next_timeout()
    assert timeout is not None
    outcome = {"timeoutType": timeout[1]}
    if task.details is not None:
        outcome["details"] = task.details
    tasks.close_activity(turn, task, "ActivityTaskTimedOut", outcome)


def _lambda_timed_out(turn: Turn, task: LambdaTask) -> None:
    tasks.close_lambda(turn, task, "LambdaFunctionTimedOut", {"timeoutType": "START_TO_CLOSE"})


def _fire(turn: Turn, timer: Timer) -> None:
    tasks.end_timer(turn, timer)
    turn.record("TimerFired", {"timerId": timer.attributes["timerId"], "startedEventId": timer.event_id})
