"""
An invocation: one thing that workflow code asked for, its decision, and its outcome.

What a state brings about stands here: a requested one owes its decision, a canceling one owes a cancel, a settled one has an
outcome.
"""

from typing import Any, NamedTuple

from pyflow.swf.decisions import Decision

from .machine import step
from .tables import Kind, State

LAMBDA_RETRIES_MAX = 5
"""How often 2.0.0 silently asked for a lambda again; its runs in flight hold such histories (rules 1)."""

LAMBDA_RETRY_REASONS = frozenset({"SdkClientException", "ServiceException"})
"""The failures of the Lambda service, not of the function, that 2.0.0 retried."""


class Outcome(NamedTuple):
    """
    How an invocation ended.

    ``state`` is SUCCEEDED, FAILED, TIMED_OUT or CANCELED; ``result`` is the text that SWF recorded, or None; ``reason``,
    ``details``, ``cause`` and ``timeout_type`` are SWF's, where it gave them.
    """

    state: State
    result: str | None = None
    reason: str | None = None
    details: str | None = None
    cause: str | None = None
    timeout_type: str | None = None


class Invocation:
    """
    One lambda, activity, timer, child workflow, recorded value, signal, or the close.

    Attributes:
        kind, id: what it is and the id it was asked under.
        name: what must match besides: a function's name, ``{"name": ..., "version": ...}`` of a type, or None.
        decision: the decision that asks for it.
        where: ``(file, line, function)`` of the code that asked, or None.
        order: the place of its decision among all that the run asked for.
        owed_in: the number of the batch in whose response its decision is due.
        cancel_optional: the engine cancels it by itself, and history may lack the cancel's event (contract 6).
        state, outcome: where it stands; the outcome once it is settled.
        settled_at: the id of the event that settled it.
        future: who wants to know; replay only carries it.
    """

    __slots__ = (
        "cancel_optional",
        "decision",
        "future",
        "id",
        "kind",
        "name",
        "order",
        "outcome",
        "owed_in",
        "path",
        "retries",
        "settled_at",
        "state",
        "where",
    )

    def __init__(
        self, kind: Kind, id: str, name: Any, decision: Decision, where: tuple[str, int, str] | None = None
    ) -> None:
        self.kind = kind
        self.id = id
        self.name = name
        self.decision = decision
        self.where = where
        self.owed_in = 0
        self.order = 0
        self.cancel_optional = False
        self.state = State.REQUESTED
        self.path: list[str] = []
        self.outcome: Outcome | None = None
        self.settled_at: int | None = None
        self.retries = 0
        self.future: Any = None

    def step(self, trigger: str) -> State:
        """Take one step; raises TransitionError where the table has none."""
        self.state = state = step(self.kind, self.state, trigger, who=self.id, path=tuple(self.path))
        self.path.append(trigger)
        return state

    def wants_retry(self, attributes: dict[str, Any]) -> bool:
        """Tell whether 2.0.0's silent lambda retry applies to this failure."""
        return (
            self.kind is Kind.LAMBDA
            and self.retries < LAMBDA_RETRIES_MAX
            and attributes.get("reason") in LAMBDA_RETRY_REASONS
        )

    def __str__(self) -> str:
        name = self.name
        if isinstance(name, dict):
            name = f"{name.get('name')} {name.get('version')}"
        return f"{self.kind} {self.id}" + (f" ({name})" if name else "")


def outcome_of(event_type: str, state: State, attributes: dict[str, Any]) -> Outcome:
    """Read an outcome from the attributes of the event that brought it."""
    cause = attributes.get("cause")
    if event_type == "ChildWorkflowExecutionTerminated":
        return Outcome(state, reason="Child workflow was terminated", cause="TERMINATED")
    return Outcome(
        state,
        attributes.get("result"),
        attributes.get("reason") or cause,
        attributes.get("details") or attributes.get("message"),
        cause,
        attributes.get("timeoutType"),
    )
