"""
The state machines of replay, as data: states, and one transition table per kind of invocation.

A trigger is an author's ask (``cancel``), the engine's (``retry``), or an SWF event type spelled as SWF spells it.
``*Started`` events are facts, not states, and stand in no transition table. What a state brings about is in
``invocations.py``.

What is not tidy: the end may overtake a cancel that was already sent. The thing has then ended as if nobody had canceled, and
CancelTimerFailed or RequestCancelActivityTaskFailed may or may not follow, for nobody can tell yet whether the response with
the cancel arrived (CLOSED_WHILE_CANCELING).
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What code can ask for."""

    LAMBDA = "lambda function"
    ACTIVITY = "activity"
    TIMER = "timer"
    CHILD = "child workflow"
    MARKER = "recorded value"
    SIGNAL = "signal"
    CANCEL = "cancel request"
    CLOSE = "close"


class State(StrEnum):
    """Where an invocation stands."""

    REQUESTED = "requested"  # a decision is owed
    OPEN = "open"  # SWF has recorded it
    CANCELING = "canceling"  # a cancel is owed
    CANCEL_REQUESTED = "cancel requested"  # SWF has recorded the cancel; who does the work may hear of it
    CLOSED_WHILE_CANCELING = "closed while canceling"
    CLOSED = "closed"  # the same, and the cancel has come to nothing
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELED = "canceled"
    WITHDRAWN = "withdrawn"  # canceled before it was ever sent


Table = dict[tuple[State, str], State]

_LAMBDA: Final[Table] = {
    (State.REQUESTED, "LambdaFunctionScheduled"): State.OPEN,
    (State.REQUESTED, "ScheduleLambdaFunctionFailed"): State.FAILED,
    (State.OPEN, "LambdaFunctionCompleted"): State.SUCCEEDED,
    (State.OPEN, "LambdaFunctionFailed"): State.FAILED,
    (State.OPEN, "LambdaFunctionTimedOut"): State.TIMED_OUT,
    (State.OPEN, "StartLambdaFunctionFailed"): State.FAILED,
    (State.FAILED, "retry"): State.REQUESTED,
    (State.REQUESTED, "cancel"): State.WITHDRAWN,
}

_ACTIVITY: Final[Table] = {
    (State.REQUESTED, "ActivityTaskScheduled"): State.OPEN,
    (State.REQUESTED, "ScheduleActivityTaskFailed"): State.FAILED,
    (State.OPEN, "ActivityTaskCompleted"): State.SUCCEEDED,
    (State.OPEN, "ActivityTaskFailed"): State.FAILED,
    (State.OPEN, "ActivityTaskTimedOut"): State.TIMED_OUT,
    (State.OPEN, "ActivityTaskCanceled"): State.CANCELED,
    (State.REQUESTED, "cancel"): State.WITHDRAWN,
    (State.OPEN, "cancel"): State.CANCELING,
    (State.CANCELING, "ActivityTaskCancelRequested"): State.CANCEL_REQUESTED,
    (State.CANCELING, "RequestCancelActivityTaskFailed"): State.OPEN,
    (State.CANCELING, "ActivityTaskCompleted"): State.CLOSED_WHILE_CANCELING,
    (State.CANCELING, "ActivityTaskFailed"): State.CLOSED_WHILE_CANCELING,
    (State.CANCELING, "ActivityTaskTimedOut"): State.CLOSED_WHILE_CANCELING,
    (State.CANCELING, "ActivityTaskCanceled"): State.CLOSED_WHILE_CANCELING,
    (State.CLOSED_WHILE_CANCELING, "RequestCancelActivityTaskFailed"): State.CLOSED,
    (State.CANCEL_REQUESTED, "ActivityTaskCompleted"): State.SUCCEEDED,
    (State.CANCEL_REQUESTED, "ActivityTaskFailed"): State.FAILED,
    (State.CANCEL_REQUESTED, "ActivityTaskTimedOut"): State.TIMED_OUT,
    (State.CANCEL_REQUESTED, "ActivityTaskCanceled"): State.CANCELED,
}

_TIMER: Final[Table] = {
    (State.REQUESTED, "TimerStarted"): State.OPEN,
    (State.REQUESTED, "StartTimerFailed"): State.FAILED,
    (State.REQUESTED, "cancel"): State.WITHDRAWN,
    (State.WITHDRAWN, "TimerStarted"): State.CANCELING,  # 2.0.0 sent it all the same
    (State.WITHDRAWN, "StartTimerFailed"): State.FAILED,
    (State.OPEN, "TimerFired"): State.SUCCEEDED,
    (State.OPEN, "cancel"): State.CANCELING,
    (State.CANCELING, "TimerCanceled"): State.CANCELED,
    (State.CANCELING, "CancelTimerFailed"): State.OPEN,
    (State.CANCELING, "TimerFired"): State.CLOSED_WHILE_CANCELING,
    (State.CLOSED_WHILE_CANCELING, "CancelTimerFailed"): State.CLOSED,
}

_CHILD: Final[Table] = {
    (State.REQUESTED, "StartChildWorkflowExecutionInitiated"): State.OPEN,
    (State.REQUESTED, "StartChildWorkflowExecutionFailed"): State.FAILED,
    (State.OPEN, "StartChildWorkflowExecutionFailed"): State.FAILED,
    (State.OPEN, "ChildWorkflowExecutionCompleted"): State.SUCCEEDED,
    (State.OPEN, "ChildWorkflowExecutionFailed"): State.FAILED,
    (State.OPEN, "ChildWorkflowExecutionTimedOut"): State.TIMED_OUT,
    (State.OPEN, "ChildWorkflowExecutionCanceled"): State.CANCELED,
    (State.OPEN, "ChildWorkflowExecutionTerminated"): State.FAILED,
    (State.REQUESTED, "cancel"): State.WITHDRAWN,
}

_MARKER: Final[Table] = {
    (State.REQUESTED, "MarkerRecorded"): State.SUCCEEDED,
    (State.REQUESTED, "RecordMarkerFailed"): State.FAILED,
}

_SIGNAL: Final[Table] = {
    (State.REQUESTED, "SignalExternalWorkflowExecutionInitiated"): State.OPEN,
    (State.OPEN, "ExternalWorkflowExecutionSignaled"): State.SUCCEEDED,
    (State.OPEN, "SignalExternalWorkflowExecutionFailed"): State.FAILED,
}

_CANCEL: Final[Table] = {
    (State.REQUESTED, "RequestCancelExternalWorkflowExecutionInitiated"): State.OPEN,
    (State.OPEN, "ExternalWorkflowExecutionCancelRequested"): State.SUCCEEDED,
    (State.OPEN, "RequestCancelExternalWorkflowExecutionFailed"): State.FAILED,
}

_CLOSE: Final[Table] = {
    (State.REQUESTED, "WorkflowExecutionCompleted"): State.SUCCEEDED,
    (State.REQUESTED, "WorkflowExecutionFailed"): State.SUCCEEDED,
    (State.REQUESTED, "WorkflowExecutionCanceled"): State.SUCCEEDED,
    (State.REQUESTED, "WorkflowExecutionContinuedAsNew"): State.SUCCEEDED,
    (State.REQUESTED, "CompleteWorkflowExecutionFailed"): State.FAILED,
    (State.REQUESTED, "ContinueAsNewWorkflowExecutionFailed"): State.FAILED,
    (State.REQUESTED, "FailWorkflowExecutionFailed"): State.FAILED,
    (State.REQUESTED, "CancelWorkflowExecutionFailed"): State.FAILED,
    (State.FAILED, "retry"): State.REQUESTED,
}

TABLES: Final[dict[Kind, Table]] = {
    Kind.LAMBDA: _LAMBDA,
    Kind.ACTIVITY: _ACTIVITY,
    Kind.TIMER: _TIMER,
    Kind.CHILD: _CHILD,
    Kind.MARKER: _MARKER,
    Kind.SIGNAL: _SIGNAL,
    Kind.CANCEL: _CANCEL,
    Kind.CLOSE: _CLOSE,
}

SETTLED: Final = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.TIMED_OUT,
        State.CANCELED,
        State.WITHDRAWN,
        State.CLOSED_WHILE_CANCELING,
        State.CLOSED,
    }
)
"""The states in which an invocation has its outcome."""


class Answer(NamedTuple):
    """
    How an event answers a decision that was owed.

    ``id_in`` and ``name_in`` name the attributes that hold the invocation's id and name; ``id_in`` is empty for a close, which
    has no id, ``name_in`` is None where the event has no name to match. ``cancels`` is true where the decision was a cancel.
    """

    kind: Kind
    id_in: str
    name_in: str | None = None
    cancels: bool = False


ANSWERS: Final[dict[str, Answer]] = {
    "LambdaFunctionScheduled": Answer(Kind.LAMBDA, "id", "name"),
    "ScheduleLambdaFunctionFailed": Answer(Kind.LAMBDA, "id", "name"),
    "ActivityTaskScheduled": Answer(Kind.ACTIVITY, "activityId", "activityType"),
    "ScheduleActivityTaskFailed": Answer(Kind.ACTIVITY, "activityId", "activityType"),
    "ActivityTaskCancelRequested": Answer(Kind.ACTIVITY, "activityId", cancels=True),
    "RequestCancelActivityTaskFailed": Answer(Kind.ACTIVITY, "activityId", cancels=True),
    "TimerStarted": Answer(Kind.TIMER, "timerId"),
    "StartTimerFailed": Answer(Kind.TIMER, "timerId"),
    "TimerCanceled": Answer(Kind.TIMER, "timerId", cancels=True),
    "CancelTimerFailed": Answer(Kind.TIMER, "timerId", cancels=True),
    "StartChildWorkflowExecutionInitiated": Answer(Kind.CHILD, "workflowId", "workflowType"),
    "StartChildWorkflowExecutionFailed": Answer(Kind.CHILD, "workflowId", "workflowType"),
    "MarkerRecorded": Answer(Kind.MARKER, "markerName"),
    "RecordMarkerFailed": Answer(Kind.MARKER, "markerName"),
    "SignalExternalWorkflowExecutionInitiated": Answer(Kind.SIGNAL, "control", "signalName"),
    "RequestCancelExternalWorkflowExecutionInitiated": Answer(Kind.CANCEL, "control", "workflowId"),
    "WorkflowExecutionCompleted": Answer(Kind.CLOSE, ""),
    "WorkflowExecutionFailed": Answer(Kind.CLOSE, ""),
    "WorkflowExecutionCanceled": Answer(Kind.CLOSE, ""),
    "WorkflowExecutionContinuedAsNew": Answer(Kind.CLOSE, ""),
    "CompleteWorkflowExecutionFailed": Answer(Kind.CLOSE, ""),
    "FailWorkflowExecutionFailed": Answer(Kind.CLOSE, ""),
    "CancelWorkflowExecutionFailed": Answer(Kind.CLOSE, ""),
    "ContinueAsNewWorkflowExecutionFailed": Answer(Kind.CLOSE, ""),
}
"""The events that a decision makes as soon as it is applied."""

OUTCOMES: Final[dict[str, tuple[Kind, str]]] = {
    "LambdaFunctionCompleted": (Kind.LAMBDA, "scheduledEventId"),
    "LambdaFunctionFailed": (Kind.LAMBDA, "scheduledEventId"),
    "LambdaFunctionTimedOut": (Kind.LAMBDA, "scheduledEventId"),
    "StartLambdaFunctionFailed": (Kind.LAMBDA, "scheduledEventId"),
    "ActivityTaskCompleted": (Kind.ACTIVITY, "scheduledEventId"),
    "ActivityTaskFailed": (Kind.ACTIVITY, "scheduledEventId"),
    "ActivityTaskTimedOut": (Kind.ACTIVITY, "scheduledEventId"),
    "ActivityTaskCanceled": (Kind.ACTIVITY, "scheduledEventId"),
    "TimerFired": (Kind.TIMER, "startedEventId"),
    "ChildWorkflowExecutionCompleted": (Kind.CHILD, "initiatedEventId"),
    "ChildWorkflowExecutionFailed": (Kind.CHILD, "initiatedEventId"),
    "ChildWorkflowExecutionTimedOut": (Kind.CHILD, "initiatedEventId"),
    "ChildWorkflowExecutionCanceled": (Kind.CHILD, "initiatedEventId"),
    "ChildWorkflowExecutionTerminated": (Kind.CHILD, "initiatedEventId"),
    "ExternalWorkflowExecutionSignaled": (Kind.SIGNAL, "initiatedEventId"),
    "SignalExternalWorkflowExecutionFailed": (Kind.SIGNAL, "initiatedEventId"),
    "ExternalWorkflowExecutionCancelRequested": (Kind.CANCEL, "initiatedEventId"),
    "RequestCancelExternalWorkflowExecutionFailed": (Kind.CANCEL, "initiatedEventId"),
}
"""The events that end an invocation: its kind, and the attribute that names the event which began it."""

CLOSES: Final[dict[str, str]] = {
    "WorkflowExecutionCompleted": "CompleteWorkflowExecution",
    "WorkflowExecutionFailed": "FailWorkflowExecution",
    "WorkflowExecutionCanceled": "CancelWorkflowExecution",
    "WorkflowExecutionContinuedAsNew": "ContinueAsNewWorkflowExecution",
    "CompleteWorkflowExecutionFailed": "CompleteWorkflowExecution",
    "FailWorkflowExecutionFailed": "FailWorkflowExecution",
    "CancelWorkflowExecutionFailed": "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecutionFailed": "ContinueAsNewWorkflowExecution",
}
"""The events that answer a closing decision, and which decision that is: its name in matching."""

DRIFTS: Final = frozenset(
    {
        "input",
        "result",
        "startToFireTimeout",
        "startToCloseTimeout",
        "scheduleToStartTimeout",
        "scheduleToCloseTimeout",
        "heartbeatTimeout",
        "executionStartToCloseTimeout",
        "taskStartToCloseTimeout",
    }
)
"""What matching does not look at: where an event repeats it otherwise than it is asked, that is drift (contract 6)."""

REPEATING: Final = frozenset(
    {
        "LambdaFunctionScheduled",
        "ActivityTaskScheduled",
        "TimerStarted",
        "StartChildWorkflowExecutionInitiated",
        "SignalExternalWorkflowExecutionInitiated",
        "WorkflowExecutionCompleted",
    }
)
"""The events that repeat what their decision said; a failed one does not."""

SILENT: Final = frozenset(
    {
        "DecisionTaskScheduled",
        "DecisionTaskTimedOut",
        "LambdaFunctionStarted",
        "ActivityTaskStarted",
    }
)
"""The events that say nothing to a replay: frames of decision tasks, and facts that change no state."""
