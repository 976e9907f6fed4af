"""
A history as a person reads it: one line for each thing that happened, as it happens.

Decision tasks and ``...Started`` events are how SWF goes about it, and are left out.
"""

import json
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import PayloadException
from pyflow.failures import read
from pyflow.payloads.sealing import MARK, describe
from pyflow.swf.client import Client, service_faults
from pyflow.swf.events import CLOSE_EVENTS, attributes_of

__all__ = ["Line", "Trace", "columns", "printable", "short"]

PAGE_EVENTS: Final = 100

SHORT: Final = 60
"""Characters of an input or a result in a line about something else."""

SECONDS_MAX: Final = 100_000
"""More than this is told in days."""


class Line(NamedTuple):
    """
    One thing that happened.

    Attributes:
        depth: 0 for the execution that is followed, 1 for its children, ...
        time: when, as the service gives it.
        what: ``activity failed``, ``timer started``, ...
        id: ``activity1``, ``sleep2``, ...
        name: of what was asked for.
        value: input, result, or reason.
    """

    depth: int
    time: Any
    what: str
    id: str
    name: str
    value: str | None


ASKED: Final = {
    # event type: (what, member with the id, member with the name, member with the value)
    "ActivityTaskScheduled": ("activity", "activityId", "activityType", "input"),
    "LambdaFunctionScheduled": ("lambda", "id", "name", "input"),
    "StartChildWorkflowExecutionInitiated": ("child", "workflowId", "workflowType", "input"),
    "TimerStarted": ("timer", "timerId", None, "startToFireTimeout"),
    "SignalExternalWorkflowExecutionInitiated": ("signal to", "workflowId", "signalName", "input"),
    "RequestCancelExternalWorkflowExecutionInitiated": ("cancel of", "workflowId", None, None),
}
"""Events that begin something; later ones point back to them."""

ANSWERED: Final = {
    # event type: (what, member that points back, member with the value)
    "ActivityTaskCompleted": ("completed", "scheduledEventId", "result"),
    "ActivityTaskFailed": ("failed", "scheduledEventId", "reason"),
    "ActivityTaskTimedOut": ("timed out", "scheduledEventId", "timeoutType"),
    "ActivityTaskCanceled": ("canceled", "scheduledEventId", "details"),
    "LambdaFunctionCompleted": ("completed", "scheduledEventId", "result"),
    "LambdaFunctionFailed": ("failed", "scheduledEventId", "reason"),
    "LambdaFunctionTimedOut": ("timed out", "scheduledEventId", "timeoutType"),
    "StartLambdaFunctionFailed": ("refused", "scheduledEventId", "cause"),
    "TimerFired": ("fired", "startedEventId", None),
    "TimerCanceled": ("canceled", "startedEventId", None),
    "ChildWorkflowExecutionCompleted": ("completed", "initiatedEventId", "result"),
    "ChildWorkflowExecutionFailed": ("failed", "initiatedEventId", "reason"),
    "ChildWorkflowExecutionTimedOut": ("timed out", "initiatedEventId", "timeoutType"),
    "ChildWorkflowExecutionCanceled": ("canceled", "initiatedEventId", "details"),
    "ChildWorkflowExecutionTerminated": ("terminated", "initiatedEventId", None),
    "StartChildWorkflowExecutionFailed": ("refused", "initiatedEventId", "cause"),
    "ExternalWorkflowExecutionSignaled": ("delivered", "initiatedEventId", None),
    "SignalExternalWorkflowExecutionFailed": ("refused", "initiatedEventId", "cause"),
    "ExternalWorkflowExecutionCancelRequested": ("delivered", "initiatedEventId", None),
    "RequestCancelExternalWorkflowExecutionFailed": ("refused", "initiatedEventId", "cause"),
}

ALONE: Final = {
    # event type: (what, member with the id, member with the name, member with the value)
    "WorkflowExecutionStarted": ("workflow started", None, "workflowType", "input"),
    "WorkflowExecutionSignaled": ("signal received", None, "signalName", "input"),
    "WorkflowExecutionCancelRequested": ("cancel requested", None, None, "cause"),
    "MarkerRecorded": ("value recorded", "markerName", None, "details"),
    "ScheduleActivityTaskFailed": ("activity refused", "activityId", "activityType", "cause"),
    "ScheduleLambdaFunctionFailed": ("lambda refused", "id", "name", "cause"),
    "StartTimerFailed": ("timer refused", "timerId", None, "cause"),
    "DecisionTaskTimedOut": ("decision timed out", None, None, "timeoutType"),
    "WorkflowExecutionCompleted": ("workflow completed", None, None, "result"),
    "WorkflowExecutionFailed": ("workflow failed", None, None, "reason"),
    "WorkflowExecutionTimedOut": ("workflow timed out", None, None, "timeoutType"),
    "WorkflowExecutionCanceled": ("workflow canceled", None, None, "details"),
    "WorkflowExecutionTerminated": ("workflow terminated", None, None, "reason"),
    "WorkflowExecutionContinuedAsNew": ("workflow continued as new", None, "workflowType", "input"),
}


class Trace:
    """
    Follows an execution, and the children that it starts, through any client.

    Args:
        client: an SWF client.
        domain: the execution's domain.
        execution: ``{"workflowId": ..., "runId": ...}``.
        depth: that of its lines.
        converter: opens values that codecs or a payload store have sealed; what it cannot open is described.

    Attributes:
        closed: the event that closed the execution, once it is there.
    """

    def __init__(
        self,
        client: Client,
        domain: str,
        execution: dict[str, str],
        *,
        depth: int = 0,
        converter: DataConverter = JSON,
    ) -> None:
        self.closed: dict[str, Any] | None = None
        self._client = client
        self._domain = domain
        self._execution = execution
        self._depth = depth
        self._converter = converter
        self._seen = 0
        self._asked: dict[int, tuple[str, str, str]] = {}  # event id -> what, id, name
        self._children: list[Trace] = []

    def new(self) -> list[Line]:
        """Give what has happened since the last call, in the order of time; of executions at one time, parents first."""
        lines: list[Line] = []
        if self.closed is None:
            for event in self._new_events():
                line = self._line(event)
                if line is not None:
                    lines.append(line)
                if event["eventType"] == "ChildWorkflowExecutionStarted":
                    child = attributes_of(event)["workflowExecution"]
                    self._children.append(
                        Trace(self._client, self._domain, child, depth=self._depth + 1, converter=self._converter)
                    )
                if event["eventType"] in CLOSE_EVENTS:
                    self.closed = event
        for trace in self._children:
            lines += trace.new()
        return sorted(lines, key=lambda line: line.time)

    def _new_events(self) -> list[dict[str, Any]]:
        """Read backwards to what is known, so that a long history costs no more than a short one."""
        fresh: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            with service_faults("GetWorkflowExecutionHistory"):
                page = self._client.get_workflow_execution_history(
                    domain=self._domain,
                    execution=self._execution,
                    reverseOrder=True,
                    maximumPageSize=PAGE_EVENTS,
                    **token,
                )
            unseen = [event for event in page["events"] if event["eventId"] > self._seen]
            fresh += unseen
            if len(unseen) < len(page["events"]) or not page.get("nextPageToken"):
                break
            token = {"nextPageToken": page["nextPageToken"]}
        fresh.reverse()
        if fresh:
            self._seen = fresh[-1]["eventId"]
        return fresh

    def _line(self, event: dict[str, Any]) -> Line | None:
        type_ = event["eventType"]
        attributes = attributes_of(event)
        if type_ in ASKED:
            kind, id_in, name_in, value_in = ASKED[type_]
            own_id, name = attributes[id_in], _name(attributes, name_in)
            self._asked[event["eventId"]] = kind, own_id, name
            what, value = f"{kind} asked for", attributes.get(value_in or "")
            if type_ == "TimerStarted":
                what, value = "timer started", f"{value} s"
        elif type_ in ANSWERED:
            how, back, value_in = ANSWERED[type_]
            kind, own_id, name = self._asked.get(attributes[back]) or _refused_at_once(attributes)
            what, value = f"{kind} {how}", attributes.get(value_in or "")
            if how == "failed":
                value = ": ".join(filter(None, (value, _told(attributes.get("details") or ""))))
        elif type_ in ALONE:
            what, alone_id_in, name_in, value_in = ALONE[type_]
            own_id, name = attributes.get(alone_id_in or "", ""), _name(attributes, name_in)
            value = attributes.get(value_in or "")
        else:
            return None
        return Line(self._depth, event["eventTimestamp"], what, own_id, name, self._readable(value))

    def _readable(self, value: str | None) -> str | None:
        """Return a value with its seal opened, or what can be said of it."""
        if value is None or not value.startswith(MARK):
            return value
        try:
            return self._converter.open(value)
        except PayloadException:
            return describe(value)


def _refused_at_once(attributes: dict[str, Any]) -> tuple[str, str, str]:
    """Return what, id and name of something that SWF refused without beginning it: only children say so in this way."""
    return ("child", attributes.get("workflowId", ""), _name(attributes, "workflowType"))


def _told(details: str) -> str:
    """Return the line of a failure's details that says most."""
    report = read(details)
    return (details if report is None else report.message).partition("\n")[0]


def _name(attributes: dict[str, Any], member: str | None) -> str:
    name = attributes.get(member or "", "")
    return f"{name['name']} {name['version']}" if isinstance(name, dict) else name


def columns(line: Line, began: Any) -> tuple[str, str, str, str]:
    """
    Lay a line out: when, what, the id, and the name with a glance at the value; each padded but the last.

    Args:
        line: what happened.
        began: the time that counts as 0 s, of the kind of ``line.time``.
    """
    elapsed = line.time - began
    seconds = elapsed.total_seconds() if isinstance(elapsed, timedelta) else elapsed
    when = f"{seconds:8.2f} s" if seconds < SECONDS_MAX else f"{seconds / 86_400:8.2f} d"
    name = f"{short(line.name)}  " if line.name else ""
    return (
        f"{when}  {'    ' * line.depth}",
        f"{line.what:<20}",
        f"{_short_id(line.id):<15} ",
        name + short(line.value),
    )


def printable(text: str) -> str:
    """Return a text whose control characters cannot play with a terminal; line ends and tabs stay."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else json.dumps(character)[1:-1]
        for character in text
    )


def short(text: str | None) -> str:
    """Return a text on one line, shortened to a glance."""
    line = " ".join(printable(text or "").split())
    return line if len(line) <= SHORT else line[: SHORT - 3] + "..."


def _short_id(own_id: str) -> str:
    """A child's id begins with its parent's run id, which says nothing here."""
    return short(own_id.rpartition(".")[2] if "child_workflow" in own_id else own_id)
