"""Tasks: polls, their answers, heartbeats, and how many wait."""

from typing import Any

from pyflow.local import faults
from pyflow.local.calls import Context, Wait
from pyflow.local.engine import Engine
from pyflow.local.pages import page_size, seal_page, unseal_page
from pyflow.local.rules import answers, tasks
from pyflow.local.rules.turn import Turn, given
from pyflow.local.state import ActivityTask, Execution
from pyflow.local.tasklists import ListKey

Request = dict[str, Any]
Reply = dict[str, Any]


class DomainWorld:
    """What a decision must know of its domain."""

    def __init__(self, engine: Engine, name: str) -> None:
        domain = engine.registry.domain(name)
        self.type_defaults = domain.type_defaults
        self.open_executions_left = domain.open_executions_left
        self.new_run_id = engine.ids.run_id
        self.refusal = engine.refusal


def poll_for_decision_task(engine: Engine, request: Request, context: Context) -> Reply | Wait:
    """Give the next decision task of a list with the history up to it, or a further page of one that is started."""
    engine.registry.domain(request["domain"])
    if request.get("nextPageToken"):
        return _decision_page(engine, request, context)
    key = ListKey("decision", request["domain"], request["taskList"]["name"])
    taken = engine.task_lists.take(key, context.alive)
    if taken is None:
        return Wait(key, {"previousStartedEventId": 0, "startedEventId": 0})
    execution = engine.execution(taken[0])
    turn = Turn(execution, context.at)
    task = tasks.start_decision_task(turn, request.get("identity"))
    engine.settle(turn)
    engine.give(execution, task, context.alive)
    first = 1
    if request.get("startAtPreviousStartedEvent"):
        first = engine.since_decision_before(execution, task.started_id)
    backwards = bool(request.get("reverseOrder"))
    begin = task.started_id if backwards else first
    return _decision_reply(engine, execution, begin, first, page_size(request), backwards, context.at)


def _decision_page(engine: Engine, request: Request, context: Context) -> Reply:
    run, scheduled_id, started_id, begin, first, reverse = unseal_page(
        engine.tokens, request["nextPageToken"], "decision", context.at
    )
    execution = engine.find(run)
    task = execution.started if execution else None
    if execution is None or task is None or (task.event_id, task.started_id) != (scheduled_id, started_id):
        raise faults.unknown_decision_task(scheduled_id)
    if (execution.domain, task.attributes["taskList"]) != (request["domain"], {"name": request["taskList"]["name"]}):
        raise faults.invalid("Invalid token")
    return _decision_reply(engine, execution, begin, first, page_size(request), bool(reverse), context.at)


def _decision_reply(
    engine: Engine, execution: Execution, begin: int, first: int, size: int, backwards: bool, at: int
) -> Reply:
    """Return the started decision task with the page of its history, ``first`` to its start, that begins at ``begin``."""
    task = execution.started
    assert task is not None
    if backwards:
        end = max(first, begin - size + 1)
        events = engine.read_events(execution, end, begin)[::-1]
        following, more = end - 1, end > first
    else:
        end = min(task.started_id, begin + size - 1)
        events = engine.read_events(execution, begin, end)
        following, more = end + 1, end < task.started_id
    where = (execution.run, task.event_id, task.started_id)
    reply: Reply = {
        "taskToken": engine.tokens.seal("decision", *where),
        "startedEventId": task.started_id,
        "workflowExecution": execution.reference(),
        "workflowType": execution.workflow_type(),
        "events": events,
        "previousStartedEventId": execution.previous_started_id,
    }
    if more:
        reply["nextPageToken"] = seal_page(engine.tokens, "decision", at, *where, following, first, backwards)
    return reply


def respond_decision_task_completed(engine: Engine, request: Request, context: Context) -> None:
    """Carry out the decisions of a decider."""
    run, scheduled_id, started_id = engine.tokens.unseal(request["taskToken"], "decision")
    execution = _open_run(engine, run)
    task = execution.started
    if task is None or (task.event_id, task.started_id) != (scheduled_id, started_id):
        raise faults.unknown_decision_task(scheduled_id)
    turn = Turn(execution, context.at)
    answers.complete_decision_task(turn, request, DomainWorld(engine, execution.domain))
    engine.settle(turn)


def poll_for_activity_task(engine: Engine, request: Request, context: Context) -> Reply | Wait:
    """Give the next activity task of a list."""
    engine.registry.domain(request["domain"])
    key = ListKey("activity", request["domain"], request["taskList"]["name"])
    taken = engine.task_lists.take(key, context.alive)
    if taken is None:
        return Wait(key, {"startedEventId": 0})
    execution = engine.execution(taken[0])
    task = execution.activities[taken[1]]
    turn = Turn(execution, context.at)
    tasks.start_activity_task(turn, task, request.get("identity"))
    engine.settle(turn)
    engine.give(execution, task, context.alive)
    return {
        "taskToken": engine.tokens.seal("activity", execution.run, task.event_id, task.started_id),
        "startedEventId": task.started_id,
        "workflowExecution": execution.reference(),
        **given(task.attributes, "activityId", "activityType", "input"),
    }


def respond_activity_task_completed(engine: Engine, request: Request, context: Context) -> None:
    """Record an activity's result."""
    execution, task = _started_activity(engine, request)
    turn = Turn(execution, context.at)
    tasks.close_activity(turn, task, "ActivityTaskCompleted", given(request, "result"))
    engine.settle(turn)


def respond_activity_task_failed(engine: Engine, request: Request, context: Context) -> None:
    """Record an activity's failure."""
    execution, task = _started_activity(engine, request)
    turn = Turn(execution, context.at)
    tasks.close_activity(turn, task, "ActivityTaskFailed", given(request, "reason", "details"))
    engine.settle(turn)


def respond_activity_task_canceled(engine: Engine, request: Request, context: Context) -> None:
    """Record that an activity was canceled, asked for or not."""
    execution, task = _started_activity(engine, request)
    turn = Turn(execution, context.at)
    tasks.cancel_activity(turn, task, given(request, "details"))
    engine.settle(turn)


def record_activity_task_heartbeat(engine: Engine, request: Request, context: Context) -> Reply:
    """Restart an activity's heartbeat clock; tell it whether it is asked to cancel."""
    execution, task = _started_activity(engine, request)
    turn = Turn(execution, context.at)
    tasks.heartbeat(turn, task, request.get("details"))
    engine.settle(turn)
    return {"cancelRequested": bool(task.cancel_requested_id)}


def count_pending_decision_tasks(engine: Engine, request: Request, _: Context) -> Reply:
    """Count the decision tasks that wait in a list."""
    return _count(engine, "decision", request)


def count_pending_activity_tasks(engine: Engine, request: Request, _: Context) -> Reply:
    """Count the activity tasks that wait in a list."""
    return _count(engine, "activity", request)


def _count(engine: Engine, kind: str, request: Request) -> Reply:
    engine.registry.domain(request["domain"])
    key = ListKey(kind, request["domain"], request["taskList"]["name"])
    return {"count": engine.task_lists.count(key), "truncated": False}


def _open_run(engine: Engine, run: int) -> Execution:
    execution = engine.find(run)
    if execution is None:
        raise faults.forgotten_execution()
    if not execution.open:
        raise faults.unknown_execution(execution.workflow_id, execution.run_id)
    return execution


def _started_activity(engine: Engine, request: Request) -> tuple[Execution, ActivityTask]:
    run, scheduled_id, started_id = engine.tokens.unseal(request["taskToken"], "activity")
    execution = _open_run(engine, run)
    task = execution.activities.get(scheduled_id)
    if task is None or task.started_id != started_id:
        raise faults.unknown_activity(scheduled_id)
    return execution, task
