"""
What a rule asks for beyond its own execution: frozen facts for the service to carry out once the rule has returned.

Everything that happens inside the execution itself is in the turn: its events and the items it touched.
"""

from dataclasses import dataclass
from typing import Any

from .state import Parent


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child with these settings, then tell the parent that it runs or why it does not."""

    initiated_id: int
    workflow_id: str
    workflow_type: dict[str, str]
    settings: dict[str, Any]
    input: str | None
    tag_list: list[str]


@dataclass(frozen=True, slots=True)
class StartSuccessor:
    """Start the run that goes on as new in place of this one."""

    run_id: str
    workflow_type: dict[str, str]
    settings: dict[str, Any]
    input: str | None
    tag_list: list[str]


@dataclass(frozen=True, slots=True)
class DeliverSignal:
    """Signal another execution, then tell the sender how it went."""

    initiated_id: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeliverCancelRequest:
    """Ask another execution to cancel, then tell the sender how it went."""

    initiated_id: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TellParent:
    """Record how a child closed in its parent's history."""

    parent: Parent
    event_type: str
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApplyChildPolicy:
    """Do to the open children what the closing parent's policy says."""

    policy: str
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InvokeLambda:
    """Run a function once a thread is free."""

    scheduled_id: int
    attributes: dict[str, Any]


Effect = (
    StartChild | StartSuccessor | DeliverSignal | DeliverCancelRequest | TellParent | ApplyChildPolicy | InvokeLambda
)
