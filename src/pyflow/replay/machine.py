"""What surrounds the tables: how steps are taken through them, the error for one that they do not have, and pictures of them."""

from collections.abc import Sequence
from typing import Final

from pyflow.exceptions import HistoryException

from .tables import TABLES, Kind, State

_PATH_KEPT: Final = 16
_OUTCOMES: Final = frozenset({State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.CANCELED})


class TransitionError(HistoryException):
    """An event came that the machine's table does not expect in its state; the message has the path that led there."""


def unexpected(kind: Kind, id: str, state: State, trigger: str, path: Sequence[str]) -> TransitionError:
    """Return the error for a step that a table does not have."""
    way = " -> ".join(path) or "no step yet"
    return TransitionError(
        f"{kind} {id}: {trigger} is not expected while it is {state} (its path: {way}). "
        f"The history does not hold together; fetch it whole and look at the events that name {id}."
    )


class Standing:
    """
    A state of a machine and the path that led there.

    Each is made from the tables when it is first reached, and then shared by all invocations that go the same way: a step is
    one look into a dict, and no invocation keeps a path of its own. Paths so long that only a loop can make them are not kept.

    Attributes:
        outcome: what has come of it, if the last trigger has brought that; else None.
        following: the standings that are known to follow, by the trigger that leads there.
    """

    __slots__ = ("following", "kind", "outcome", "path", "state")

    def __init__(self, kind: Kind, state: State, path: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.state = state
        self.path = path
        self.outcome = state if state in _OUTCOMES else None
        if state is State.CLOSED_WHILE_CANCELING:  # it has ended as if nobody had canceled
            self.outcome = TABLES[kind][State.OPEN, path[-1]]
        self.following: dict[str, Standing] = {}

    def step(self, trigger: str, id: str) -> "Standing":
        """Return the standing that follows; raises TransitionError, which names the id, if the table has no such step."""
        state = TABLES[self.kind].get((self.state, trigger))
        if state is None:
            raise unexpected(self.kind, id, self.state, trigger, self.path) from None
        following = Standing(self.kind, state, (*self.path, trigger))
        if len(following.path) < _PATH_KEPT:
            self.following[trigger] = following
        return following


REQUESTED: Final = {kind: Standing(kind, State.REQUESTED) for kind in Kind}
"""Where each kind of invocation begins."""


def diagram(kind: Kind) -> str:
    """Draw a table as a Mermaid state diagram."""
    edges = "\n".join(
        f"    {_node(source)} --> {_node(target)}: {trigger}" for (source, trigger), target in TABLES[kind].items()
    )
    return f"stateDiagram-v2\n    [*] --> {_node(State.REQUESTED)}\n{edges}\n"


def page() -> str:
    """Write the page of all tables, ``docs/state-machines.md``; ``make docs`` puts it there, a test compares."""
    intro = (
        "Drawn from `replay/tables.py` by `make docs`. Each thing that code asks for goes through one of them; "
        "what makes it go on is an ask (`cancel`, `retry`) or an event of SWF."
    )
    parts = ["# State machines", "", intro]
    for kind in Kind:
        parts += ["", f"## {kind}", "", "```mermaid", diagram(kind).rstrip(), "```"]
    return "\n".join(parts) + "\n"


def _node(state: State) -> str:
    return state.replace(" ", "_")
