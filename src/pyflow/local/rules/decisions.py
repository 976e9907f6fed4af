"""
The thirteen decisions, one rule each: (turn, the decision's attributes, the id of the DecisionTaskCompleted, the world).

A decision that cannot be carried out leaves a ``...Failed`` event with its cause and does not stop the ones after it. What
concerns another party (children, signals, Lambda functions) is asked for as an effect and follows the batch.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from pyflow.local.effects import DeliverCancelRequest, DeliverSignal, InvokeLambda, StartChild, StartSuccessor
from pyflow.local.state import ActivityTask, Attributes, Child, LambdaTask, Timer

from . import tasks
from .close import close
from .start import Undefined, settings
from .turn import Turn, given

OPEN_ITEMS_MAX: Final = 1_000


class World(Protocol):
    """What a decision must know of its domain."""

    def type_defaults(self, kind: str, name: str, version: str) -> dict[str, Any] | str:
        """Return a type's registered defaults, or ``DOES_NOT_EXIST`` or ``DEPRECATED``."""
        ...

    def open_executions_left(self) -> int:
        """Return how many more executions may be open in the domain."""
        ...

    def new_run_id(self) -> str:
        """Return a run id that no other run has."""
        ...

    def refusal(self, decision: str, attributes: Attributes) -> str | None:
        """Return the cause for which a decision is not even looked at: a rate of AWS's, or one that a test has planned."""
        ...


def refuse(turn: Turn, decision: str, asked: Attributes, cause: str, completed_id: int) -> None:
    """Record that a decision was not carried out, and why."""
    event_type, *named = REFUSED[decision]
    attributes = {**given(asked, *named), "cause": cause, "decisionTaskCompletedEventId": completed_id}
    if event_type.startswith(("StartChild", "Signal", "RequestCancelExternal")):
        # Refused at once, so nothing was initiated.
        attributes["initiatedEventId"] = 0
    turn.record(event_type, attributes)


REFUSED: Final = {
    "ScheduleActivityTask": ("ScheduleActivityTaskFailed", "activityId", "activityType"),
    "RequestCancelActivityTask": ("RequestCancelActivityTaskFailed", "activityId"),
    "CompleteWorkflowExecution": ("CompleteWorkflowExecutionFailed",),
    "FailWorkflowExecution": ("FailWorkflowExecutionFailed",),
    "CancelWorkflowExecution": ("CancelWorkflowExecutionFailed",),
    "ContinueAsNewWorkflowExecution": ("ContinueAsNewWorkflowExecutionFailed",),
    "RecordMarker": ("RecordMarkerFailed", "markerName"),
    "StartTimer": ("StartTimerFailed", "timerId"),
    "CancelTimer": ("CancelTimerFailed", "timerId"),
    "SignalExternalWorkflowExecution": ("SignalExternalWorkflowExecutionFailed", "workflowId", "runId", "control"),
    "RequestCancelExternalWorkflowExecution": (
        "RequestCancelExternalWorkflowExecutionFailed",
        "workflowId",
        "runId",
        "control",
    ),
    "StartChildWorkflowExecution": ("StartChildWorkflowExecutionFailed", "workflowId", "workflowType", "control"),
    "ScheduleLambdaFunction": ("ScheduleLambdaFunctionFailed", "id", "name"),
}
"""The event that tells of a decision that was not carried out, and the members of the decision that it repeats."""

TYPE_CAUSES: Final = {
    "DOES_NOT_EXIST": "{}_TYPE_DOES_NOT_EXIST",
    "DEPRECATED": "{}_TYPE_DEPRECATED",
}
ACTIVITY_DEFAULTS: Final = (
    ("taskList", "defaultTaskList", "DEFAULT_TASK_LIST_UNDEFINED"),
    (
        "scheduleToStartTimeout",
        "defaultTaskScheduleToStartTimeout",
        "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
    ),
    (
        "scheduleToCloseTimeout",
        "defaultTaskScheduleToCloseTimeout",
        "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
    ),
    ("startToCloseTimeout", "defaultTaskStartToCloseTimeout", "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
    ("heartbeatTimeout", "defaultTaskHeartbeatTimeout", "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED"),
)
"""In the order in which SWF looks."""


def _schedule_activity_task(turn: Turn, asked: Attributes, completed_id: int, world: World) -> None:
    execution = turn.execution
    activity_type = asked["activityType"]
    defaults = world.type_defaults("ActivityType", activity_type["name"], activity_type["version"])
    effective = given(asked, "activityId", "activityType", "input", "control")
    cause: str | None = None
    if isinstance(defaults, str):
        cause = TYPE_CAUSES[defaults].format("ACTIVITY")
    elif asked["activityId"] in execution.activity_ids:
        cause = "ACTIVITY_ID_ALREADY_IN_USE"
    elif len(execution.activities) >= OPEN_ITEMS_MAX:
        cause = "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    else:
        for member, default, undefined in ACTIVITY_DEFAULTS:
            value = asked.get(member) or defaults.get(default)
            if not value:
                cause = undefined
                break
            effective[member] = value
        priority = asked.get("taskPriority") or defaults.get("defaultTaskPriority")
        if priority:
            effective["taskPriority"] = priority
    if cause is not None:
        refuse(turn, "ScheduleActivityTask", asked, cause, completed_id)
        return
    effective["decisionTaskCompletedEventId"] = completed_id
    task = ActivityTask(turn.record("ActivityTaskScheduled", effective), turn.at, effective)
    execution.activities[task.event_id] = task
    execution.activity_ids[asked["activityId"]] = task
    tasks.arm_activity(turn, task)


def _request_cancel_activity_task(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    task = turn.execution.activity_ids.get(asked["activityId"])
    named = given(asked, "activityId")
    if task is None:
        refuse(turn, "RequestCancelActivityTask", asked, "ACTIVITY_ID_UNKNOWN", completed_id)
        return
    task.cancel_requested_id = turn.record(
        "ActivityTaskCancelRequested", {**named, "decisionTaskCompletedEventId": completed_id}
    )
    turn.touch(task)
    if task.waiting:
        tasks.cancel_activity(turn, task, {})


def _start_timer(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    execution = turn.execution
    timer_id = asked["timerId"]
    cause: str | None = None
    if timer_id in execution.timer_ids:
        cause = "TIMER_ID_ALREADY_IN_USE"
    elif len(execution.timers) >= OPEN_ITEMS_MAX:
        cause = "OPEN_TIMERS_LIMIT_EXCEEDED"
    if cause is not None:
        refuse(turn, "StartTimer", asked, cause, completed_id)
        return
    attributes = given(asked, "timerId", "startToFireTimeout", "control")
    attributes["decisionTaskCompletedEventId"] = completed_id
    timer = Timer(turn.record("TimerStarted", attributes), turn.at, attributes)
    timer.due = turn.at + int(asked["startToFireTimeout"]) * 1000
    execution.timers[timer.event_id] = timer
    execution.timer_ids[timer_id] = timer
    turn.touch(timer)


def _cancel_timer(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    timer = turn.execution.timer_ids.get(asked["timerId"])
    named = given(asked, "timerId")
    if timer is None:
        refuse(turn, "CancelTimer", asked, "TIMER_ID_UNKNOWN", completed_id)
        return
    tasks.end_timer(turn, timer)
    attributes = {**named, "startedEventId": timer.event_id, "decisionTaskCompletedEventId": completed_id}
    turn.record("TimerCanceled", attributes)


def _record_marker(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    attributes = {**given(asked, "markerName", "details"), "decisionTaskCompletedEventId": completed_id}
    turn.record("MarkerRecorded", attributes)


def _start_child(turn: Turn, asked: Attributes, completed_id: int, world: World) -> None:
    execution = turn.execution
    workflow_type = asked["workflowType"]
    defaults = world.type_defaults("WorkflowType", workflow_type["name"], workflow_type["version"])
    effective: dict[str, Any] = {}
    cause: str | None = None
    if isinstance(defaults, str):
        cause = TYPE_CAUSES[defaults].format("WORKFLOW")
    elif len(execution.children) >= OPEN_ITEMS_MAX:
        cause = "OPEN_CHILDREN_LIMIT_EXCEEDED"
    elif world.open_executions_left() <= sum(isinstance(effect, StartChild) for effect in turn.effects):
        cause = "OPEN_WORKFLOWS_LIMIT_EXCEEDED"
    else:
        try:
            effective = settings(asked, defaults)
        except Undefined as undefined:
            cause = UNDEFINED_CAUSES[undefined.args[0]]
    named = given(asked, "workflowId", "workflowType", "control")
    if cause is not None:
        refuse(turn, "StartChildWorkflowExecution", asked, cause, completed_id)
        return
    attributes = {**named, **effective, **given(asked, "input"), "decisionTaskCompletedEventId": completed_id}
    if asked.get("tagList"):
        attributes["tagList"] = asked["tagList"]
    child = Child(turn.record("StartChildWorkflowExecutionInitiated", attributes), turn.at, attributes)
    execution.children[child.event_id] = child
    turn.touch(child)
    turn.effects.append(
        StartChild(
            child.event_id,
            asked["workflowId"],
            workflow_type,
            effective,
            asked.get("input"),
            asked.get("tagList") or [],
        )
    )


UNDEFINED_CAUSES: Final = {
    "executionStartToCloseTimeout": "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    "taskList": "DEFAULT_TASK_LIST_UNDEFINED",
    "taskStartToCloseTimeout": "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    "childPolicy": "DEFAULT_CHILD_POLICY_UNDEFINED",
}


def _signal_external(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    attributes = given(asked, "workflowId", "signalName", "input", "control")
    if asked.get("runId"):
        attributes["runId"] = asked["runId"]
    attributes["decisionTaskCompletedEventId"] = completed_id
    initiated_id = turn.record("SignalExternalWorkflowExecutionInitiated", attributes)
    turn.effects.append(DeliverSignal(initiated_id, attributes))


def _request_cancel_external(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    attributes = given(asked, "workflowId", "control")
    if asked.get("runId"):
        attributes["runId"] = asked["runId"]
    attributes["decisionTaskCompletedEventId"] = completed_id
    initiated_id = turn.record("RequestCancelExternalWorkflowExecutionInitiated", attributes)
    turn.effects.append(DeliverCancelRequest(initiated_id, attributes))


def _schedule_lambda_function(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
    execution = turn.execution
    cause: str | None = None
    if asked["id"] in execution.lambda_ids:
        cause = "ID_ALREADY_IN_USE"
    elif len(execution.lambdas) >= OPEN_ITEMS_MAX:
        cause = "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"
    if cause is not None:
        refuse(turn, "ScheduleLambdaFunction", asked, cause, completed_id)
        return
    attributes = given(asked, "id", "name", "input", "control")
    if asked.get("startToCloseTimeout"):
        attributes["startToCloseTimeout"] = asked["startToCloseTimeout"]
    attributes["decisionTaskCompletedEventId"] = completed_id
    task = LambdaTask(turn.record("LambdaFunctionScheduled", attributes), turn.at, attributes)
    execution.lambdas[task.event_id] = task
    execution.lambda_ids[asked["id"]] = task
    turn.touch(task)
    turn.effects.append(InvokeLambda(task.event_id, attributes))


def _closes(decision: str, event_type: str, status: str, *members: str) -> "Rule":
    """
    Return the rule of a decision that closes the execution.

    It fails as UNHANDLED_DECISION iff a decision task is scheduled: then something has happened that this decider has not
    seen. Failures earlier in the same batch do not count; their decision task would come after the batch.
    """

    def apply(turn: Turn, asked: Attributes, completed_id: int, _: World) -> None:
        if turn.execution.scheduled is not None:
            refuse(turn, decision, asked, "UNHANDLED_DECISION", completed_id)
            return
        attributes = {**given(asked, *members), "decisionTaskCompletedEventId": completed_id}
        close(turn, event_type, attributes, status)

    return apply


def _continue_as_new(turn: Turn, asked: Attributes, completed_id: int, world: World) -> None:
    """
    Close this run and start its successor.

    Nothing of this run's settings passes to the next but its names: what the decision does not give comes from the type.
    """
    execution = turn.execution
    version = asked.get("workflowTypeVersion") or execution.type_version
    defaults = world.type_defaults("WorkflowType", execution.type_name, version)
    effective: dict[str, Any] = {}
    cause: str | None = None
    if execution.scheduled is not None:
        cause = "UNHANDLED_DECISION"
    elif isinstance(defaults, str):
        cause = TYPE_CAUSES[defaults].format("WORKFLOW")
    else:
        try:
            effective = settings(asked, defaults)
        except Undefined as undefined:
            cause = UNDEFINED_CAUSES[undefined.args[0]]
    if cause is not None:
        refuse(turn, "ContinueAsNewWorkflowExecution", asked, cause, completed_id)
        return
    run_id = world.new_run_id()
    workflow_type = {"name": execution.type_name, "version": version}
    tag_list = asked.get("tagList") or []
    attributes = {"newExecutionRunId": run_id, "workflowType": workflow_type, **effective, **given(asked, "input")}
    if tag_list:
        attributes["tagList"] = tag_list
    attributes["decisionTaskCompletedEventId"] = completed_id
    close(turn, "WorkflowExecutionContinuedAsNew", attributes, "CONTINUED_AS_NEW")
    # Before what else follows: the workflow id is never free, not even for a child that was asked for in the same answer.
    turn.effects.insert(0, StartSuccessor(run_id, workflow_type, effective, asked.get("input"), tag_list))


Rule = Callable[[Turn, Attributes, int, World], None]
DECISIONS: Final[dict[str, Rule]] = {
    "ScheduleActivityTask": _schedule_activity_task,
    "RequestCancelActivityTask": _request_cancel_activity_task,
    "CompleteWorkflowExecution": _closes(
        "CompleteWorkflowExecution", "WorkflowExecutionCompleted", "COMPLETED", "result"
    ),
    "FailWorkflowExecution": _closes("FailWorkflowExecution", "WorkflowExecutionFailed", "FAILED", "reason", "details"),
    "CancelWorkflowExecution": _closes("CancelWorkflowExecution", "WorkflowExecutionCanceled", "CANCELED", "details"),
    "ContinueAsNewWorkflowExecution": _continue_as_new,
    "RecordMarker": _record_marker,
    "StartTimer": _start_timer,
    "CancelTimer": _cancel_timer,
    "SignalExternalWorkflowExecution": _signal_external,
    "RequestCancelExternalWorkflowExecution": _request_cancel_external,
    "StartChildWorkflowExecution": _start_child,
    "ScheduleLambdaFunction": _schedule_lambda_function,
}
