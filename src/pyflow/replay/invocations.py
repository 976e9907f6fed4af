"""
An invocation: one thing that workflow code asked for, its decision, and its outcome.

What a state brings about stands here: a requested one owes its decision, a canceling one owes a cancel, a settled one has an
outcome.
"""

from types import CodeType
from typing import Any, Final, NamedTuple

from pyflow.swf.decisions import Decision
from pyflow.swf.model import DECISION_ATTRIBUTES

from .machine import REQUESTED, Standing
from .tables import Kind, State

LAMBDA_RETRIES_MAX = 5
"""How often 2.0.0 silently asked for a lambda again; its runs in flight hold such histories (rules 1)."""

LAMBDA_RETRY_REASONS = frozenset({"SdkClientException", "ServiceException"})
"""The failures of the Lambda service, not of the function, that 2.0.0 retried."""

# A global costs a tenth of what a member costs that is looked up on its enum: only where every invocation passes.
_SUCCEEDED = State.SUCCEEDED
_MARKER = Kind.MARKER
_LAMBDA = Kind.LAMBDA
_CLOSE = Kind.CLOSE

Place = tuple[CodeType, int]
"""A place in code, as cheap as it can be noted: the code object and the offset of the instruction."""


def format_place(place: Place | None) -> str | None:
    """Write a place as ``file:line in function``."""
    if place is None:
        return None
    code, offset = place
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    # Some instructions are nobody's line: those that only begin or end an ``except``.
    line = next(lines, None) or code.co_firstlineno
    return f"{code.co_filename}:{line} in {code.co_qualname}"


class Failure(NamedTuple):
    """How an invocation failed, as SWF tells it: each a text or None."""

    reason: str | None = None
    details: str | None = None
    cause: str | None = None
    timeout_type: str | None = None


_FORMS: Final = {
    kind: (decision_type, DECISION_ATTRIBUTES[decision_type], id_in, name_in)
    for kind, decision_type, id_in, name_in in [
        (Kind.LAMBDA, "ScheduleLambdaFunction", "id", "name"),
        (Kind.ACTIVITY, "ScheduleActivityTask", "activityId", "activityType"),
        (Kind.TIMER, "StartTimer", "timerId", None),
        (Kind.CHILD, "StartChildWorkflowExecution", "workflowId", "workflowType"),
        (Kind.MARKER, "RecordMarker", "markerName", None),
        (Kind.SIGNAL, "SignalExternalWorkflowExecution", "control", "signalName"),
        (Kind.CANCEL, "RequestCancelExternalWorkflowExecution", "control", "workflowId"),
    ]
}
"""
Which decision asks for each kind, the member that holds its attributes, and where those say the id and the name. A close has
neither: its name is the decision.
"""

_TEXTS: Final = {kind: kind.value for kind in Kind}
"""Each kind as plain text: its own is made by a call each time, and every response says what its code waits for."""

NO_OPTIONS: Final[dict[str, Any]] = {}


class Invocation:
    """
    One lambda, activity, timer, child workflow, recorded value, signal, or the close; ``new_invocation`` makes them.

    Attributes:
        kind, id: what it is and the id it was asked under.
        name: what must match besides: a function's name, ``{"name": ..., "version": ...}`` of a type, or None.
        where: the code object and the instruction that asked, or None.
        input: the text of the input that was asked for, or None.
        options: what else the decision says, in SWF's spelling.
        order: the place of its decision among all that the run asked for.
        owed_in: the number of the batch in whose response its decision is due.
        cancel_optional: the engine cancels it by itself, and history may lack the cancel's event (contract 6).
        outcome: once it is settled SUCCEEDED, FAILED, TIMED_OUT or CANCELED; else None.
        result: once it is settled, the text that SWF recorded, where it succeeded with one.
        failure: once it is settled, how it failed, where it did not succeed.
        settled_at: once it is settled, the id of the event that settled it.
        child_run_id: the run id of a child, once it has started.
        future: who wants to know; replay only carries it.
        standing: where it stands, and the path that led there.
    """

    __slots__ = (
        "cancel_optional",
        "child_run_id",
        "failure",
        "future",
        "id",
        "input",
        "kind",
        "name",
        "options",
        "order",
        "outcome",
        "owed_in",
        "result",
        "retries",
        "settled_at",
        "standing",
        "where",
    )

    kind: Kind
    id: str
    name: Any
    where: Place | None
    input: str | None
    options: dict[str, Any]
    order: int
    owed_in: int
    cancel_optional: bool
    retries: int
    outcome: State | None
    result: str | None
    failure: Failure | None
    settled_at: int
    child_run_id: str | None
    future: Any
    standing: Standing

    def decide(self) -> Decision:
        """Return the decision that asks for it. A replay asks for thousands of things and sends a few."""
        attributes: dict[str, Any]
        if self.kind is _CLOSE:
            decision_type, member, attributes = self.name, DECISION_ATTRIBUTES[self.name], {}
        else:
            decision_type, member, id_in, name_in = _FORMS[self.kind]
            attributes = {id_in: self.id}
            if name_in is not None:
                attributes[name_in] = self.name
            if self.input is not None:
                attributes["input"] = self.input
        if self.options:
            attributes.update(self.options)
        return {"decisionType": decision_type, member: attributes}

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.standing.state

    def step(self, trigger: str) -> State:
        """Take the step of an ask; raises TransitionError where the table has none."""
        try:
            standing = self.standing.following[trigger]
        except KeyError:
            standing = self.standing.step(trigger, self.id)
        self.standing = standing
        return standing.state

    def take(self, event_id: int, event_type: str, attributes: dict[str, Any]) -> State:
        """Take the step of an event, and the outcome if it brings one; raises TransitionError where the table has no step."""
        try:
            standing = self.standing.following[event_type]
        except KeyError:
            standing = self.standing.step(event_type, self.id)
        self.standing = standing
        outcome = standing.outcome
        if outcome is not None:
            self.settled_at = event_id
            self.outcome = outcome
            if outcome is _SUCCEEDED:
                self.result = attributes.get("details" if self.kind is _MARKER else "result")
                self.failure = None
            else:
                self.result = None
                self.failure = _failure(event_type, attributes)
        return standing.state

    def is_of_lambda_service(self, attributes: dict[str, Any]) -> bool:
        """Tell whether a failure is the Lambda service's, which 2.0.0 silently retried, and not the function's."""
        return self.kind is _LAMBDA and attributes.get("reason") in LAMBDA_RETRY_REASONS

    def __str__(self) -> str:
        name = self.name
        if isinstance(name, dict):
            name = f"{name.get('name')} {name.get('version')}"
        about = (
            self.kind + f" {self.id}" if self.id else self.kind + ""
        )  # written out, an enum's text is made by the enum
        return f"{about} ({name})" if name else about


def _failure(event_type: str, attributes: dict[str, Any]) -> Failure:
    if event_type == "ChildWorkflowExecutionTerminated":
        return Failure("Child workflow was terminated", cause="TERMINATED")
    cause = attributes.get("cause")
    return Failure(
        attributes.get("reason") or cause,
        attributes.get("details") or attributes.get("message"),
        cause,
        attributes.get("timeoutType"),
    )


def new_invocation(
    kind: Kind,
    id: str,
    name: Any,
    where: Place | None = None,
    input: str | None = None,
    options: dict[str, Any] = NO_OPTIONS,
) -> Invocation:
    """
    Return a new invocation.

    A function, and no constructor, for what a replay makes by the thousand: those take twice as long. Nothing is set that will be
    anyway, when it is asked for and when it is settled.
    """
    invocation = Invocation()
    invocation.kind = kind
    invocation.id = id
    invocation.name = name
    invocation.where = where
    invocation.input = input
    invocation.options = options
    invocation.future = None
    invocation.retries = 0
    invocation.cancel_optional = False
    invocation.outcome = None
    invocation.child_run_id = None
    invocation.standing = REQUESTED[kind]
    return invocation
