"""What workers and deciders do with tasks: start, heartbeat, complete, fail, cancel; and Lambda functions likewise."""

from typing import Any, Final

from pyflow.local.state import ActivityTask, Attributes, DecisionTask, LambdaTask, OpenItem, Timer, milliseconds

from .turn import Turn

LAMBDA_TIMEOUT: Final = "900"
"""The seconds a function has where the decision does not say."""


def start_decision_task(turn: Turn, identity: str | None) -> DecisionTask:
    """Give the scheduled decision task to a decider."""
    execution = turn.execution
    task = execution.scheduled
    assert task is not None and task.available
    execution.scheduled = None
    execution.started = task
    task.started_id = turn.record("DecisionTaskStarted", _start_of(task, identity))
    task.started_at = turn.at
    span = milliseconds(task.attributes["startToCloseTimeout"])
    task.due = None if span is None else turn.at + span
    turn.touch(task)
    return task


def _start_of(task: OpenItem, identity: str | None) -> Attributes:
    attributes: Attributes = {"scheduledEventId": task.event_id}
    if identity is not None:
        attributes["identity"] = identity
    return attributes


def start_activity_task(turn: Turn, task: ActivityTask, identity: str | None) -> None:
    """Give an activity task to a worker. The decider need not hear of it."""
    task.started_id = turn.record("ActivityTaskStarted", _start_of(task, identity))
    task.started_at = task.heartbeat_at = turn.at
    arm_activity(turn, task)


def arm_activity(turn: Turn, task: ActivityTask) -> None:
    """Set the task's deadline to the earliest of those that hold now."""
    timeout = task.next_timeout()
    task.due = None if timeout is None else timeout[0]
    turn.touch(task)


def heartbeat(turn: Turn, task: ActivityTask, details: str | None) -> None:
    """Restart the heartbeat's clock; no event. Without details the previous ones stay."""
    task.heartbeat_at = turn.at
    if details is not None:
        task.details = details
    arm_activity(turn, task)


def close_activity(turn: Turn, task: ActivityTask, event_type: str, outcome: dict[str, Any]) -> None:
    """Record the end of an activity task, however it ended."""
    execution = turn.execution
    task.closed = True
    del execution.activities[task.event_id]
    del execution.activity_ids[task.attributes["activityId"]]
    turn.touch(task)
    turn.record(event_type, {"scheduledEventId": task.event_id, "startedEventId": task.started_id, **outcome})


def cancel_activity(turn: Turn, task: ActivityTask, outcome: dict[str, Any]) -> None:
    """Record the cancellation of an activity task, by its worker or because nobody had it yet."""
    if task.cancel_requested_id:
        outcome["latestCancelRequestedEventId"] = task.cancel_requested_id
    close_activity(turn, task, "ActivityTaskCanceled", outcome)


def end_timer(turn: Turn, timer: Timer) -> None:
    """Take a timer out of the execution, fired or canceled."""
    timer.closed = True
    del turn.execution.timers[timer.event_id]
    del turn.execution.timer_ids[timer.attributes["timerId"]]
    turn.touch(timer)


def start_lambda(turn: Turn, task: LambdaTask) -> None:
    """Record that a function runs; its timeout counts from here."""
    task.started_id = turn.record("LambdaFunctionStarted", {"scheduledEventId": task.event_id})
    span = milliseconds(task.attributes.get("startToCloseTimeout") or LAMBDA_TIMEOUT)
    assert span is not None
    task.due = turn.at + span
    turn.touch(task)


def refuse_lambda(turn: Turn, task: LambdaTask, message: str) -> None:
    """Record that a function could not be started for want of a role."""
    _end_lambda(turn, task)
    attributes = {"scheduledEventId": task.event_id, "cause": "ASSUME_ROLE_FAILED", "message": message}
    turn.record("StartLambdaFunctionFailed", attributes)


def _end_lambda(turn: Turn, task: LambdaTask) -> None:
    task.closed = True
    del turn.execution.lambdas[task.event_id]
    del turn.execution.lambda_ids[task.attributes["id"]]
    turn.touch(task)


def close_lambda(turn: Turn, task: LambdaTask, event_type: str, outcome: dict[str, Any]) -> None:
    """Record the end of a function, however it ended."""
    _end_lambda(turn, task)
    turn.record(event_type, {"scheduledEventId": task.event_id, "startedEventId": task.started_id, **outcome})
